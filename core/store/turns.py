"""What the one process of a data folder has in memory: who holds what, and which names came up lately."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

KEPT_FOR = timedelta(days=1)
MOST_NAMES = 10_000


class Turns:
    """See `Store.alone`."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Hold a name."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            yield

    def is_held(self, name: str) -> bool:
        """Whether somebody holds a name."""
        lock = self._locks.get(name)
        return lock is not None and lock.locked()


class Names:
    """See `Store.is_first`."""

    def __init__(self) -> None:
        self._known: dict[str, datetime] = {}

    def is_first(self, name: str, at: datetime) -> bool:
        """Note a name, and tell whether it is new; the oldest makes room."""
        before = self._known.pop(name, None)
        self._known[name] = at
        if len(self._known) > MOST_NAMES:
            del self._known[next(iter(self._known))]
        return before is None or at - before >= KEPT_FOR
