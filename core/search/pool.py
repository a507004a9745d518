"""The papers of one window, looked at by one interest or by ten thousand.

What several interests ask alike (which papers hold a word, which meet a filter, where each lies in meaning) is looked
up once and kept, so that choosing for many costs little more for each than adding up a few rows of numbers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.papers.library import newest_listing
from core.papers.schema import gathered
from core.papers.tokens import tokens
from core.papers.windows import Window, paper_condition
from core.search.lexical import SUBJECT, Near, Sql, condition, words_expression
from core.search.nearness import subject_level
from core.search.ranking import weigh_words
from core.search.reasons import held_leaves
from core.search.tree import Leaf, Node, Not, Word

if TYPE_CHECKING:
    from core.search.matrix import Vectors
    from core.search.meaning import Known

Degrees: TypeAlias = NDArray[np.int8]
Mask: TypeAlias = NDArray[np.bool_]

MOST_COSINES = 4_000_000
"""Cosines of papers and interests that are kept, 16 MB: many subscriptions share an interest."""
LONG_AGO = "1991-08-14"


class Pool:
    """Candidates in memory, in the order of their numbers. For one thread at a time.

    Attributes:
        numbers: the papers' numbers in the library, ascending.
        ids: their ids.
        published: when each was submitted, as ISO text; the empty day of arXiv's beginning where that is not known.
        upto: the newest number of the listing log.
        known: what is known by meaning; None without.
    """

    def __init__(self, connection: sqlite3.Connection, window: Window, known: Known | None = None) -> None:
        where, values = paper_condition(window)
        columns = f"p.number, p.id, coalesce(p.published, '{LONG_AGO}')"
        sql = f"SELECT {columns} FROM papers p WHERE {where} ORDER BY p.number"  # noqa: S608 - ours
        rows = connection.execute(sql, values).fetchall()
        self.numbers = np.array([row[0] for row in rows], np.int64)
        self.ids: Sequence[str] = [row[1] for row in rows]
        self.published: Sequence[str] = [row[2] for row in rows]
        self.upto = newest_listing(connection)
        self.known = known
        self._listed = Sql("p.number IN (SELECT value FROM json_each(?))", (json.dumps(self.numbers.tolist()),))
        self._degrees: dict[Leaf, Degrees] = {}
        self._masks: dict[Node, Mask] = {}
        self._weights: dict[str, float] = {}
        self._cosines: dict[bytes, Vectors] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {paper: place for place, paper in enumerate(self.ids)}

    def places_of(self, papers: Iterable[str]) -> list[int]:
        """Return the places of those of some papers, by id, that are here."""
        return [self._place[paper] for paper in papers if paper in self._place]

    def degrees(self, connection: sqlite3.Connection, leaf: Leaf, near: Mapping[str, Near]) -> Degrees:
        """Return how each paper holds a leaf: 0 not, 1 somewhere, 2 in the title."""
        if leaf not in self._degrees:
            found = np.zeros(len(self), np.int8)
            if isinstance(leaf, Word):
                phrase = f'"{" ".join(tokens(leaf.text))}"'
                for columns in ("title", SUBJECT):
                    found[self._holding(connection, f"{columns} : {phrase}")] += 1
            else:
                degree = held_leaves(connection, [leaf], near, self._listed)
                found[:] = [degree.get(number, (0,))[0] for number in self.numbers.tolist()]
            self._degrees[leaf] = found
        return self._degrees[leaf]

    def _holding(self, connection: sqlite3.Connection, expression: str) -> NDArray[np.int64]:
        """Return the places of the papers that the word index has for an expression."""
        if not len(self):
            return np.zeros(0, np.int64)
        ends = (int(self.numbers[0]), int(self.numbers[-1]))
        sql = "SELECT json_group_array(rowid) FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ?"
        held = np.array(gathered(connection, sql, (expression, *ends)), np.int64)
        places = np.searchsorted(self.numbers, held)
        found: NDArray[np.int64] = places[self.numbers[places] == held]
        return found

    def meets(self, connection: sqlite3.Connection, node: Node, near: Mapping[str, Near]) -> Mask:
        """Return which papers meet a part of a query strictly."""
        if isinstance(node, Not):  # a condition holds or does not: SQL's third answer is ruled out in `lexical.py`
            return ~self.meets(connection, node.child, near)
        if node not in self._masks:
            self._masks[node] = self._meeting(connection, node, near)
        return self._masks[node]

    def _meeting(self, connection: sqlite3.Connection, node: Node, near: Mapping[str, Near]) -> Mask:
        met = np.zeros(len(self), np.bool_)
        words = words_expression(node)
        if words is not None:
            met[self._holding(connection, f"{SUBJECT} : ({words})")] = True
        else:
            holds = condition(node, near)
            where = f"{self._listed.text} AND {holds.text}"
            sql = f"SELECT json_group_array(p.number) FROM papers p WHERE {where}"  # noqa: S608 - compiled
            numbers = gathered(connection, sql, (*self._listed.values, *holds.values))
            met[np.searchsorted(self.numbers, np.array(numbers, np.int64))] = True
        return met

    def weigh(self, connection: sqlite3.Connection, words: Sequence[str]) -> list[float]:
        """Return the inverse document frequency of each word in the library."""
        fresh = list(dict.fromkeys(word for word in words if word not in self._weights))
        if fresh:
            self._weights.update(zip(fresh, weigh_words(connection, fresh), strict=True))
        return [self._weights[word] for word in words]

    @cached_property
    def _placed(self) -> tuple[Vectors, Mask, Vectors]:
        """Where each paper lies (n, dimensions), which of them are known to, and what its subject accounts for."""
        assert self.known is not None
        vectors, there = self.vectors_of(self.numbers.tolist())
        return vectors, there, subject_level(vectors, self.known.subjects)

    @property
    def has_vectors(self) -> bool:
        """Whether the meaning of any of the papers is known."""
        return self.known is not None and bool(self._placed[1].any())

    @property
    def vectors(self) -> Vectors:
        """The papers' vectors of length 1, zeros where one is not known; shape (n, dimensions)."""
        return self._placed[0]

    @property
    def is_placed(self) -> Mask:
        """Which papers' vectors are known."""
        return self._placed[1]

    def vectors_of(self, numbers: Sequence[int]) -> tuple[Vectors, Mask]:
        """Return the vectors of any papers of the library, of length 1, and which of them are known; zeros are not."""
        assert self.known is not None
        vectors, there = self.known.matrix.vectors(np.array(numbers, np.int64))
        vectors[there] /= np.maximum(np.linalg.norm(vectors[there], axis=1, keepdims=True), 1e-9)
        return vectors, there

    def is_compared(self, asked: Vectors) -> bool:
        """Whether the papers' cosines to a vector are at hand."""
        return asked.tobytes() in self._cosines

    def compare(self, asked: Sequence[Vectors]) -> None:
        """Look at vectors that are asked for next, each of length 1.

        One product of matrices for a hundred of them costs a fraction of as many small ones.
        """
        rows = np.array(asked, np.float32) @ self.vectors.T
        self._cosines.update((vector.tobytes(), row.copy()) for vector, row in zip(asked, rows, strict=True))
        most = max(MOST_COSINES // len(self), len(asked))
        for key in list(islice(self._cosines, max(len(self._cosines) - most, 0))):
            self._cosines.pop(key, None)

    def nearness(self, asked: Vectors) -> tuple[Vectors, Vectors]:
        """Return each paper's cosine to what is asked, a vector of length 1, and its nearness (`nearness.py`)."""
        key = asked.tobytes()
        known = self._cosines.pop(key, None)
        if known is not None:
            self._cosines[key] = known  # what was used last stands last, and is forgotten last
        cosines: Vectors = self.vectors @ asked if known is None else known
        return cosines, cosines - self._placed[2]
