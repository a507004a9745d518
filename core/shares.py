"""EDGE. Numbered things divided among the processes that share a database, as Discord's shards: no two have the same.

Each process counts those that take part and takes its fair share of what is free, by advisory locks of one session.
When somebody joins or dies, the shares change: whoever has too much gives up what is too much.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg

from core.database import NOTICED, Connection, connect
from core.database_errors import explained

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
_JOIN = "SELECT pg_advisory_lock_shared(hashtextextended(%s, 4))"
_COUNT = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 4)
"""
_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 5))"
_GIVE = "SELECT pg_advisory_unlock(hashtextextended(%s, 5))"


@dataclass(frozen=True, slots=True)
class Share:
    """What one process has.

    Attributes:
        numbers: its own, ascending.
        total: of how many, from 0.
        changed: set when it is to be let go of: there is more or less to have, or the database was lost, and with it
            what was held there.
    """

    numbers: tuple[int, ...]
    total: int
    changed: asyncio.Event = field(default_factory=asyncio.Event)


def fair_share(total: int, members: int) -> int:
    """Return how many of all one of so many members takes at most."""
    return -(-total // max(members, 1))


class Shares:
    """Divides what goes by a name.

    Args:
        url: of the database.
        name: what is divided, as `discord shard`.
        look_every: seconds from one look at who takes part to the next.
    """

    def __init__(self, url: str, name: str, *, look_every: float = LOOK_EVERY) -> None:
        self._url = url
        self._name = name
        self._look_every = look_every

    @asynccontextmanager
    async def joined(self, total: int, only: Collection[int] | None = None) -> AsyncIterator[Member]:
        """Take part while the block lasts.

        Args:
            total: how many there are.
            only: those that this process is to have, all of them; a fair share of all where it is None.

        Raises:
            StoreError: the database cannot be reached.
        """
        with explained(self._url):
            async with await connect(self._url) as session:
                await session.execute(NOTICED)
                await session.execute(_JOIN, (self._name,))
                yield Member(session, self._name, total, only, look_every=self._look_every)


class Member:
    """A process that takes part."""

    def __init__(
        self, session: Connection, name: str, total: int, only: Collection[int] | None, *, look_every: float
    ) -> None:
        self._session = session
        self._name = name
        self._total = total
        self._only = only
        self._look_every = look_every
        self._held: set[int] = set()

    @asynccontextmanager
    async def share(self) -> AsyncIterator[Share]:
        """Have a share while the block lasts, which is to end when it changes; waited for until there is something.

        Between two shares the numbers stay held, save those that are too many: so nobody uses them twice.
        """
        while not await self._settle():  # noqa: ASYNC110 - others let go
            await asyncio.sleep(self._look_every)
        share = Share(tuple(sorted(self._held)), self._total)
        watch = asyncio.create_task(self._watch(share))
        try:
            yield share
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _settle(self) -> bool:
        """Give up what is too much and take what is free; tells whether there is a share to work with."""
        fair = await self._fair()
        for number in sorted(self._held)[fair:]:
            await self._asked(_GIVE, f"{self._name} {number}")
            self._held.discard(number)
        await self._take(fair)
        return bool(self._held) and (self._only is None or len(self._held) == fair)

    async def _fair(self) -> int:
        if self._only is not None:
            return len(self._only)
        return fair_share(self._total, await self._asked(_COUNT, self._name))

    async def _take(self, most: int) -> None:
        for number in range(self._total) if self._only is None else self._only:
            if len(self._held) >= most:
                return
            if number not in self._held and await self._asked(_TAKE, f"{self._name} {number}"):
                self._held.add(number)

    async def _watch(self, share: Share) -> None:
        try:
            while not await self._is_to_change(share):  # noqa: ASYNC110 - others change it
                await asyncio.sleep(self._look_every)
        except psycopg.Error as error:
            log.warning("%s: the database was lost, and with it what was held there: %s", self._name, error)
            self._held.clear()  # so the next share is asked for there, and not had for the asking
        share.changed.set()

    async def _is_to_change(self, share: Share) -> bool:
        """Tell whether this process has too much, or somebody left something; asking shows that the session lives."""
        fair = await self._fair()
        await self._take(fair)
        await self._asked(_COUNT, self._name)
        return len(self._held) > min(len(share.numbers), fair)

    async def _asked(self, statement: str, name: str) -> int:
        cursor = await self._session.execute(statement, (name,))
        row = await cursor.fetchone()
        return int(row[0]) if row is not None else 0
