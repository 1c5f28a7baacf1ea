"""By what factor times differ that were measured in rounds, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ratio:
    """An estimate of new over base, and its interval; infinite where rounds are too few to have one."""

    value: float
    low: float
    high: float
    n: int
    """Rounds, or pairs of rounds."""


def paired_ratio(base: np.ndarray, new: np.ndarray, error: float) -> Ratio:
    """The geometric mean of pairs' ratios, and the two-sided interval that misses the true one with
    probability `error` (Student's t of the logarithms). Of pairs, shape (pairs,), all above 0."""
    from scipy.stats import t

    logs = np.log(new / base)
    n = len(logs)
    if not n:
        return Ratio(math.nan, 0.0, math.inf, 0)
    middle = float(logs.mean())
    if n < 2:
        return Ratio(math.exp(middle), 0.0, math.inf, n)
    half = float(t.isf(error / 2, n - 1) * logs.std(ddof=1) / math.sqrt(n))
    return Ratio(math.exp(middle), _exp(middle - half), _exp(middle + half), n)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
