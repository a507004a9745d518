"""Who opened App Home lately: theirs are kept current, also after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from core.clock import Clock
from core.store import Store, covers
from core.store.facts import change_fact

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
            self._known = _read(await self._store.fact(FACT)) | self._known

    def knows(self, person: str) -> bool:
        """Tell whether somebody came lately."""
        return person in self._known

    def newest_first(self) -> Sequence[str]:
        """Return who came lately."""
        return _newest_first(self._known)

    async def came(self, person: str) -> None:
        """Remember that somebody is here; written down once a day.

        Raises:
            StoreError: it is not kept, and still known until we stop.
        """
        async with self._lock:
            today = self._clock().date()
            if self._known.get(person) == today:
                return
            self._known = _fresh({**self._known, person: today}, today)
            await self._change(lambda kept: _fresh({**kept, **self._known}, today))

    async def forget(self, address: str) -> None:
        """Forget a person, or where it ends in `/` all whose address begins so.

        Raises:
            StoreError: they are forgotten here alone.
        """
        async with self._lock:
            self._known = _without(address, self._known)
            await self._change(lambda kept: _without(address, kept))

    async def _change(self, change: Callable[[Mapping[str, date]], Mapping[str, date]]) -> None:
        """Change what the store knows, which may be more: each process has visitors of its own."""
        await change_fact(self._store, FACT, lambda kept: msgspec.json.encode(change(_read(kept))).decode())


def _read(kept: str | None) -> dict[str, date]:
    return msgspec.json.decode(kept, type=dict[str, date]) if kept else {}


def _newest_first(known: Mapping[str, date]) -> list[str]:
    return sorted(known, key=known.__getitem__, reverse=True)


def _fresh(known: Mapping[str, date], today: date) -> dict[str, date]:
    """Return those who came lately, as many as are kept."""
    lately = [one for one in _newest_first(known) if today - known[one] <= KEPT_FOR]
    return {one: known[one] for one in lately[:MOST]}


def _without(address: str, known: Mapping[str, date]) -> dict[str, date]:
    return {person: day for person, day in known.items() if not covers(address, person)}
