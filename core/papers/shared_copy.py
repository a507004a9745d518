"""EDGE. How a machine's replica of the shared papers begins: copied whole, beside, then put in its place.

A copy that was interrupted is begun anew. What lies in the place and cannot follow the database is kept under another
name: a library of this machine alone, one of another database, or one that knows more than a database which was
restored from an older state.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock

from core.database_errors import place
from core.errors import LibraryBroken, LibraryError, LibraryForeign
from core.papers.replica import keep_own_head, put_rows, read_own_head
from core.papers.replicated import LAYOUT, PAPERS, TABLES, Head, Row
from core.papers.schema import apply_steps, connect, explained, transaction
from core.papers.shared_line import ONE_STATE, Line
from core.papers.shared_rows import Shared, count_rows, read_head, read_rows
from core.papers.word_index import note_rules

log = logging.getLogger(__name__)

TOLD_EVERY = 20_000  # papers
_WORDS, _WORDS_AT_ONCE = 2**20, 2**26
OUTDATED = "is a copy of another version"
FORGOTTEN = ("vectors-*", "postings-*")
"""Indexes that tell papers by their numbers, which mean others in another library."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many papers of how many are copied."""


@contextmanager
def folder_to_myself(path: Path) -> Iterator[None]:
    """Keep the other processes of this machine from replacing the library meanwhile."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f"{path.name}.lock"), thread_local=False, fallback_to_soft=False)
        with lock:
            yield


def ensure_replica(path: Path, line: Line, now: datetime, progress: Progress, *, replace: bool = True) -> bool:
    """See that there is a replica that can follow the database; returns whether it was made just now.

    Args:
        path: where it lies.
        line: to the database.
        now: for names of what is set aside.
        progress: told how many papers of how many are copied.
        replace: whether another file that lies there makes way.

    Raises:
        StoreError: the database cannot be reached.
        LibraryForeign: another file lies there, and stays.
        LibraryError: the replica cannot be written, or the database holds papers of another version.
    """
    with folder_to_myself(path):
        _check_layout(line)
        reason = _unfit(path, line) if path.exists() else ""
        if path.exists() and not reason:
            return False
        if reason and not replace:
            raise LibraryForeign(
                f"{path} {reason}; `paperboy run` keeps it under another name and copies the papers of the database "
                f"{place(line.url)}, or name another folder with PAPERBOY_HOME."
            )
        draft = _copy_beside(path, line, progress)
        with explained(path):
            _make_way(path, reason, now)
            draft.replace(path)
    return True


def _make_way(path: Path, reason: str, now: datetime) -> None:
    """Keep what lies in the place under another name, unless the database has all that it holds."""
    aside = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-shm", ""):  # also without the file itself: its log would be taken for the new one's
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    if not reason or reason == OUTDATED:
        for file in path.parent.glob(f"{aside.name}*"):
            file.unlink()
    if reason == OUTDATED:
        log.info("%s %s; a new copy of the database's takes its place.", path, reason)
    elif reason:
        log.warning("%s %s; it is kept as %s, and a copy of the database's takes its place.", path, reason, aside.name)
        _forget_indexes(path.parent)


def differs(own: Head, head: Head, token: str) -> str:
    """Return why a replica cannot follow a database, in words that fit behind its name; empty when it can.

    Args:
        own: how far the replica is.
        head: how far the database is.
        token: the database's own for the batch at which the replica is; empty where it has none such.
    """
    if own.identity != head.identity:
        return "is of another database"
    if own.batch and own.token != token:
        return "knows what the database does not, which was restored from an older state"
    return OUTDATED if own.layout != head.layout else ""


def _check_layout(line: Line) -> None:
    with line.asking() as shared:
        head, _ = read_head(shared)
    if head.layout != LAYOUT:
        raise LibraryError(
            f"The papers of the database {place(line.url)} are of version {head.layout}, this paperboy needs {LAYOUT}; "
            + ("use the newer paperboy." if head.layout > LAYOUT else "run `paperboy migrate`.")
        )


def _unfit(path: Path, line: Line) -> str:
    try:
        own = _read_own(path)
    except LibraryBroken:
        return "was broken"
    if own is None:
        return "was this machine's own library"
    with line.asking() as shared:
        return differs(own, *read_head(shared, own.batch))


def _read_own(path: Path) -> Head | None:
    with explained(path), closing(connect(path)) as connection:
        if not connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'facts'").fetchone()[0]:
            return None
        return read_own_head(connection)


def _forget_indexes(folder: Path) -> None:
    for pattern in FORGOTTEN:
        for found in folder.glob(pattern):
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)


def _copy_beside(path: Path, line: Line, progress: Progress) -> Path:
    """Copy all papers from one state of the database into a new file beside the place; returns where it lies."""
    draft = path.with_name(f"{path.name}.tmp-copy")
    with explained(path):
        for file in path.parent.glob(f"{draft.name}*"):
            file.unlink()
        with line.transaction(ONE_STATE) as shared, closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            # Until it is whole, nobody reads it, and whoever is interrupted begins anew.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA cache_size = -64000")
            apply_steps(connection, draft)
            with transaction(connection):
                _gather_words(connection, _WORDS_AT_ONCE)  # merged seldom, which takes a fifth less
                _copy_tables(connection, shared, line, progress)
                _gather_words(connection, _WORDS)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
    return draft


def _gather_words(connection: sqlite3.Connection, size: int) -> None:
    """Let the word index gather so many bytes before it writes them."""
    connection.execute("INSERT INTO words (words, rank) VALUES ('hashsize', ?)", (size,))


def _copy_tables(connection: sqlite3.Connection, shared: Shared, line: Line, progress: Progress) -> None:
    head, _ = read_head(shared)
    total = count_rows(shared, PAPERS)
    for table in TABLES:
        rows = read_rows(shared, table, -1)
        put_rows(connection, table, _told(rows, total, progress) if table is PAPERS else rows, renew=line.renew)
    note_rules(connection)
    keep_own_head(connection, head)
    if total:
        log.info("copied %s papers from the database", f"{total:,}")


def _told(rows: Iterator[Row], total: int, progress: Progress) -> Iterator[Row]:
    for count, row in enumerate(rows, start=1):
        yield row
        if count % TOLD_EVERY == 0:
            progress(count, total)
