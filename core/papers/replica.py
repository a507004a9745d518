"""EDGE. A machine's library as a replica: which rows a change touched, and how rows of others get in.

Everything here runs inside a transaction of the caller's, on the connection that writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec

from core.papers.library import number_behind
from core.papers.portions import portions
from core.papers.replicated import (
    OWN_FACTS,
    PAPERS,
    REPLICA_AT,
    REPLICA_OF,
    REPLICA_TOKEN,
    TABLES,
    Changes,
    Head,
    Row,
    Table,
)
from core.papers.rows import file_paper
from core.papers.tokens import token_key
from core.papers.word_index import index_words, unindex_words

AT_ONCE = 500
_NUMBER, _TITLE, _AUTHORS, _ABSTRACT, _SOURCES, _DETAILS = (
    tuple(PAPERS.columns).index(name) for name in ("number", "title", "authors", "abstract", "sources", "details")
)
_KEYED = Table(PAPERS.name, PAPERS.key, {**PAPERS.columns, "title_key": "text"})


class _Filed(msgspec.Struct):
    categories: tuple[str, ...] = ()


def note_changes(connection: sqlite3.Connection) -> None:
    """Let a connection note from now on which rows of the shared tables it inserts, updates and deletes."""
    for table in TABLES:
        # Without a unique key, since the conflict policy of the statement that fires a trigger overrides the trigger's.
        connection.execute(f"CREATE TEMP TABLE noted_{table.name} ({', '.join(table.keys)})")
        differs = " OR ".join(f"old.{name} IS NOT new.{name}" for name in table.columns)
        for event, rows in (("INSERT", ("new",)), ("UPDATE", ("old", "new")), ("DELETE", ("old",))):
            when = f" WHEN {differs}" if event == "UPDATE" else ""
            connection.execute(
                f"CREATE TEMP TRIGGER noted_{table.name}_{event} AFTER {event} ON main.{table.name}{when} "
                f"BEGIN {''.join(_note(table, row) for row in rows)} END"
            )


def _note(table: Table, row: str) -> str:
    values = ", ".join(f"{row}.{name}" for name in table.keys)
    own = ", ".join(f"'{name}'" for name in sorted(OWN_FACTS))
    shared = f" WHERE {row}.name NOT IN ({own})" if table.name == "facts" else ""
    return f"INSERT INTO noted_{table.name} SELECT {values}{shared}; "


def forget_changes(connection: sqlite3.Connection) -> None:
    """Forget what was noted so far."""
    for table in TABLES:
        connection.execute(f"DELETE FROM temp.noted_{table.name}")  # noqa: S608 - our names


def gather_changes(connection: sqlite3.Connection) -> list[Changes]:
    """Return what was noted, each row as it is now; tables without any are left out."""
    found = (_gather(connection, table) for table in TABLES)
    return [changes for changes in found if changes.rows or changes.removed]


def _gather(connection: sqlite3.Connection, table: Table) -> Changes:
    same = " AND ".join(f"t.{name} = k.{name}" for name in table.keys)
    keys, columns = (
        ", ".join(f"{of}.{name}" for name in names) for of, names in (("k", table.keys), ("t", table.columns))
    )
    query = (
        f"SELECT {keys}, {columns} FROM (SELECT DISTINCT * FROM temp.noted_{table.name}) k"  # noqa: S608 - our names
        f" LEFT JOIN main.{table.name} t ON {same}"
    )
    changes = Changes(table, [], [])
    for row in connection.execute(query):
        key, values = row[: table.key], row[table.key :]
        if values[0] is None:
            changes.removed.append(key)
        else:
            changes.rows.append(values)
    return changes


def put_rows(connection: sqlite3.Connection, table: Table, rows: Iterable[Row], *, renew: Callable[[], None]) -> int:
    """Put rows of another machine in, with what is derived of them; returns how many. `renew` is told of progress."""
    total = 0
    for some in portions(rows, AT_ONCE):
        if table is PAPERS:
            _put_papers(connection, some)
        else:
            _put(connection, table, some)
        total += len(some)
        renew()
    return total


def _put(connection: sqlite3.Connection, table: Table, rows: Sequence[Row]) -> None:
    names = tuple(table.columns)
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[table.key :])
    connection.executemany(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our names
        f" ON CONFLICT ({', '.join(table.keys)}) DO UPDATE SET {updates}",
        rows,
    )


def _put_papers(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    held = _held(connection, [row[_NUMBER] for row in rows])
    for row in rows:
        before = held.get(row[_NUMBER])
        texts = (row[_TITLE], row[_ABSTRACT], row[_AUTHORS])
        if before is not None and before[:3] != texts:
            unindex_words(connection, row[_NUMBER], *before[:3])
        if before is None or before[:3] != texts:
            index_words(connection, row[_NUMBER], *texts)
        if before is None or before[3:] != (row[_SOURCES], row[_DETAILS]):
            categories = msgspec.json.decode(row[_DETAILS], type=_Filed).categories
            file_paper(connection, row[_NUMBER], categories, msgspec.json.decode(row[_SOURCES], type=list[str]))
    _put(connection, _KEYED, [(*row, token_key(row[_TITLE])) for row in rows])


def _held(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, tuple[str, str, str, str, str]]:
    query = (
        "SELECT number, title, abstract, authors, sources, details FROM papers"
        " WHERE number IN (SELECT value FROM json_each(?))"
    )
    return {row[0]: row[1:] for row in connection.execute(query, (json.dumps(numbers),))}


def remove_rows(connection: sqlite3.Connection, table: Table, keys: Iterable[Row]) -> None:
    """Take rows out that another machine removed, with what is derived of them."""
    gone = list(keys)
    if table is PAPERS:
        for number, (title, abstract, authors, sources, _) in _held(connection, [key[0] for key in gone]).items():
            unindex_words(connection, number, title, abstract, authors)
            file_paper(connection, number, (), ())
            filed = [(source, number) for source in msgspec.json.decode(sources, type=list[str])]
            connection.executemany("DELETE FROM paper_sources WHERE source = ? AND paper = ?", filed)
    condition = " AND ".join(f"{name} = ?" for name in table.keys)
    connection.executemany(f"DELETE FROM {table.name} WHERE {condition}", gone)  # noqa: S608 - our names


def read_own_head(connection: sqlite3.Connection) -> Head | None:
    """Return how far a replica has come; None of a library that is none."""
    query = "SELECT name, value FROM facts WHERE name IN (?, ?, ?)"
    facts = dict(connection.execute(query, (REPLICA_OF, REPLICA_AT, REPLICA_TOKEN)).fetchall())
    if REPLICA_OF not in facts:
        return None
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    return Head(facts[REPLICA_OF], int(facts[REPLICA_AT]), facts[REPLICA_TOKEN], last_listed(connection), layout)


def keep_own_head(connection: sqlite3.Connection, head: Head) -> None:
    """Note how far the replica has come, and that the listing log goes on behind what others gave."""
    facts = {REPLICA_OF: head.identity, REPLICA_AT: str(head.batch), REPLICA_TOKEN: head.token}
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())
    number_behind(connection, head.listed)


def last_listed(connection: sqlite3.Connection) -> int:
    """Return the highest number that the listing log has given."""
    query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'listings'"
    return int(connection.execute(query).fetchone()[0])
