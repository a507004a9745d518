"""A digest: the few papers chosen for one subscription out of a window of candidates, or nothing, with the counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.digests.ranking import Ranked, mix, standing
from core.digests.slate import Slate, Slates
from core.digests.taste import NOTHING, Taste, liked_like, taste_scores
from core.digests.variety import LOOKED_AT, vary
from core.errors import QueryError
from core.papers.library import Library
from core.papers.windows import Window
from core.search.engine import Engine
from core.search.interests import Fit, fit_interest
from core.search.pool import Mask
from core.search.query import Query

if TYPE_CHECKING:
    from core.search.matrix import Vectors

RANKS_APART = 10.0
"""More than any two scores differ."""
PLEASING = 0.6
"""Taste above this helped a paper, and is named as a reason."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a digest is to be made of.

    Attributes:
        query: the interests.
        window: the candidates.
        top: at most so many papers.
        leave_out: ids that this place was shown before.
        keep: ids that are chosen in any case, first and in this order (a digest that is amended).
        others: the other subscriptions of the place, by number: a chosen paper that suits them too names them.
        taste: what the marks of the place have taught.
        varied: whether papers that are alike keep each other away.
    """

    query: Query
    window: Window
    top: int
    leave_out: Collection[str] = frozenset()
    keep: tuple[str, ...] = ()
    others: tuple[tuple[int, Query], ...] = ()
    taste: Taste = NOTHING
    varied: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """One paper of a digest, and why.

    Attributes:
        ranked: the paper with its score.
        words: the words of the interests that it holds.
        also: numbers of other subscriptions of the place that it suits.
        near: whether it is on topic by meaning.
        liked: to how many papers that were marked 👍 here it is like, where that helped it.
        own_taste: whether those marks are all of the person whose place it is.
    """

    ranked: Ranked
    words: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    near: bool = False
    liked: int = 0
    own_taste: bool = False


@dataclass(frozen=True, slots=True)
class Digest:
    """The outcome.

    Attributes:
        chosen: the papers, best first; empty when nothing suits.
        considered: how many candidates there were.
        matched: how many of them suit the interests.
        seen: how many of those were left out, since the place was shown them before.
        upto: the listing sequence that this digest covers.
    """

    chosen: tuple[Chosen, ...]
    considered: int
    matched: int
    seen: int
    upto: int
    query: Query = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The parts of the score of each candidate, arrays over the slate."""

    places: NDArray[np.int64]
    scores: Vectors
    taste: Vectors

    def taste_at(self, places: Sequence[int]) -> dict[int, float]:
        """Return the taste for the papers at some places, by place."""
        at = np.searchsorted(self.places, places)  # they ascend, as the pool's do
        return dict(zip(places, self.taste[at].tolist(), strict=True))


async def compose(order: Order, *, engine: Engine, library: Library, slates: Slates | None = None) -> Digest:
    """Choose the papers of a digest.

    Args:
        order: what it is to be made of.
        engine: finds what interests want.
        library: the papers.
        slates: what other digests of the same moment have looked up already; this one adds to it. Several that are made
            at the same time, in tasks of their own, are chosen together.

    Raises:
        QueryError: `like:` of the interests names a paper that the library does not hold.
        LibraryError: the library cannot be read.
    """
    if slates is None:
        return await library.read(lambda connection: choose(connection, order, engine, Slates()))
    return await slates.together(library).read(lambda connection: choose(connection, order, engine, slates))


def choose(connection: sqlite3.Connection, order: Order, engine: Engine, slates: Slates) -> Digest:
    """Choose the papers of a digest out of one state of the library; see `compose`."""
    slate = slates.get(connection, order.window, lambda: engine.pool(connection, order.window))
    near = slate.near(connection, order.query)
    fit = fit_interest(connection, order.query, near, slate.pool, slate.ask(order.query, engine.ask))
    wanted = np.flatnonzero(fit.wanted)
    fresh = wanted
    if order.leave_out:
        kept = [place for place in wanted.tolist() if slate.pool.ids[place] not in order.leave_out]
        fresh = np.array(kept, np.int64)
    choice = _score(connection, order, slate, fit, fresh)
    ordered = _ordered(connection, order, slate, choice)
    papers = slate.papers(connection, [place for place, _ in ordered])
    also = _suiting_others(connection, order, engine, slate)
    taste = choice.taste_at([place for place, _ in ordered])
    liked = _liked(connection, order, slate, [place for place, _ in ordered if taste[place] > PLEASING])

    def chosen(place: int, score: float) -> Chosen:
        parts = (float(fit.relevance[place]), float(slate.trend[place]), taste[place])
        return Chosen(
            Ranked(papers[place], score, *parts),
            fit.told(place),
            tuple(number for number, suits in also if suits[place]),
            near=bool(fit.near[place]),
            liked=liked.get(place, 0),
            own_taste=order.taste.own,
        )

    return Digest(
        chosen=tuple(chosen(place, score) for place, score in ordered),
        considered=len(slate.pool),
        matched=len(wanted),
        seen=len(wanted) - len(fresh),
        upto=slate.pool.upto,
        query=order.query,
    )


