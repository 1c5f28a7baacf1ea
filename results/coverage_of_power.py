"""Of normal differences of pairs, what so many can decide, and intervals of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from coverage_case import PRINTED, REPLICATES, TAIL, Case, Interval, Z, ends
from scipy import optimize, stats

from pbtbench.statistics.power import LEVEL, POWER, pairs_needed, smallest_difference

EFFECTS = (2.0, 3.0)
"""Means of differences whose deviation is 1."""
SIZES = (5, 10, 20)


def shown(pairs: int) -> float:
    """The mean, in deviations, that so many pairs show."""
    beyond = stats.t.isf(LEVEL / 2, pairs - 1)
    size = optimize.brentq(lambda by: stats.nct.sf(beyond, pairs - 1, by) - POWER, 0, 60)
    return size / math.sqrt(pairs)


EFFECT = np.array([shown(pairs) for pairs in range(2, 500)])
"""Of 2 pairs and more."""


def needed(effect: float) -> float:
    """How many pairs show it; infinite if it is more than all those."""
    found = np.searchsorted(-EFFECT, -abs(effect))
    return float(found + 2) if found < len(EFFECT) else math.inf


def deviations(values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations of samples drawn again, as far as they have one."""
    rows = values[rng.integers(0, len(values), (REPLICATES, len(values)))]
    spread = rows.std(axis=1, ddof=1)
    return rows.mean(axis=1)[spread > 0], spread[spread > 0]


def of_difference(values: np.ndarray, rng: np.random.Generator) -> dict[str, Interval]:
    n = len(values)
    value, by = EFFECT[n - 2] * values.std(ddof=1), Z / math.sqrt(2 * (n - 1))
    low, high = np.quantile(deviations(values, rng)[1], [TAIL, 1 - TAIL])
    return {
        PRINTED: ends(smallest_difference(values)),
        "percentile": (EFFECT[n - 2] * low, EFFECT[n - 2] * high),
        "normal": (value * (1 - by), value * (1 + by)),
    }


def of_pairs(values: np.ndarray, rng: np.random.Generator) -> dict[str, Interval]:
    n = len(values)
    effect = values.mean() / values.std(ddof=1)
    by = Z * math.sqrt(1 / n + effect**2 / (2 * n))
    mean, spread = deviations(values, rng)
    low, high = np.quantile(mean / spread, [TAIL, 1 - TAIL])
    return {
        PRINTED: ends(pairs_needed(values)),
        "percentile": counts(low, high),
        "normal (Hedges)": counts(effect - by, effect + by),
    }


def counts(low: float, high: float) -> Interval:
    """Of pairs that effects between these ask for."""
    return needed(max(high, -low)), needed(max(low, 0) if high > 0 else high)


def power_cases() -> Iterator[Case]:
    for effect in EFFECTS:
        sample = partial(differences, effect)
        where = f"normal, mean of {effect} deviations"
        yield Case("pairs needed", where, needed(effect), sample, of_pairs, SIZES, 200)
    for n in SIZES:
        sample = partial(differences, 0.0)
        yield Case("smallest difference", "normal", EFFECT[n - 2], sample, of_difference, (n,))


def differences(effect: float, rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(effect, 1, n)
