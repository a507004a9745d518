"""EDGE. A data folder as a chest: read row by row while nobody writes to it, or filled as a draft of a new one.

The state is written as lines of a first journal, some hundred documents each, which any later start makes a snapshot
of; so the whole of it never has to be in memory.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from core.digests.subscription import Subscription
from core.errors import StoreError
from core.papers.library import LIBRARY_FILE, number_behind
from core.papers.portions import portions
from core.papers.replica import last_listed, put_rows
from core.papers.replicated import Table
from core.papers.schema import apply_steps, connect, explained, prepare, transaction
from core.papers.word_index import note_rules
from core.store import Change, Delivery, Mark, State, covers
from core.store.chests import (
    CHANGES,
    CORRESPONDENTS,
    DELIVERIES,
    EVERYWHERE,
    FACTS,
    LEFT_BEHIND,
    LETTERS,
    LIBRARY,
    LISTED,
    MARKS,
    SEALED,
    STATE,
    SUBSCRIPTIONS,
    TEXTS,
    KeptText,
    Letter,
    Named,
    Source,
)
from core.store.correspondents import Correspondent
from core.store.documents import mark_name
from core.store.generations import FIRST, Entry, Tables, journal_path, read_state, seal
from core.store.outbox_db import Outbox
from core.store.tables import PAGE, page_name, part_name

AT_ONCE = 500

Document: TypeAlias = Mapping[str, Any]
Placed: TypeAlias = tuple[str, str, dict[str, Any]]
"""A document with its table and its name there."""


class FolderSource:
    """A data folder, to be read while nobody writes to it; deliveries that are to be forgotten are left out."""

    drawers = EVERYWHERE

    def __init__(self, tables: Tables, outbox: Outbox, library: sqlite3.Connection | None, path: Path) -> None:
        self._tables, self._outbox, self._library, self._path = tables, outbox, library, path

    def rows(self, drawer: str) -> Iterator[Any]:
        """Yield the rows of a drawer."""
        if drawer == DELIVERIES:
            return self._deliveries()
        if drawer in STATE:
            return (_READ[drawer](name, document) for name, document in self._documents(_SHELVES[drawer]))
        return self._read_library(drawer)

    def count(self, drawer: str) -> int:
        """Return about how many there are."""
        if drawer == DELIVERIES:
            return self._outbox.count()
        if drawer in STATE:
            return sum(1 for _ in self._documents(_SHELVES[drawer]))
        if self._library is None or drawer == LISTED:
            return int(drawer == LISTED)
        with explained(self._path):
            query = f"SELECT count(*) FROM {LIBRARY[drawer].name}"  # noqa: S608 - our names
            return int(self._library.execute(query).fetchone()[0])

    def _documents(self, shelf: str) -> Iterator[tuple[str, Document]]:
        """Yield what lies in a table, or in all that a shelf or a log is spread over, in the order of writing."""
        names = [name for name in self._tables if name == shelf or name.startswith(f"{shelf}-")]
        for name in sorted(names):
            items = self._tables[name].items()
            yield from sorted(items, key=lambda item: int(item[0])) if shelf == "changes" else items

    def _deliveries(self) -> Iterator[Delivery]:
        removed = {name for name, _ in self._documents("removals")}
        forgotten = [name for name, _ in self._documents("forgotten")]
        for delivery in self._outbox.everything():
            waits = delivery.state is State.PENDING and not delivery.parts
            gone = waits and delivery.subscription in removed
            if not gone and not any(covers(address, delivery.address) for address in forgotten):
                yield delivery

    def _read_library(self, drawer: str) -> Iterator[Any]:
        if self._library is None:
            return
        with explained(self._path):
            if drawer == LISTED:
                yield (last_listed(self._library),)
            else:
                yield from _table_rows(self._library, LIBRARY[drawer])


def _table_rows(library: sqlite3.Connection, table: Table) -> Iterator[Any]:
    query = f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.keys)}"  # noqa: S608 - ours
    real = [kind == "float8" for kind in table.columns.values()]
    for row in library.execute(query):
        if table.name == "facts" and row[0] in LEFT_BEHIND:
            continue
        yield tuple(
            float(value) if is_real and value is not None else value for value, is_real in zip(row, real, strict=True)
        )


@contextmanager
def read_folder(folder: Path) -> Iterator[FolderSource]:
    """Open a data folder that nobody writes to.

    Raises:
        StoreError, LibraryError: something in it is broken, or of another version.
    """
    found = read_state(folder)
    if found is not None and found.damage:
        raise StoreError(f"{found.damage[0].path} is broken; start paperboy on {folder} to mend it, and do this again.")
    path = folder / LIBRARY_FILE
    with ExitStack() as opened:
        outbox = Outbox(folder, read_only=True)
        opened.callback(outbox.close)
        library = None
        if path.exists():
            with explained(path):
                library = opened.enter_context(closing(connect(path, read_only=True)))
                prepare(library, path, read_only=True)
        yield FolderSource(found.tables if found else {}, outbox, library, path)


class FolderTarget:
    """An empty folder that is filled."""

    drawers = EVERYWHERE

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = 0

    def put(self, drawer: str, rows: Iterable[Any]) -> None:
        """Put the rows of a whole drawer in."""
        if drawer == DELIVERIES:
            outbox = Outbox(self._folder)
            with closing(outbox):
                outbox.put_all(rows)
        elif drawer in STATE:
            self._write_state(_placed(drawer, rows))
        else:
            self._write_library(drawer, rows)

    def finish(self) -> AbstractContextManager[Source]:
        """Return what was put in."""
        return read_folder(self._folder)

    def _write_state(self, documents: Iterator[Placed]) -> None:
        descriptor = os.open(journal_path(self._folder, FIRST), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as journal:
            for some in portions(documents, AT_ONCE):
                self._lines += 1
                put: Tables = {}
                for table, name, document in some:
                    put.setdefault(table, {})[name] = document
                journal.write(seal(Entry(self._lines, put, {})))
            journal.flush()
            os.fsync(journal.fileno())

    def _write_library(self, drawer: str, rows: Iterable[Any]) -> None:
        first = next(iterator := iter(rows), None)
        if first is None:
            return
        path = self._folder / LIBRARY_FILE
        with explained(path), closing(sqlite3.connect(path, isolation_level=None)) as library:
            library.execute("PRAGMA synchronous = OFF")  # nobody uses it before it is whole
            library.execute("PRAGMA cache_size = -64000")
            apply_steps(library, path)
            with transaction(library):
                note_rules(library)
                if drawer == LISTED:
                    number_behind(library, first[0])
                else:
                    put_rows(library, LIBRARY[drawer], chain([first], iterator), renew=lambda: None)
        with path.open("rb") as written:
            os.fsync(written.fileno())


def _placed(drawer: str, rows: Iterable[Any]) -> Iterator[Placed]:
    """Yield the documents of rows, each where the store looks for it."""
    for count, row in enumerate(rows):
        shelf = _SHELVES[drawer]
        if drawer == CHANGES:
            yield page_name(shelf, 1 + count // PAGE), str(1 + count % PAGE), msgspec.to_builtins(row)
            continue
        name, document = _WRITE[drawer](row)
        yield (shelf if drawer in _SMALL else part_name(shelf, name)), name, document


_SHELVES = {
    SUBSCRIPTIONS: "subscriptions",
    CHANGES: "changes",
    MARKS: "marks",
    TEXTS: "texts",
    FACTS: "facts",
    SEALED: "sealed",
    CORRESPONDENTS: "correspondents",
    LETTERS: "letters",
}
_SMALL = frozenset({FACTS, SEALED})
"""What lies in one table."""

_READ: Mapping[str, Callable[[str, Document], Any]] = {
    SUBSCRIPTIONS: lambda _, document: msgspec.convert(document, Subscription),
    CHANGES: lambda _, document: msgspec.convert(document, Change),
    MARKS: lambda _, document: msgspec.convert(document, Mark),
    TEXTS: lambda name, document: KeptText(name, document["text"], date.fromisoformat(document["used"])),
    FACTS: lambda name, document: Named(name, document["value"]),
    SEALED: lambda name, document: Named(name, document["text"]),
    CORRESPONDENTS: lambda _, document: msgspec.convert(document, Correspondent),
    LETTERS: lambda name, document: Letter(name, document["step"], datetime.fromisoformat(document["at"])),
}
_WRITE: Mapping[str, Callable[[Any], tuple[str, dict[str, Any]]]] = {
    SUBSCRIPTIONS: lambda row: (row.id, msgspec.to_builtins(row)),
    MARKS: lambda row: (mark_name(row), msgspec.to_builtins(row)),
    TEXTS: lambda row: (row.token, {"text": row.text, "used": row.used.isoformat()}),
    FACTS: lambda row: (row.name, {"value": row.text}),
    SEALED: lambda row: (row.name, {"text": row.text}),
    CORRESPONDENTS: lambda row: (row.name, msgspec.to_builtins(row)),
    LETTERS: lambda row: (row.key, {"step": row.step, "at": row.at.isoformat()}),
}
