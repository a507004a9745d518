"""EDGE. The library: the truth about papers, their signals and their listings, in one SQLite file (WAL).

One thread writes, a few read, and none of them is the event loop's. Several processes may use one file at a time: each
reads a whole state while another writes. A change is kept, on the disk, when its method returns; or not at all.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import date, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Self, TypeVar

from core.errors import LibraryError
from core.papers.paper import Paper, Record
from core.papers.replicated import REPLICA_OF
from core.papers.rows import Ingested, ingest_records, read_papers
from core.papers.schema import apply_steps, check_presence, connect, explained, prepare, reading, transaction
from core.papers.windows import Candidates, Window, listing_condition, paper_condition
from core.papers.word_index import refresh_words

T = TypeVar("T")
READERS = 2
LIBRARY_FILE = "library.sqlite3"
"""Its name in a data folder."""


def refuse_copy(path: Path) -> None:
    """Refuse a library that is a copy of a database's, since the rest of what is kept is not beside it.

    Raises:
        LibraryError: it is one.
    """
    if not path.exists():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        try:
            found = database.execute("SELECT 1 FROM facts WHERE name = ?", (REPLICA_OF,)).fetchone()
        except sqlite3.Error:  # broken, or of no version of ours: whoever reads it says so
            return
    if found is not None:
        raise LibraryError(_sentence_of_a_copy(path))


def _sentence_of_a_copy(path: Path) -> str:
    return (
        f"{path} is a copy of a database's papers, which only those who know the database may change; "
        "set DATABASE_URL, or name another folder with PAPERBOY_HOME."
    )


class Library:
    """An open library. Every method raises LibraryError with one sentence when the file cannot be used.

    Attributes:
        renewals: how often another file took the place of this one since it was opened; indexes beside it are worthless
            then.
    """

    renewals = 0

    def __init__(self, path: Path, writer: sqlite3.Connection | None, readers: Sequence[sqlite3.Connection]) -> None:
        self.path = path
        self._writer = writer
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for connection in readers:
            self._readers.put(connection)
        self._connections = [*([writer] if writer else []), *readers]  # the writer is closed last: it tidies up
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="library-write")
        self._reading = ThreadPoolExecutor(len(readers), thread_name_prefix="library-read")

    @classmethod
    async def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open the library's file, and make it where there is none (not with `read_only`).

        Raises:
            LibraryBroken: the file is damaged, or no database.
            LibraryError: it cannot be used, is of another version, or of another program.
        """
        return await asyncio.to_thread(cls._open, path, read_only)

    @classmethod
    def _open(cls, path: Path, read_only: bool) -> Self:
        opened = cls(path, *open_connections(path, read_only=read_only))
        if not read_only and opened._is_replica():
            while opened._connections:
                opened._connections.pop().close()
            raise LibraryError(_sentence_of_a_copy(path))
        return opened

    def _is_replica(self) -> bool:
        assert self._writer is not None
        with explained(self.path):
            found = self._writer.execute("SELECT 1 FROM facts WHERE name = ?", (REPLICA_OF,)).fetchone()
        return found is not None

    async def close(self) -> None:
        """Wait for what is under way and let go of the file; closing twice is harmless."""
        for executor in (self._writing, self._reading):
            await asyncio.to_thread(executor.shutdown)
        while self._connections:
            self._connections.pop().close()

    async def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function on one consistent state of the library, in a reader's thread."""

        def run() -> T:
            connection = self._readers.get()
            try:
                with explained(self.path), reading(connection):
                    return ask(connection)
            finally:
                self._readers.put(connection)

        return await self._run(self._reading, run)

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in one transaction, in the writer's thread; all of it is kept, or nothing."""

        def run() -> T:
            if self._writer is None:
                raise LibraryError(f"The library {self.path} was opened for reading only.")
            with explained(self.path), transaction(self._writer):
                return change(self._writer)

        return await self._run(self._writing, run)

    async def _run(self, executor: Executor, work: Callable[[], T]) -> T:
        if not self._connections:
            raise LibraryError(f"The library {self.path} is closed.")
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    async def ingest(
        self, records: Sequence[Record], *, now: datetime, facts: Mapping[str, str] | None = None
    ) -> Ingested:
        """Keep records, their signals and listings, and facts about them, in one transaction.

        A listing dated later than tomorrow is a mistake of its source and is not logged.
        """

        def keep(connection: sqlite3.Connection) -> Ingested:
            write_facts(connection, (facts or {}).items())
            return ingest_records(connection, records, now)

        return await self.write(keep)

    async def paper(self, identifier: str) -> Paper | None:
        """Return one paper, as `papers` does."""
        return (await self.papers([identifier])).get(identifier)

    async def papers(self, ids: Iterable[str]) -> dict[str, Paper]:
        """Return the papers that are held of these, by id, in the order asked for.

        Each with all its listings, and with its signals of the 14 days up to the newest one (and of each kind the last
        one before these, to reckon from).
        """
        wanted = list(ids)
        return await self.read(lambda connection: read_papers(connection, wanted))

    async def count(self) -> int:
        """Return how many papers are held, withdrawn ones left out."""
        return await self.read(
            lambda connection: _number(connection, "SELECT count(*) FROM papers WHERE NOT withdrawn")
        )

    async def changed_after(self, sequence: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return (sequence, id) of papers that are new or changed since, oldest change first, each once."""
        query = "SELECT change, id FROM papers WHERE change > ? ORDER BY change LIMIT ?"
        return await self.read(lambda connection: connection.execute(query, (sequence, limit)).fetchall())

    async def without_categories(self, since: date) -> Sequence[str]:
        """Return ids of papers listed for a day since then whose categories are not known, newest list first."""
        query = (
            "SELECT p.id FROM papers p JOIN listings l ON l.paper = p.number WHERE l.day >= ? AND NOT p.withdrawn"
            " AND NOT EXISTS (SELECT 1 FROM paper_categories c WHERE c.paper = p.number) ORDER BY l.day DESC, p.id"
        )
        day = since.isoformat()
        return await self.read(
            lambda connection: list(dict.fromkeys(row[0] for row in connection.execute(query, (day,))))
        )

    async def newest_sequence(self) -> int:
        """Return the newest number of the listing log; 0 while nothing was listed."""
        return await self.read(newest_listing)

    async def number_listings_behind(self, sequence: int) -> None:
        """Give listings that come only numbers greater than this one, which deliveries hold of a former library."""
        await self.write(lambda connection: number_behind(connection, sequence))

    async def window_size(self, window: Window) -> Candidates:
        """Return how much a window holds."""
        return await self.read(lambda connection: measure_window(connection, window))

    async def fact(self, name: str) -> str | None:
        """Return a small named fact."""
        query = "SELECT value FROM facts WHERE name = ?"
        row = await self.read(lambda connection: connection.execute(query, (name,)).fetchone())
        return row[0] if row else None

    async def facts_named(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return those that are kept of some facts, by name."""
        query = "SELECT name, value FROM facts WHERE name IN (SELECT value FROM json_each(?))"
        return await self.read(lambda connection: dict(connection.execute(query, (json.dumps(names),))))

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact."""
        await self.write(lambda connection: write_facts(connection, [(name, value)]))


def open_connections(
    path: Path, *, read_only: bool = False
) -> tuple[sqlite3.Connection | None, list[sqlite3.Connection]]:
    """Open the connection that writes, none with `read_only`, and those that read.

    Raises:
        LibraryError: as `Library.open`.
    """
    opened: list[sqlite3.Connection] = []
    try:
        with explained(path):
            if read_only:
                check_presence(path)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
            first = connect(path, read_only=read_only)
            opened.append(first)
            prepare(first, path, read_only=read_only)
            if not read_only:
                with transaction(first):
                    refresh_words(first)
            opened.extend(connect(path, read_only=True) for _ in range(READERS - int(read_only)))
    except BaseException:
        for connection in opened:
            connection.close()
        raise
    return (None, opened) if read_only else (first, opened[1:])


def migrate(path: Path) -> tuple[int, int]:
    """Bring the library's file to this version; return its version before and after.

    Raises:
        LibraryError: the file cannot be used, or is of a newer version.
    """
    with explained(path):
        connection = connect(path)
        try:
            return apply_steps(connection, path)
        finally:
            connection.close()


def set_aside(path: Path, now: datetime) -> str:
    """Keep a broken library's file, and what SQLite left beside it, under another name; return what to tell of it.

    Raises:
        LibraryError: it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.broken-{now:%Y%m%dT%H%M%SZ}")
    with explained(path):
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    return (
        f"{path} was broken: a new library was begun, which `paperboy fetch` and `paperboy import` fill;"
        f" the broken file is kept as {aside.name}."
    )


def number_behind(connection: sqlite3.Connection, sequence: int) -> None:
    """Give listings that come only numbers greater than this one."""
    given = _number(connection, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'listings'")
    if given < sequence:
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'listings'")
        connection.execute("INSERT INTO sqlite_sequence VALUES ('listings', ?)", (sequence,))


def newest_change(connection: sqlite3.Connection) -> int:
    """Return the newest place of the change log, 0 while it is empty."""
    return _number(connection, "SELECT coalesce(max(change), 0) FROM papers")


def newest_listing(connection: sqlite3.Connection) -> int:
    """Return the newest number of the listing log, 0 while it is empty."""
    return _number(connection, "SELECT coalesce(max(sequence), 0) FROM listings")


def measure_window(connection: sqlite3.Connection, window: Window) -> Candidates:
    """Return how much a window holds."""
    where, values = paper_condition(window)
    (count,) = connection.execute(f"SELECT count(*) FROM papers p WHERE {where}", values).fetchone()  # noqa: S608 - ours
    where, values = listing_condition(window)
    query = f"SELECT DISTINCT l.source, l.day FROM listings l WHERE {where} ORDER BY l.day"  # noqa: S608 - ours
    days: dict[str, tuple[date, ...]] = {}
    for source, day in connection.execute(query, values):
        days[source] = (*days.get(source, ()), date.fromisoformat(day))
    return Candidates(count, newest_listing(connection), days)


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def write_facts(connection: sqlite3.Connection, facts: Iterable[tuple[str, str]]) -> None:
    """Keep small named facts."""
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts)
