"""EDGE. The SQLite file of the deliveries: made, opened, copied, restored.

A copy of the file is renewed now and then. When the file is found broken or gone, it is set aside and the copy takes
its place: deliveries since then are not known any more, but nothing older is sent again.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from core.errors import StoreError
from core.papers.stillness import connect_to_read

SCHEMA = 2
FILE = "deliveries.sqlite3"
COPY = "deliveries.copy.sqlite3"
_BUSY_TIMEOUT_S = 1.0
_TABLES = f"""
CREATE TABLE deliveries (
    subscription TEXT NOT NULL, day TEXT NOT NULL, address TEXT NOT NULL, state TEXT NOT NULL,
    due_at TEXT NOT NULL, composed_at TEXT NOT NULL, changed_at TEXT NOT NULL, message TEXT NOT NULL,
    upto INTEGER NOT NULL, not_before TEXT, attempts INTEGER NOT NULL, parts TEXT NOT NULL, note TEXT NOT NULL,
    silence TEXT NOT NULL, lacking TEXT NOT NULL, told TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (subscription, day)
) WITHOUT ROWID;
CREATE INDEX deliveries_open ON deliveries (due_at) WHERE state IN ('pending', 'sending', 'unknown');
CREATE INDEX deliveries_by_place ON deliveries (address, composed_at);
CREATE INDEX deliveries_lacking ON deliveries (composed_at) WHERE state = 'sent' AND lacking != '[]';
CREATE TABLE shown (
    subscription TEXT NOT NULL, day TEXT NOT NULL, position INTEGER NOT NULL, paper TEXT NOT NULL,
    rank INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (subscription, day, position),
    FOREIGN KEY (subscription, day) REFERENCES deliveries ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX shown_by_paper ON shown (paper);
PRAGMA user_version = {SCHEMA};
"""

_UPGRADES = {1: "ALTER TABLE deliveries ADD COLUMN told TEXT NOT NULL DEFAULT '[]'"}
"""What brings a file of a version to the next one."""


def open_for_writing(path: Path, stamp: str) -> tuple[sqlite3.Connection, tuple[str, ...]]:
    """Open the file, made or restored where that is needed; returns the sentences to be told, too.

    Args:
        path: the file.
        stamp: goes into the name of a file that is set aside.

    Raises:
        StoreError: a newer program wrote it.
        sqlite3.Error: it cannot be opened, though it may be sound.
        OSError: the same.
    """
    try:
        return _open(path), ()
    except sqlite3.OperationalError:  # no access, locked, disk full
        raise
    except sqlite3.DatabaseError:
        notice = _restore(path, stamp)
        return _open(path), (notice,)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the file without changing it; a missing one is an empty database."""
    if not path.exists():
        return _empty()
    connection = connect_to_read(path, timeout=_BUSY_TIMEOUT_S)
    try:
        version = _check_version(connection, path)
        _check_current(version, path)
    except BaseException:
        connection.close()
        raise
    if version:
        return connection
    connection.close()  # the service is about to make its tables
    return _empty()


def renew_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Copy the database to the file beside it from which a broken one is restored."""
    temporary = path.with_name("deliveries.tmp")
    for leftover in (temporary, path.with_name("deliveries.tmp-journal")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(temporary)) as target:
        connection.backup(target)
    temporary.replace(path.with_name(COPY))


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
    try:
        version = _check_version(connection, path)
        _check_whole(connection, emptied=version == 0 and path.with_name(COPY).exists())
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
        elif version < SCHEMA:
            steps = ";".join(_UPGRADES[older] for older in range(version, SCHEMA))
            connection.executescript(f"BEGIN IMMEDIATE; {steps}; PRAGMA user_version = {SCHEMA}; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_whole(connection: sqlite3.Connection, *, emptied: bool) -> None:
    if emptied or connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("the file is malformed")


def _restore(path: Path, stamp: str) -> str:
    aside = path.with_name(f"{path.name}.broken-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    copy = path.with_name(COPY)
    told = "there was no copy of it, so what was delivered before is not known any more"
    if copy.exists():
        copied_at = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
        copy.replace(path)
        told = f"its copy of {copied_at:%Y-%m-%d %H:%M} UTC took its place, and later deliveries are not known any more"
    return f"{path} was broken: {told}; the broken file is kept as {aside.name}."


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(_TABLES)
    return connection


def _check_current(version: int, path: Path) -> None:
    if 0 < version < SCHEMA:
        raise StoreError(
            f"{path} was written by an older paperboy (deliveries version {version}, this one needs {SCHEMA}); "
            "run `paperboy migrate`."
        )


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer paperboy (deliveries version {version}; this one knows versions up to "
            f"{SCHEMA}); install that version again."
        )
    return version
