"""One order of two: how well the words fit (BM25) and how near the meaning is (cosine of embeddings).

Both say how much likelier a paper is the one that is meant, on a scale of their own: BM25 adds up the inverse document
frequencies of the words that a paper holds (https://doi.org/10.1561/1500000019), and encoders are trained so that the
cosine, divided by a constant, is the logarithm of a likelihood (https://arxiv.org/abs/1807.03748). So they are added
up as they are, and neither is stretched to its best or worst hit, as is often done: then a topic of two common words,
which a hundred papers hold, weighs as little as it tells, and a rare name or a whole claim weighs much. Only for a long
text, whose words would drown its meaning, BM25 is held down by the sum of all its words' frequencies.

The two weights were chosen on claims (SciFact, train queries) and hold over a wide range; docs/search-quality.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy is loaded with the model, by those that have one
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

NEARNESS = 2.5
"""What a cosine of 1 weighs, where a paper that holds all words of a long text reaches about 1."""
LONG = 40.0
"""A text is long when its words' inverse document frequencies add up to more than this: about ten telling words."""
FED_BACK = 3
"""So many of the first hits are taken for good ones."""
PULL = 0.3
"""How much these draw the query towards them."""


def fuse(idf: Sequence[float], lexical: Mapping[int, float], semantic: Mapping[int, float]) -> dict[int, float]:
    """Return the candidates of both lists with scores 0..1, best first; the best one has 1.

    Args:
        idf: inverse document frequency of each word of the query that counts, a repeated one's repeatedly (as BM25
            counts it), ln(1 + (N - n + 0.5) / (n + 0.5)) of N papers of which n hold it.
        lexical: BM25 of each lexical candidate, more is better. Whoever is missing is taken to hold no word, so give
            many: those that meaning finds gain by the words they hold too.
        semantic: cosine of each candidate of either list. One without (not embedded yet) is taken to be as far as the
            farthest; when there are none at all, words alone decide.
    """
    weight = 1 / (LONG + sum(idf))
    farthest = max(min(semantic.values(), default=0.0), 0.0)
    scores = {
        number: NEARNESS * max(semantic.get(number, farthest), 0.0) + weight * lexical.get(number, 0.0)
        for number in semantic.keys() | lexical.keys()
    }
    best = max(scores.values(), default=0.0) or 1.0
    return {number: scores[number] / best for number in sorted(scores, key=lambda number: (-scores[number], -number))}


def feed_back(query: Vectors, first: Vectors) -> Vectors:
    """Move a query towards the middle of its first hits, so that a few words get a context; fuse again with it.

    Rocchio's feedback, on vectors and without anyone's judgement: https://arxiv.org/abs/2108.11044. It is enough to
    compare the candidates at hand again; those that a second search would add come too far down to matter.

    Args:
        query: shape (dimensions,), of length 1.
        first: shape (n, dimensions), of length 1 each: the vectors of the first `FED_BACK` hits that have one.

    Returns:
        Shape (dimensions,), of length 1; the query itself when there is no hit.
    """
    if not len(first):
        return query
    moved: Vectors = query + PULL * first.mean(axis=0)
    length: float = float(moved @ moved) ** 0.5
    return moved / length if length else query
