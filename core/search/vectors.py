"""EDGE. The vectors' file: an index beside the library that can be lost and made again.

One SQLite file a model, `vectors-KEY.sqlite3`. Vectors come in blocks, each in one transaction with the place of the
library's change log up to which papers were embedded: whatever kills the process, the next one goes on behind the last
block. A paper that changed is embedded again, and its later vector counts. One process writes, others follow by the
number of the last block that they read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.errors import LibraryBroken, LibraryError
from core.papers.schema import connect, explained, reading, transaction
from core.search.matrix import Numbers, Packed, Vectors

APPLICATION = 0x70617076
VERSION = 1
PREFIX = "vectors-"
SUFFIX = ".sqlite3"

_TABLES = """
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY, numbers BLOB NOT NULL, digests BLOB NOT NULL,
    rows BLOB NOT NULL, scales BLOB NOT NULL, offsets BLOB NOT NULL
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Block:
    """Some papers' vectors.

    Attributes:
        numbers: the papers' numbers in the library.
        digests: of their texts, to know one that did not change.
        packed: their vectors.
        place: the block's own number.
    """

    numbers: Numbers
    digests: Numbers
    packed: Packed
    place: int = 0

    def blobs(self) -> Sequence[bytes]:
        """Return it as the bytes as which it is kept; see `make_block`."""
        packed = self.packed
        return [item.tobytes() for item in (self.numbers, self.digests, packed.rows, packed.scales, packed.offsets)]


class Digests:
    """What texts papers were embedded with; 16 bytes a paper, where a dictionary takes ten times as much.

    Args:
        numbers: of papers; of one that comes again the later digest counts.
        digests: as many.
    """

    def __init__(self, numbers: Numbers, digests: Numbers) -> None:
        order = np.argsort(numbers, kind="stable")
        self._numbers, self._digests = numbers[order], digests[order]
        self._later: dict[int, int] = {}

    def get(self, number: int) -> int | None:
        """Return a paper's digest, or None."""
        if number in self._later:
            return self._later[number]
        place = int(np.searchsorted(self._numbers, number, side="right")) - 1
        return int(self._digests[place]) if place >= 0 and self._numbers[place] == number else None

    def update(self, later: Mapping[int, int]) -> None:
        """Note what was embedded since."""
        self._later.update(later)


