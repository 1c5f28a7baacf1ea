"""By what factor times differ that were measured in rounds, and how sure that is."""

from __future__ import annotations

import math

import numpy as np

from pbtbench.statistics.estimate import Estimate

TRIMMED = 0.1
"""The share of pairs that is left out at either end, rounded down: of ten the most and the least."""


def paired_ratio(base: np.ndarray, new: np.ndarray, error: float) -> Estimate:
    """The geometric mean of pairs' ratios without the largest and smallest (`TRIMMED`), and the two-sided
    interval that misses the true one with probability `error`. Of pairs, shape (pairs,), all above 0.

    Of the logarithms the trimmed mean, with Student's t of what is left and the winsorized variance (Tukey and
    McLaughlin 1963): a machine stalls now and then, and a single pair should not decide.
    """
    from scipy.stats import t

    logs = np.sort(np.log(new / base))
    n = len(logs)
    if not n:
        return Estimate(math.nan, 0.0, math.inf, 0)
    cut = int(TRIMMED * n)
    kept = logs[cut : n - cut]
    middle = float(kept.mean())
    if n < 2:
        return Estimate(math.exp(middle), 0.0, math.inf, n)
    winsorized = np.clip(logs, kept[0], kept[-1])
    scatter = winsorized.std(ddof=1) * math.sqrt(n) / len(kept)
    half = float(t.isf(error / 2, len(kept) - 1) * scatter)
    return Estimate(math.exp(middle), _exp(middle - half), _exp(middle + half), n)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
