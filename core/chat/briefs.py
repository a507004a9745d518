"""What composing a digest needs to know of the store: asked in one moment, and so in one trip where that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from core.chat.tastes import FORGOTTEN, taste_of
from core.digests.subscription import Subscription
from core.digests.taste import Taste
from core.store import Delivery, Mark, Store
from core.store.gaps import last_and_gap


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


async def read_brief(store: Store, subscription: str, day: date, address: str, since: datetime) -> Brief:
    """Ask for all of it.

    Raises:
        StoreError: the store cannot be read.
    """
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