class VectorFile:
    """An open file of vectors. Every method raises LibraryError with one sentence when it cannot be used."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file for reading.

        Raises:
            LibraryError: there is none, or it is not one of this version.
        """
        with _explained(path):
            connection = connect(path, read_only=True)
            try:
                _check(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    @classmethod
    def make(cls, path: Path, library: str, describe: Callable[[], Mapping[str, str | bytes]]) -> Self:
        """Open a file for writing; make it anew where there is none, or a broken one, or one of another library.

        Args:
            path: of the file.
            library: the library's identity.
            describe: called for a new file; returns further facts about it.

        Raises:
            LibraryError: it cannot be written.
        """
        if path.exists():
            with suppress(LibraryError):
                found = cls._open_writer(path)
                if found.fact("library") == library:
                    return found
                found.close()
            remove_vectors(path)
        facts = {"library": library, **describe()}
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = connect(path)
            try:
                _make_tables(connection, facts)
            finally:
                connection.close()
        return cls._open_writer(path)

    @classmethod
    def _open_writer(cls, path: Path) -> Self:
        with _explained(path):
            connection = connect(path)
            try:
                _check(connection, path)
                # A power cut may cost the last blocks, which are made again; waiting for the disk each time costs more.
                connection.execute("PRAGMA synchronous = NORMAL")
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def fact(self, name: str) -> str | bytes | int | None:
        """Return a small named fact."""
        with _explained(self.path):
            return _read_fact(self._connection, name)

    @property
    def upto(self) -> int:
        """The place of the library's change log up to which everything is embedded."""
        found = self.fact("upto")
        return found if isinstance(found, int) else 0

    @property
    def is_whole(self) -> bool:
        """Whether it once held every paper of the library."""
        return bool(self.fact("whole"))

    def append(self, block: Block, *, upto: int, shared: int | None = None) -> None:
        """Add a block (one without papers moves the place alone), and the place that is reached with it.

        Args:
            block: to be added.
            upto: the place of the library's change log.
            shared: the number under which all machines have the block; None of one that was made here.
        """
        with _explained(self.path), transaction(self._connection):
            if len(block.numbers):
                made = self._connection.execute(
                    "INSERT INTO blocks (numbers, digests, rows, scales, offsets) VALUES (?, ?, ?, ?, ?)",
                    block.blobs(),
                )
                if shared is not None:
                    self._connection.execute("INSERT INTO shared VALUES (?, ?)", (made.lastrowid, shared))
            self._connection.execute("INSERT OR REPLACE INTO facts VALUES ('upto', ?)", (upto,))

    def clear(self) -> None:
        """Forget all vectors, and what the file is of stays."""
        with _explained(self.path), transaction(self._connection):
            self._connection.execute("DELETE FROM blocks")
            self._connection.execute("DELETE FROM facts WHERE name IN ('upto', 'whole', 'shared to', 'shared upto')")
            self._connection.execute("DROP TABLE IF EXISTS shared")

    def prepare_sharing(self) -> None:
        """Keep from now on which blocks all machines have."""
        with _explained(self.path), transaction(self._connection):
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS shared (id INTEGER PRIMARY KEY, place INTEGER NOT NULL)"
            )

    def unshared(self, limit: int) -> Sequence[Block]:
        """Return the oldest blocks that were made here and that others do not have."""
        query = (
            "SELECT id, numbers, digests, rows, scales, offsets FROM blocks"
            " WHERE id NOT IN (SELECT id FROM shared) ORDER BY id LIMIT ?"
        )
        with _explained(self.path):
            return [make_block(number, *blobs) for number, *blobs in self._connection.execute(query, (limit,))]

    def mark_shared(self, places: Mapping[int, int], facts: Mapping[str, int]) -> None:
        """Note under which numbers all machines have blocks by now, by the blocks' own; and further facts."""
        with _explained(self.path), transaction(self._connection):
            self._connection.executemany("INSERT OR REPLACE INTO shared VALUES (?, ?)", places.items())
            self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def mark_whole(self) -> None:
        """Note that every paper of the library is in it."""
        with _explained(self.path), transaction(self._connection):
            self._connection.execute("INSERT OR REPLACE INTO facts VALUES ('whole', 1)")

    def blocks_after(self, place: int) -> Iterator[Block]:
        """Yield the blocks behind one, oldest first."""
        with _explained(self.path), reading(self._connection):
            rows = self._connection.execute(
                "SELECT id, numbers, digests, rows, scales, offsets FROM blocks WHERE id > ? ORDER BY id", (place,)
            )
            for number, *blobs in rows:
                yield make_block(number, *blobs)

    def digests(self) -> Digests:
        """Return the digest of each paper's text that was embedded last."""
        with _explained(self.path):
            rows = self._connection.execute("SELECT numbers, digests FROM blocks ORDER BY id").fetchall()
        numbers, digests = (b"".join(row[column] for row in rows) for column in (0, 1))
        return Digests(np.frombuffer(numbers, np.int64), np.frombuffer(digests, np.int64))

    def count_blocks(self) -> int:
        """Return the number of the last block; cheap."""
        with _explained(self.path):
            (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM blocks").fetchone()
        return int(last)


def vector_path(folder: Path, key: str) -> Path:
    """Return where the vectors of one kind lie."""
    return folder / f"{PREFIX}{key}{SUFFIX}"


def vector_paths(folder: Path) -> list[Path]:
    """Return the files of vectors in a folder, the newest first."""
    found = [(path.stat().st_mtime, path) for path in folder.glob(f"{PREFIX}*{SUFFIX}")]
    return [path for _, path in sorted(found, reverse=True)]


def remove_vectors(path: Path) -> None:
    """Remove a file of vectors, with what SQLite keeps beside it."""
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def make_block(number: int, numbers: bytes, digests: bytes, rows: bytes, scales: bytes, offsets: bytes) -> Block:
    """Return a block, of its own number, of the bytes as which it is kept."""
    found: Numbers = np.frombuffer(numbers, np.int64)
    matrix: NDArray[np.int8] = np.frombuffer(rows, np.int8).reshape(len(found), -1)
    wide: Vectors = np.frombuffer(scales, np.float32)
    return Block(
        found, np.frombuffer(digests, np.int64), Packed(matrix, wide, np.frombuffer(offsets, np.float32)), number
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        with explained(path):
            yield
    except LibraryBroken as error:
        raise LibraryBroken(
            f"The vectors {path} are damaged; no paper is lost: remove this file, and they are made again."
        ) from error


def _make_tables(connection: sqlite3.Connection, facts: Mapping[str, str | bytes]) -> None:
    with transaction(connection):
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) != (APPLICATION, VERSION):
        raise LibraryError(f"{path} holds no vectors of this version of paperboy.")


def _read_fact(connection: sqlite3.Connection, name: str) -> str | bytes | int | None:
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None
