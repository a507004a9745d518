"""A digest: the few papers chosen for one subscription out of a window of candidates, or nothing, with the counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from core.digests.ranking import Ranked, rank
from core.errors import QueryError
from core.papers.library import Library
from core.papers.windows import Window
from core.search.engine import Engine, Matches
from core.search.query import Query


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
    """

    query: Query
    window: Window
    top: int
    leave_out: Collection[str] = frozenset()
    keep: tuple[str, ...] = ()
    others: tuple[tuple[int, Query], ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """One paper of a digest, and why.

    Attributes:
        ranked: the paper with its score.
        words: the words of the interests that it holds.
        also: numbers of other subscriptions of the place that it suits.
    """

    ranked: Ranked
    words: tuple[str, ...] = ()
    also: tuple[int, ...] = ()


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


async def compose(order: Order, *, engine: Engine, library: Library) -> Digest:
    """Choose the papers of a digest."""
    matches = await engine.match(order.query, order.window)
    fresh = {match.paper_id: match for match in matches.matches if match.paper_id not in order.leave_out}
    papers = await library.papers(list(fresh))
    ranked = rank(
        list(papers.values()),
        {identifier: match.relevance for identifier, match in fresh.items()},
        by_words=bool(order.query.words),
    )
    ranked = _with_kept_first(ranked, order)
    also = await _suiting_others(order, engine)
    chosen = tuple(
        Chosen(
            item,
            fresh[item.paper.id].words,
            tuple(number for number, suits in also if item.paper.id in suits),
        )
        for item in ranked
    )
    return Digest(
        chosen=chosen,
        considered=matches.considered,
        matched=len(matches.matches),
        seen=len(matches.matches) - len(fresh),
        upto=matches.upto,
        query=order.query,
    )


def _with_kept_first(ranked: Sequence[Ranked], order: Order) -> list[Ranked]:
    place = {identifier: number for number, identifier in enumerate(order.keep)}
    kept = sorted((item for item in ranked if item.paper.id in place), key=lambda item: place[item.paper.id])
    others = [item for item in ranked if item.paper.id not in place]
    return [*kept, *others[: max(order.top - len(kept), 0)]]


async def _suiting_others(order: Order, engine: Engine) -> list[tuple[int, frozenset[str]]]:
    found: list[tuple[int, frozenset[str]]] = []
    for number, query in order.others:
        with suppress(QueryError):  # `like:` of a paper that is not held; its own digest tells
            matches: Matches = await engine.match(query, order.window)
            found.append((number, frozenset(match.paper_id for match in matches.matches)))
    return found
