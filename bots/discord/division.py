"""Which of Discord's shards this process connects: those that the setting names, else its fair share of all.

The setting is `FIRST-LAST/TOTAL`, as `0-3/8`. Where processes share a database, no shard is connected by two of them,
whatever their settings say: Discord would tell both of everything, and both would answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from core.allowed import SHARDS
from core.shares import Share

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from core.shares import Shares


class Member(Protocol):
    """One who has shares, one after the other."""

    def share(self) -> AbstractAsyncContextManager[Share]:
        """Return the share of now."""


class Division:
    """What the setting and the database say.

    Args:
        setting: `FIRST-LAST/TOTAL`; empty for a fair share of as many as Discord asks for.
        shares: what divides them among processes; None where there is one process.
    """

    def __init__(self, setting: str = "", shares: Shares | None = None) -> None:
        found = SHARDS.fullmatch(setting)
        self.total = int(found["total"]) if found else None
        self._numbers = range(int(found["first"]), int(found["last"] or found["first"]) + 1) if found else None
        self._shares = shares

    @property
    def is_shared(self) -> bool:
        """Whether other processes may be connected too."""
        return self._shares is not None

    @asynccontextmanager
    async def joined(self, total: int) -> AsyncIterator[Member]:
        """Take part in dividing so many.

        Raises:
            StoreError: the database cannot be asked.
        """
        if self._shares is None:
            yield _Alone(Share(tuple(self._numbers or range(total)), total))
            return
        async with self._shares.joined(total, self._numbers) as member:
            yield member


class _Alone:
    """The one process there is."""

    def __init__(self, share: Share) -> None:
        self._share = share

    @asynccontextmanager
    async def share(self) -> AsyncIterator[Share]:
        yield self._share
