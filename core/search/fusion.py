"""One order of two: how well the words fit (BM25) and how near the meaning is (cosine of embeddings).

Both say how much likelier a paper is the one that is meant, on a scale of their own: BM25 adds up the inverse document
frequencies of the words that a paper holds (https://doi.org/10.1561/1500000019), and encoders are trained so that the
cosine, divided by a constant, is the logarithm of a likelihood (https://arxiv.org/abs/1807.03748). So they are added
up as they are, and neither is stretched to its best or worst hit, as is often done: then a topic of two common words,
which a hundred papers hold, weighs as little as it tells, and a rare name or a whole claim weighs much. Only for a long
text, whose words would drown its meaning, BM25 is held down by the sum of all its words' frequencies. And where nothing
but rare words was typed it weighs more: of a term that it hardly knows, an encoder finds what is spelled alike.

The weights were chosen on whole claims and on queries of a few words, and hold over a wide range: what they were
measured by, and what else was tried, is in docs/search-quality.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import StatisticsError, linear_regression, pstdev
from types import MappingProxyType

NEARNESS = 2.5
"""What a cosine of 1 weighs, where a paper that holds all words of a long text reaches about 1."""
LONG = 40.0
"""A text is long when its words' inverse document frequencies add up to more than this: about ten telling words."""
SELDOM = 6.0
"""Inverse document frequency, of one paper in 400, from which on words weigh more if all of the query is as rare."""
FEW_READ = 5
"""From fewer candidates nothing is concluded about those whose meaning is not known yet."""
LIKENESS = 0.4
"""What it weighs to hold all the words that tell most of a paper, where papers like it are looked for."""
OPTIMISM = 0.75
"""In standard deviations: most of those not read yet are no nearer than expected, but the ones that are wanted are."""


def fuse(
    idf: Sequence[float],
    lexical: Mapping[int, float],
    semantic: Mapping[int, float],
    alike: Mapping[int, float] = MappingProxyType({}),
) -> dict[int, float]:
    """Return the candidates of both lists with scores 0..1, best first; the best one has 1.

    Args:
        idf: inverse document frequency of each word of the query that counts, a repeated one's repeatedly (as BM25
            counts it), ln(1 + (N - n + 0.5) / (n + 0.5)) of N papers of which n hold it.
        lexical: BM25 of each lexical candidate, more is better. Whoever is missing is taken to hold no word, so give
            many: those that meaning finds gain by the words they hold too.
        semantic: cosine of each candidate of either list. One without (not embedded yet) is taken to be as near as
            candidates of the same BM25 are; when there are none at all, words alone decide.
        alike: of candidates, where papers like another are looked for, the share 0..1 of its most telling words' BM25.
    """
    weight, held = _weigh(idf), lexical.get
    known = {**_expect(lexical, semantic), **semantic}
    scores = [
        ((NEARNESS * near if near > 0 else 0.0) + weight * held(number, 0.0), number) for number, near in known.items()
    ]
    if alike:
        scores = [(score + LIKENESS * alike.get(number, 0.0), number) for score, number in scores]
    scores.sort(reverse=True)
    best = (scores[0][0] if scores else 0.0) or 1.0
    return {number: score / best for score, number in scores}


def least_nearness(
    idf: Sequence[float], lexical: Mapping[int, float], semantic: Mapping[int, float], first: int, most: float
) -> float:
    """Return the cosine below which nobody whose words are not counted yet can come among the first.

    As Fagin, Lotem and Naor stop looking (https://doi.org/10.1016/S0022-0000(03)00026-6): whoever is known bounds the
    last place from below, and the list of words says how much at most the others can gain by them.

    Args:
        idf: as in `fuse`.
        lexical: BM25 of those that are counted.
        semantic: cosine of each candidate.
        first: how many places there are.
        most: BM25 that nobody else exceeds.
    """
    if len(semantic) < first:
        return -1.0
    weight, held = _weigh(idf), lexical.get
    known = sorted([NEARNESS * near + weight * held(number, 0.0) for number, near in semantic.items()], reverse=True)
    least = (known[first - 1] - weight * most) / NEARNESS
    return least if least > 0 else -1.0  # to `fuse`, whoever is behind 0 is as near as 0


def _expect(lexical: Mapping[int, float], semantic: Mapping[int, float]) -> dict[int, float]:
    """Return how near those are likely to be whose cosine is not known: a little above a straight line over BM25."""
    unread = lexical.keys() - semantic.keys()
    if not unread or not semantic:
        return dict.fromkeys(unread, 0.0)
    nearest = max(0.0, *semantic.values())
    held, near = [], []
    for number in lexical.keys() & semantic.keys():
        held.append(lexical[number])
        near.append(semantic[number])
    if len(held) < FEW_READ:
        return dict.fromkeys(unread, nearest)
    slope, start = _fit_line(held, near)
    above = start + OPTIMISM * pstdev(y - slope * x for x, y in zip(held, near, strict=True))
    return {number: min(max(above + slope * lexical[number], 0.0), nearest) for number in unread}


def _fit_line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Return slope and start of the line nearest to some points; it never falls: words do not make a paper far."""
    try:
        slope = max(linear_regression(xs, ys).slope, 0.0)
    except StatisticsError:  # all hold as much
        slope = 0.0
    return slope, (sum(ys) - slope * sum(xs)) / len(xs)


def _weigh(idf: Sequence[float]) -> float:
    mean = sum(idf) / len(idf) if idf else 0.0
    return max(1.0, mean / SELDOM) ** 3 / (LONG + sum(idf))
