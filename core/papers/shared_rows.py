"""EDGE. The shared tables in PostgreSQL: how far they have come, what changed since, and how a change gets in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from psycopg import Connection

from core.papers.portions import portions
from core.papers.replicated import Changes, Head, Row, Table
from core.spelling import own_text, shared_text

Shared: TypeAlias = Connection[tuple[Any, ...]]

CHANNEL = "paperboy_papers"
"""Told of each new batch (LISTEN, NOTIFY)."""
AT_ONCE = 500  # rows that are sent with one statement
LOCK = 0x70617062  # the advisory lock of whoever changes papers

_HEAD = """
SELECT h.identity, coalesce(b.batch, 0), coalesce(b.token, ''), coalesce(b.listed, 0), h.layout, mine.token
FROM library_head h LEFT JOIN (SELECT * FROM library_batches ORDER BY batch DESC LIMIT 1) b ON true
LEFT JOIN library_batches mine ON mine.batch = %s
"""


def read_head(shared: Shared, batch: int = 0) -> tuple[Head, str]:
    """Return how far the database has come, and its token of an earlier batch; empty where it has none such."""
    row = shared.execute(_HEAD, (batch,)).fetchone()
    assert row is not None
    *head, token = row
    return Head(*head), token or ""


def read_rows(shared: Shared, table: Table, after: int) -> Iterator[Row]:
    """Yield the rows of a table that changed in a batch behind this one, as SQLite holds them, in the order of keys."""
    columns = ", ".join(table.columns)
    query = (
        f"COPY (SELECT {columns} FROM {table.shared_name} WHERE batch > %s ORDER BY {', '.join(table.keys)})"  # noqa: S608 - our names
        " TO STDOUT (FORMAT BINARY)"
    )
    texts = [place for place, kind in enumerate(table.columns.values()) if kind == "text"]
    with shared.cursor() as cursor, cursor.copy(query, (after,)) as copy:
        copy.set_types(list(table.columns.values()))
        for row in copy.rows():
            if any("\1" in (row[place] or "") for place in texts):
                yield tuple(own_text(value) if isinstance(value, str) else value for value in row)
            else:
                yield row


def read_removed(shared: Shared, table: Table, after: int) -> list[Row]:
    """Return the keys of a table's rows that were removed in a batch behind this one."""
    query = "SELECT key FROM library_removed WHERE name = %s AND batch > %s"
    return [tuple(map(_own, key)) for (key,) in shared.execute(query, (table.name, after)).fetchall()]


def count_rows(shared: Shared, table: Table) -> int:
    """Return how many rows a table has."""
    row = shared.execute(f"SELECT count(*) FROM {table.shared_name}").fetchone()  # noqa: S608 - our names
    return int(row[0]) if row else 0


def write_changes(shared: Shared, before: Head, changes: Iterable[Changes], *, listed: int) -> Head:
    """Write a change as the batch behind `before`, inside the caller's transaction; return the new head.

    Args:
        shared: holds the lock of whoever changes papers.
        before: the head as it is.
        changes: of each table.
        listed: the highest number that the listing log has given.
    """
    head = Head(before.identity, before.batch + 1, secrets.token_hex(8), listed, before.layout)
    with shared.pipeline():
        for change in changes:
            _upsert(shared, change.table, change.rows, head.batch)
            _remove(shared, change.table, change.removed, head.batch)
        values = (head.batch, head.token, head.listed)
        shared.execute("INSERT INTO library_batches (batch, token, listed) VALUES (%s, %s, %s)", values)
        shared.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(head.batch)))
    return head


def _upsert(shared: Shared, table: Table, rows: Sequence[Row], batch: int) -> None:
    columns = ", ".join(table.columns)
    arrays = ", ".join(f"%s::{kind}[]" for kind in table.columns.values())
    updates = ", ".join(f"{name} = excluded.{name}" for name in (*tuple(table.columns)[table.key :], "batch"))
    statement = (
        f"INSERT INTO {table.shared_name} ({columns}, batch) SELECT *, %s::int8 FROM unnest({arrays})"  # noqa: S608 - our names
        f" ON CONFLICT ({', '.join(table.keys)}) DO UPDATE SET {updates}"
    )
    for some in portions(rows, AT_ONCE):
        shared.execute(statement, (batch, *_arrays(some)))


def _remove(shared: Shared, table: Table, keys: Sequence[Row], batch: int) -> None:
    names = ", ".join(table.keys)
    arrays = ", ".join(f"%s::{table.columns[name]}[]" for name in table.keys)
    statement = f"DELETE FROM {table.shared_name} WHERE ({names}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608 - our names
    noted = (
        "INSERT INTO library_removed SELECT %s, key::jsonb, %s FROM unnest(%s::text[]) AS key"
        " ON CONFLICT (name, key) DO UPDATE SET batch = excluded.batch"
    )
    for some in portions(keys, AT_ONCE):
        shared.execute(statement, _arrays(some))
        shared.execute(noted, (table.name, batch, [json.dumps([*map(_shared, key)]) for key in some]))


def _arrays(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(map(_shared, column)) for column in zip(*rows, strict=True)]


def _shared(value: Any) -> Any:
    return shared_text(value) if isinstance(value, str) else value


def _own(value: Any) -> Any:
    return own_text(value) if isinstance(value, str) else value
