"""What a worker is sent for: one subscription's digest of one date, composed where it is not yet, then delivered.

The outbox is the truth; an errand only says who works on it. One that is lost is found again by the next round, and one
that runs twice does nothing the second time, since every step is taken from the state that the store holds.

Whoever runs an errand is alone with its place: the queue gives no two of one place away at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.chat.newsroom import Moment, Newsroom
from core.clock import Clock
from core.delivery.carrying import Carrier, Wanted
from core.delivery.outbox import compose_and_keep, due_subscriptions, is_ready
from core.digests.subscription import Subscription, newest_due
from core.store import OPEN, Delivery, State, Store
from core.store.figures import DUE, SILENT, Count, ignore
from core.traces import about_delivery

log = logging.getLogger(__name__)

MOMENT_LASTS = timedelta(seconds=10)


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
        return [
            Errand(due.subscription.id, due.day, due.subscription.address)
            for due in await due_subscriptions(self._store, now)
            if not due.subscription.when_ready or await is_ready(due, self._newsroom, now)
        ]

    async def run(self, errand: Errand) -> Delivery | None:
        """Compose and deliver as far as it goes now; return what has to wait, None where nothing is left to do.

        Raises:
            StoreError: a step could not be kept; the errand is to be run again.
        """
        with about_delivery(errand.key):
            return await self._run(errand)

    async def _run(self, errand: Errand) -> Delivery | None:
        subscription, delivery = await self._store.standing(errand.subscription, errand.day)
        if delivery is None and subscription is not None:
            delivery = await self._compose(errand, subscription)
        if delivery is None or delivery.state not in OPEN or not self._carrier.knows(delivery.address):
            return None
        left = await self._carrier.carry(delivery, Wanted(subscription))
        return left if left is not None and left.state in OPEN else None

    async def _compose(self, errand: Errand, subscription: Subscription) -> Delivery | None:
        due = newest_due(subscription, self._clock())
        if due is None or due.day != errand.day:
            return None  # it was unsubscribed, paused or changed meanwhile, or its day is over
        async with self._newsroom.alone(errand.address):
            now, moment = await self._now()
            delivery = await compose_and_keep(due, self._newsroom, self._store, now, moment)
        if delivery is None:  # somebody asked for it in the same moment
            return await self._store.delivery(errand.subscription, errand.day)
        platform = delivery.address.partition(":")[0]
        self._count(platform, DUE)
        if delivery.state is State.SENT:
            self._count(platform, SILENT)
        return delivery

    async def _now(self) -> tuple[datetime, Moment]:
        """Return an instant that thousands of digests share, so that they share what was looked up for it, too."""
        now = self._clock()
        if self._moment is None or not timedelta(0) <= now - self._moment[0] < MOMENT_LASTS:
            self._moment = (now, await self._newsroom.begin())
        return self._moment
