"""Who takes least to reach a target, in work and in wall time (METHOD 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pbtbench.statistics.cells import Cell, TargetCell
from pbtbench.statistics.compare import tied

SAME_TIME = 1.1
"""Expected times of which the longer is at most so many times the shorter count as equal: clocks, and
machines that do other things besides, tell no finer."""


@dataclass(frozen=True)
class Hit:
    """A method that reached a target in some of its runs."""

    cell: Cell
    target: TargetCell


@dataclass(frozen=True)
class Least:
    """Those that take least to a target, on one of the axes."""

    hits: Sequence[Hit]
    """One, or all that tie."""
    spent: float
    """What they take: member-iterations, or seconds; expected, with misses counted in."""
    overlap: bool
    """Whether seeds of theirs take more than some of another method that reached it."""


def hardest(cells: Sequence[Cell]) -> list[Hit]:
    """Those that reached the hardest target that any did; empty if none was reached. `cells`: at least one, all
    of one problem."""
    found = [Hit(cell, target) for cell in cells for target in cell.targets if target.reached]
    sign = cells[0].run.card.objective.sign
    top = max((sign * hit.target.target for hit in found), default=math.nan)
    return [hit for hit in found if sign * hit.target.target == top]


def compared_target(cells: Sequence[Cell]) -> float:
    """The target by which intervals are compared: the hardest that methods with one reach; NaN without."""
    swept = [c for c in cells if c.interval is not None]
    hits = hardest(swept) if swept else []
    return hits[0].target.target if hits else math.nan


def missed(cells: Sequence[Cell]) -> list[float]:
    """The targets that were tried and never reached, in order."""
    tried = [target for cell in cells for target in cell.targets]
    return sorted({t.target for t in tried} - {t.target for t in tried if t.reached})


def least_work(hits: Sequence[Hit]) -> Least:
    """Those that take least work, in member-iterations, which tie as scores do (`compare.tied`). `hits`: at
    least one, all of one target."""
    spent = min(hit.target.ert_member_iterations for hit in hits)
    least = [hit for hit in hits if tied(hit.target.ert_member_iterations, spent)]
    return Least(least, spent, _overlap(least, hits, "member_iterations"))


def least_time(hits: Sequence[Hit]) -> Least:
    """The same of wall time, in seconds, where all within `SAME_TIME` tie."""
    spent = min(hit.target.ert_s for hit in hits)
    least = [hit for hit in hits if hit.target.ert_s <= SAME_TIME * spent]
    return Least(least, spent, _overlap(least, hits, "seconds"))


def _overlap(
    least: Sequence[Hit], hits: Sequence[Hit], axis: Literal["seconds", "member_iterations"]
) -> bool:
    """A miss is infinite."""

    def taken(some: Sequence[Hit]) -> list[float]:
        found = [
            getattr(a, axis)
            for hit in some
            for m in hit.cell.measures
            if (a := m.attempt(hit.target.target)) is not None
        ]
        return [math.inf if value is None else value for value in found]

    others = [hit for hit in hits if not any(hit is one for one in least)]
    several = max(hit.target.n for hit in hits) > 1
    return bool(others) and several and max(taken(least)) >= min(taken(others))
