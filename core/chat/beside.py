"""Which places stand beside one, so that a digest without repeats leaves out what they were shown.

a person's own digest    the channels in which that person subscribed
a channel's digest       the other channels of its workspace, where addresses name one (`slack:T123/C456`), and
                         those in which the same person subscribed; never what a person is shown alone
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from core.digests.subscription import Subscription
from core.store import Store

FRESH = timedelta(minutes=1)


class Beside:
    """Knows all places, read once for all digests of a minute."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: tuple[datetime, Mapping[str, Sequence[str]]] | None = None

    async def shown(self, subscription: Subscription, since: datetime, now: datetime) -> frozenset[str]:
        """Return the papers that the places beside a subscription's were shown since then."""
        if not subscription.no_repeats:
            return frozenset()
        if self._read is None or not timedelta(0) <= now - self._read[0] < FRESH:
            self._read = (now, _groups(await self._store.subscriptions()))
        groups = self._read[1]
        own, maker = subscription.address, subscription.created_by
        wanted = dict.fromkeys(groups.get(f"by {maker}", ()))
        if own != maker and (workspace := own.rpartition("/")[0]):
            wanted |= dict.fromkeys(groups.get(f"in {workspace}", ()))
        shown = await asyncio.gather(*(self._store.shown_papers(place, since) for place in wanted if place != own))
        return frozenset[str]().union(*shown)


def _groups(subscriptions: Sequence[Subscription]) -> Mapping[str, Sequence[str]]:
    """Return the channels by who subscribed in them, and by workspace."""
    people = {item.created_by for item in subscriptions}
    found: dict[str, list[str]] = {}
    for item in subscriptions:
        if item.address not in people:
            found.setdefault(f"by {item.created_by}", []).append(item.address)
            if workspace := item.address.rpartition("/")[0]:
                found.setdefault(f"in {workspace}", []).append(item.address)
    return found
