"""How good a ranking is, and how sure a difference of two is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

RESAMPLES = 5_000
SEED = 20_261


def ndcg(ranked: Sequence[str], judged: Mapping[str, int], depth: int) -> float:
    """Return the normalized discounted cumulative gain of the first `depth`, 0..1.

    The gain is the judgement itself and the discount log2(rank + 1), as trec_eval and BEIR have it:
    https://doi.org/10.1145/582415.582418, https://github.com/usnistgov/trec_eval.
    """
    best = _discounted(sorted(judged.values(), reverse=True)[:depth])
    return _discounted([judged.get(paper, 0) for paper in ranked[:depth]]) / best if best else 0.0


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def recall(ranked: Sequence[str], judged: Mapping[str, int], depth: int) -> float:
    """Return the share of the relevant ones (judged above 0) among the first `depth`, 0..1."""
    relevant = {paper for paper, judgement in judged.items() if judgement > 0}
    return count_found(ranked, relevant, depth) / len(relevant) if relevant else 0.0


def count_found(ranked: Sequence[str], wanted: Collection[str], depth: int) -> int:
    """Return how many of the wanted ones are among the first `depth`."""
    return len(set(ranked[:depth]) & set(wanted))


def paired_interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean difference over the same queries and the ends of its 95 % bootstrap interval.

    Queries are drawn anew with replacement 5,000 times from a fixed seed (percentile method: Efron and Tibshirani, "An
    Introduction to the Bootstrap", chapter 13).
    """
    differences = np.subtract(ours, theirs)
    drawn = np.random.default_rng(SEED).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)
