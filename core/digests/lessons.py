"""What a taste has taught, in words: those that tell liked papers from disliked ones and from all others."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.digests.subjects import read_categories
from core.digests.taste import Taste
from core.papers.tokens import tokens
from core.search.ranking import weigh_words
from core.search.stems import STOP_WORDS, stem

MOST_WORDS = 8
SHORTEST = 3
MOST_HAVE = 0.5


@dataclass(frozen=True, slots=True)
class Lessons:
    """Words, the most telling first, as the papers write them.

    Attributes:
        more: of these papers are wanted.
        less: of these they are not.
        categories: of most liked papers, the most frequent first.
    """

    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


def learned_words(connection: sqlite3.Connection, taste: Taste) -> Lessons:
    """Return what sets liked papers apart, and disliked ones; of three or more papers a word must stand in two."""
    liked = _Side(connection, taste.liked)
    disliked = _Side(connection, taste.disliked)
    return Lessons(liked.telling(disliked), disliked.telling(liked), _liked_categories(connection, taste))


def _liked_categories(connection: sqlite3.Connection, taste: Taste) -> tuple[str, ...]:
    """Return the categories that more than half of the liked papers have, and a smaller share of the disliked ones."""
    liked, disliked = (_shares(connection, list(papers)) for papers in (taste.liked, taste.disliked))
    found = [name for name, share in liked.items() if share > MOST_HAVE and share > disliked.get(name, 0.0)]
    return tuple(sorted(found, key=lambda name: (-liked[name], name)))


def _shares(connection: sqlite3.Connection, papers: Sequence[str]) -> dict[str, float]:
    asked = "SELECT number FROM papers WHERE id IN (SELECT value FROM json_each(?))"
    numbers = [number for (number,) in connection.execute(asked, (json.dumps(papers),))]
    counts = Counter(name for listed in read_categories(connection, numbers).values() for name in listed)
    return {name: count / len(numbers) for name, count in counts.items()}


class _Side:
    """The words of the papers that were marked one way, weighed by how telling they are, as means over the papers."""

    def __init__(self, connection: sqlite3.Connection, papers: Mapping[str, int]) -> None:
        self.weights: defaultdict[str, float] = defaultdict(float)
        self._holders: Counter[str] = Counter()
        self._forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._count = 0
        for text in _texts(connection, list(papers)):
            self._count += 1
            self._add(connection, [token for token in tokens(text) if _tells(token)])

    def _add(self, connection: sqlite3.Connection, words: list[str]) -> None:
        forms = Counter(words)
        counts: Counter[str] = Counter()
        for word, count in forms.items():
            counts[stem(word)] += count
            self._forms[stem(word)][word] += count
        rarity = dict(zip(forms, weigh_words(connection, list(forms)), strict=True))
        by_stem = {stem(word): weight for word, weight in rarity.items()}
        raw = {root: (1 + math.log(count)) * by_stem[root] for root, count in counts.items()}
        length = math.sqrt(sum(weight * weight for weight in raw.values())) or 1.0
        for root, weight in raw.items():
            self.weights[root] += weight / length
            self._holders[root] += 1

    def telling(self, other: _Side) -> tuple[str, ...]:
        """Return the words that weigh more here than on the other side."""
        if not self._count:
            return ()
        least = 2 if self._count >= SHORTEST else 1
        excess = {
            root: weight / self._count - (other.weights[root] / other._count if other._count else 0.0)
            for root, weight in self.weights.items()
            if self._holders[root] >= least
        }
        best = sorted((root for root in excess if excess[root] > 0), key=lambda root: (-excess[root], root))
        return tuple(self._forms[root].most_common(1)[0][0] for root in best[:MOST_WORDS])


def _tells(token: str) -> bool:
    return token not in STOP_WORDS and len(token) >= SHORTEST and not token.isdigit()


def _texts(connection: sqlite3.Connection, papers: Collection[str]) -> Iterator[str]:
    query = "SELECT title || ' ' || abstract FROM papers WHERE id IN (SELECT value FROM json_each(?)) ORDER BY number"
    for (text,) in connection.execute(query, (json.dumps(list(papers)),)):
        yield text
