"""Libraries with a few papers in them, for the tests of the library and of search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from core.papers.library import Library
from core.papers.paper import Listing, Record, Signal
from core.papers.shared_library import SharedLibrary
from core.papers.shared_line import Line

NOON = datetime(2026, 10, 8, 12, tzinfo=UTC)


def make_record(identifier: str = "2610.00001", title: str = "Grokking", **fields: Any) -> Record:
    """A record of arXiv's, unless `source` says otherwise."""
    return Record(**({"id": identifier, "source": "arxiv", "title": title} | fields))


def make_signal(name: str, value: float, at: datetime = NOON, source: str = "huggingface") -> Signal:
    return Signal(name, value, at, source)


def listed(day: date, source: str = "arxiv", kind: str = "new") -> tuple[Listing, ...]:
    return (Listing(source, day, kind),)


@asynccontextmanager
async def open_library(folder: Path, records: Iterable[Record] = ()) -> AsyncIterator[Library]:
    library = await Library.open(folder / "library.sqlite")
    try:
        await library.ingest(tuple(records), now=NOON)
        yield library
    finally:
        await library.close()


@asynccontextmanager
async def join_library(folder: Path, url: str, records: Iterable[Record] = ()) -> AsyncIterator[SharedLibrary]:
    """A machine's replica of the papers that a database holds."""
    library = await SharedLibrary.join(folder / "library.sqlite", Line(url), lambda: NOON)
    try:
        await library.ingest(tuple(records), now=NOON)
        yield library
    finally:
        await library.close()
