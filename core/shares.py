"""EDGE. Numbered things divided among the processes that share a database, as Discord's shards: no two have the same.

Each process counts those that take part and takes its fair share of what is free, by advisory locks of one session.
When somebody joins or dies, the shares change: whoever has too much lets go of all and takes anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg

from core.database import NOTICED, Connection, connect, explained

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
_JOIN = "SELECT pg_advisory_lock_shared(hashtextextended(%s, 4))"
_COUNT = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 4)
"""
_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 5))"


@dataclass(frozen=True, slots=True)
class Share:
    """What one process has.

    Attributes:
        numbers: its own, ascending.
        total: of how many, from 0.
        changed: set when it is to let go at once and take anew: there is more or less to have, or the database was
            lost, and with it what was held there.
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
    async def taken(self, total: int, only: Collection[int] | None = None) -> AsyncIterator[Share]:
        """Hold a share while the block lasts; it is waited for until there is something to have.

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
                numbers = await self._wait(session, total, only)
                share = Share(numbers, total)
                watch = asyncio.create_task(self._watch(session, share, only))
                try:
                    yield share
                finally:
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)

    async def _wait(self, session: Connection, total: int, only: Collection[int] | None) -> tuple[int, ...]:
        held: set[int] = set()
        while True:
            most = len(only) if only is not None else fair_share(total, await self._members(session))
            await self._take(session, held, range(total) if only is None else only, most)
            if held and (only is None or len(held) == most):
                return tuple(sorted(held))
            await asyncio.sleep(self._look_every)

    async def _take(self, session: Connection, held: set[int], wanted: Collection[int], most: int) -> None:
        for number in wanted:
            if len(held) >= most:
                return
            if number not in held and await self._asked(session, _TAKE, f"{self._name} {number}"):
                held.add(number)

    async def _watch(self, session: Connection, share: Share, only: Collection[int] | None) -> None:
        try:
            while not await self._is_to_change(session, share, only):  # noqa: ASYNC110 - others change it
                await asyncio.sleep(self._look_every)
        except psycopg.Error as error:
            log.warning("%s: the database was lost, and with it what was held there: %s", self._name, error)
        share.changed.set()

    async def _is_to_change(self, session: Connection, share: Share, only: Collection[int] | None) -> bool:
        """Tell whether this process has too much, or somebody left something; asking shows that the session lives."""
        fair, held = fair_share(share.total, await self._members(session)), set(share.numbers)
        if only is None and len(held) < fair:
            await self._take(session, held, range(share.total), fair)
        return only is None and (len(held) > len(share.numbers) or len(held) > fair)

    async def _members(self, session: Connection) -> int:
        return int(await self._asked(session, _COUNT, self._name))

    async def _asked(self, session: Connection, statement: str, name: str) -> int:
        cursor = await session.execute(statement, (name,))
        row = await cursor.fetchone()
        return int(row[0]) if row is not None else 0
