"""Who opened App Home lately: theirs are kept current, also after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from core.clock import Clock
from core.store import Store, covers

KEPT_FOR = timedelta(days=14)
MOST = 2_000
FACT = "slack homes"


class Visitors:
    """Addresses of people by the day on which they came last, in the store and at hand.

    Args:
        store: where they are kept.
        clock: now.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, date] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read who came before we began.

        Raises:
            StoreError: that cannot be read.
        """
        async with self._lock:
            kept = await self._store.fact(FACT)
            self._known = (msgspec.json.decode(kept, type=dict[str, date]) if kept else {}) | self._known

    def knows(self, person: str) -> bool:
        """Tell whether somebody came lately."""
        return person in self._known

    def newest_first(self) -> Sequence[str]:
        """Return who came lately."""
        return sorted(self._known, key=self._known.__getitem__, reverse=True)

    async def came(self, person: str) -> None:
        """Remember that somebody is here; written down once a day.

        Raises:
            StoreError: it is not kept, and still known until we stop.
        """
        async with self._lock:
            today = self._clock().date()
            if self._known.get(person) == today:
                return
            self._known[person] = today
            fresh = [one for one in self.newest_first() if today - self._known[one] <= KEPT_FOR]
            self._known = {one: self._known[one] for one in fresh[:MOST]}
            await self._write()

    async def forget(self, address: str) -> None:
        """Forget a person, or where it ends in `/` all whose address begins so.

        Raises:
            StoreError: they are forgotten here alone.
        """
        async with self._lock:
            left = {person: day for person, day in self._known.items() if not covers(address, person)}
            if left != self._known:
                self._known = left
                await self._write()

    async def _write(self) -> None:
        await self._store.set_fact(FACT, msgspec.json.encode(self._known).decode())
