"""A page of hits: which candidates stand on it, in what order, and what is said about each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from core.papers.paper import Paper
from core.papers.rows import read_numbered
from core.papers.schema import gathered
from core.search.hybrid import Ranked, asked_likes, asked_text
from core.search.interests import NEAR_IN_MEANING
from core.search.lexical import Near, compile_query
from core.search.query import Query
from core.search.ranking import alike_titles, papers_called, rank_by_words
from core.search.reasons import MAX_REASON, TITLE_MATCHES, reasons

POOL = 50
SPARE = 3
"""Ranked by both, so many are looked at beyond the page: for the withdrawn, and for titles like the query."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A paper that was found.

    Attributes:
        score: 0..1, the best of a search has 1; all have 0 where there is nothing to rank by.
        why: the reason, at most 80 characters.
    """

    paper: Paper
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits.

    Attributes:
        total: how many there are in all; of a search by meaning, how many were ranked.
        notes: sentences about how it was searched, where that was not as usual.
    """

    hits: tuple[Hit, ...]
    total: int
    notes: tuple[str, ...] = ()


def page_by_words(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], limit: int, offset: int
) -> Found:
    """Return the hits `offset` to `offset + limit` of a search by words alone."""
    compiled = compile_query(query.tree, near)
    ranking = rank_by_words(connection, compiled, max(offset + limit, POOL) + POOL)
    text = asked_text(query)
    pool = standing(connection, list(ranking.scores)[:POOL])
    titled = list(dict.fromkeys([*papers_called(connection, compiled, text), *alike_titles(text, pool)]))
    scores = _titled_first(titled, ranking.scores)
    if query.named:  # an id is no word to rank by, and what it names could not be meant more
        scores = {number: score or 1.0 for number, score in scores.items()}
    page = dict(islice(scores.items(), offset, offset + limit))
    papers = read_numbered(connection, list(page))
    why = reasons(connection, query.tree, near, papers) | dict.fromkeys(titled, TITLE_MATCHES)
    return Found(_hits(page, papers, why), max(ranking.total, len(titled)))


def page_of_both(
    connection: sqlite3.Connection,
    query: Query,
    near: Mapping[str, Near],
    ranked: Ranked,
    called: Sequence[int],
    wanted: slice,
) -> Found:
    """Return the wanted hits of a search by word and by meaning.

    Args:
        connection: a state of the library.
        query: what was asked.
        near: what is near to the papers of its `like:`.
        ranked: what was found.
        called: the papers that are called as the query says; they come first.
        wanted: which hits, counted from 0.
    """
    first = list(islice(ranked.scores, wanted.stop + SPARE))
    there = standing(connection, first)
    if len(there) < wanted.stop and len(first) < len(ranked.scores):  # a page stays whole also where many are withdrawn
        first = list(ranked.scores)
        there = standing(connection, first)
    titled = list(dict.fromkeys([*called, *alike_titles(asked_text(query), dict(islice(there.items(), POOL)))]))
    scores = _titled_first(titled, {number: ranked.scores[number] for number in there})
    page = dict(islice(scores.items(), wanted.start, wanted.stop))
    papers = read_numbered(connection, list(page))
    liked = {**near} | {paper: Near("", dict.fromkeys(ranked.near, 1.0)) for paper in asked_likes(query)}
    told = reasons(connection, query.tree, liked, papers)
    why = {number: _meant(words, near=number in ranked.near or not words) for number, words in told.items()}
    gone = len(first) - len(there)
    hits = _hits(page, papers, why | dict.fromkeys(titled, TITLE_MATCHES))
    return Found(hits, max(len(ranked.scores) - gone, len(titled)))


def page_of_near(connection: sqlite3.Connection, paper_id: str, near: Near, limit: int) -> Found:
    """Return the first papers of those that are near to one."""
    page = dict(islice(near.scores.items(), limit))
    why = dict.fromkeys(page, f"like {paper_id}")
    return Found(_hits(page, read_numbered(connection, list(page)), why), len(near.scores))


def _hits(page: Mapping[int, float], papers: Mapping[int, Paper], why: Mapping[int, str]) -> tuple[Hit, ...]:
    return tuple(Hit(papers[number], round(score, 4), why[number]) for number, score in page.items())


def _titled_first(titled: Sequence[int], scores: Mapping[int, float]) -> dict[int, float]:
    first = dict.fromkeys(titled, 1.0)
    return first | {number: score for number, score in scores.items() if number not in first}


def _meant(words: str, *, near: bool) -> str:
    """Add to a reason that the paper is near in meaning."""
    if not near or words.startswith("like "):
        return words
    room = MAX_REASON - len(NEAR_IN_MEANING) - 2
    told = words if len(words) <= room else f"{words[: room - 1]}…"
    return f"{told}; {NEAR_IN_MEANING}" if told else NEAR_IN_MEANING


def standing(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return the titles of those of some papers that are not withdrawn, in the same order."""
    these = "number IN (SELECT value FROM json_each(?))"
    query = f"SELECT json_group_array(json_array(number, title)) FROM papers WHERE NOT withdrawn AND {these}"  # noqa: S608 - constants
    titles = dict(gathered(connection, query, (json.dumps(list(numbers)),)))
    return {number: titles[number] for number in numbers if number in titles}
