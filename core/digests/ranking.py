"""The order of a digest: one documented score from 0 to 1.

    score = 0.65 * relevance + 0.35 * trend      for interests with words
    score = trend                                for interests without

`relevance` is how much of the interests' words, by their rarity, a paper holds (`Engine.match`). `trend` compares a
paper's votes with those of the most voted candidate beside it, on a log scale because votes are spread like incomes:

    votes = upvotes + 2 * comments
    trend = log(1 + votes) / log(1 + the highest votes among the candidates)

A paper that nobody could vote on yet (arXiv lists have no votes) is not a paper without interest: its trend is that of
the median voted candidate, halved. Equal scores: the newer paper first, then by id, so that chance never decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log1p
from statistics import median

from core.papers.paper import Paper

RELEVANCE_WEIGHT = 0.65
COMMENT_WEIGHT = 2.0
UNVOTED_SHARE = 0.5
EPOCH = datetime(1991, 8, 14, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score and the parts of it, each from 0 to 1."""

    paper: Paper
    score: float
    relevance: float
    trend: float


def votes(paper: Paper) -> float | None:
    """Return a paper's votes, or None where nobody could vote."""
    upvotes = paper.latest("upvotes")
    return None if upvotes is None else upvotes + COMMENT_WEIGHT * (paper.latest("comments") or 0)


def trends(papers: Collection[Paper]) -> Mapping[str, float]:
    """Return the trend of each paper by id, compared among these papers."""
    known = {paper.id: log1p(max(count, 0)) for paper in papers if (count := votes(paper)) is not None}
    highest = max(known.values(), default=0) or 1.0
    unvoted = UNVOTED_SHARE * median(known.values()) / highest if known else 0.0
    return {paper.id: known[paper.id] / highest if paper.id in known else unvoted for paper in papers}


def rank(papers: Collection[Paper], relevance: Mapping[str, float], *, by_words: bool) -> list[Ranked]:
    """Order papers, best first.

    Args:
        papers: the candidates.
        relevance: each paper's relevance by id, 0 to 1.
        by_words: whether the interests have words; without, trend alone decides.
    """
    trend = trends(papers)
    weight = RELEVANCE_WEIGHT if by_words else 0.0

    def ranked(paper: Paper) -> Ranked:
        fit = relevance.get(paper.id, 0.0)
        return Ranked(paper, weight * fit + (1 - weight) * trend[paper.id], fit, trend[paper.id])

    return sorted(
        (ranked(paper) for paper in papers),
        key=lambda item: (-item.score, EPOCH - (item.paper.published or EPOCH), item.paper.id),
    )
