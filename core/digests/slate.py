"""The papers of a window with all that choosing among them needs, for one digest or for thousands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.digests.likeness import Likeness, directions_of, read_words, words_alike
from core.digests.together import Library, Together
from core.digests.trend import UNKNOWN, trends
from core.errors import QueryError
from core.papers.paper import Paper
from core.papers.rows import read_papers
from core.papers.windows import Window
from core.search.interests import Asked
from core.search.lexical import Near, register_functions
from core.search.pool import Pool
from core.search.query import Query, parse
from core.search.references import resolve_likes
from core.search.tree import Author, all_leaves

if TYPE_CHECKING:
    from core.search.matrix import Vectors
    from core.search.meaning import Known


MOST_SLATES = 3
"""Most subscriptions ask for the same window; those that do not shall not fill the memory."""
MOST_NEAR = 1_000
"""So many named papers and authors are remembered; one takes up to 15 kB."""
AT_ONCE = 128
"""So many interests are compared with the papers at once, where others are expected."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What digests of one moment will ask for, about in the order in which they are made.

    Attributes:
        marked: ids of the papers that were marked where digests are made for.
        interests: those of the digests, as typed.
        read: reads interests.
    """

    marked: Sequence[str] = ()
    interests: Sequence[str] = ()
    read: Callable[[str], Query] = parse

    def queries(self) -> Iterator[Query]:
        """Yield the interests, each once, as far as they can be read; each is read when its turn comes."""
        for text in dict.fromkeys(self.interests):
            with suppress(QueryError):  # its own digest tells
                yield self.read(text)


NOTHING_AHEAD = Ahead()


class Slate:
    """A window's papers, each with its trend and, once somebody's taste asks, its likeness to what was marked.

    Args:
        connection: a state of the library.
        pool: the papers.
        ahead: what will be asked for.
    """

    def __init__(self, connection: sqlite3.Connection, pool: Pool, ahead: Ahead = NOTHING_AHEAD) -> None:
        self.pool = pool
        self._marked = ahead.marked
        self._coming = ahead.queries()
        self._likeness: Likeness | None = None
        self._papers: dict[int, Paper] = {}
        self._words: dict[int, frozenset[str]] = {}
        self._near: dict[tuple[tuple[str, ...], tuple[str, ...]], Mapping[str, Near]] = {}
        self._asking = Lock()
        self._asked: dict[Query, Asked | None] = {}
        self._ready: set[sqlite3.Connection] = set()
        followed = _followed(connection, pool)
        found = trends(read_papers(connection, followed).values()) if followed else {}
        self.trend: Vectors = np.array([found.get(paper, UNKNOWN) for paper in pool.ids], np.float32)

    def ask(self, query: Query, ask: Callable[[Query, Known | None], Asked | None]) -> Asked | None:
        """Return what an interest is about, and look at the papers for it and for some that will be asked for next."""
        with self._asking:  # of two digests at once, one looks ahead
            asked = self._asked[query] if query in self._asked else ask(query, self.pool.known)
            if asked is not None and self.pool.has_vectors and not self.pool.is_compared(asked.vector):
                self._asked = {one: ask(one, self.pool.known) for one in islice(self._coming, AT_ONCE)}
                others = [one.vector for one in self._asked.values() if one is not None]
                self.pool.compare([asked.vector, *others])
            return asked

    def near(self, connection: sqlite3.Connection, query: Query) -> Mapping[str, Near]:
        """Return what is near to the papers of a query's `like:`, and the works of its authors told apart by a paper.

        What several interests name alike is looked up once.

        Raises:
            QueryError: the library does not hold one of them.
        """
        if connection not in self._ready:  # each time it would have to prepare all its statements anew
            register_functions(connection)
            self._ready.add(connection)
        people = (leaf.key for leaf in all_leaves(query.tree) if isinstance(leaf, Author) and leaf.of)
        named = (query.likes, tuple(people))
        if not any(named):
            return {}
        if named not in self._near:
            if len(self._near) >= MOST_NEAR:
                self._near.clear()
            self._near[named] = resolve_likes(connection, query)
        return self._near[named]

    def papers(self, connection: sqlite3.Connection, places: Sequence[int]) -> dict[int, Paper]:
        """Return the papers at some places of the pool, by place.

        Each is read once, and with those that are missing as many others as were read before: thousands of digests
        choose nearly all there are, and to ask for a few takes nearly as long as to ask for hundreds.
        """
        missing = [place for place in places if place not in self._papers]
        if missing:
            others = (place for place in range(len(self.pool)) if place not in self._papers)
            several = dict.fromkeys([*missing, *islice(others, len(self._papers))])
            found = read_papers(connection, [self.pool.ids[place] for place in several])
            self._papers.update(
                (place, found[self.pool.ids[place]]) for place in several if self.pool.ids[place] in found
            )
        return {place: self._papers[place] for place in places if place in self._papers}

    def likeness(self, connection: sqlite3.Connection) -> Likeness:
        """Return how alike the papers are; made with the first call, which reads all their texts."""
        if self._likeness is None:
            self._likeness = Likeness(connection, self.pool, self._marked)
        return self._likeness

    def alike(self, connection: sqlite3.Connection, places: NDArray[np.int64], *, taught: bool) -> Vectors:
        """Return how alike some papers are in meaning, (n, n); by their words where meaning is not known.

        Args:
            connection: a state of the library.
            places: of the papers.
            taught: whether taste has a say in the digest; then words are weighed as they are for it.
        """
        if self._likeness is not None and (taught or self.pool.has_vectors):
            return self._likeness.between(places)
        if not self.pool.has_vectors:
            numbers = self.pool.numbers[places].tolist()
            self._words.update(read_words(connection, [number for number in numbers if number not in self._words]))
            return words_alike([self._words[number] for number in numbers])
        vectors = self._directions[places]
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
        ahead: what these will ask for.
    """

    ahead: Ahead = NOTHING_AHEAD
    _made: dict[Window, Slate] = field(default_factory=dict)
    _together: Together | None = None

    def together(self, library: Library) -> Together:
        """Return where digests that are made at the same time read the library, always the same one."""
        if self._together is None:
            self._together = Together(library)
        return self._together

    def get(self, connection: sqlite3.Connection, window: Window, make: Callable[[], Pool]) -> Slate:
        """Return the slate of a window; the first who asks has it made."""
        slate = self._made.pop(window, None) or Slate(connection, make(), self.ahead)
        self._made[window] = slate  # the one that was used last stands last
        while len(self._made) > MOST_SLATES:
            del self._made[next(iter(self._made))]
        return slate
