"""One order of two: how well the words fit (BM25) and how near the meaning is (cosine of embeddings).

Both are brought to the scale 0..1 and added up, weighted by how telling the query's words are. A whole claim names rare
things, and a paper that holds them all is likely the one that is meant. A topic of two common words is held by a
hundred papers, among which BM25 has nothing to choose by but length and repetition; there meaning decides.
The mean inverse document frequency of a query's words as a measure of its specificity: He and Ounis, "Inferring query
performance using pre-retrieval predictors", https://doi.org/10.1007/978-3-540-30213-1_5. Adding up scores that were
brought to one scale: Bruch, Gai and Ingber, "An analysis of fusion functions for hybrid retrieval",
https://arxiv.org/abs/2210.11934.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nlargest

MOST_WORDS_SHARE = 0.5
TELLING = 3.0
COMMON = 1.5
DEPTH = 200


def fuse(
    words: Sequence[str], idf: Sequence[float], lexical: Mapping[int, float], semantic: Mapping[int, float]
) -> dict[int, float]:
    """Return the candidates of both lists with scores 0..1, best first.

    Args:
        words: the query's words that count, a repeated one repeatedly.
        idf: the inverse document frequency of each, ln(1 + (N - n + 0.5) / (n + 0.5)).
        lexical: BM25 score of each lexical candidate, > 0, higher is better.
        semantic: cosine similarity of every candidate of either list. One without (not embedded yet) stands where the
            farthest of the others does; when there are none at all, words alone decide.
    """
    if not semantic:
        return _ordered(_share_of_best(lexical))
    share = words_share(idf if words else ()) if lexical else 0.0
    by_words, by_meaning = _share_of_best(lexical), _between_extremes(semantic)
    return _ordered(
        {
            number: share * by_words.get(number, 0.0) + (1 - share) * by_meaning.get(number, 0.0)
            for number in semantic.keys() | lexical.keys()
        }
    )


def words_share(idf: Sequence[float]) -> float:
    """Return the weight of BM25 beside meaning, 0..0.5: nothing for common words, the half for telling ones."""
    mean = sum(idf) / len(idf) if idf else 0.0
    return MOST_WORDS_SHARE * min(1.0, max(0.0, (mean - COMMON) / (TELLING - COMMON)))


def _share_of_best(scores: Mapping[int, float]) -> dict[int, float]:
    best = max(scores.values(), default=0.0)
    return {number: score / best if best > 0 else 0.0 for number, score in scores.items()}


def _between_extremes(scores: Mapping[int, float]) -> dict[int, float]:
    """Scale to 0..1 from the last of the nearest 200 to the nearest; what is farther goes below 0 and is cut."""
    nearest = nlargest(DEPTH, scores.values())
    low, high = nearest[-1], nearest[0]
    span = high - low
    return {number: max(0.0, (score - low) / span) if span > 0 else 1.0 for number, score in scores.items()}


def _ordered(scores: Mapping[int, float]) -> dict[int, float]:
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
