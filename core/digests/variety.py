"""A digest of different papers: maximal marginal relevance (https://doi.org/10.1145/290941.291025).

    the next paper = the one with the highest    score - PENALTY · its likeness to the most alike one chosen before

with likeness from 0 to 1 (`likeness.py`); what is the same as a chosen one but for a few words comes behind all others.
The score that is kept of a paper is what is left of it then, so that the order of a digest is the order of its scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
    """Return places and what is left of their scores, in the order of choice.

    Args:
        scores: of the papers that are looked at, highest first, those chosen already in front of all.
        alike: how alike they are, (n, n).
        chosen: how many are chosen already and stay as they are.
        top: no more than so many are looked at closely; behind them the order does not matter.
    """
    left = scores.astype(np.float64).copy()
    penalty = _penalty(alike)
    penalties = np.zeros(len(left))
    order = list(range(chosen))
    kept = [(place, float(scores[place])) for place in order]
    waiting = np.ones(len(left), np.bool_)
    waiting[:chosen] = False
    for place in order:
        penalties = np.maximum(penalties, penalty[place])
    for _ in range(min(VARIED, top, len(left) - chosen)):
        value = np.where(waiting, left - penalties, -np.inf)
        best = int(value.argmax())
        kept.append((best, float(value[best])))
        waiting[best] = False
        penalties = np.maximum(penalties, penalty[best])
    rest = sorted(np.flatnonzero(waiting).tolist(), key=lambda place: (penalties[place] - left[place], place))
    return kept + [(place, float(left[place] - penalties[place])) for place in rest]


def _penalty(alike: Vectors) -> Vectors:
    found: Vectors = np.where(alike >= SAME, SAME_PENALTY, PENALTY * np.clip(alike, 0, 1))
    return found
