"""EDGE. Opens a database for reading, also where the disk is full or the folder cannot be written.

Reading a database in WAL mode makes two small files beside it (https://www.sqlite.org/wal.html#readonly). Where they
cannot be made, and no log waits to be read with it, the file is whole as it lies.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path


def connect_to_read(path: Path, *, timeout: float, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open an existing database without changing it.

    Raises:
        sqlite3.Error: it cannot be read.
    """

    def connect(mode: str) -> sqlite3.Connection:
        uri = f"{path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            timeout=timeout,
            check_same_thread=check_same_thread,
            cached_statements=256,
        )
        try:
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    try:
        return connect("mode=ro")
    except sqlite3.OperationalError:
        if not _is_still(path):
            raise
        return connect("mode=ro&immutable=1")


def _is_still(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return path.exists() and not (log.exists() and log.stat().st_size)
