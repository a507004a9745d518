"""What a standing interest wants.

A paper is wanted when it meets every filter, and is on topic by word or by meaning:

    by word      the words it holds (in title or abstract, by stem) make up at least 60 % of the weight of all words
                 asked for, each weighed by its inverse document frequency in the library. So the telling words must be
                 there, and a common one may be missing; then it must not be far in meaning, where that is known.
                 Stop-words do not count, and of a long text the 64 rarest do.
    by meaning   its nearness (`nearness.py`), helped a little by the words that it holds, reaches the least that is on
                 topic: a fixed one, or more where the library holds much nearer papers.

No words, nothing to be on topic of: then the filters alone decide. What is wanted is ordered by its relevance, which
adds up nearness and words, phrases among them; papers that have not been read for meaning yet, or all without a model,
go by words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.search.lexical import Near, condition, soft_words
from core.search.pool import Degrees, Mask, Pool
from core.search.query import Query
from core.search.reasons import MAX_REASON, tell, telling_leaves
from core.search.tree import Author, Category, Leaf, Phrase, Text, Word, conjuncts, render

if TYPE_CHECKING:
    from core.search.matrix import Vectors

ENOUGH = 0.6
MOST_WORDS = 64
IN_ABSTRACT = 0.7
"""So much of its weight a word counts that is not in the title."""
ALL = 0.999
FAR = 0.0
"""What holds some of the words alone, and is farther than this in meaning, is off-topic all the same."""
WORDS_HELP = 0.05
"""So much nearness holding all words is worth, to be on topic by meaning."""
WORDS_WORTH = 0.25
LONG = 40.0
"""In the order, words are worth 0.25 · i / (40 + i) of nearness, i their summed inverse document frequencies: as in
`fusion.py` a few common words say less than rare ones."""
LEAST, SPAN = -0.1, 0.45
"""Nearness with words between -0.1 and 0.35 becomes a relevance between 0 and 1."""
NEAR_IN_MEANING = "near in meaning"


@dataclass(frozen=True, slots=True)
class Match:
    """A paper that an interest wants.

    Attributes:
        relevance: 0..1, by nearness and words; by words alone the weighted share of those that it holds, outside the
            title counted 0.7 (of `like:`, the nearness if that is more); 0 when no word is asked for.
        words: what of the interest it meets, as typed, for "matches *grokking*".
        near: whether it is on topic by meaning.
    """

    paper_id: str
    relevance: float
    words: tuple[str, ...]
    near: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an interest wants a paper.

    Attributes:
        because: by what it matched, or why it did not, as a clause.
        excluded_by: the part of the interest that shut it out, as typed; empty where none did.
    """

    matched: bool
    because: str
    excluded_by: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an interest is about, as the model reads it.

    Attributes:
        vector: of length 1.
        least: nearness from which a paper is on topic.
        least_cosine: below this a paper that holds none of the words has nothing to do with it.
    """

    vector: Vectors
    least: float
    least_cosine: float


@dataclass(frozen=True, slots=True)
class Fit:
    """How each paper of a pool suits an interest; arrays in the pool's order.

    Attributes:
        wanted: whether the interest wants it.
        coverage: the weighted share of the words that it holds, 0..1; 1 where no words are asked for.
        relevance: 0..1, by which those that are wanted are ordered; 0 when the interest has nothing to be near to.
        tells: whether it has: words, phrases, or papers that are to be alike.
        near: whether it is on topic by meaning.
        meets: whether it meets every filter.
        leaves: what can be told of the interest, with each paper's degree of it in `degrees`, (leaves, papers).
    """

    wanted: Mask
    coverage: Vectors
    relevance: Vectors
    tells: bool
    near: Mask
    meets: Mask
    leaves: tuple[Leaf, ...]
    degrees: Degrees

    def told(self, place: int) -> tuple[str, ...]:
        """Return what of the interest the paper at a place of the pool meets, as typed."""
        return _told(self.leaves, self.degrees[:, place].tolist())

    def match(self, pool: Pool, place: int) -> Match:
        """Return the paper at a place of the pool as a Match."""
        relevance = round(float(self.relevance[place]), 4)
        return Match(pool.ids[place], relevance, self.told(place), near=bool(self.near[place]))


def fit_interest(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], pool: Pool, asked: Asked | None = None
) -> Fit:
    """Measure how the papers of a pool suit an interest.

    Args:
        connection: a state of the library.
        query: the interest.
        near: what is near to the papers of its `like:`.
        pool: the papers.
        asked: what it is about, where that is known; without it words alone decide.
    """
    meets = np.ones(len(pool), np.bool_)
    for node in conjuncts(query.tree):
        if not isinstance(node, Word):
            meets &= pool.meets(connection, node, near)
    leaves, weights = _weighed(connection, query, pool)
    degrees = np.array([pool.degrees(connection, leaf, near) for leaf in leaves], np.int8).reshape(
        len(leaves), len(pool)
    )
    held = degrees > 0
    soft = set(soft_words(query.tree))
    coverage = _coverage(held, [weight if leaf in soft else 0.0 for leaf, weight in zip(leaves, weights, strict=True)])
    relevance = _word_relevance(leaves, weights, degrees, held)
    wanted, by_meaning = meets & (coverage >= ENOUGH), np.zeros(len(pool), np.bool_)
    if asked is not None and pool.has_vectors:
        cosines, nearness = pool.nearness(asked.vector)
        compared = meets & pool.is_placed
        help_of_words = WORDS_HELP * (coverage if soft else 0.0)
        by_meaning = compared & (nearness + help_of_words >= asked.least)
        by_meaning &= (cosines >= asked.least_cosine) | (relevance > 0)
        wanted &= ~compared | (coverage >= ALL) | (nearness >= FAR)
        wanted |= by_meaning
        relevance = _joined_relevance(relevance, np.where(compared, nearness, asked.least), sum(weights))
    for one in near.values():
        scores = [one.scores.get(number, 0.0) for number in pool.numbers.tolist()]
        relevance = np.maximum(relevance, np.array(scores, np.float32))
    tells = bool(query.likes) or any(weights)
    return Fit(wanted, coverage, relevance, tells, by_meaning, meets, tuple(leaves), degrees)


def match_pool(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], pool: Pool, asked: Asked | None = None
) -> tuple[Match, ...]:
    """Return the papers of a pool that an interest wants, most relevant first."""
    fit = fit_interest(connection, query, near, pool, asked)
    places = np.flatnonzero(fit.wanted)
    ordered = places[np.argsort(-fit.relevance[places], kind="stable")]
    return tuple(fit.match(pool, place) for place in ordered.tolist())


def nearest_in_pool(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], pool: Pool, asked: Asked | None = None
) -> Match | None:
    """Return what meets every filter of an interest and comes nearest to it without being wanted; None without."""
    fit = fit_interest(connection, query, near, pool, asked)
    close = np.flatnonzero(fit.meets & ~fit.wanted & (fit.coverage > 0))
    if not len(close):
        return None
    key = [(float(fit.coverage[at]), float(fit.relevance[at]), pool.ids[at], at) for at in close.tolist()]
    return fit.match(pool, max(key)[-1])


def _weighed(connection: sqlite3.Connection, query: Query, pool: Pool) -> tuple[list[Leaf], list[float]]:
    """Return the leaves that count and the weight of each; what is no text weighs nothing."""
    leaves = telling_leaves(query.tree)
    texts = [_text(leaf) for leaf in leaves]
    weights = [weight if text else 0.0 for text, weight in zip(texts, pool.weigh(connection, texts), strict=True)]
    if len(leaves) <= MOST_WORDS:
        return leaves, weights
    words = sorted(
        (weight for leaf, weight in zip(leaves, weights, strict=True) if isinstance(leaf, Word)), reverse=True
    )
    least = words[MOST_WORDS - 1] if len(words) > MOST_WORDS else 0.0
    kept = [
        (leaf, weight)
        for leaf, weight in zip(leaves, weights, strict=True)
        if not isinstance(leaf, Word) or weight >= least
    ]
    return [leaf for leaf, _ in kept], [weight for _, weight in kept]


def _text(leaf: Leaf) -> str:
    return leaf.text if isinstance(leaf, Word | Phrase | Text) else ""


def _coverage(held: Mask, weights: Sequence[float]) -> Vectors:
    total = sum(weights)
    if not total:
        return np.ones(held.shape[1], np.float32)
    covered: Vectors = np.dot(np.array(weights), held) / total
    # The sum of all weights taken one by one may differ from their total in the last digit.
    return covered.round(9)


def _word_relevance(leaves: Sequence[Leaf], weights: Sequence[float], degrees: Degrees, held: Mask) -> Vectors:
    """Return the weighted share of words and phrases that each paper holds, those outside the title counted 0.7."""
    total = sum(weights)
    if not total:
        return np.zeros(held.shape[1], np.float32)
    share = np.array(weights, np.float32) / total
    by_title = np.array([1 - IN_ABSTRACT if isinstance(leaf, Word | Phrase) else 0.0 for leaf in leaves], np.float32)
    relevance: Vectors = np.dot(share * (1 - by_title), held) + np.dot(share * by_title, degrees > 1)
    return relevance


def _joined_relevance(words: Vectors, nearness: Vectors, weight: float) -> Vectors:
    fit = nearness + WORDS_WORTH * weight / (LONG + weight) * words
    relevance: Vectors = np.minimum(np.maximum((fit - LEAST) / SPAN, 0.0), 1.0)
    return relevance


def _told(leaves: Sequence[Leaf], degrees: Sequence[int]) -> tuple[str, ...]:
    held = [leaf for leaf, degree in zip(leaves, degrees, strict=True) if degree]
    telling = [leaf for leaf in held if not isinstance(leaf, Category)]
    return tuple(dict.fromkeys(map(_as_typed, telling or held)))


def _as_typed(leaf: Leaf) -> str:
    match leaf:
        case Word(text) | Phrase(text) | Text(_, text, _) | Author(text, _) | Category(text):
            return text
        case other:
            return render(other)


def explain_paper(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], place: tuple[Pool, str], asked: Asked | None
) -> Verdict:
    """Say whether an interest wants a paper, and by what.

    Args:
        connection: a state of the library.
        query: the interest.
        near: what is near to the papers of its `like:`.
        place: the papers it is to be compared with, and its id; it may be missing there.
        asked: what the interest is about, where that is known.
    """
    pool, paper_id = place
    row = connection.execute("SELECT number, withdrawn FROM papers WHERE id = ?", (paper_id,)).fetchone()
    if row is None:
        return Verdict(matched=False, because="the library does not hold it")
    number, withdrawn = row
    if withdrawn:
        return Verdict(matched=False, because="it was withdrawn")
    for node in conjuncts(query.tree):
        if isinstance(node, Word):
            continue
        holds = condition(node, near)
        sql = f"SELECT {holds.text} FROM papers p WHERE p.number = ?"  # noqa: S608 - compiled
        if not connection.execute(sql, (*holds.values, number)).fetchone()[0]:
            part = render(node)
            return Verdict(matched=False, because=f"{part} does not hold for it", excluded_by=part)
    return _explain_words(query, pool, paper_id, fit_interest(connection, query, near, pool, asked))


def _explain_words(query: Query, pool: Pool, paper_id: str, fit: Fit) -> Verdict:
    if not fit.leaves:
        return Verdict(
            matched=True, because="these interests want everything" if query.is_empty else "nothing shuts it out"
        )
    place = pool.ids.index(paper_id)
    held = [leaf for leaf, degree in zip(fit.leaves, fit.degrees[:, place].tolist(), strict=True) if degree]
    if fit.coverage[place] >= ENOUGH:
        return Verdict(matched=True, because=tell(held))
    if fit.near[place]:
        told = f"{NEAR_IN_MEANING}; {tell(held)}" if held else NEAR_IN_MEANING
        return Verdict(matched=True, because=told if len(told) <= MAX_REASON else f"{told[: MAX_REASON - 1]}…")
    soft = set(soft_words(query.tree))
    missing = [leaf.text for leaf in fit.leaves if isinstance(leaf, Word) and leaf in soft and leaf not in held]
    told = f"too few of the words are in it; missing: {', '.join(missing)}"
    distant = pool.has_vectors and bool(pool.is_placed[place])
    return Verdict(matched=False, because=f"{told}; and it is not near enough in meaning" if distant else told)
