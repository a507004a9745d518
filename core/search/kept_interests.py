"""EDGE. What interests mean, kept beside the library, so that a start need not read all of them with the model again.

One small SQLite file that may be lost at any time. It holds no text and nobody's name: a digest of what was asked by
which model of which library, the vector, and how near papers must be. What nobody asked for in 30 days goes, and so
does what was asked for longest ago, beyond 20,000. It is written by a thread of its own, for which nobody waits; where
it cannot be written, nothing is kept and nothing is missed.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from core.clock import Clock, system_clock
from core.papers.schema import connect, transaction

if TYPE_CHECKING:
    from core.search.model import Vectors

log = logging.getLogger(__name__)

FILE = "interests.sqlite3"
VERSION = 1
MOST = 20_000
UNUSED = timedelta(days=30)
USED_AGAIN = timedelta(days=7)
"""A use is noted once a week: less often would lose what is used, more often would write for nothing."""

_TABLE = """
CREATE TABLE IF NOT EXISTS interests (
    name BLOB PRIMARY KEY, vector BLOB NOT NULL, least REAL NOT NULL, papers INTEGER NOT NULL, used TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS interests_by_use ON interests (used)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an interest means.

    Attributes:
        vector: of length 1.
        least: nearness from which a paper is on topic.
        papers: how many were known by meaning when that was found.
    """

    vector: Vectors
    least: float
    papers: int


class KeptInterests:
    """The file; for use from any thread.

    Args:
        folder: the data folder.
        clock: tells the day of a use.
        most: interests that are kept.
    """

    def __init__(self, folder: Path, clock: Clock = system_clock, *, most: int = MOST) -> None:
        self.path = folder / FILE
        self._clock = clock
        self._most = most
        self._lock = Lock()
        self._reader: sqlite3.Connection | None = None
        self._waiting: dict[bytes, Kept] = {}
        self._writing: Thread | None = None
        self._refused = False

    def get(self, name: bytes) -> Kept | None:
        """Return what is kept under a name; None where nothing is, or the file cannot be read."""
        try:
            row = self._read(name)
        except sqlite3.Error as error:
            self._refuse(error)
            return None
        if row is None:
            return None
        import numpy as np  # noqa: PLC0415 - loaded with the first vectors

        blob, least, papers, used = row
        kept = Kept(np.frombuffer(blob, np.float32), least, papers)
        if used < (self._clock() - USED_AGAIN).date().isoformat():
            self.put(name, kept)
        return kept

    def _read(self, name: bytes) -> tuple[bytes, float, int, str] | None:
        with self._lock:
            if self._refused:
                return None
            if self._reader is None:
                if not self.path.exists():
                    return None
                self._reader = connect(self.path, read_only=True)
            found: tuple[bytes, float, int, str] | None = self._reader.execute(
                "SELECT vector, least, papers, used FROM interests WHERE name = ?", (name,)
            ).fetchone()
            return found

    def put(self, name: bytes, kept: Kept) -> None:
        """Keep something, soon."""
        with self._lock:
            if self._refused:
                return
            self._waiting[name] = kept
            if self._writing is None:
                self._writing = Thread(target=self._write, name="interests")
                self._writing.start()

    def close(self) -> None:
        """Wait for what is being written, and let go of the file."""
        with self._lock:
            writing = self._writing
        if writing is not None:
            writing.join()
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None

    def _write(self) -> None:
        while waiting := self._next():
            try:
                self._append(waiting)
            except (sqlite3.Error, OSError) as error:
                self._refuse(error)

    def _next(self) -> Mapping[bytes, Kept]:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            if not waiting:
                self._writing = None
            return waiting

    def _append(self, waiting: Mapping[bytes, Kept]) -> None:
        now = self._clock()
        today = now.date().isoformat()
        rows = [(name, kept.vector.tobytes(), kept.least, kept.papers, today) for name, kept in waiting.items()]
        with closing(connect(self.path)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            with transaction(connection):
                _prepare(connection)
                connection.executemany("INSERT OR REPLACE INTO interests VALUES (?, ?, ?, ?, ?)", rows)
                connection.execute("DELETE FROM interests WHERE used < ?", ((now - UNUSED).date().isoformat(),))
                (count,) = connection.execute("SELECT count(*) FROM interests").fetchone()
                oldest = "SELECT name FROM interests ORDER BY used LIMIT ?"
                connection.execute(f"DELETE FROM interests WHERE name IN ({oldest})", (max(count - self._most, 0),))  # noqa: S608 - ours

    def _refuse(self, error: Exception) -> None:
        """Keep nothing any more; a file that is no database of this version is thrown away, for the next start."""
        log.info("what interests mean is not kept: %s (%s)", self.path, error)
        with self._lock:
            self._refused = True
            self._waiting.clear()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            _remove(self.path)


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the table; what another version kept is thrown away."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in {0, VERSION}:
        connection.execute("DROP TABLE IF EXISTS interests")
    for statement in _TABLE.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        try:
            path.with_name(path.name + end).unlink(missing_ok=True)
        except OSError as error:
            log.info("%s cannot be removed (%s)", path, error.strerror)
