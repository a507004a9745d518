"""EDGE. The library's file: its tables, its versions, and what can be wrong with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import LibraryBroken, LibraryError
from core.papers.stillness import connect_to_read

APPLICATION = 0x70617062  # "papb": tells a library from any other SQLite file
BUSY_SECONDS = 20
BROKEN = ("SQLITE_NOTADB", "SQLITE_CORRUPT")

_FIRST_TABLES = """
CREATE TABLE papers (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, change INTEGER NOT NULL, withdrawn INTEGER NOT NULL,
    published TEXT, upvotes INTEGER, doi TEXT NOT NULL, title_key TEXT NOT NULL, first_seen TEXT NOT NULL,
    sources TEXT NOT NULL, title TEXT NOT NULL, authors TEXT NOT NULL, abstract TEXT NOT NULL, details TEXT NOT NULL
);
CREATE UNIQUE INDEX papers_by_change ON papers (change);
CREATE INDEX papers_by_date ON papers (withdrawn, published, upvotes);
CREATE INDEX papers_by_title ON papers (title_key);
CREATE INDEX papers_by_doi ON papers (doi COLLATE NOCASE) WHERE doi <> '';
CREATE TABLE paper_categories (
    category TEXT NOT NULL COLLATE NOCASE, paper INTEGER NOT NULL, PRIMARY KEY (category, paper)
) WITHOUT ROWID;
CREATE INDEX categories_by_paper ON paper_categories (paper);
CREATE TABLE paper_sources (source TEXT NOT NULL, paper INTEGER NOT NULL, PRIMARY KEY (source, paper)) WITHOUT ROWID;
CREATE TABLE records (paper INTEGER NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (paper, source));
CREATE TABLE signals (
    paper INTEGER NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, hour TEXT NOT NULL, at TEXT NOT NULL,
    value REAL NOT NULL, PRIMARY KEY (paper, name, source, hour)
) WITHOUT ROWID;
CREATE TABLE listings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, paper INTEGER NOT NULL, source TEXT NOT NULL, day TEXT NOT NULL,
    kind TEXT NOT NULL, UNIQUE (paper, source)
);
CREATE INDEX listings_by_day ON listings (source, day);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (
    title, abstract, authors, content='', tokenize='porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);
"""

_HAPPENINGS = """
CREATE TABLE happenings (
    paper INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (paper, kind, detail)
);
CREATE INDEX happenings_by_date ON happenings (at);
"""

STEPS: Sequence[str] = (_FIRST_TABLES, _HAPPENINGS)
"""Step n brings a file of version n to version n + 1; a new file goes through all of them."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection to the library's file, usable from any one thread at a time."""
    if read_only:
        connection = connect_to_read(path, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA cache_size = -8000")
        return connection
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA cache_size = -8000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def check_presence(path: Path) -> None:
    """Check that there is a file to read.

    Raises:
        LibraryError: there is none.
    """
    if not path.exists():
        raise LibraryError(f"There is no library at {path} yet; `paperboy fetch` or `paperboy import` makes one.")


def prepare(
    connection: sqlite3.Connection, path: Path, *, steps: Sequence[str] = STEPS, read_only: bool = False
) -> None:
    """Make the tables of a new file, or check that an old one is of this version.

    Raises:
        LibraryError: the file is of another version, or not a library.
    """
    found = _version(connection, path, newest=len(steps))
    if found == 0 and not read_only:
        apply_steps(connection, path, steps=steps)
    elif found == 0:
        raise LibraryError(f"There is no library in {path} yet; `paperboy fetch` or `paperboy import` makes one.")
    elif found < len(steps):
        raise LibraryError(
            f"The library {path} is of version {found}, this paperboy needs {len(steps)}; run `paperboy migrate`."
        )


def apply_steps(connection: sqlite3.Connection, path: Path, *, steps: Sequence[str] = STEPS) -> tuple[int, int]:
    """Bring a file to this version in one transaction; return its version before and after.

    Raises:
        LibraryError: the file is of a newer version, or not a library.
    """
    with transaction(connection):
        found = _version(connection, path, newest=len(steps))
        for step in steps[found:]:
            for statement in step.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
    return found, len(steps)


def _version(connection: sqlite3.Connection, path: Path, *, newest: int) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION:
        raise LibraryError(f"{path} is a database, but not a library of paperboy; move it away or set PAPERBOY_HOME.")
    if version > newest:
        raise LibraryError(
            f"The library {path} is of version {version}, this paperboy knows {newest} at most; use the newer paperboy."
        )
    return int(version)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock; commit at the end, or undo everything when the body raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """See one state of the library, whatever others write meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def gathered(connection: sqlite3.Connection, query: str, values: Sequence[object]) -> list[Any]:
    """Return the one JSON array that a query makes of its rows.

    To fetch a row lets go of the interpreter, and to get it back takes as long as another thread that computes may keep
    it: hundreds of rows, fetched one by one, would be hundreds of such waits.
    """
    found: list[Any] = json.loads(connection.execute(query, values).fetchone()[0])
    return found


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one sentence for a person.

    Raises:
        LibraryBroken: the file is damaged, or no database.
        LibraryError: what else is wrong with the file, and what helps.
    """
    try:
        yield
    except sqlite3.Error as error:
        broken = _name(error).startswith(BROKEN)
        raise (LibraryBroken if broken else LibraryError)(_sentence(error, path)) from error
    except OSError as error:
        raise LibraryError(f"The library {path} cannot be opened: {error.strerror or error}.") from error


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _sentence(error: sqlite3.Error, path: Path) -> str:
    name = _name(error)
    sentences = {
        "SQLITE_FULL": f"The disk that holds the library {path} is full; nothing was kept of this, free some space.",
        "SQLITE_READONLY": f"The library {path} cannot be written; check the rights of the file and its folder.",
        "SQLITE_CANTOPEN": f"The library {path} cannot be opened; check that its folder exists and the rights of both.",
        "SQLITE_PERM": f"The library {path} cannot be opened; check the rights of the file and its folder.",
        "SQLITE_NOTADB": f"{path} is not a library of paperboy, or it is broken; move it away and fetch again.",
        "SQLITE_CORRUPT": f"The library {path} is broken; move it away and fetch again, or restore a backup.",
        "SQLITE_BUSY": f"The library {path} is being written by another process; try again in a minute.",
        "SQLITE_IOERR": f"The library {path} cannot be read or written: the disk reports an error.",
    }
    return next(
        (sentence for start, sentence in sentences.items() if name.startswith(start)),
        f"The library {path} cannot be used: {error}.",
    )
