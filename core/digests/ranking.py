"""The order of a digest: one documented score from 0 to 1 (docs/ranking.md).

    wish  = 0.65 · relevance + 0.35 · trend      for interests with words, phrases or `like:`
    wish  = trend                                for interests without, as those of categories or authors alone

    score = (1 - t) · wish + t · taste           t = MOST · n / (n + 5), after n marked papers

`relevance` is how near a paper is to the interests, by meaning and by word (`core/search/interests.py`); `trend` how
much others look at it, compared with its peers (`trend.py`); `taste` how much it is like what was liked here
(`taste.py`), by its place among what the interests want: 1 / (1 + exp(-z)), z its distance from their mean in standard
deviations. With words taste weighs less, since they already say what is wanted; and it never brings back what the
interests shut out.

Equal scores: the newer paper first, then by id, so that chance never decides. Variety comes last (`variety.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.papers.paper import Paper

if TYPE_CHECKING:
    from core.search.matrix import Vectors
    from core.search.pool import Mask

RELEVANCE_WEIGHT = 0.65
HALF_TAUGHT = 5
MOST_WITH_WORDS = 0.6
MOST_WITHOUT = 0.9


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score, what variety took off, and the parts of it, each from 0 to 1.

    Attributes:
        taste: 0.5 where nothing was taught.
    """

    paper: Paper
    score: float
    relevance: float
    trend: float
    taste: float = 0.5


def taste_weight(taught: int, *, by_words: bool) -> float:
    """Return the weight of taste after so many marked papers."""
    most = MOST_WITH_WORDS if by_words else MOST_WITHOUT
    return most * taught / (taught + HALF_TAUGHT)


def standing(scores: Vectors, compared: Mask | None = None) -> Vectors:
    """Return scores of any scale as places, 0..1, among those that are compared; all are when it is left out."""
    others = scores if compared is None else scores[compared]
    mean = float(others.sum()) / max(len(others), 1)
    rest = others - mean
    spread = math.sqrt(float(rest @ rest) / max(len(others), 1))
    if spread < 1e-9:
        return np.full(len(scores), 0.5, np.float32)
    distance = (scores - mean) / spread
    found: Vectors = 1 / (1 + np.exp(-np.minimum(np.maximum(distance, -50), 50)))
    return found


def mix(relevance: Vectors, trend: Vectors, taste: Vectors, *, taught: int, by_words: bool) -> Vectors:
    """Return the scores of some papers, given the parts of each, arrays of one length."""
    wish = RELEVANCE_WEIGHT * relevance + (1 - RELEVANCE_WEIGHT) * trend if by_words else trend
    weight = taste_weight(taught, by_words=by_words)
    mixed: Vectors = (1 - weight) * wish + weight * taste
    return mixed
