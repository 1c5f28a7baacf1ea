"""An estimate, as every statistic gives it: a value, an interval, and of how many numbers it is."""

from __future__ import annotations

from dataclasses import dataclass

ERROR = 0.05
"""How often an interval should miss, if nothing else is said."""


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it; infinite ends where there are too few numbers to have one."""

    value: float
    low: float
    high: float
    n: int
    """Of how many numbers, or pairs of numbers."""


def turned(estimate: Estimate, sign: int) -> Estimate:
    """The estimate of `sign` times what was estimated: statistics take larger scores to be better, and are
    turned back for objectives of which smaller ones are (`sign` −1)."""
    if sign > 0:
        return estimate
    return Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n)
