"""The words of a window's papers, weighed, and how like other texts are to them.

Each paper's weights have length 1:    (1 + ln count) · ln((n + 2) / (papers with it + 1))    of the n in the window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
BLOCK = 2_048


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
        found = [[self[token] for token in tokens(text)] for text in texts]
        rows = np.repeat(np.arange(len(texts)), [len(stems) for stems in found])
        stems = np.array([stem for held in found for stem in held], np.int64)
        says = stems >= 0
        width = len(self.known) or 1
        cells, counts = np.unique(rows[says] * width + stems[says], return_counts=True)
        return cells // width, cells % width, counts.astype(np.float64)


class Wording:
    """The words of a window's papers.

    Kept word after word, the most frequent first (compressed sparse rows): `_places` and `_held` have the papers of
    word w and their weights from `_starts[w]` to `_starts[w + 1]`. A few frequent words make most of all products;
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
        self._starts = np.concatenate([[0], np.cumsum(papers)])
        words = self._word[stems]
        weights = self._weigh(places, words, counts, self._size)
        order = np.argsort(words, kind="stable")
        self._places, self._held = places[order], weights[order].astype(np.float32)
        self._often = self._rows(np.arange((papers * OFTEN > self._size).sum()))

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
        weights = self._weigh(rows, words, counts, len(texts))
        often = words < len(self._often)
        frequent = np.zeros((len(texts), len(self._often)), np.float32)
        frequent[rows[often], words[often]] = weights[often]
        rare = ~often & (words < unknown)
        at, sizes = self._entries(words[rare])
        cells = np.repeat(rows[rare] * self._size, sizes) + self._places[at]
        products = np.repeat(weights[rare], sizes) * self._held[at]
        found: Vectors = frequent @ self._often
        found += np.bincount(cells, products, found.size).reshape(found.shape)
        return found

    def _entries(self, words: Numbers) -> tuple[Numbers, Numbers]:
        """Return where the papers of some words stand, one word after the other, and how many each word has."""
        sizes = self._starts[words + 1] - self._starts[words]
        ends = np.cumsum(sizes)
        at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self._starts[words] - (ends - sizes), sizes)
        return at, sizes

    def between(self, places: Sequence[int], others: Sequence[int]) -> Vectors:
        """Return the cosines of the words of some papers with those of others, (places, others).

        Words that only one paper of the window holds are left out: they make no two papers alike.
        """
        product = np.zeros((len(places), len(others)), np.float32)
        shared = np.flatnonzero(np.diff(self._starts) > 1)
        for start in range(0, len(shared), BLOCK):
            block = self._rows(shared[start : start + BLOCK])
            product += block[:, list(places)].T @ block[:, list(others)]
        return product

    def _rows(self, words: Numbers) -> Vectors:
        """Return each paper's weights of some words, (words, papers)."""
        at, sizes = self._entries(words)
        rows: Vectors = np.zeros((len(words), self._size), np.float32)
        rows[np.repeat(np.arange(len(words)), sizes), self._places[at]] = self._held[at]
        return rows
