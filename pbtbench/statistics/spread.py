"""Some numbers in three: their median and extremes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median, least and largest of some numbers; NaN where there are none."""

    median: float
    low: float
    high: float
    n: int


def spread(values: Iterable[float]) -> Spread:
    """Median and extremes of the values that are numbers."""
    known = [v for v in values if not math.isnan(v)]
    if not known:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(float(np.median(known)), min(known), max(known), len(known))


def worst_first(sign: int, scores: Sequence[float]) -> Spread:
    """Of scores, of which NaN is worst: median and extremes that fall on it are NaN. `sign`: +1 where larger
    is better, −1 where smaller is."""
    worth = [-math.inf if math.isnan(s) else sign * s for s in scores]
    if not worth:
        return spread([])

    def back(value: float) -> float:
        return math.nan if value == -math.inf else sign * value

    worst, best = back(min(worth)), back(max(worth))
    low, high = (worst, best) if sign > 0 else (best, worst)
    return Spread(back(float(np.median(worth))), low, high, len(worth))


def ratio(one: float, other: float) -> float:
    """One over the other; NaN over nothing."""
    return one / other if other else math.nan


def median_of_known(values: Iterable[float | None]) -> float | None:
    """The median of those that there are, NaN counting as infinite; None of none."""
    known = [math.inf if math.isnan(v) else v for v in values if v is not None]
    return float(np.median(known)) if known else None
