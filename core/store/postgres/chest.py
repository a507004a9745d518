"""EDGE. A PostgreSQL database as a chest: one state of it is read, or an empty one is filled in one transaction.

Whoever is killed while filling leaves the database as empty as it was. Vectors go from database to database alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg

from core.database import NEWEST, NOTICED, PATIENCE, migrate, spell_texts, version_of, wrong_version
from core.database_errors import explained, place
from core.errors import StoreError
from core.papers.replicated import Row, Table
from core.papers.shared_rows import CHANNEL, LOCK, Shared, count_rows, read_head, read_rows
from core.spelling import shared_text
from core.store import Change, Mark
from core.store.chests import (
    CHANGES,
    CORRESPONDENTS,
    DELIVERIES,
    EVERYWHERE,
    FACTS,
    LEFT_BEHIND,
    LETTERS,
    LIBRARY,
    LIBRARY_FACTS,
    LISTED,
    MARKS,
    MODELS,
    SEALED,
    SUBSCRIPTIONS,
    TEXTS,
    VECTORS,
    KeptText,
    Letter,
    Named,
    Source,
)
from core.store.correspondents import Correspondent
from core.store.postgres.deliveries import COLUMNS, read_delivery
from core.store.postgres.deliveries import row_values as delivery_values
from core.store.postgres.notes import about_mark
from core.store.postgres.subscriptions import NAMES, read_subscription
from core.store.postgres.subscriptions import row_values as subscription_values

AT_ONCE = 2000
FIRST_BATCH = 1
DERIVED = frozenset({"paperboy_version", "library_head", "library_batches", "library_removed", "noted_names"})
"""Tables that say how this database came to what it holds, or what came up in the last day; `procrastinate_*` besides.

What the job queue holds is derived too: every job follows from subscriptions and deliveries.
"""


@dataclass(frozen=True, slots=True)
class _Kept:
    """How a drawer lies in its table.

    Attributes:
        columns: names, in order.
        read: makes a row of the drawer of a row of the table.
        write: the other way round.
        order: by which the table is read, where that counts.
    """

    table: str
    columns: tuple[str, ...]
    read: Callable[[Row], Any]
    write: Callable[[Any], Row]
    order: str = ""


def _of(values: Callable[[Any], Mapping[str, Any]], names: tuple[str, ...]) -> Callable[[Any], Row]:
    def row(item: Any) -> Row:
        found = values(item)
        return tuple(found[name] for name in names)

    return row


def _whole(row: Row) -> Row:
    return row


_KEPT: Mapping[str, _Kept] = {
    SUBSCRIPTIONS: _Kept("subscriptions", NAMES, read_subscription, _of(subscription_values, NAMES)),
    CHANGES: _Kept(
        "changes",
        ("at", "address", "person", "what"),
        lambda row: Change(*row),
        lambda item: (item.at, item.address, item.person, item.what),
        order="id",
    ),
    DELIVERIES: _Kept("deliveries", COLUMNS, read_delivery, _of(delivery_values, COLUMNS)),
    MARKS: _Kept(
        "marks",
        ("person", "place", "paper", "kind", "at", "about"),
        lambda row: Mark(*row[:5]),
        lambda item: (item.person, item.place, item.paper, item.kind, item.at, about_mark(item)),
    ),
    TEXTS: _Kept(
        "kept_texts",
        ("token", "text", "used"),
        lambda row: KeptText(*row),
        lambda item: (item.token, item.text, item.used),
    ),
    FACTS: _Kept("small_facts", ("name", "value"), lambda row: Named(*row), lambda item: (item.name, item.text)),
    SEALED: _Kept("sealed_texts", ("name", "text"), lambda row: Named(*row), lambda item: (item.name, item.text)),
    CORRESPONDENTS: _Kept(
        "correspondents",
        ("name", "document"),
        lambda row: msgspec.json.decode(row[1], type=Correspondent),
        lambda item: (item.name, msgspec.json.encode(item).decode()),
    ),
    LETTERS: _Kept(
        "letters", ("key", "step", "at"), lambda row: Letter(*row), lambda item: (item.key, item.step, item.at)
    ),
    MODELS: _Kept("library_models", ("key", "model", "centre", "subjects", "whole_at"), _whole, _whole),
    VECTORS: _Kept(
        "library_vectors",
        ("key", "upto", "numbers", "digests", "rows", "scales", "offsets"),
        _whole,
        _whole,
        order="place",
    ),
}
FILLED = (*(kept.table for kept in _KEPT.values()), *(table.shared_name for table in LIBRARY.values()))

_LOCKED = ", ".join((*FILLED, "library_batches"))
_MODE = "SHARE ROW EXCLUSIVE"
_SESSION = (  # long work, in which nobody is to be shut out for nothing
    f"SET timezone = 'UTC'; SET statement_timeout = 0; SET lock_timeout = '30s';"
    f"SET idle_in_transaction_session_timeout = 0; {NOTICED}"
)


class DatabaseChest:
    """A database over a connection with an open transaction, which sees one state of it."""

    drawers = (*EVERYWHERE, MODELS, VECTORS)

    def __init__(self, url: str, shared: Shared) -> None:
        self._url, self._shared = url, shared

    def rows(self, drawer: str) -> Iterator[Any]:
        """Yield the rows of a drawer."""
        with explained(self._url):
            if drawer == LISTED:
                head, _ = read_head(self._shared)
                yield from [(head.listed,)] if head.batch else []
            elif drawer in LIBRARY:
                rows = read_rows(self._shared, LIBRARY[drawer], -1)
                yield from (row for row in rows if not (drawer == LIBRARY_FACTS and row[0] in LEFT_BEHIND))
            else:
                yield from self._read(_KEPT[drawer])

    def count(self, drawer: str) -> int:
        """Return how many there are."""
        if drawer == LISTED:
            return 1
        with explained(self._url):
            if drawer in LIBRARY:
                return count_rows(self._shared, LIBRARY[drawer])
            return self._number(f"SELECT count(*) FROM {_KEPT[drawer].table}")

    def put(self, drawer: str, rows: Iterable[Any]) -> None:
        """Put the rows of a whole drawer in."""
        with explained(self._url):
            if drawer == LISTED:
                self._begin_library(rows)
            elif drawer in LIBRARY:
                self._put_library(LIBRARY[drawer], rows)
            else:
                kept = _KEPT[drawer]
                with self._copied(kept.table, kept.columns) as copy:
                    for row in rows:
                        copy.write_row(kept.write(row))

    def finish(self) -> AbstractContextManager[Source]:
        """Return what was put in, still in the same transaction."""
        return nullcontext(self)

    def holds_anything(self) -> bool:
        """Whether anybody has kept anything; whatever was kept of papers is a batch."""
        tables = (*(kept.table for kept in _KEPT.values()), "library_batches")
        parts = " OR ".join(f"EXISTS (SELECT FROM {table})" for table in tables)
        return bool(self._number(f"SELECT ({parts})::int"))

    def where(self) -> tuple[Any, ...]:
        """Return what tells this database from any other that runs at the same time."""
        row = self._shared.execute(
            "SELECT inet_server_addr()::text, inet_server_port(), pg_postmaster_start_time(), current_database()"
        ).fetchone()
        assert row is not None
        return row

    def others(self) -> int:
        """Return how many other connections of paperboy there are; other users' are not always seen."""
        return self._number(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'paperboy%' AND pid <> pg_backend_pid()"
        )

    def _read(self, kept: _Kept) -> Iterator[Any]:
        order = f" ORDER BY {kept.order}" if kept.order else ""
        with self._shared.cursor(name=f"chest_{kept.table}") as cursor:
            cursor.itersize = AT_ONCE
            cursor.execute(f"SELECT {', '.join(kept.columns)} FROM {kept.table}{order}")
            for row in cursor:
                yield kept.read(row)

    @contextmanager
    def _copied(self, table: str, columns: Iterable[str], rest: str = "") -> Iterator[psycopg.Copy]:
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN {rest}"
        with self._shared.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy

    def _put_library(self, table: Table, rows: Iterable[Row]) -> None:
        kinds = tuple(table.columns.values())
        with self._copied(table.shared_name, (*table.columns, "batch"), "(FORMAT BINARY)") as copy:
            copy.set_types([*kinds, "int8"])
            for row in rows:
                copy.write_row((*map(_held, row, kinds), FIRST_BATCH))

    def _begin_library(self, rows: Iterable[Row]) -> None:
        """Make what is put into the library its first batch, which every machine copies or follows."""
        for (listed,) in rows:
            values = (FIRST_BATCH, secrets.token_hex(8), listed)
            self._shared.execute("INSERT INTO library_batches (batch, token, listed) VALUES (%s, %s, %s)", values)
            self._shared.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(FIRST_BATCH)))

    def _number(self, query: str) -> int:
        row = self._shared.execute(query).fetchone()
        return int(row[0]) if row else 0


