"""EDGE. PostgreSQL, where several machines share one state: a pool of connections, the schema's version, and sentences.

Every instant goes in and comes out aware and in UTC. The address is never told: it holds a password.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from select import select
from typing import Any, Self, TypeAlias, cast

import psycopg
import psycopg.errors
from psycopg import AsyncConnection, BaseConnection
from psycopg.abc import Buffer
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus
from psycopg.types.string import StrDumperUnknown, TextLoader
from psycopg_pool import AsyncConnectionPool

from core.database_errors import explained, place
from core.errors import StoreError, StoreUnreachable
from core.patience import longest_wait
from core.spelling import own_text, shared_text

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "paperboy_version"
NEWEST = "0004"
"""The version of the schema that this program needs: the last file's in `migrations/versions`."""

NAME = "paperboy"
"""How its connections are called in the database; a role stands behind it."""
CONNECT_SECONDS = 10
PATIENCE: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 20_000,  # milliseconds, after which what a silent network took and nobody confirmed is lost
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
RECONNECT_SECONDS = 5.0
"""How long the pool tries by itself; afterwards each who asks lets it try anew, and no pause grows long."""
LOOK_SECONDS = 15.0  # between two looks whether a connection that holds something is alive
# A machine that vanished must not shut out the others, so the server looks, too.
NOTICED = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
WAIT_SECONDS = 10.0
"""How long somebody waits for a connection, before the sentence that says that there is none."""
STATEMENT_SECONDS = 60
_MIGRATING = 0x70617065  # the advisory lock of whoever changes the schema

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]


class Database:
    """An open pool. Every method raises StoreError with one sentence where the database cannot be used."""

    def __init__(self, url: str, pool: AsyncConnectionPool[Connection]) -> None:
        self.url = url
        self._pool = pool
        self._away_since: float | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, url: str, *, size: int = 10, upgrade: bool = False, make: bool = True, patience: float = WAIT_SECONDS
    ) -> Self:
        """Connect, and check that the schema is of this version; an empty database is given one, if that is asked for.

        Args:
            url: postgresql://USER:PASSWORD@HOST:PORT/NAME, with libpq's parameters behind `?`.
            size: connections at most.
            upgrade: whether an older schema is brought to this version.
            make: whether an empty database is given one; otherwise it is left as it is.
            patience: seconds that somebody waits for a connection.

        Raises:
            StoreError: it cannot be reached, or its schema is older or newer, or there is none.
        """
        with explained(url):
            found = await read_version(url)
            if found is None and not make:
                raise StoreError(no_schema(url))
            if found is None or (upgrade and found != NEWEST):
                await asyncio.to_thread(migrate, url)
            elif found != NEWEST:
                raise StoreError(wrong_version(found))

            async def check(connection: Connection) -> None:
                if _is_closed(connection):
                    await pool.check()  # one that was closed while nobody used it is rarely alone
                    raise psycopg.OperationalError("the connection was closed")

            pool = AsyncConnectionPool(
                url, min_size=1, max_size=size, open=False, timeout=patience, configure=_configure, check=check,
                kwargs={"application_name": NAME, **PATIENCE},
                reconnect_timeout=RECONNECT_SECONDS, max_idle=300, name="paperboy",
            )  # fmt: skip
            # What its attempts come to is told once, below.
            logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
            await pool.open(wait=True, timeout=WAIT_SECONDS)
        return cls(url, pool)

    @property
    def pool(self) -> AsyncConnectionPool[Connection]:
        """The connections, for libraries that use them in their own way."""
        return self._pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection that commits each statement by itself.

        Raises:
            StoreUnreachable: the database cannot be reached. That is told to the log once, and once that it is back.
        """
        asked_at = time.monotonic()
        try:
            with explained(self.url):
                async with self._pool.connection(timeout=longest_wait()) as connection:
                    yield connection
        except StoreUnreachable as error:
            if self._away_since is None and not self._closed:
                self._away_since = asked_at
                log.error("%s All that needs it waits, and goes on by itself when it is back.", error)
            raise
        if self._away_since is not None:
            seconds, self._away_since = time.monotonic() - self._away_since, None
            log.warning("the database is back after %.0f s", seconds)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection with an open transaction: all of it is kept, or nothing."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[bool]:
        """Do as `hold` does."""
        async with hold(self.url, name) as held:
            yield held

    async def now(self) -> datetime:
        """Return what the database's clock says (aware, UTC)."""
        async with self.connection() as connection:
            cursor = await connection.execute("SELECT clock_timestamp()")
            row = await cursor.fetchone()
        assert row is not None
        return cast("datetime", row[0])

    async def close(self) -> None:
        """Let go of all connections; closing twice is harmless."""
        self._closed = True
        await self._pool.close()


