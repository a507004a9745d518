"""EDGE. Being alone with a name over all processes: advisory locks of one session, which end with it.

A process has one session for all that it holds, apart from the pool: whoever holds a name needs the pool for what it
does meanwhile, and would wait for itself where all connections were held so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg

from core.database import NOTICED, Connection, connect
from core.database_errors import explained
from core.store.turns import Turns as OwnTurns

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 3))"
_GIVE = "SELECT pg_advisory_unlock(hashtextextended(%s, 3))"


class Turns:
    """See `Store.alone`.

    Args:
        url: of the database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._own = OwnTurns()  # a session is given its own locks again and again
        self._opening = asyncio.Lock()
        self._session: Connection | None = None

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Hold a name.

        Raises:
            StoreError: the database cannot be asked.
        """
        async with self._own.alone(name):
            with explained(self._url):
                session = await self._take(name)
            try:
                yield
            finally:
                await asyncio.shield(_give(session, name))

    async def close(self) -> None:
        """Let go of everything."""
        if self._session is not None:
            await self._session.close()

    async def _take(self, name: str) -> Connection:
        pause = FIRST_PAUSE
        while True:
            session = await self._open()
            taking = asyncio.ensure_future(_asked(session, _TAKE, name))
            try:
                if await asyncio.shield(taking):
                    return session
            except asyncio.CancelledError:
                # Whether it was taken has to be known before nobody gives it back.
                with suppress(psycopg.Error):
                    if await taking:
                        await _give(session, name)
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _open(self) -> Connection:
        async with self._opening:
            if self._session is None or self._session.broken or self._session.closed:
                self._session = await connect(self._url)
                await self._session.execute(NOTICED)
            return self._session


async def _asked(session: Connection, statement: str, name: str) -> bool:
    cursor = await session.execute(statement, (name,))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _give(session: Connection, name: str) -> None:
    with suppress(psycopg.Error):  # where the session broke, all that it held is free already
        await _asked(session, _GIVE, name)
