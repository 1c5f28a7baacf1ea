"""A statistic of samples whose true value is known, and what intervals of it have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pbtbench.statistics.estimate import Estimate

NOMINAL = 0.95
TAIL = (1 - NOMINAL) / 2
Z = float(stats.norm.isf(TAIL))
REPLICATES = 500
PRINTED = "printed"

Interval = tuple[float, float]
Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A statistic of samples of one distribution, whose true value is known."""

    statistic: str
    distribution: str
    truth: float
    sample: Callable[[np.random.Generator, int], Any]
    """A sample of so many runs; of a `listed` case, all samples that there are, each with its probability."""
    intervals: Callable[[Any, np.random.Generator], Mapping[str, Interval]]
    sizes: tuple[int, ...] = (3, 5, 10, 20)
    samples: int = 250
    listed: bool = False


def ends(estimate: Estimate) -> Interval:
    return estimate.low, estimate.high


def of_replicates(value: float, drawn: np.ndarray, n: float, freedom: float) -> dict[str, Interval]:
    """Intervals that any bootstrap has."""
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    beyond = stats.norm.sf(math.sqrt(n / (n - 1)) * stats.t.isf(TAIL, freedom))
    return {
        "percentile": (low, high),
        "basic": (2 * value - high, 2 * value - low),
        "expanded percentile": tuple(np.quantile(drawn, [beyond, 1 - beyond])),
    }
