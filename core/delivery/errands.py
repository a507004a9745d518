"""What a worker is sent for: one subscription's digest of one date, composed where it is not yet, then delivered.

The outbox is the truth; an errand only says who works on it. One that is lost is found again by the next round, and one
that runs twice does nothing the second time, since every step is taken from the state that the store holds.

Whoever runs an errand is alone with its place: the queue gives no two of one place away at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.chat.briefs import Brief
from core.chat.newsroom import Moment, Newsroom, turn_of
from core.clock import Clock
from core.delivery.carrying import Carrier, Wanted
from core.delivery.outbox import compose_one, due_subscriptions, give_up, is_ready, tell_queued, waits
from core.digests.slate import Slates
from core.digests.subscription import Due, Subscription, newest_due
from core.store import OPEN, Delivery, State, Store
from core.store.figures import DUE, SILENT, Count, ignore
from core.traces import about_delivery

MOMENT_LASTS = timedelta(seconds=10)
ASKED_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Errand:
    """One digest to be seen to.

    Attributes:
        subscription: its id.
        day: the local date.
        address: where it goes.
        not_before: when it can be tried; None for now.
    """

    subscription: str
    day: date
    address: str
    not_before: datetime | None = None

    @property
    def key(self) -> str:
        """The name that it shares with its delivery."""
        return f"{self.subscription}/{self.day.isoformat()}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """How things stand for an errand: who wants it, what became of it, and what it would begin from."""

    subscription: Subscription | None
    delivery: Delivery | None
    waiting: Sequence[Delivery]
    brief: Brief


class Errands:
    """Finds and runs errands.

    Args:
        carrier: takes the steps of a delivery.
        count: told what is queued, by platform.
    """

    def __init__(
        self, *, store: Store, newsroom: Newsroom, carrier: Carrier, clock: Clock, count: Count = ignore
    ) -> None:
        self._store = store
        self._newsroom = newsroom
        self._carrier = carrier
        self._clock = clock
        self._count = count
        self._moment: tuple[datetime, Moment] | None = None

    async def find(self, now: datetime) -> Sequence[Errand]:
        """Return an errand for every digest that is due and not in the outbox, longest due first."""
        found = await due_subscriptions(self._store, now)
        ready: list[Errand] = []
        for start in range(0, len(found), ASKED_TOGETHER):
            some = found[start : start + ASKED_TOGETHER]
            answers = await asyncio.gather(*(self._is_ready(due, now) for due in some))
            ready += [
                Errand(due.subscription.id, due.day, due.subscription.address)
                for due, is_so in zip(some, answers, strict=True)
                if is_so
            ]
        return ready

    async def _is_ready(self, due: Due, now: datetime) -> bool:
        return not due.subscription.when_ready or await is_ready(due, self._newsroom, now)

    async def run(self, errand: Errand) -> Delivery | None:
        """Compose and deliver as far as it goes now; return what has to wait, None where nothing is left to do.

        Raises:
            StoreError: a step could not be kept; the errand is to be run again.
        """
        with about_delivery(errand.key):
            return await self._run(errand)

    async def _run(self, errand: Errand) -> Delivery | None:
        seen = await self._look(errand)
        delivery = seen.delivery
        if delivery is None and (due := self._due(errand, seen)) is not None:
            delivery = await self._begin(errand, due, seen)
        if delivery is None or delivery.state not in OPEN or not self._carrier.knows(delivery.address):
            return None
        left = await self._carrier.carry(delivery, Wanted(seen.subscription))
        return left if left is not None and left.state in OPEN else None

    async def _look(self, errand: Errand) -> _Seen:
        """Read all that may be needed, in one trip to the store."""
        now = self._clock()
        (subscription, delivery), others, brief = await asyncio.gather(
            self._store.standing(errand.subscription, errand.day),
            self._store.open_deliveries(errand.subscription),
            self._newsroom.brief(errand.subscription, errand.day, errand.address, now),
        )
        return _Seen(subscription, delivery, [other for other in others if waits(other)], brief)

    def _due(self, errand: Errand, seen: _Seen) -> Due | None:
        """Return what is due; None where it was unsubscribed, paused or changed meanwhile, or its day is over."""
        if seen.subscription is None:
            return None
        due = newest_due(seen.subscription, self._clock())
        return due if due is not None and due.day == errand.day else None

    async def _begin(self, errand: Errand, due: Due, seen: _Seen) -> Delivery | None:
        """Compose, keep and post a digest; return what is left to be carried.

        Being alone with the place costs two trips and is rarely needed: whoever else composes for it, by a command or
        to complete a message, is noticed when this is to be kept, and then it is composed anew in turn.
        """
        if not seen.waiting:
            delivery = await self._compose(due, seen.brief)
            if self._carrier.knows(delivery.address) and delivery.state is State.PENDING:
                delivery = self._carrier.claimed(delivery, due.subscription)
            turn = turn_of(errand.address)
            if await self._store.enqueue_first(delivery, turn=turn, since=seen.brief.since):
                self._tell(delivery, due)
                return await self._carrier.post(delivery) if delivery.state is State.SENDING else delivery
        return await self._begin_in_turn(errand)

    async def _begin_in_turn(self, errand: Errand) -> Delivery | None:
        """Compose and keep while nobody else composes for the place; what waits of earlier dates is given up."""
        async with self._newsroom.alone(errand.address):
            seen = await self._look(errand)
            due = self._due(errand, seen)
            if seen.delivery is not None or due is None:
                return seen.delivery
            for older in seen.waiting:
                await give_up(older, due, self._store, self._clock())
            brief = (await self._look(errand)).brief if seen.waiting else seen.brief
            delivery = await self._compose(due, brief)
            if not await self._store.enqueue(delivery):
                return await self._store.delivery(errand.subscription, errand.day)
        self._tell(delivery, due)
        return delivery

    async def _compose(self, due: Due, brief: Brief) -> Delivery:
        now, moment = self._now()
        return await compose_one(due, brief, self._newsroom, self._store, now, moment)

    def _tell(self, delivery: Delivery, due: Due) -> None:
        tell_queued(delivery, due)
        platform = delivery.address.partition(":")[0]
        self._count(platform, DUE)
        if delivery.state is State.SENT:
            self._count(platform, SILENT)

    def _now(self) -> tuple[datetime, Moment]:
        """Return an instant that thousands of digests share, so that they share what was looked up for it, too."""
        now = self._clock()
        if self._moment is None or not timedelta(0) <= now - self._moment[0] < MOMENT_LASTS:
            self._moment = (now, Moment(Slates(), {}))
        return self._moment
