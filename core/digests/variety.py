"""A digest of different papers: maximal marginal relevance (https://doi.org/10.1145/290941.291025).

    the next paper = the one with the highest    score - PENALTY · its likeness to the most alike one chosen before

with likeness from 0 to 1 (`likeness.py`); what is the same as a chosen one but for a few words comes behind all others.
The score that is kept of a paper is what is left of it then, so that the order of a digest is the order of its scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from core.search.matrix import Vectors

PENALTY = 0.06
SAME = 0.9
SAME_PENALTY = 1.0
LOOKED_AT = 40
"""Among so many with the highest scores variety is looked for."""
VARIED = 20
"""So many are picked so; behind them the score alone decides."""


def vary(scores: Vectors, alike: Vectors, chosen: int = 0, top: int = VARIED) -> list[tuple[int, float]]:
    """Return places and what is left of their scores, in the order of choice: as many as are asked for, or all.

    Args:
        scores: of the papers that are looked at, highest first, those chosen already in front of all.
        alike: how alike they are, (n, n).
        chosen: how many are chosen already and stay as they are.
        top: how many are asked for, those included.
    """
    penalty = _penalty(alike)
    kept = [(place, float(scores[place])) for place in range(chosen)]
    penalties: NDArray[np.float64] = penalty[:chosen].max(axis=0, initial=0.0)
    left = scores.astype(np.float64)
    left[:chosen] = -np.inf
    for _ in range(min(VARIED, top - chosen, len(left) - chosen)):
        value = left - penalties
        best = int(value.argmax())
        kept.append((best, float(value[best])))
        left[best] = -np.inf
        penalties = np.maximum(penalties, penalty[best])
    rest = (left - penalties).tolist()
    behind = sorted(np.flatnonzero(left > -np.inf).tolist(), key=lambda place: -rest[place]) if len(kept) < top else []
    return kept + [(place, rest[place]) for place in behind]


def _penalty(alike: Vectors) -> NDArray[np.float64]:
    found: NDArray[np.float64] = PENALTY * np.minimum(np.maximum(alike, 0.0), 1.0).astype(np.float64)
    found[alike >= SAME] = SAME_PENALTY
    return found
