"""What composing a digest needs to know of the store: asked in one moment, and so in one trip where that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from core.chat.beside import Beside
from core.chat.tastes import FORGOTTEN, Tastes, taste_of
from core.digests.digest import Order
from core.digests.subscription import Subscription
from core.digests.taste import Taste
from core.errors import QueryError
from core.papers.windows import Window
from core.search.query import Query, parse
from core.store import Delivery, Mark, Store
from core.store.gaps import last_and_gap

read_interests = lru_cache(maxsize=4096)(parse)
"""`parse`, for interests that are read again at each digest."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a place was shown, wants and likes.

    Attributes:
        shown: papers of deliveries that were composed lately.
        subscriptions: all of the place.
    """

    shown: frozenset[str]
    subscriptions: Sequence[Subscription]
    taste: Taste


@dataclass(frozen=True, slots=True)
class Brief:
    """What the digest of a subscription and date begins from.

    Attributes:
        since: what was composed before is not looked at.
        last: the digest that was sent before.
        gap: behind which listing sequence a gap begins that `last` did not cover.
        marks: those made in the place, or by the person that it is.
    """

    since: datetime
    last: Delivery | None
    gap: int | None
    place: Place
    marks: Sequence[Mark]


class Briefs:
    """Asks for it.

    Args:
        store: knows it.
        tastes: of each place.
        kept: for how long deliveries are known.
    """

    def __init__(self, store: Store, tastes: Tastes, kept: timedelta) -> None:
        self._store = store
        self._tastes = tastes
        self._kept = kept
        self._beside = Beside(store)

    async def read(self, subscription: str, day: date, address: str, now: datetime) -> Brief:
        """Return all that the digest of a date begins from.

        Raises:
            StoreError: the store cannot be read.
        """
        store, since = self._store, now - self._kept
        (last, gap), shown, subscriptions, here, mine, forgotten = await asyncio.gather(
            last_and_gap(store, subscription, day),
            store.shown_papers(address, since),
            store.subscriptions(address),
            store.marks(place=address),
            store.marks(person=address),
            store.fact(FORGOTTEN + address),
        )
        marks = sorted({*mine, *here}, key=lambda mark: mark.at)
        return Brief(since, last, gap, Place(shown, subscriptions, taste_of(here, forgotten)), marks)

    async def order(
        self,
        subscription: Subscription,
        window: Window,
        now: datetime,
        marks: Mapping[str, Sequence[Mark]] | None = None,
        place: Place | None = None,
    ) -> Order:
        """Return what a subscription orders from a window.

        Args:
            subscription: whose.
            window: of papers.
            now: the instant (aware).
            marks: of all places, by address, where they were read already.
            place: what is known of its place, where that was read already.
        """
        query, since = read_interests(subscription.interests), now - self._kept
        known, beside = await asyncio.gather(
            self._place(subscription.address, since, marks, place), self._beside.shown(subscription, since, now)
        )
        others = _others(subscription, known.subscriptions)
        return Order(query, window, subscription.top, leave_out=known.shown | beside, others=others, taste=known.taste)

    async def _place(
        self, address: str, since: datetime, marks: Mapping[str, Sequence[Mark]] | None, known: Place | None
    ) -> Place:
        if known is not None:
            return known
        shown, subscriptions, taste = await asyncio.gather(
            self._store.shown_papers(address, since),
            self._store.subscriptions(address),
            self._tastes.of(address, marks),
        )
        return Place(shown, subscriptions, taste)


def _others(subscription: Subscription, beside: Sequence[Subscription]) -> tuple[tuple[int, Query], ...]:
    """Return the interests of the place's other subscriptions, by their numbers."""
    found = []
    for item in beside:
        if item.id != subscription.id and item.pause is None and item.interests.strip():
            with suppress(QueryError):  # told in that subscription's own digest
                found.append((item.number, read_interests(item.interests)))
    return tuple(found)
