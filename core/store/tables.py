"""TinyDB tables for many documents.

TinyDB rebuilds a table for each write to it, which takes 10 ms at 10,000 documents. So what grows is spread over many
small tables, of which a write touches one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from tinydb.queries import QueryLike
from tinydb.table import Document, Table

from core.store.journal import JournalStorage

_PARTS = 32
PAGE = 500


class NamedTable(Table):
    """A table whose documents are known by names of ours instead of running numbers."""

    document_id_class: type[Any] = str

    def __init__(self, storage: JournalStorage, name: str) -> None:
        # TinyDB's query cache would keep what was found inside a batch that failed later.
        super().__init__(storage, name, cache_size=0)

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep a document under its name, in place of the one before."""
        self.upsert(Document(document, doc_id=name))  # type: ignore[arg-type]  # TinyDB's types know numbers only

    def find(self, name: str) -> Mapping[str, Any] | None:
        """Return the document of a name."""
        return self.get(doc_id=name)  # type: ignore[call-overload, no-any-return]  # the same

    def cut(self, names: Collection[str]) -> None:
        """Forget documents by name."""
        if names:
            self.remove(doc_ids=names)  # type: ignore[arg-type]  # the same

    def names(self) -> list[str]:
        """Return the names of all documents."""
        return [str(document.doc_id) for document in self]


def part_name(shelf: str, name: str) -> str:
    """Return which of a shelf's tables holds a name."""
    return f"{shelf}-{zlib.crc32(name.encode()) % _PARTS:02d}"


def page_name(log: str, number: int) -> str:
    """Return the name of a log's table; the first is number 1."""
    return f"{log}-{number:08d}"


class Shelf:
    """Named documents in 32 tables, `name-00` to `name-31`."""

    def __init__(self, storage: JournalStorage, name: str) -> None:
        self._name = name
        self._parts = {part: NamedTable(storage, part) for part in (f"{name}-{n:02d}" for n in range(_PARTS))}

    def part(self, name: str) -> NamedTable:
        """Return the table in which a name belongs."""
        return self._parts[part_name(self._name, name)]

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep a document under its name, in place of the one before."""
        self.part(name).put(name, document)

    def find(self, name: str) -> Mapping[str, Any] | None:
        """Return the document of a name."""
        return self.part(name).find(name)

    def cut(self, name: str) -> None:
        """Forget a document."""
        self.part(name).cut([name])

    def search(self, condition: QueryLike) -> list[Document]:
        """Return the documents for which a condition holds."""
        return [document for part in self._parts.values() for document in part.search(condition)]

    def __iter__(self) -> Iterator[Document]:
        for part in self._parts.values():
            yield from part


class Log:
    """The newest documents of a kind in order of writing, in tables of 500, `name-00000001` and up.

    Args:
        storage: where they lie.
        name: of the tables.
        kept: how many are told; somewhat more are stored, as whole tables go at a time.
    """

    def __init__(self, storage: JournalStorage, name: str, kept: int) -> None:
        self._storage, self._name, self._kept = storage, name, kept

    def append(self, document: Mapping[str, Any]) -> None:
        """Keep one more document, and forget the oldest where there are too many."""
        pages = self._pages()
        newest = self._page(pages[-1]) if pages else self._page(page_name(self._name, 1))
        if len(newest) >= PAGE:
            newest = self._page(page_name(self._name, int(newest.name.rpartition("-")[2]) + 1))
            pages.append(newest.name)
        newest.insert(document)
        for name in pages[: -1 - -(-self._kept // PAGE)]:
            self._page(name).truncate()

    def cut(self, condition: Callable[[Document], bool]) -> None:
        """Forget the documents for which a condition holds."""
        for name in self._pages():
            page = self._page(name)
            if ids := [document.doc_id for document in page if condition(document)]:
                page.remove(doc_ids=ids)

    def newest_first(self) -> Iterator[Document]:
        """Return the documents, the one written last first."""
        told = 0
        for name in reversed(self._pages()):
            for document in reversed(self._page(name).all()):
                if told == self._kept:
                    return
                told += 1
                yield document

    def _pages(self) -> list[str]:
        return sorted(name for name in self._storage.read() or {} if name.startswith(f"{self._name}-"))

    def _page(self, name: str) -> Table:
        return Table(self._storage, name, cache_size=0)
