"""Wilcoxon's signed-rank test of pairs, exact for any ties and zeros."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata


def fewest_pairs(level: float) -> int:
    """With fewer pairs the test can't come down to a level."""
    return math.ceil(1 - math.log2(level))


def signed_rank_p(differences: np.ndarray) -> float:
    """Two-sided: how likely pairs come out as unlike as these, or more so, if neither side is better.
    `differences`: shape (pairs,), infinite ones are the largest. NaN without pairs.

    Of all ways of turning pairs round, those whose ranks (Wilcoxon 1945) add up to a sum as far from the
    middle, or farther. Pairs that are equal take part in ranking and are then left out (Pratt 1959).
    """
    if not len(differences):
        return math.nan
    ranks = (2 * rankdata(np.abs(differences))).astype(int)  # ties halve ranks
    moved = differences != 0
    ranks, positive = ranks[moved], differences[moved] > 0
    ways = np.ones(1)  # sum -> share of all ways
    for rank in ranks:
        longer = np.zeros(len(ways) + rank)
        longer[: len(ways)] = ways / 2
        longer[rank:] += ways / 2
        ways = longer
    total, seen = ranks.sum(), ranks[positive].sum()
    far = np.abs(2 * np.arange(total + 1) - total) >= abs(2 * seen - total)
    return float(min(1.0, ways[far].sum()))
