"""Everything that a store and its library hold, drawer by drawer, as rows that belong to no store; and sums of them.

Two chests hold the same when each drawer has as many rows and the same sum. A sum is that of all rows' hashes, so that
it does not depend on their order, save where the order is part of what is kept: there each is hashed with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias

import msgspec

from core.errors import StoreError
from core.papers.replicated import OWN_FACTS, TABLES
from core.search.postings import IDENTITY

SUBSCRIPTIONS, CHANGES, DELIVERIES, MARKS = "subscriptions", "changes", "deliveries", "marks"
TEXTS, FACTS, SEALED, CORRESPONDENTS, LETTERS = "kept texts", "facts", "sealed texts", "correspondents", "letters"
STATE = (SUBSCRIPTIONS, CHANGES, DELIVERIES, MARKS, TEXTS, FACTS, SEALED, CORRESPONDENTS, LETTERS)

LIBRARY = {f"library {table.name}": table for table in TABLES}
PAPERS, LIBRARY_FACTS = "library papers", "library facts"
LEFT_BEHIND = OWN_FACTS | {IDENTITY}
"""Facts of a library that are not carried: what is true of one machine, and what tells one library from any other."""

LISTED = "library listed"
"""One row, with the highest number that the listing log has given; none where there is no library."""

MODELS, VECTORS = "library models", "library vectors"
"""What was read of the papers for meaning; only databases have it, folders make it again."""

EVERYWHERE = (*STATE, *LIBRARY, LISTED)
ORDERED = frozenset({CHANGES, VECTORS})
_BITS = 128

Tell: TypeAlias = Callable[[int, int], None]
"""Told how many rows of how many are done."""


@dataclass(frozen=True, slots=True)
class KeptText:
    """A text that was too long for a button; `used` is the day of its last use."""

    token: str
    text: str
    used: date


@dataclass(frozen=True, slots=True)
class Named:
    """A fact, or a sealed text, under its name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Letter:
    """How far a delivery has come on its way to a mail server."""

    key: str
    step: str
    at: datetime


class Source(Protocol):
    """A chest that can be read; what it holds stands still meanwhile.

    Attributes:
        drawers: names of what it has, in the order in which it is carried.
    """

    drawers: tuple[str, ...]

    def rows(self, drawer: str) -> Iterator[Any]:
        """Yield the rows of a drawer: of the state its own types, of the library tuples as `TABLES` name them."""

    def count(self, drawer: str) -> int:
        """Return about how many there are, quickly."""


class Target(Protocol):
    """An empty chest that can be filled, and read back before anybody else sees what is in it."""

    drawers: tuple[str, ...]

    def put(self, drawer: str, rows: Iterable[Any]) -> None:
        """Put the rows of a whole drawer in."""

    def finish(self) -> AbstractContextManager[Source]:
        """Return what was put in, to be read from where it lies now."""


@dataclass(slots=True)
class Tally:
    """How many rows, and their sum."""

    rows: int = 0
    sum: int = 0

    def add(self, drawer: str, row: Any) -> None:
        """Count one more."""
        content = (self.rows, row) if drawer in ORDERED else row
        digest = blake2b(msgspec.msgpack.encode(content), digest_size=_BITS // 8).digest()
        self.rows += 1
        self.sum = (self.sum + int.from_bytes(digest)) % (1 << _BITS)


Tallies: TypeAlias = Mapping[str, Tally]


class _Progress:
    def __init__(self, total: int, tell: Tell) -> None:
        self._done, self._total, self._tell = 0, total, tell

    def each(self, drawer: str, rows: Iterable[Any], tally: Tally) -> Iterator[Any]:
        """Yield the rows as they are, counted."""
        for row in rows:
            tally.add(drawer, row)
            yield row
            self._done += 1
            if self._done % 1000 == 0:
                self._tell(min(self._done, self._total), self._total)


def carry(source: Source, target: Target, tell: Tell) -> Tallies:
    """Put everything of one chest into another, read it back from there, and return what was carried.

    Raises:
        StoreError: the other does not hold what it was given; or either cannot be used.
    """
    drawers = [drawer for drawer in source.drawers if drawer in target.drawers]
    progress = _Progress(2 * sum(map(source.count, drawers)), tell)
    given = {drawer: Tally() for drawer in drawers}
    for drawer, tally in given.items():
        target.put(drawer, progress.each(drawer, source.rows(drawer), tally))
    with target.finish() as back:
        check_same(given, _counted(back, drawers, progress))
    return given


def tally(source: Source, tell: Tell = lambda _done, _all: None) -> Tallies:
    """Return what a chest holds."""
    return _counted(source, source.drawers, _Progress(sum(map(source.count, source.drawers)), tell))


def _counted(source: Source, drawers: Iterable[str], progress: _Progress) -> Tallies:
    found = {drawer: Tally() for drawer in drawers}
    for drawer, counted in found.items():
        for _ in progress.each(drawer, source.rows(drawer), counted):
            pass
    return found


def differing(one: Tallies, other: Tallies) -> list[str]:
    """Return the names of the drawers that both have, and that do not hold the same."""
    return [drawer for drawer in one if drawer in other and one[drawer] != other[drawer]]


def check_same(given: Tallies, found: Tallies) -> None:
    """Check that what was put in is what is there.

    Raises:
        StoreError: it is not.
    """
    if wrong := differing(given, found):
        told = ", ".join(f"{found[name].rows:,} of {given[name].rows:,} {name}" for name in wrong)
        raise StoreError(f"What was written is not what was read ({told}); nothing was kept of it.")
