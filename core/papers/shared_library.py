"""EDGE. The library where several machines share their papers: PostgreSQL holds the truth, each machine a replica.

Everybody reads the replica, a library like any other. A change is made in it, and what it touched goes into PostgreSQL
under the next batch number, in a transaction that is kept there first. One machine changes papers at a time, and only
on top of all earlier batches, so that numbers, changes and listings are the same everywhere. Whatever goes wrong in
between, the replica falls back to a batch that the database has too, and follows from there.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

from psycopg import AsyncConnection

from core.clock import Clock
from core.database import PATIENCE
from core.database_errors import explained as database_explained
from core.errors import LibraryError, PaperboyError, StoreError
from core.papers.library import Library, number_behind, open_connections, write_facts
from core.papers.replica import (
    forget_changes,
    gather_changes,
    keep_own_head,
    last_listed,
    note_changes,
    put_rows,
    read_own_head,
    remove_rows,
)
from core.papers.replicated import OWN_FACTS, TABLES, Head
from core.papers.schema import explained, transaction
from core.papers.shared_copy import Progress, differs, ensure_replica, folder_to_myself
from core.papers.shared_line import ALONE, ONE_STATE, Line
from core.papers.shared_rows import CHANNEL, Shared, read_head, read_removed, read_rows, write_changes

T = TypeVar("T")
log = logging.getLogger(__name__)

LOOK_EVERY = 4.0  # seconds between two looks at the database, where no notification comes
GRACE = 5.0  # seconds
BUSY_MS = 120_000  # another process of this machine may be putting in many papers


class _Astray(Exception):  # noqa: N818 - the state is the name
    """The replica cannot follow the database."""


class SharedLibrary(Library):
    """An open replica. Every method raises LibraryError with one sentence when it, or the database, cannot be used."""

    def __init__(
        self,
        path: Path,
        writer: sqlite3.Connection,
        readers: Sequence[sqlite3.Connection],
        line: Line,
        clock: Clock,
    ) -> None:
        super().__init__(path, writer, readers)
        self._line = line
        self._clock = clock
        self._file = path.stat().st_ino

    @classmethod
    async def join(
        cls, path: Path, line: Line, clock: Clock, progress: Progress = lambda *_: None, *, replace: bool = True
    ) -> Self:
        """Open this machine's replica and bring it up to date; a machine without one gets a copy of all papers.

        Args:
            path: of the replica.
            line: to the database; closed with the library.
            clock: for names of what is set aside.
            progress: told, from another thread, how many papers of how many are copied.
            replace: whether another file that lies there is set aside.

        Raises:
            LibraryForeign: another file lies there, and stays.
            LibraryError: the replica cannot be used, or the database cannot be reached.
        """
        try:
            library = await asyncio.to_thread(cls._join, path, line, clock, progress, replace=replace)
        except BaseException as error:
            line.close()
            if isinstance(error, StoreError):
                raise LibraryError(str(error)) from error
            raise
        try:
            await library.follow()
        except BaseException:
            await library.close()
            raise
        return library

    @classmethod
    def _join(cls, path: Path, line: Line, clock: Clock, progress: Progress, *, replace: bool) -> Self:
        ensure_replica(path, line, clock(), progress, replace=replace)
        return cls(path, *_open_replica(path), line, clock)

    async def close(self) -> None:
        """Wait for what is under way and let go of the file and the database; closing twice is harmless.

        What waits for an answer of the database for longer than `GRACE` is given up.
        """
        closing = asyncio.ensure_future(super().close())
        if not (await asyncio.wait([closing], timeout=GRACE))[0]:
            self._line.end()
        await closing
        await asyncio.to_thread(self._line.close)

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in one transaction, on top of all that others wrote; all of it is kept, or nothing.

        Where the reply to the last question is lost, nobody knows which; it is an error then, and if it was kept, it
        comes back with the next look at the database.
        """
        return await self._run(self._writing, lambda: self._together(lambda: self._write(change)))

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact; one that is true of this machine alone stays here."""
        if name not in OWN_FACTS:
            await super().set_fact(name, value)
            return

        def keep() -> None:
            writer = self._own_writer
            with explained(self.path), transaction(writer):
                writer.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

        await self._run(self._writing, keep)

    async def number_listings_behind(self, sequence: int) -> None:
        """Do as every library does; the fact makes it a change that others follow."""

        def change(connection: sqlite3.Connection) -> None:
            number_behind(connection, sequence)
            write_facts(connection, [("listings behind", str(sequence))])

        await self.write(change)

    async def follow(self) -> bool:
        """Take in what others wrote since; returns whether there was anything."""
        return await self._run(self._writing, lambda: self._together(self._follow))

    async def keep_following(self, look_every: float = LOOK_EVERY) -> None:
        """Follow what others write, notified and by looking, until cancelled; a failure is logged once, and its end."""
        failing = False
        while True:
            try:
                async with self._notifications(look_every) as wait:
                    while True:
                        await self.follow()
                        if failing:
                            log.info("the papers of other machines come in again")
                        failing = False
                        await wait()
            except PaperboyError as error:
                if not failing:
                    log.warning("the papers of other machines do not come in: %s", error)
                failing = True
            await asyncio.sleep(look_every)
            with suppress(PaperboyError):  # told above; and where nobody can be notified, looking goes on
                await self.follow()

    @asynccontextmanager
    async def _notifications(self, look_every: float) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Lend a way to wait for the next notification, or for a pause."""
        with database_explained(self._line.url):
            async with await AsyncConnection.connect(
                self._line.url, autocommit=True, application_name="paperboy listens", **PATIENCE
            ) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")

                async def wait() -> None:
                    async for _ in connection.notifies(timeout=look_every, stop_after=1):
                        pass

                yield wait

    def _together(self, work: Callable[[], T]) -> T:
        """Do something with the replica and the database; a replica that went astray is made anew first."""
        try:
            self._reopen_replaced()
            try:
                return work()
            except _Astray:
                self._begin_anew()
                return work()
        except StoreError as error:
            raise LibraryError(str(error)) from error
        except _Astray as error:
            raise LibraryError(f"The replica {self.path} {error}.") from error

    def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        writer = self._own_writer
        with self._line.transaction(ALONE) as shared, explained(self.path), transaction(writer):
            before = self._catch_up(shared)
            result = change(writer)
            if changes := gather_changes(writer):
                keep_own_head(writer, write_changes(shared, before, changes, listed=last_listed(writer)))
                shared.execute("COMMIT")  # what the database has, the replica follows; the other way round is a fork
                forget_changes(writer)
        return result

    def _follow(self) -> bool:
        own = self._own_head()
        with self._line.asking() as shared:
            head, token = read_head(shared, own.batch)
        _check(own, head, token)
        if head.batch == own.batch:
            return False
        # In this order, so that no other process of this machine has put in more than is seen of the database.
        with explained(self.path), transaction(self._own_writer), self._line.transaction(ONE_STATE) as shared:
            self._catch_up(shared)
        return True

    def _catch_up(self, shared: Shared) -> Head:
        """Put in what the database knows more, inside both transactions; returns where both are then."""
        writer, own = self._own_writer, self._own_head()
        head, token = read_head(shared, own.batch)
        _check(own, head, token)
        if head.batch > own.batch:
            for table in TABLES:
                remove_rows(writer, table, read_removed(shared, table, own.batch))
                put_rows(writer, table, read_rows(shared, table, own.batch), renew=self._line.renew)
            keep_own_head(writer, head)
            forget_changes(writer)
        return head

    def _own_head(self) -> Head:
        own = read_own_head(self._own_writer)
        assert own is not None
        return own

    @property
    def _own_writer(self) -> sqlite3.Connection:
        assert self._writer is not None
        return self._writer

    def _begin_anew(self) -> None:
        ensure_replica(self.path, self._line, self._clock(), lambda *_: None)
        self._reopen()

    def _reopen_replaced(self) -> None:
        """Open the replica that another process of this machine put in the place of ours."""
        try:
            file = self.path.stat().st_ino
        except FileNotFoundError:
            self._begin_anew()
            return
        if file != self._file:
            self._reopen()

    def _reopen(self) -> None:
        with folder_to_myself(self.path):
            writer, readers = _open_replica(self.path)
            self._file = self.path.stat().st_ino
        former = [self._own_writer, *(self._readers.get() for _ in readers)]  # each reader ends what it is at
        self._writer, self._connections = writer, [writer, *readers]
        for connection in readers:
            self._readers.put(connection)
        for connection in former:
            connection.close()
        self.renewals += 1


def _open_replica(path: Path) -> tuple[sqlite3.Connection, list[sqlite3.Connection]]:
    """Open the connection that writes, which notes what it changes, and those that read."""
    writer, readers = open_connections(path)
    assert writer is not None
    try:
        with explained(path):
            writer.execute("PRAGMA temp_store = MEMORY")
            writer.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            note_changes(writer)
    except BaseException:
        for connection in (writer, *readers):
            connection.close()
        raise
    return writer, readers


def _check(own: Head, head: Head, token: str) -> None:
    if reason := differs(own, head, token):
        raise _Astray(reason)