def _score(connection: sqlite3.Connection, order: Order, slate: Slate, fit: Fit, places: NDArray[np.int64]) -> _Choice:
    taste = np.full(len(places), 0.5, np.float32)
    taught = order.taste.taught
    if taught and len(places):
        likeness = slate.likeness(connection)
        likeness.learn(connection, [*order.taste.liked, *order.taste.disliked])
        taste = standing(taste_scores(order.taste, likeness, places), _unmarked(order, slate, places))
    scores = mix(fit.relevance[places], slate.trend[places], taste, taught=taught, by_words=fit.tells)
    return _Choice(places, scores, taste)


def _unmarked(order: Order, slate: Slate, places: NDArray[np.int64]) -> Mask | None:
    """Return which papers were not marked: what was is most like itself, and would make all others look the same."""
    marked = slate.pool.places_of([*order.taste.liked, *order.taste.disliked])
    return ~np.isin(places, marked) if marked else None


def _ordered(connection: sqlite3.Connection, order: Order, slate: Slate, choice: _Choice) -> list[tuple[int, float]]:
    """Return the places of the chosen papers and their scores, best first; those to keep stand before all others."""
    rank, count = _ranks_of_kept(order, slate, choice.places)
    looked_at = max(LOOKED_AT, count)
    by_score = _best(choice, rank, slate.age_order, max(order.top, looked_at))
    first, rest = by_score[:looked_at], by_score[looked_at:]
    scores = choice.scores[first]
    if order.varied:
        alike = slate.alike(connection, choice.places[first], taught=order.taste.taught > 0)
        varied = vary(scores, alike, count, order.top)
    else:
        varied = list(enumerate(scores.tolist()))
    wanted = max(order.top, count)
    ordered = [(int(first[at]), score) for at, score in varied[:wanted]]
    ordered += [(int(at), float(choice.scores[at])) for at in rest[: wanted - len(ordered)]]
    return [(int(choice.places[at]), round(score, 6)) for at, score in ordered]


def _best(choice: _Choice, rank: NDArray[np.float64], age_order: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return which candidates come first, best first: by rank, score and age."""
    scores = -choice.scores.round(6).astype(np.float64)
    key = scores + rank * RANKS_APART
    near = np.flatnonzero(key <= np.partition(key, most)[most]) if len(key) > most else np.arange(len(key))
    best: NDArray[np.int64] = near[np.lexsort((age_order[choice.places[near]], scores[near], rank[near]))[:most]]
    return best


def _ranks_of_kept(order: Order, slate: Slate, places: NDArray[np.int64]) -> tuple[NDArray[np.float64], int]:
    """Return each paper's rank among those to keep (behind them all where it is none), and how many are there."""
    if not order.keep:
        return np.zeros(len(places)), 0
    kept = {identifier: number for number, identifier in enumerate(order.keep)}
    ranks = np.array([kept.get(slate.pool.ids[place], len(kept)) for place in places.tolist()], np.float64)
    return ranks, int((ranks < len(kept)).sum())


def _liked(connection: sqlite3.Connection, order: Order, slate: Slate, places: Sequence[int]) -> dict[int, int]:
    """Return to how many liked papers those at some places are like, by place."""
    if not places or not order.taste.taught:
        return {}
    return dict(zip(places, liked_like(order.taste, slate.likeness(connection), places), strict=True))


def _suiting_others(
    connection: sqlite3.Connection, order: Order, engine: Engine, slate: Slate
) -> list[tuple[int, Mask]]:
    found: list[tuple[int, Mask]] = []
    for number, query in order.others:
        with suppress(QueryError):  # `like:` of a paper that is not held; its own digest tells
            near = slate.near(connection, query)
            found.append(
                (number, fit_interest(connection, query, near, slate.pool, engine.ask(query, slate.pool.known)).wanted)
            )
    return found
