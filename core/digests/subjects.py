"""The categories of a window's papers, and how like those of other papers are to them.

A paper's categories are a vector of length 1, each weighed by how rare it is:    ln((n + 2) / (papers with it + 1))
of the n in the window. Their cosine is 1 for papers that are listed alike, and 0 where nothing is shared or known.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.papers.schema import gathered

if TYPE_CHECKING:
    from core.search.matrix import Vectors


class Subjects:
    """The categories of a window's papers.

    Args:
        listed: of each paper, in their order.
    """

    def __init__(self, listed: Sequence[Sequence[str]]) -> None:
        names = dict.fromkeys(name for categories in listed for name in categories)
        self._column = {name: column for column, name in enumerate(names)}
        held = np.bincount([self._column[name] for categories in listed for name in categories], minlength=len(names))
        self._rarity = np.log((len(listed) + 2) / (held + 1)).astype(np.float32)
        self._rows = self._weigh(listed)

    def likeness(self, listed: Sequence[Sequence[str]]) -> Vectors:
        """Return the cosines of the categories of some papers with those of each of the window, (papers, window)."""
        found: Vectors = self._weigh(listed) @ self._rows.T
        return found

    def between(self, places: NDArray[np.int64]) -> Vectors:
        """Return the cosines of the categories of the window's papers at some places with those of each."""
        found: Vectors = self._rows[places] @ self._rows.T
        return found

    def _weigh(self, listed: Sequence[Sequence[str]]) -> Vectors:
        rows: Vectors = np.zeros((len(listed), len(self._column)), np.float32)
        for row, categories in enumerate(listed):
            columns = [self._column[name] for name in categories if name in self._column]
            rows[row, columns] = self._rarity[columns]
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return rows


def read_categories(connection: sqlite3.Connection, numbers: Sequence[int]) -> Mapping[int, Sequence[str]]:
    """Return the categories of some papers, by number; empty for one that has none."""
    query = (
        "SELECT json_group_array(json_array(paper, category)) FROM paper_categories "
        "WHERE paper IN (SELECT value FROM json_each(?))"
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    for number, category in gathered(connection, query, (json.dumps(list(numbers)),)):
        found[number].append(category)
    return found