@asynccontextmanager
async def hold(url: str, name: str) -> AsyncIterator[bool]:
    """Hold what one process at a time may hold, however many machines there are; yields whether it is held.

    It ends with its connection: where that breaks, another may hold it, and so the body is stopped at once.

    Raises:
        StoreError: the database cannot be reached, or the connection broke while the body ran.
    """
    with explained(url):
        async with await AsyncConnection.connect(
            url, autocommit=True, application_name=f"paperboy {name}", **PATIENCE
        ) as connection:
            await connection.execute(NOTICED)
            cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                yield False
                return
            try:
                async with _while_it_lives(connection, url):
                    yield True
            finally:
                await _let_go(connection)


async def _let_go(connection: Connection) -> None:
    """Give back what a connection holds now, rather than when the server notices that it ended."""
    with suppress(psycopg.Error, TimeoutError):
        async with asyncio.timeout(1):
            await connection.execute("SELECT pg_advisory_unlock_all()")


@asynccontextmanager
async def _while_it_lives(connection: Connection, url: str) -> AsyncIterator[None]:
    """Stop the body when the connection breaks."""

    async def watch() -> None:
        try:
            while True:
                async for _ in connection.notifies(timeout=LOOK_SECONDS):
                    pass
                await connection.execute("SELECT 1")
        except psycopg.Error:
            scope.reschedule(0)

    try:
        async with asyncio.timeout(None) as scope:
            watching = asyncio.create_task(watch())
            try:
                yield
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
    except TimeoutError:
        if not scope.expired():
            raise
        raise StoreError(f"The database {place(url)} was lost, and with it what was held there.") from None


class _TextDumper(StrDumperUnknown):
    """Writes texts as PostgreSQL can hold them (see `core.spelling`)."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(shared_text(obj))


class _TextLoader(TextLoader):
    """Reads them as they were."""

    def load(self, data: Buffer) -> str | bytes:
        text = super().load(data)
        return own_text(text) if isinstance(text, str) else text


def spell_texts(connection: BaseConnection[Any]) -> None:
    """Let a connection write and read any text that Unicode has."""
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("text", _TextLoader)


def _is_closed(connection: Connection) -> bool:
    """Whether the other side has closed a connection that nobody uses, seen without asking it."""
    try:
        while select([connection.pgconn.socket], [], [], 0)[0]:
            connection.pgconn.consume_input()  # first what the server said last, then that it hung up
    except psycopg.OperationalError:
        return True
    return connection.pgconn.status != ConnStatus.OK


async def _configure(connection: Connection) -> None:
    # Not as an argument of connecting: the job queue, which makes connections of the pool's arguments, gives its own.
    await connection.set_autocommit(True)
    spell_texts(connection)
    # As settings of the session, since a pooler in between may refuse them as parameters of the start.
    await connection.execute(f"SET timezone = 'UTC'; SET statement_timeout = '{STATEMENT_SECONDS}s'")


async def connect(url: str) -> Connection:
    """Open a connection for oneself, like those of the pool.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    connection = await AsyncConnection.connect(make_conninfo(url, application_name=NAME, **PATIENCE))
    await _configure(connection)
    return connection


async def read_version(url: str) -> str | None:
    """Return the version of a database's schema; None where it holds nothing of paperboy's.

    Raises:
        StoreError: the database cannot be reached.
    """
    with explained(url):
        async with await AsyncConnection.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            cursor = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", (VERSION_TABLE,))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return None
            cursor = await connection.execute(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant
            row = await cursor.fetchone()
            return str(row[0]) if row else None


def migrate(url: str) -> tuple[str | None, str]:
    """Bring a database to this version, whoever else tries at the same time; return its version before and after.

    Raises:
        StoreError: it cannot be reached, or it is of a newer version.
    """
    from alembic import command  # noqa: PLC0415 - only who changes the schema loads what does it
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    with explained(url), psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATING,))
        before = version_of(connection)
        if before is not None and before > NEWEST:
            raise StoreError(wrong_version(before))
        if before != NEWEST:
            connection.autocommit = False  # all steps, or none
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except DBAPIError as error:  # what is wrong, wrapped by the tool's own library
                raise (error.orig or error) from None
            log.info("the database went from version %s to %s", before or "0", NEWEST)
        return before, NEWEST


def version_of(connection: psycopg.Connection[tuple[Any, ...]]) -> str | None:
    """Do as `read_version` does, over a connection that does not wait for others in an event loop."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (VERSION_TABLE,)).fetchone()
    if row is None or not row[0]:
        return None
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 - a constant
    return str(row[0]) if row else None


def no_schema(url: str) -> str:
    """Return the sentence for a database that holds nothing of paperboy's, told to those who only read."""
    return f"The database {place(url)} has no schema of paperboy's yet; `paperboy migrate` or `paperboy run` makes it."


def wrong_version(found: str) -> str:
    """Return the sentence for a database of another version."""
    if found > NEWEST:
        return f"The database is of version {found}, this paperboy knows {NEWEST} at most; use the newer paperboy."
    return f"The database is of version {found}, this paperboy needs {NEWEST}; run `paperboy migrate`."
