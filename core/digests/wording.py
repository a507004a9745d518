"""The words of a window's papers, weighed, and how like other texts are to them.

Each paper's weights have length 1:    (1 + ln count) · ln((n + 2) / (papers with it + 1))    of the n in the window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.papers.tokens import tokens
from core.search.stems import STOP_WORDS, stem

if TYPE_CHECKING:
    from core.search.matrix import Vectors

    Numbers: TypeAlias = NDArray[np.int64]

OFTEN = 32
"""A word is frequent that one paper of so many holds."""
BLOCK = 128
"""So many texts are compared with the window at once."""


class _Stems(dict[str, int]):
    """Numbers of the stems of tokens, given out as they come; -1 for a token that says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, int] = {}

    def __missing__(self, token: str) -> int:
        says = len(token) > 1 and token not in STOP_WORDS
        self[token] = self.known.setdefault(stem(token), len(self.known)) if says else -1
        return self[token]

    def count(self, texts: Sequence[str]) -> tuple[Numbers, Numbers, Vectors]:
        """Return which text holds which stem how often: three arrays of one length, ordered by text, then stem."""
        found = [list(map(self.__getitem__, tokens(text))) for text in texts]
        rows = np.repeat(np.arange(len(texts)), [len(stems) for stems in found])
        stems = np.fromiter(chain.from_iterable(found), np.int64, len(rows))
        says = stems >= 0
        width = len(self.known) or 1
        cells, counts = np.unique(rows[says] * width + stems[says], return_counts=True)
        return cells // width, cells % width, counts.astype(np.float64)


class _Texts:
    """Words and weights of papers, text after text."""

    def __init__(self, size: int, places: Numbers, words: Numbers, weights: Vectors) -> None:
        self._sizes = np.bincount(places, minlength=size)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._words, self._weights = words, weights

    def of(self, places: Numbers) -> tuple[Numbers, Numbers, Vectors]:
        """Return which of some papers holds which word with which weight: three arrays of one length."""
        at = _runs(self._starts[places], self._sizes[places])
        return np.repeat(np.arange(len(places)), self._sizes[places]), self._words[at], self._weights[at]


class Wording:
    """The words of a window's papers.

    Kept word after word, the most frequent first (compressed sparse rows): `_places` and `_held` have the `_sizes[w]`
    papers of word w and their weights from `_starts[w]`. A few frequent words make most of all products;
    these stand in `_often` too, (frequent words, papers), since a product of matrices is much faster there.

    Args:
        texts: of the papers, in their order.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._stems = _Stems()
        self._size = len(texts)
        places, stems, counts = self._stems.count(texts)
        papers = np.bincount(stems, minlength=len(self._stems.known))
        by_frequency = np.argsort(-papers, kind="stable")
        self._word = np.empty(len(papers), np.int64)  # by stem
        self._word[by_frequency] = np.arange(len(papers))
        papers = papers[by_frequency]
        self._rarity = np.append(np.log((self._size + 2) / (papers + 1)), math.log(self._size + 2))
        self._sizes, self._starts = papers, np.cumsum(papers) - papers
        words = self._word[stems]
        weights = self._weigh(places, words, counts, self._size)
        shared = papers[words] > 1
        self._texts = _Texts(self._size, places[shared], words[shared], weights[shared])
        order = np.argsort(words, kind="stable")
        self._places, self._held = places[order], weights[order].astype(np.float32)
        self._often = self._rows((papers * OFTEN > self._size).sum())

    def _weigh(self, rows: Numbers, words: Numbers, counts: Vectors, size: int) -> Vectors:
        weights: Vectors = (1 + np.log(counts)) * self._rarity[words]
        length = np.sqrt(np.bincount(rows, weights * weights, size))
        weights /= np.maximum(length, 1e-9)[rows]
        return weights

    def likeness(self, texts: Sequence[str]) -> Vectors:
        """Return the cosines of the words of some texts with those of each paper of the window, (texts, papers)."""
        unknown = len(self._word)
        rows, stems, counts = self._stems.count(texts)
        words = np.full(len(stems), unknown)
        words[stems < unknown] = self._word[stems[stems < unknown]]
        return self._against(len(texts), rows, words, self._weigh(rows, words, counts, len(texts)))

    def _against(self, count: int, rows: Numbers, words: Numbers, weights: Vectors) -> Vectors:
        """Return the products of some texts' weights, word after word of each row, with those of the papers."""
        often = words < len(self._often)
        frequent = np.zeros((count, len(self._often)), np.float32)
        frequent[rows[often], words[often]] = weights[often]
        rare = ~often & (words < len(self._word))
        sizes = self._sizes[words[rare]]
        at = _runs(self._starts[words[rare]], sizes)
        cells = np.repeat(rows[rare] * self._size, sizes) + self._places[at]
        products = np.repeat(weights[rare], sizes) * self._held[at]
        found: Vectors = frequent @ self._often
        found += np.bincount(cells, products, found.size).reshape(found.shape)
        return found

    def between(self, places: Numbers) -> Vectors:
        """Return the cosines of the words of some papers with those of each, (places, papers).

        Words that only one paper of the window holds are left out: they make no two papers alike.
        """
        portions = (places[start : start + BLOCK] for start in range(0, max(len(places), 1), BLOCK))
        return np.concatenate([self._against(len(some), *self._texts.of(some)) for some in portions])

    def _rows(self, count: int) -> Vectors:
        """Return each paper's weights of the most frequent words, (words, papers)."""
        rows: Vectors = np.zeros((count, self._size), np.float32)
        words = np.repeat(np.arange(count), self._sizes[:count])
        rows[words, self._places[: len(words)]] = self._held[: len(words)]
        return rows


def _runs(starts: Numbers, sizes: Numbers) -> Numbers:
    """Return the numbers of several runs, one run after the other."""
    ends = np.cumsum(sizes)
    runs: Numbers = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
    return runs