def _held(value: Any, kind: str) -> Any:
    if isinstance(value, str):
        return shared_text(value)
    return float(value) if kind == "float8" and value is not None else value


@contextmanager
def read_database(url: str) -> Iterator[DatabaseChest]:
    """Open one state of a database, whatever others write meanwhile.

    Raises:
        StoreError: it cannot be reached, or is of another version.
    """
    with _connected(url) as shared:
        with explained(url):
            _check_version(shared, url)
            shared.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT 1")  # which state, its first asks
        yield DatabaseChest(url, shared)


@contextmanager
def fill_database(url: str) -> Iterator[DatabaseChest]:
    """Open a database to fill it, and keep all of that at the end of the block; it gets tables where it has none.

    Raises:
        StoreError: it cannot be reached, or is of another version.
    """
    with _connected(url) as shared:
        with explained(url):
            if version_of(shared) is None:
                migrate(url)
            _check_version(shared, url)
            # Whoever else writes there waits, and comes on top of what is put in.
            shared.execute(f"BEGIN; SELECT pg_advisory_xact_lock({LOCK}); LOCK TABLE {_LOCKED} IN {_MODE} MODE")
        yield DatabaseChest(url, shared)
        with explained(url):
            shared.execute("COMMIT")
            shared.execute(f"ANALYZE {_LOCKED}")


@contextmanager
def _connected(url: str) -> Iterator[Shared]:
    with explained(url):
        shared = psycopg.connect(url, autocommit=True, application_name="paperboy moves", **PATIENCE)
    with closing(shared):
        with explained(url):
            spell_texts(shared)
            shared.execute(_SESSION)
        yield shared


def _check_version(shared: Shared, url: str) -> None:
    found = version_of(shared)
    if found is None:
        raise StoreError(f"The database {place(url)} holds nothing of paperboy's.")
    if found != NEWEST:
        raise StoreError(wrong_version(found))
