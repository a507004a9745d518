"""One delivery's way through a platform: every state change is one store write, before and after each call outside.

What is done with a failure:

    RETRY      back to pending, with growing delays; told as late when it gets out; after three days, or when the next
               digest of the subscription is due, given up, and that next digest covers its papers
    UNKNOWN    look whether it arrived: sent, or (surely not there) pending; where nobody can ever look, dead: never
               twice; where nobody can look now, look later
    REJECTED   dead: this message will never be taken
    GONE, FORBIDDEN, REVOKED   dead, and the subscription is paused with the reason; `recovery.py` brings both back when
               the cause is gone

Whoever takes a step has to be alone with the delivery: the one process of a data folder, or the holder of its job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.chat.message import Message
from core.clock import Clock
from core.delivery.outbox import read_message, retry_delay, with_lateness, write_message
from core.delivery.platform import Platform
from core.digests.subscription import Pause, Subscription
from core.errors import DeliveryError, DeliveryFailure, StoreError
from core.store import DOUBTFUL_PART, OPEN, Change, Delivery, State, Store
from core.store.figures import DEAD, FAILED, LATE, ON_TIME, PREVENTED, SETTLED, SILENT, Count, ignore
from core.store.gaps import note_gap

log = logging.getLogger(__name__)

GIVE_UP_AFTER = timedelta(days=3)
SETTLE_AFTER = timedelta(seconds=5)
ON_TIME_WITHIN = timedelta(seconds=60)
LOOK_BACK = timedelta(hours=1)  # clocks differ, ours and theirs
STOPPED = "paperboy stopped while it was being sent"
PAUSING = {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN, DeliveryFailure.REVOKED}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wants a delivery, as was read just now; None where nobody does any more."""

    subscription: Subscription | None


