"""What follows when a place cannot be posted to: somebody is told once, and it goes on by itself afterwards.

paused by the courier ──> told: whoever made it, else who runs the place, else (where possible) the place itself
                      ──> probed at growing distances ──> resumed, and today's digest sent if it is not over
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b

from core.chat.message import Kind, Message, text
from core.chat.newsroom import Newsroom
from core.delivery.outbox import compose_delivery
from core.delivery.platform import Platform
from core.digests.subscription import Pause, Subscription, newest_due
from core.errors import DeliveryError, DeliveryFailure, StoreError
from core.store import Change, State, Store

log = logging.getLogger(__name__)

PROBE_FIRST = timedelta(minutes=10)
PROBE_LAST = timedelta(hours=6)
PROBES_AT_ONCE = 30
TELL_AGAIN_AFTER = timedelta(days=7)
REVIVALS = 3


class Recovery:
    """Looks after subscriptions that a failure paused."""

    def __init__(self, *, store: Store, newsroom: Newsroom, platforms: Mapping[str, Platform]) -> None:
        self._store = store
        self._newsroom = newsroom
        self._platforms = platforms
        self._next_probe: dict[str, datetime] = {}

    async def round(self, now: datetime) -> int:
        """Tell and probe what is due for it; returns how many subscriptions were resumed."""
        paused = await self._store.stopped_subscriptions()
        self._next_probe = {item.id: self._next_probe[item.id] for item in paused if item.id in self._next_probe}
        resumed = 0
        for subscription in self._due_for_probe(paused, now):
            platform = self._platforms.get(subscription.address.partition(":")[0])
            if platform is None:
                continue
            try:
                await self._tell_once(subscription, platform)
                resumed += await self._resume_if_reachable(subscription, platform, now)
            except StoreError:
                raise
            except Exception:  # nobody foresaw it; the log has it whole, and the others are looked after all the same
                log.exception("subscription %s could not be looked after", subscription.id)
        return resumed

    def _due_for_probe(self, paused: Sequence[Subscription], now: datetime) -> list[Subscription]:
        due = [item for item in paused if self._next_probe.get(item.id, now) <= now]
        for item in due[:PROBES_AT_ONCE]:
            assert item.pause is not None
            # The longer it has been away, the rarer it is asked for: a dead channel must not cost a request a minute.
            distance = min(max((now - item.pause.since) / 4, PROBE_FIRST), PROBE_LAST)
            self._next_probe[item.id] = now + distance
        return due[:PROBES_AT_ONCE]

    async def _tell_once(self, subscription: Subscription, platform: Platform) -> None:
        """Tell somebody that digests stopped. The fact is kept first: not told is better than told every day."""
        assert subscription.pause is not None
        name, since, reason = f"told:{subscription.id}", subscription.pause.since, subscription.pause.reason
        told = await self._store.fact(name)
        # A place that comes and goes for one reason is news once a week, not at each of its turns.
        if told and _is_same_news(told, reason, since):
            return
        if not await self._store.replace_fact(name, f"{since.isoformat()} {reason}", expected=told):
            return  # another process is telling it
        message, key = _paused_message(subscription), _key_of(subscription.id, subscription.pause)
        for address in [subscription.created_by, *await self._stewards(subscription, platform), subscription.address]:
            if await self._tell(address, message, platform, key=key):
                log.info("subscription %s: somebody was told that it is paused", subscription.id)
                return
        log.warning("subscription %s is paused, and nobody could be told", subscription.id)

    async def _stewards(self, subscription: Subscription, platform: Platform) -> Sequence[str]:
        try:
            return await platform.stewards(subscription.address)
        except DeliveryError as error:
            log.info("subscription %s: who runs its place is not known: %s", subscription.id, error)
            return ()

    async def _tell(self, address: str, message: Message, platform: Platform, *, key: str) -> bool:
        if address.partition(":")[0] != platform.name:
            return False
        try:
            await platform.deliver(address, message, key=key)
        except DeliveryError as error:
            # A lost reply counts as told: the news twice is worse than the news perhaps.
            return error.kind is DeliveryFailure.UNKNOWN
        return True

    async def _resume_if_reachable(self, subscription: Subscription, platform: Platform, now: datetime) -> bool:
        try:
            problem = await platform.reachable(subscription.address)
        except DeliveryError as error:
            log.info("subscription %s: nobody can tell whether it can be resumed: %s", subscription.id, error)
            return False
        if problem is not None:
            return False
        resumed = replace(subscription, pause=None)
        change = Change(now, resumed.address, "paperboy", f"resumed #{resumed.number}: it can be posted to again")
        await self._store.replace_subscription(resumed, change)
        await self._revive_today(resumed, now)
        log.info("subscription %s resumed", resumed.id)
        return True

    async def _revive_today(self, subscription: Subscription, now: datetime) -> None:
        """Queue the digest again that could not be delivered, unless its day is over."""
        due = newest_due(subscription, now)
        if due is None or now - due.at > timedelta(days=1):
            return
        dead = await self._store.delivery(subscription.id, due.day)
        if dead is None or dead.state is not State.DEAD or dead.parts or dead.attempts >= REVIVALS:
            return
        async with self._newsroom.alone(subscription.address):
            delivery = await compose_delivery(due, self._newsroom, now)
            await self._store.move(replace(delivery, note=dead.note, attempts=dead.attempts), expected=State.DEAD)


def _key_of(subscription: str, pause: Pause) -> str:
    """Return the name of the news of a pause: platforms take two of one name for one, and a day may bring several."""
    news = blake2b(f"{pause.since.isoformat()} {pause.reason}".encode(), digest_size=4).hexdigest()
    return f"{subscription}/{pause.since.date()}/{news}/paused"


def _is_same_news(told: str, reason: str, since: datetime) -> bool:
    """Whether what was told last, as `INSTANT REASON`, is this reason and not long ago."""
    instant, _, earlier = told.partition(" ")
    return earlier == reason and since - datetime.fromisoformat(instant) < TELL_AGAIN_AFTER


def _paused_message(subscription: Subscription) -> Message:
    assert subscription.pause is not None
    interests = subscription.interests or "everything"
    return Message(
        Kind.ANSWER,
        lines=(
            text(
                f"The digest #{subscription.number} about {interests} cannot be delivered: {subscription.pause.reason}"
            ),
            text("It is paused and kept, and goes on by itself when that is mended."),
        ),
    )
