"""Drains the outbox through the platforms: every state change is one store write, before and after each call outside.

What is done with a failure:

    RETRY      back to pending, with growing delays; told as late when it gets out; after three days, or when the next
               digest of the subscription is due, given up, and that next digest covers its papers
    UNKNOWN    look whether it arrived: sent, or (surely not there) pending; where nobody can ever look, dead: never
               twice; where nobody can look now, look later
    REJECTED   dead: this message will never be taken
    GONE, FORBIDDEN, REVOKED   dead, and the subscription is paused with the reason; `recovery.py` brings both back when
               the cause is gone
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from core.chat.message import Message
from core.clock import Clock
from core.delivery.outbox import read_message, retry_delay, with_lateness, write_message
from core.delivery.platform import Platform
from core.digests.subscription import Pause, Subscription
from core.errors import DeliveryError, DeliveryFailure, StoreError, log_level
from core.store import DOUBTFUL_PART, OPEN, Change, Delivery, State, Store
from core.store.figures import DEAD, FAILED, LATE, ON_TIME, PREVENTED, SETTLED, SILENT, Count, ignore
from core.store.gaps import note_gap
from core.traces import begin_delivery

log = logging.getLogger(__name__)

GIVE_UP_AFTER = timedelta(days=3)
SETTLE_AFTER = timedelta(seconds=5)
ON_TIME_WITHIN = timedelta(seconds=60)
LOOK_BACK = timedelta(hours=1)  # clocks differ, ours and theirs
AT_ONCE = 16
STOPPED = "paperboy stopped while it was being sent"
PAUSING = {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN, DeliveryFailure.REVOKED}


class Courier:
    """Carries deliveries; one at a time to an address, several addresses of each platform at once.

    Args:
        platforms: by name.
        jitter: returns a number from 0 to 1.
        count: told what happens, for the service's own figures.
    """

    def __init__(
        self,
        *,
        store: Store,
        platforms: Mapping[str, Platform],
        clock: Clock,
        jitter: Callable[[], float],
        count: Count = ignore,
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._clock = clock
        self._jitter = jitter
        self._tell = count
        self._wake = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._behind: set[str] = set()
        self._places = {name: asyncio.Semaphore(AT_ONCE) for name in platforms}

    def wake(self) -> None:
        """Look into the outbox now rather than at the next round."""
        self._wake.set()

    async def run(self, *, every: float) -> None:
        """Carry until cancelled, looking at least every so many seconds."""
        await self.recover()
        try:
            while True:
                await self._drain_safely()
                try:
                    # `wait_for` may lose a cancellation that comes with the wake: python/cpython#86296.
                    async with asyncio.timeout(every):
                        await self._wake.wait()
                except TimeoutError:
                    continue
                finally:
                    self._wake.clear()
        finally:
            await self._stop()

    async def recover(self) -> None:
        """Mark what a crash left in mid-delivery as unknown; for the owner of the store, once, at start."""
        for delivery in await self._store.open_deliveries():
            if delivery.state is State.SENDING:
                await self._left_behind(delivery)

    async def _left_behind(self, delivery: Delivery) -> Delivery | None:
        """Mark what we left in mid-delivery as unknown. That try was our failure, and no reason to wait longer."""
        tries = max(delivery.attempts - 1, 0)
        return await self._move(delivery, State.UNKNOWN, note=STOPPED, not_before=None, attempts=tries)

    async def drain(self) -> None:
        """Start what can be tried now, without waiting for it."""
        now = self._clock()
        self._behind.clear()
        for delivery in await self._store.open_deliveries():
            if delivery.address.partition(":")[0] not in self._platforms or not _is_ripe(delivery, now):
                continue
            if delivery.address in self._under_way:
                self._behind.add(delivery.address)
                continue
            task = asyncio.create_task(self._carry(delivery), name=f"deliver {delivery.key}")
            self._under_way[delivery.address] = task
            task.add_done_callback(partial(self._arrived, delivery.address))

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._under_way)

    async def settled(self) -> None:
        """Wait until nothing is under way any more."""
        while self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    async def _drain_safely(self) -> None:
        try:
            await self.drain()
        except StoreError as error:
            log.log(log_level(error), "the outbox cannot be read: %s", error)

    def _arrived(self, address: str, _task: asyncio.Task[None]) -> None:
        self._under_way.pop(address, None)
        # Looking again after every single delivery would read the whole outbox as often as it has entries.
        if address in self._behind:
            self._wake.set()

    async def _stop(self) -> None:
        """Let what is under way finish; it is short, and half a delivery would have to be settled later."""
        if self._under_way:
            await asyncio.wait(set(self._under_way.values()), timeout=8)
        for task in list(self._under_way.values()):
            task.cancel()

    async def _carry(self, seen: Delivery) -> None:
        begin_delivery(seen.key)
        name = seen.address.partition(":")[0]
        platform = self._platforms[name]
        await platform.ready()
        async with self._places[name]:
            try:
                # What was read before the wait may have changed: given up, forgotten, or some parts further.
                delivery = await self._store.delivery(seen.subscription, seen.day)
                if delivery is not None and delivery.state in OPEN and _is_ripe(delivery, self._clock()):
                    await self._advance(delivery, platform)
            except StoreError as error:
                log.log(log_level(error), "delivery %s: %s", seen.key, error)

    async def _advance(self, delivery: Delivery, platform: Platform) -> None:
        """Take the next step. Nobody is at work on it, so one that says so was left behind by a write that failed."""
        if delivery.state is State.PENDING:
            await self._send(delivery, platform)
            return
        unknown: Delivery | None = delivery
        if delivery.state is State.SENDING:
            unknown = await self._left_behind(delivery)
        if unknown is not None:
            await self._settle(unknown, platform)

    async def _send(self, delivery: Delivery, platform: Platform) -> None:
        subscription = await self._store.subscription(delivery.subscription)
        if subscription is None or (subscription.pause is not None and subscription.pause.by_hand):
            # It was taken back while its digest was being composed or waited for its turn.
            note = "unsubscribed" if subscription is None else "paused by request"
            await self._bury(delivery, f"{note} before it was sent")
            return
        message = self._message(delivery, subscription)
        written = write_message(message)
        sending = await self._move(delivery, State.SENDING, attempts=delivery.attempts + 1, message=written)
        if sending is None:
            return
        current = sending

        async def part_sent(name: str) -> None:
            nonlocal current
            current = await self._move(current, State.SENDING, parts=(*current.parts, name)) or current

        try:
            receipt = await platform.deliver(
                delivery.address, message, key=delivery.key, done=delivery.parts, sent=part_sent
            )
        except DeliveryError as error:
            await self._failed(current, error)
        except StoreError:
            raise
        except Exception as error:  # nobody foresaw it, so nobody knows whether it arrived; the log has it whole
            log.exception("delivery %s", delivery.key)
            await self._failed(current, DeliveryError(DeliveryFailure.UNKNOWN, _stumbled(error)))
        else:
            await self._move(current, State.SENT, parts=receipt.parts, message="", note=receipt.url)
            self._count_sent(delivery)
            log.info("delivery %s sent by %s", delivery.key, platform.name)  # an address may be a person's

    def _message(self, delivery: Delivery, subscription: Subscription) -> Message:
        """Return what to send. A digest of which parts arrived already goes on as it began."""
        message = read_message(delivery.message)
        if delivery.parts:
            return message
        return with_lateness(message, delivery, now=self._clock(), timezone=subscription.timezone)

    async def _failed(self, delivery: Delivery, error: DeliveryError) -> None:
        log.warning("delivery %s: %s (%s)", delivery.key, error, error.kind)
        self._count(delivery, FAILED + error.kind)
        if error.kind is DeliveryFailure.UNKNOWN:
            await self._move(delivery, State.UNKNOWN, note=str(error), not_before=self._clock() + SETTLE_AFTER)
        elif error.kind in PAUSING:
            await self._pause(delivery, str(error))
            await self._bury(delivery, str(error))
        elif error.kind is DeliveryFailure.REJECTED:
            await self._bury(delivery, str(error))
        else:
            await self._again(delivery, error)

    async def _again(self, delivery: Delivery, error: DeliveryError) -> None:
        now = self._clock()
        if now - delivery.due_at > GIVE_UP_AFTER:
            self._count(delivery, DEAD)
            await self._bury(delivery, f"given up after {delivery.attempts} tries: {error}")
            return
        delay = retry_delay(max(delivery.attempts, 1), self._jitter())
        if error.retry_after is not None:
            delay = timedelta(seconds=error.retry_after)
        await self._move(delivery, State.PENDING, note=str(error), not_before=now + delay)

    async def _settle(self, delivery: Delivery, platform: Platform) -> None:
        """Find out what became of an unknown delivery."""
        since = min(delivery.composed_at, self._clock()) - LOOK_BACK
        try:
            parts = await platform.find(delivery.address, delivery.key, since)
        except DeliveryError as error:
            await self._look_later(delivery, error)
            return
        except Exception as error:  # as above: it is still not known, and the next look may see more
            log.exception("delivery %s", delivery.key)
            await self._look_later(delivery, DeliveryError(DeliveryFailure.RETRY, _stumbled(error)))
            return
        if parts is None:
            await self._give_up_doubtful(delivery, delivery.note)
        elif len(parts) >= len(platform.payload(read_message(delivery.message))):
            await self._move(delivery, State.SENT, parts=tuple(parts), message="", note="found where it was sent")
            self._count(delivery, SETTLED)
            self._count(delivery, PREVENTED)
            self._count_sent(delivery)
            log.info("delivery %s found where it was sent, and not sent again", delivery.key)
        else:
            self._count(delivery, SETTLED)
            await self._send_rest(delivery, tuple(parts))

    async def _send_rest(self, delivery: Delivery, parts: tuple[str, ...]) -> None:
        """Queue what surely did not arrive: at once, unless the platform has lost it more than once."""
        if delivery.attempts > 1 and delivery.not_before is not None:
            found = replace(delivery, parts=parts)
            await self._again(found, DeliveryError(DeliveryFailure.RETRY, delivery.note))
            return
        await self._move(delivery, State.PENDING, parts=parts, not_before=None, note=delivery.note)
        log.info("delivery %s did not arrive whole, and goes on with what is missing", delivery.key)
        self._wake.set()

    async def _give_up_doubtful(self, delivery: Delivery, why: str) -> None:
        note = f"not known whether it arrived, and not sent again for that reason ({why})"
        self._count(delivery, DEAD)
        await self._bury(delivery, note, parts=(*delivery.parts, DOUBTFUL_PART))

    async def _bury(self, delivery: Delivery, note: str, *, parts: tuple[str, ...] | None = None) -> None:
        log.warning("delivery %s given up: %s", delivery.key, note)
        parts = delivery.parts if parts is None else parts
        if not parts:
            await note_gap(self._store, delivery)
        await self._move(delivery, State.DEAD, note=note, message="", parts=parts)

    def _count(self, delivery: Delivery, what: str) -> None:
        self._tell(delivery.address.partition(":")[0], what)

    def _count_sent(self, delivery: Delivery) -> None:
        on_time = self._clock() - delivery.due_at < ON_TIME_WITHIN
        self._count(delivery, ON_TIME if on_time else LATE)
        if delivery.silence:
            self._count(delivery, SILENT)

    async def _look_later(self, delivery: Delivery, error: DeliveryError) -> None:
        if error.kind in PAUSING:
            # It may have arrived all the same, and the place may come back: then a look settles it.
            await self._pause(delivery, str(error))
            if self._clock() - delivery.due_at > GIVE_UP_AFTER:
                await self._give_up_doubtful(delivery, str(error))
                return
        delay = retry_delay(max(delivery.attempts, 1), self._jitter())
        moved = replace(delivery, attempts=delivery.attempts + 1)
        await self._move(moved, State.UNKNOWN, note=str(error), not_before=self._clock() + delay)

    async def _pause(self, delivery: Delivery, reason: str) -> None:
        subscription = await self._store.subscription(delivery.subscription)
        if subscription is None or subscription.pause is not None:
            return
        now = self._clock()
        change = Change(now, subscription.address, "paperboy", f"paused #{subscription.number}: {reason}")
        await self._store.replace_subscription(replace(subscription, pause=Pause(reason, now, by_hand=False)), change)
        log.warning("subscription %s paused: %s", subscription.id, reason)

    async def _move(self, delivery: Delivery, state: State, **changes: object) -> Delivery | None:
        moved = _changed(delivery, state, self._clock(), changes)
        return moved if await self._store.move(moved, expected=delivery.state) else None


def _is_ripe(delivery: Delivery, now: datetime) -> bool:
    """Whether a delivery may be tried. A change in the future means that the clock went back: no wait counts then."""
    return delivery.not_before is None or delivery.not_before <= now or delivery.changed_at > now


def _stumbled(error: Exception) -> str:
    return f"paperboy stumbled over it ({type(error).__name__})"


def _changed(delivery: Delivery, state: State, now: datetime, changes: Mapping[str, object]) -> Delivery:
    return replace(delivery, state=state, changed_at=now, **changes)  # type: ignore[arg-type]
