"""What the fetching side needs of the library, in memory: records by id, listings seen before, facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import LibraryError
from core.papers.paper import Record


@dataclass(frozen=True)
class FakeIngested:
    seen: int
    new: int
    listed: int


class FakeLibrary:
    """Keeps everything; `full` makes it refuse, as a full disk does."""

    def __init__(self):
        self.facts: dict[str, str] = {}
        self.records: dict[str, list[Record]] = {}
        self.listed: set[tuple[str, str]] = set()
        self.full = False

    async def fact(self, name: str) -> str | None:
        return self.facts.get(name)

    async def facts_named(self, names: Sequence[str]) -> dict[str, str]:
        return {name: self.facts[name] for name in names if name in self.facts}

    async def set_fact(self, name: str, value: str) -> None:
        self.facts[name] = value

    async def ingest(self, records: Sequence[Record], *, now: datetime) -> FakeIngested:
        if self.full:
            raise LibraryError("The disk is full.")
        new = {record.id for record in records} - self.records.keys()
        for record in records:
            self.records.setdefault(record.id, []).append(record)
        listed = {(record.id, listing.source) for record in records for listing in record.listings} - self.listed
        self.listed |= listed
        return FakeIngested(len(records), len(new), len(listed))