class Carrier:
    """Takes one step after the other.

    Args:
        store: where deliveries stand.
        platforms: by name.
        clock: now.
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
        self.store = store
        self.platforms = platforms
        self._clock = clock
        self._jitter = jitter
        self._tell = count

    def knows(self, address: str) -> bool:
        """Whether an address is of a platform that is here."""
        return address.partition(":")[0] in self.platforms

    def is_ripe(self, delivery: Delivery) -> bool:
        """Whether a delivery may be tried. A change in the future means a clock that went back: no wait counts then."""
        now = self._clock()
        return delivery.not_before is None or delivery.not_before <= now or delivery.changed_at > now

    async def carry(self, delivery: Delivery, wanted: Wanted | None = None) -> Delivery | None:
        """Take steps until the delivery is settled or has to wait; return how it stands, None where others moved it.

        Args:
            delivery: as it stands.
            wanted: by whom, where that was read just now; it is asked for each step otherwise.

        Raises:
            StoreError: a step could not be kept; the next try finds out what became of it.
        """
        current: Delivery | None = delivery
        while current is not None and current.state in OPEN and self.is_ripe(current):
            current, wanted = await self.step(current, wanted), None
        return current

    async def step(self, delivery: Delivery, wanted: Wanted | None = None) -> Delivery | None:
        """Take the next step. Nobody is at work on it, so one that says so was left behind.

        Raises:
            StoreError: as `carry` does.
        """
        if delivery.state is State.PENDING:
            wanted = wanted or Wanted(await self.store.subscription(delivery.subscription))
            return await self._send(delivery, wanted.subscription)
        unknown: Delivery | None = delivery
        if delivery.state is State.SENDING:
            unknown = await self.left_behind(delivery)
        return None if unknown is None else await self._settle(unknown)

    async def left_behind(self, delivery: Delivery) -> Delivery | None:
        """Mark what we left in mid-delivery as unknown. That try was our failure, and no reason to wait longer."""
        tries = max(delivery.attempts - 1, 0)
        return await self._move(delivery, State.UNKNOWN, note=STOPPED, not_before=None, attempts=tries)

    async def _send(self, delivery: Delivery, subscription: Subscription | None) -> Delivery | None:
        if subscription is None or (subscription.pause is not None and subscription.pause.by_hand):
            # It was taken back while its digest was being composed or waited for its turn.
            note = "unsubscribed" if subscription is None else "paused by request"
            return await self._bury(delivery, f"{note} before it was sent")
        sending = self.claimed(delivery, subscription)
        return await self.post(sending) if await self.store.move(sending, expected=delivery.state) else None

    def claimed(self, delivery: Delivery, subscription: Subscription) -> Delivery:
        """Return a pending delivery as it is to be kept just before it is posted."""
        message = write_message(self._message(delivery, subscription))
        changes = {"attempts": delivery.attempts + 1, "message": message}
        return _changed(delivery, State.SENDING, self._clock(), changes)

    async def post(self, sending: Delivery) -> Delivery | None:
        """Post what was claimed and kept so just now; return how it stands, None where others moved it.

        Raises:
            StoreError: as `carry` does.
        """
        platform, message = self.platforms[sending.address.partition(":")[0]], read_message(sending.message)
        current, whole = sending, len(platform.payload(message))

        async def part_sent(name: str) -> None:
            nonlocal current
            further = replace(current, parts=(*current.parts, name))
            # The last one is kept with the receipt, which follows at once.
            is_last = len(further.parts) >= whole
            current = further if is_last else await self._move(further, State.SENDING) or further

        try:
            receipt = await platform.deliver(
                sending.address, message, key=sending.key, done=sending.parts, sent=part_sent
            )
        except DeliveryError as error:
            return await self._failed(current, error)
        except StoreError:
            raise
        except Exception as error:  # nobody foresaw it, so nobody knows whether it arrived; the log has it whole
            log.exception("delivery %s", sending.key)
            return await self._failed(current, DeliveryError(DeliveryFailure.UNKNOWN, _stumbled(error)))
        sent = await self._move(current, State.SENT, parts=receipt.parts, message="", note=receipt.url)
        self._count_sent(sending)
        log.info("delivery %s sent by %s", sending.key, platform.name)  # an address may be a person's
        return sent

    def _message(self, delivery: Delivery, subscription: Subscription) -> Message:
        """Return what to send. A digest of which parts arrived already goes on as it began."""
        message = read_message(delivery.message)
        if delivery.parts:
            return message
        return with_lateness(message, delivery, now=self._clock(), timezone=subscription.timezone)

    async def _failed(self, delivery: Delivery, error: DeliveryError) -> Delivery | None:
        log.warning("delivery %s: %s (%s)", delivery.key, error, error.kind)
        self._count(delivery, FAILED + error.kind)
        if error.kind is DeliveryFailure.UNKNOWN:
            later = self._clock() + SETTLE_AFTER
            return await self._move(delivery, State.UNKNOWN, note=str(error), not_before=later)
        if error.kind in PAUSING:
            await self._pause(delivery, str(error))
            return await self._bury(delivery, str(error))
        if error.kind is DeliveryFailure.REJECTED:
            return await self._bury(delivery, str(error))
        return await self._again(delivery, error)

    async def _again(self, delivery: Delivery, error: DeliveryError) -> Delivery | None:
        now = self._clock()
        if now - delivery.due_at > GIVE_UP_AFTER:
            self._count(delivery, DEAD)
            return await self._bury(delivery, f"given up after {delivery.attempts} tries: {error}")
        delay = retry_delay(max(delivery.attempts, 1), self._jitter())
        if error.retry_after is not None:
            delay = timedelta(seconds=error.retry_after)
        return await self._move(delivery, State.PENDING, note=str(error), not_before=now + delay)

    async def _settle(self, delivery: Delivery) -> Delivery | None:
        """Find out what became of an unknown delivery."""
        platform = self.platforms[delivery.address.partition(":")[0]]
        since = min(delivery.composed_at, self._clock()) - LOOK_BACK
        try:
            parts = await platform.find(delivery.address, delivery.key, since)
        except DeliveryError as error:
            return await self._look_later(delivery, error)
        except Exception as error:  # as above: it is still not known, and the next look may see more
            log.exception("delivery %s", delivery.key)
            return await self._look_later(delivery, DeliveryError(DeliveryFailure.RETRY, _stumbled(error)))
        if parts is None:
            return await self._give_up_doubtful(delivery, delivery.note)
        self._count(delivery, SETTLED)
        if len(parts) < len(platform.payload(read_message(delivery.message))):
            return await self._send_rest(delivery, tuple(parts))
        self._count(delivery, PREVENTED)
        self._count_sent(delivery)
        log.info("delivery %s found where it was sent, and not sent again", delivery.key)
        return await self._move(delivery, State.SENT, parts=tuple(parts), message="", note="found where it was sent")

    async def _send_rest(self, delivery: Delivery, parts: tuple[str, ...]) -> Delivery | None:
        """Queue what surely did not arrive: at once, unless the platform has lost it more than once."""
        if delivery.attempts > 1 and delivery.not_before is not None:
            found = replace(delivery, parts=parts)
            return await self._again(found, DeliveryError(DeliveryFailure.RETRY, delivery.note))
        log.info("delivery %s did not arrive whole, and goes on with what is missing", delivery.key)
        return await self._move(delivery, State.PENDING, parts=parts, not_before=None, note=delivery.note)

    async def _give_up_doubtful(self, delivery: Delivery, why: str) -> Delivery | None:
        note = f"not known whether it arrived, and not sent again for that reason ({why})"
        self._count(delivery, DEAD)
        return await self._bury(delivery, note, parts=(*delivery.parts, DOUBTFUL_PART))

    async def _bury(self, delivery: Delivery, note: str, *, parts: tuple[str, ...] | None = None) -> Delivery | None:
        log.warning("delivery %s given up: %s", delivery.key, note)
        parts = delivery.parts if parts is None else parts
        if not parts:
            await note_gap(self.store, delivery)
        return await self._move(delivery, State.DEAD, note=note, message="", parts=parts)

    def _count(self, delivery: Delivery, what: str) -> None:
        self._tell(delivery.address.partition(":")[0], what)

    def _count_sent(self, delivery: Delivery) -> None:
        on_time = self._clock() - delivery.due_at < ON_TIME_WITHIN
        self._count(delivery, ON_TIME if on_time else LATE)
        if delivery.silence:
            self._count(delivery, SILENT)

    async def _look_later(self, delivery: Delivery, error: DeliveryError) -> Delivery | None:
        if error.kind in PAUSING:
            # It may have arrived all the same, and the place may come back: then a look settles it.
            await self._pause(delivery, str(error))
            if self._clock() - delivery.due_at > GIVE_UP_AFTER:
                return await self._give_up_doubtful(delivery, str(error))
        delay = retry_delay(max(delivery.attempts, 1), self._jitter())
        moved = replace(delivery, attempts=delivery.attempts + 1)
        return await self._move(moved, State.UNKNOWN, note=str(error), not_before=self._clock() + delay)

    async def _pause(self, delivery: Delivery, reason: str) -> None:
        subscription = await self.store.subscription(delivery.subscription)
        if subscription is None or subscription.pause is not None:
            return
        now = self._clock()
        change = Change(now, subscription.address, "paperboy", f"paused #{subscription.number}: {reason}")
        await self.store.replace_subscription(replace(subscription, pause=Pause(reason, now, by_hand=False)), change)
        log.warning("subscription %s paused: %s", subscription.id, reason)

    async def _move(self, delivery: Delivery, state: State, **changes: object) -> Delivery | None:
        moved = _changed(delivery, state, self._clock(), changes)
        return moved if await self.store.move(moved, expected=delivery.state) else None


def _stumbled(error: Exception) -> str:
    return f"paperboy stumbled over it ({type(error).__name__})"


def _changed(delivery: Delivery, state: State, now: datetime, changes: Mapping[str, object]) -> Delivery:
    return replace(delivery, state=state, changed_at=now, **changes)  # type: ignore[arg-type]
