"""How much alike papers are, by meaning and by words: what taste and variety are reckoned from.

    likeness(a, b) = (1 · cosine of their vectors + 2 · cosine of their words) / 3      both measured from their means

Taste is reckoned from it with CATEGORIES · the cosine of their categories (`subjects.py`) added.

Words are the stems of title and abstract (`wording.py`); without vectors they are all there is. Shrinkage r is 3 % of
the window's variance; both it and the share of the words were chosen on simulated readers of two weeks in April
(docs/ranking.md).
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.digests.subjects import Subjects, read_categories
from core.digests.wording import Wording
from core.papers.tokens import tokens
from core.search.pool import Pool
from core.search.stems import STOP_WORDS, stem

if TYPE_CHECKING:
    from core.search.matrix import Vectors

WORDS_SHARE = 2 / 3
CATEGORIES = 0.02
"""More helps readers of one field further, and costs those whose taste goes across fields (docs/ranking.md)."""
SHRINKAGE = 0.03
FEW_SHRINK = 10
"""At least ten times what one direction has on average: a handful of papers do not tell how papers vary."""
MOST_COMPARED = 1_000
"""The variance of a larger window is reckoned from so many of its papers, evenly picked."""
AT_ONCE = 128
"""So many marked papers are looked at together where others are expected to be asked for: one product of matrices for
all of them costs a fraction of as many small ones."""
MOST_CELLS = 15_000_000
"""Marked papers times papers of the window that are kept, 120 MB; beyond, marked papers are looked at again."""


class Likeness:
    """The papers of a pool against those that were marked; each marked paper is looked at once.

    Call `learn` with the ids of marked papers first; those that the library does not hold stay unknown.

    Args:
        connection: a state of the library.
        pool: the papers.
        ahead: ids of marked papers that will be asked for, about in that order.
    """

    def __init__(self, connection: sqlite3.Connection, pool: Pool, ahead: Iterable[str] = ()) -> None:
        self._pool = pool
        self.ids: Sequence[str] = pool.ids
        texts = _texts(connection, pool.numbers.tolist())
        self._words = Wording([texts[number] for number in pool.numbers.tolist()])
        categories = read_categories(connection, pool.numbers.tolist())
        self._subjects = Subjects([categories.get(number, ()) for number in pool.numbers.tolist()])
        self._centre = pool.vectors[pool.is_placed].mean(axis=0) if pool.has_vectors else None
        self._vectors = directions_of(pool) if pool.has_vectors else None
        self._expected = list(dict.fromkeys(ahead))
        self._ahead = iter(self._expected)
        self._at: dict[str, int] = {}
        self._plain = np.empty((0, len(pool)), np.float32)
        self._keen = np.empty((0, len(pool)), np.float32)

    def __len__(self) -> int:
        return len(self.ids)

    def learn(self, connection: sqlite3.Connection, papers: Sequence[str]) -> None:
        """Look at marked papers that were not seen before, and at some that will be asked for next."""
        fresh = list(dict.fromkeys(paper for paper in papers if paper not in self._at))
        if not fresh or not len(self):
            return
        if (len(self._at) + max(len(fresh), AT_ONCE)) * len(self) > MOST_CELLS:
            self._forget()
            fresh = list(dict.fromkeys(papers))
        room = max(AT_ONCE - len(fresh), 0)
        fresh += islice((paper for paper in self._ahead if paper not in self._at), room)
        asked = "SELECT number, id FROM papers WHERE id IN (SELECT value FROM json_each(?))"
        numbers = dict(connection.execute(asked, (json.dumps(fresh),)))
        if numbers:
            self._take_in(connection, numbers)

    def _take_in(self, connection: sqlite3.Connection, numbers: Mapping[int, str]) -> None:
        rows = self._look_at(connection, list(numbers))
        start = len(self._at)
        self._make_room(start + len(rows))
        self._plain[start : start + len(rows)] = rows
        categories = read_categories(connection, list(numbers))
        alike = self._subjects.likeness([categories.get(number, ()) for number in numbers])
        rows += np.multiply(alike, CATEGORIES, out=alike)
        np.subtract(rows, self._shared_by_all(rows), out=self._keen[start : start + len(rows)])
        self._at.update((paper, start + place) for place, paper in enumerate(numbers.values()))

    def places_of(self, papers: Iterable[str]) -> dict[str, int]:
        """Return the rows of those marked papers that are known, by id."""
        return {paper: self._at[paper] for paper in papers if paper in self._at}

    def plain(self, rows: Sequence[int], places: Sequence[int]) -> Vectors:
        """Return how like marked papers, by their rows, the papers at some places of the pool are, (rows, places)."""
        return self._cells(self._plain, rows, places)

    def discerning(
        self, rows: Sequence[int], weights: Sequence[float], places: Sequence[int] | NDArray[np.int64]
    ) -> Vectors:
        """Return the weighted sum of rows, at some places, with what all papers of the pool share taken out of them."""
        found: Vectors = np.array(weights, np.float32) @ self._cells(self._keen, rows, places)
        return found

    def _cells(self, kept: Vectors, rows: Sequence[int], places: Sequence[int] | NDArray[np.int64]) -> Vectors:
        """Return what is kept in some rows at some places; numpy takes half as long by one number as by two."""
        numbers = np.array(rows, np.int64)[:, None] * len(self) + np.asarray(places, np.int64)
        found: Vectors = kept.reshape(-1).take(numbers)
        return found

    def _forget(self) -> None:
        self._at, self._plain, self._keen = {}, self._plain[:0], self._keen[:0]

    def _make_room(self, count: int) -> None:
        if count > len(self._plain):
            likely = min(max(2 * len(self._plain), len(self._expected)), MOST_CELLS // len(self))
            self._plain = _with_room(self._plain, max(count, likely))
            self._keen = _with_room(self._keen, max(count, likely))

    def _look_at(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> Vectors:
        """Return the likeness of papers of the library, by number, with those of the pool, (numbers, pool)."""
        texts = _texts(connection, numbers)
        rows = self._words.likeness([texts[number] for number in numbers])
        if self._vectors is not None and self._centre is not None:
            vectors, there = self._pool.vectors_of(numbers)
            known = vectors[there] - self._centre
            known /= np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-9)
            meanings = known @ self._vectors.T
            meanings *= 1 - WORDS_SHARE
            everywhere = bool(there.all())
            mixed = rows if everywhere else rows[there]
            mixed *= WORDS_SHARE
            mixed += meanings
            if not everywhere:
                rows[there] = mixed
        return rows

    def _shared_by_all(self, rows: Vectors) -> Vectors:
        """Return what is to be taken off the likeness of marked papers with those of the pool.

        What is left is (C + r·I)^-1 between them, up to a factor: with X the compared papers, by Woodbury's identity,
        ∝ k(p, i) - k(p, X) (K(X, X) + r·I)^-1 k(X, i).
        """
        picked, projection = self._background
        seen = rows[:, picked]
        seen -= seen.mean(axis=1, keepdims=True)
        shared: Vectors = seen @ projection
        return shared

    def between(self, places: NDArray[np.int64]) -> Vectors:
        """Return how alike some papers of the pool are, (n, n); by words alone where no meaning is known."""
        if self._vectors is None:
            return self._words.between(places)[:, places]
        chosen = self._vectors[places]
        alike: Vectors = chosen @ chosen.T
        return alike

    @cached_property
    def _background(self) -> tuple[NDArray[np.int64], Vectors]:
        count = len(self)
        picked = np.unique(np.linspace(0, count - 1, min(count, MOST_COMPARED)).astype(np.int64))
        kernel = self._kernel(picked)
        square = kernel[picked]
        ridge = max(SHRINKAGE, FEW_SHRINK / len(picked)) * float(np.trace(square)) or 1.0
        inverse = np.linalg.inv(square + ridge * np.eye(len(picked), dtype=np.float32))
        return picked, np.asarray(inverse @ kernel.T, np.float32)

    def _kernel(self, picked: NDArray[np.int64]) -> Vectors:
        kernel = self._words.between(picked).T
        if self._vectors is not None:
            kernel = WORDS_SHARE * kernel + (1 - WORDS_SHARE) * (self._vectors @ self._vectors[picked].T)
        kernel = kernel + CATEGORIES * self._subjects.between(picked).T
        kernel -= kernel[picked].mean(axis=0)
        kernel -= kernel.mean(axis=1, keepdims=True)
        return kernel


def _with_room(rows: Vectors, count: int) -> Vectors:
    room: Vectors = np.empty((count, rows.shape[1]), np.float32)
    room[: len(rows)] = rows
    return room


def directions_of(pool: Pool) -> Vectors:
    """Return where each paper of a pool lies from their middle, of length 1; zeros where that is not known."""
    rest = pool.vectors - pool.vectors[pool.is_placed].mean(axis=0)
    found: Vectors = rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-9) * pool.is_placed[:, None]
    return found


def read_words(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, frozenset[str]]:
    """Return the words of some papers, by number."""
    return {number: frozenset(_count(text)) for number, text in _texts(connection, numbers).items()}


def words_alike(papers: Sequence[frozenset[str]]) -> Vectors:
    """Return how alike some papers are by which words they hold, (n, n): the cosine of what each holds, 0 or 1."""
    alike: Vectors = np.eye(len(papers), dtype=np.float32)
    for one, words in enumerate(papers):
        for other in range(one):
            size = math.sqrt(len(words) * len(papers[other])) or 1.0
            alike[one, other] = alike[other, one] = len(words & papers[other]) / size
    return alike


def _texts(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    query = "SELECT number, title || ' ' || abstract FROM papers WHERE number IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(query, (json.dumps(list(numbers)),)))


def _count(text: str) -> Counter[str]:
    return Counter(stem(token) for token in tokens(text) if token not in STOP_WORDS and len(token) > 1)
