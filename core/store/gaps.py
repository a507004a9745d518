"""Papers of a digest that was given up after a later one had gone out: the next digest has to look at them again.

Usually the next digest begins behind the last one that was sent, and so covers what was given up in between. A digest
of which it was long unknown whether it had arrived can be given up when a later one, which left its papers to it, is
sent already. Then its beginning is kept as a small fact, until a digest that was composed afterwards is sent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date

import msgspec

from core.store import Delivery, Store
from core.store.facts import change_fact

FROM_THE_FIRST = -1


@dataclass(frozen=True, slots=True)
class Gap:
    """What is not covered yet.

    Attributes:
        start: the listing sequence behind which it begins; FROM_THE_FIRST where nothing was sent before.
        until: the newest local date that had a delivery then; a digest of a later date covers it.
    """

    start: int
    until: date


async def note_gap(store: Store, delivery: Delivery) -> None:
    """Remember what a delivery of which nothing arrived leaves uncovered, for all that are sent to its place.

    The others of the place had left its papers to it. For its very first digest they are not asked to look again: where
    that began is not known, and it is repeated by its own subscription.
    """
    before = await store.last_sent(delivery.subscription, delivery.day)
    start = FROM_THE_FIRST if before is None else before.upto
    for subscription in await store.subscriptions(delivery.address):
        if subscription.id == delivery.subscription or start != FROM_THE_FIRST:
            await _note(store, subscription.id, delivery, start)


async def _note(store: Store, subscription: str, delivery: Delivery, start: int) -> None:
    latest = (await store.latest_deliveries([subscription])).get(subscription, delivery)
    last = await store.last_sent(subscription, delivery.day)

    def widened(kept: str | None) -> str:
        known = _start(kept, last)
        gap = Gap(start if known is None else min(start, known), max(latest.day, delivery.day))
        return msgspec.json.encode(gap).decode()

    await change_fact(store, _name(subscription), widened)


async def last_and_gap(store: Store, subscription: str, before: date) -> tuple[Delivery | None, int | None]:
    """Return the last digest that was sent for a day before, and behind which listing sequence a gap begins, if any.

    A gap is what that digest did not cover, although it came after.
    """
    last, kept = await asyncio.gather(store.last_sent(subscription, before), store.fact(_name(subscription)))
    return last, _start(kept, last)


def _start(kept: str | None, last: Delivery | None) -> int | None:
    gap = msgspec.json.decode(kept, type=Gap) if kept else None
    return gap.start if gap is not None and (last is None or last.day <= gap.until) else None


def _name(subscription: str) -> str:
    return f"gap:{subscription}"
