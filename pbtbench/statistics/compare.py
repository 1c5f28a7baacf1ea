"""How methods compare by their scores (`Cell.score`): what ties, who is best, and how sure a difference is.

Scores tie that are less than one in the fourth significant digit apart: what reports show as equal is
never called better. A difference of medians is put down to every seed only where the seeds' ranges
don't overlap, and chance is ruled out only where `baselines.comparisons` would, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pbtbench.statistics.cells import Cell

DIGITS = 4
"""Significant digits by which scores are told apart."""

SURE = 20
"""In one of how many studies chance alone may say as much: 1 in 20 is the usual 5%."""

DIFFERENT = 1.25
"""The ratio from which values of a hyperparameter count as different."""


@dataclass(frozen=True)
class Certainty:
    """How sure a difference of medians is."""

    fewest: int
    """Seeds of a method at least."""
    most: int
    of: Literal["one seed", "overlap", "chance", "sure"]
    """`one seed`: nothing is known of a spread; `overlap`: the seeds' ranges do; `chance`: they don't, but
    so few seeds can be apart by chance; `sure`: that is ruled out."""


@dataclass(frozen=True)
class Verdict:
    """How a method fares against the best of others."""

    one: Cell
    rivals: Sequence[Cell]
    """The best of the others: one, or all that tie."""
    better: bool | None
    """Whether its median is better than theirs; None where they tie."""


@dataclass(frozen=True)
class Early:
    """A hyperparameter with which winning lineages trained early on, under two methods."""

    name: str
    one: float
    other: float
    iteration: int


def tied(a: float, b: float) -> bool:
    """Whether two numbers are equal to four significant digits: less than one of the last apart."""
    largest = max(abs(a), abs(b))
    if a == b or not math.isfinite(largest) or largest == 0:
        return a == b
    unit = 10.0 ** (math.floor(math.log10(largest)) - DIGITS + 1)
    return abs(a - b) < unit * (1 - 1e-6)


def best(cells: Sequence[Cell]) -> list[Cell]:
    """Those whose median score no other beats: one, or all that tie. Cells without one are none."""
    known = [c for c in cells if c.scored]
    if not known:
        return []
    top = max(known, key=lambda c: c.run.card.objective.sign * c.score.median)
    return [c for c in known if tied(c.score.median, top.score.median)]


def against(one: Cell, others: Sequence[Cell]) -> Verdict:
    """How `one` fares against the best of the others, of which one has a score at least, as `one` has."""
    rivals = best(others)
    sign = one.run.card.objective.sign
    better: bool | None = sign * one.score.median > sign * rivals[0].score.median
    if all(tied(one.score.median, c.score.median) for c in rivals):
        better = None
    return Verdict(one, rivals, better)


def certainty(one: Cell, others: Sequence[Cell], among: int) -> Certainty:
    """How sure a difference from the others' medians is. `others`: at least one; `among`: how many comparisons
    are made on the problem and engine."""
    counts = [one.score.n, *(c.score.n for c in others)]
    of: Literal["one seed", "overlap", "chance", "sure"] = "sure"
    if min(counts) == 1:
        of = "one seed"
    elif not all(apart(one, c) for c in others):
        of = "overlap"
    elif not all(sure(one, c, among) for c in others):
        of = "chance"
    return Certainty(min(counts), max(counts), of)


def apart(one: Cell, other: Cell) -> bool:
    """Whether all scores of one are better than all of the other; never with a seed alone."""
    low, high = sorted((one.score, other.score), key=lambda spread: spread.median)
    return min(low.n, high.n) > 1 and low.high < high.low and not tied(low.high, high.low)


def sure(one: Cell, other: Cell, among: int) -> bool:
    """Whether so many pairs, all of which one method wins, rule out chance over so many comparisons: of 2ⁿ ways
    of turning them round, two are as extreme (`signed_rank`, Holm). One needs six pairs, four need eight."""
    ways: int = 2 ** min(one.score.n, other.score.n)
    return ways >= 2 * SURE * among


def same(cells: Sequence[Cell]) -> bool:
    """Whether medians and extremes of the scores are equal to the last digit."""
    return len({(c.score.low, c.score.median, c.score.high) for c in cells}) == 1


def early_difference(one: Cell, other: Cell) -> Early | None:
    """The hyperparameter whose value in the winning lineages differs most, as a ratio, early on; None where
    none is `DIFFERENT`."""
    both = [
        (name, one.early[name], other.early[name])
        for name in one.run.card.dynamic
        if name in one.early and name in other.early
    ]
    ratios = {
        (name, a, b): abs(math.log(a) - math.log(b)) for name, a, b in both if a > 0 and b > 0
    }
    most = max(ratios, key=ratios.__getitem__, default=None)
    if most is None or ratios[most] <= math.log(DIFFERENT):
        return None
    return Early(*most, iteration=one.measures[0].early_iteration)
