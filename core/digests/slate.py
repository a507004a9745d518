"""The papers of a window with all that choosing among them needs, for one digest or for thousands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.digests.likeness import Likeness, directions_of, read_words, words_alike
from core.digests.trend import UNKNOWN, trends
from core.papers.paper import Paper
from core.papers.rows import read_papers
from core.papers.windows import Window
from core.search.lexical import Near, register_functions
from core.search.pool import Pool
from core.search.query import Query
from core.search.references import resolve_likes
from core.search.tree import Author, all_leaves

if TYPE_CHECKING:
    from core.search.matrix import Vectors


MOST_SLATES = 3
"""Most subscriptions ask for the same window; those that do not shall not fill the memory."""
MOST_NEAR = 1_000
"""So many named papers and authors are remembered; one takes up to 15 kB."""


class Slate:
    """A window's papers, each with its trend and, once somebody's taste asks, its likeness to what was marked.

    Args:
        connection: a state of the library.
        pool: the papers.
        ahead: ids of marked papers that will be asked for.
    """

    def __init__(self, connection: sqlite3.Connection, pool: Pool, ahead: Sequence[str] = ()) -> None:
        self.pool = pool
        self._ahead = ahead
        self._likeness: Likeness | None = None
        self._papers: dict[int, Paper] = {}
        self._words: dict[int, frozenset[str]] = {}
        self._near: dict[tuple[tuple[str, ...], tuple[str, ...]], Mapping[str, Near]] = {}
        followed = _followed(connection, pool)
        found = trends(read_papers(connection, followed).values()) if followed else {}
        self.trend: Vectors = np.array([found.get(paper, UNKNOWN) for paper in pool.ids], np.float32)

    def near(self, connection: sqlite3.Connection, query: Query) -> Mapping[str, Near]:
        """Return what is near to the papers of a query's `like:`, and the works of its authors told apart by a paper.

        What several interests name alike is looked up once.

        Raises:
            QueryError: the library does not hold one of them.
        """
        people = (leaf.key for leaf in all_leaves(query.tree) if isinstance(leaf, Author) and leaf.of)
        named = (query.likes, tuple(people))
        if not any(named):
            return resolve_likes(connection, query)
        if named not in self._near:
            if len(self._near) >= MOST_NEAR:
                self._near.clear()
            self._near[named] = resolve_likes(connection, query)
        register_functions(connection)
        return self._near[named]

    def papers(self, connection: sqlite3.Connection, places: Sequence[int]) -> dict[int, Paper]:
        """Return the papers at some places of the pool, by place; each is read once."""
        missing = [self.pool.ids[place] for place in places if place not in self._papers]
        if missing:
            found = read_papers(connection, missing)
            self._papers.update(
                (place, found[self.pool.ids[place]]) for place in places if self.pool.ids[place] in found
            )
        return {place: self._papers[place] for place in places if place in self._papers}

    def likeness(self, connection: sqlite3.Connection) -> Likeness:
        """Return how alike the papers are; made with the first call, which reads all their texts."""
        if self._likeness is None:
            self._likeness = Likeness(connection, self.pool, self._ahead)
        return self._likeness

    def alike(self, connection: sqlite3.Connection, places: Sequence[int]) -> Vectors:
        """Return how alike some papers are in meaning, (n, n); by their words where meaning is not known."""
        if self._likeness is None and not self.pool.has_vectors:
            numbers = [int(self.pool.numbers[place]) for place in places]
            self._words.update(read_words(connection, [number for number in numbers if number not in self._words]))
            return words_alike([self._words[number] for number in numbers])
        if self._likeness is not None:
            return self._likeness.between(places)
        vectors = self._directions[list(places)]
        alike: Vectors = vectors @ vectors.T
        return alike

    @cached_property
    def _directions(self) -> Vectors:
        return directions_of(self.pool)

    @cached_property
    def age_order(self) -> NDArray[np.float64]:
        """Each paper's place by date and id, 0 the newest: what decides between equal scores."""
        order = sorted(range(len(self.pool)), key=lambda place: self.pool.ids[place])
        order.sort(key=lambda place: self.pool.published[place], reverse=True)
        places = np.empty(len(order), np.float64)
        places[order] = np.arange(len(order))
        return places


def _followed(connection: sqlite3.Connection, pool: Pool) -> list[str]:
    query = (
        "SELECT p.id FROM papers p WHERE p.number IN (SELECT value FROM json_each(?)) "
        "AND EXISTS (SELECT 1 FROM signals s WHERE s.paper = p.number)"
    )
    return [paper for (paper,) in connection.execute(query, (json.dumps(pool.numbers.tolist()),))]


@dataclass(slots=True)
class Slates:
    """Slates that several digests of one moment share; not to be kept, since the library goes on.

    Attributes:
        ahead: ids of the papers that were marked where digests are made for, in the order of these digests.
    """

    ahead: Sequence[str] = ()
    _made: dict[Window, Slate] = field(default_factory=dict)

    def get(self, connection: sqlite3.Connection, window: Window, make: Callable[[], Pool]) -> Slate:
        """Return the slate of a window; the first who asks has it made."""
        slate = self._made.pop(window, None) or Slate(connection, make(), self.ahead)
        self._made[window] = slate  # the one that was used last stands last
        while len(self._made) > MOST_SLATES:
            del self._made[next(iter(self._made))]
        return slate
