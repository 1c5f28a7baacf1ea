"""Targets in full, a table for each problem and axis: what methods take to each, with intervals and misses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbtbench.report.axes import NAMES, amount, span
from pbtbench.report.survival import costs
from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent
from pbtbench.statistics.attempts import Reach, reaches
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.speedups import Cost

ABOUT = (
    "Reached: runs that reached the target, of those that tried. Expected: all that was spent, misses and "
    "crashes counted in, over the number of successes (ERT). Mean up to the budget: no run counts for more "
    "than the budget, until which all methods can be followed (RMST). p: log-rank test against a baseline, "
    "adjusted for all such tests at the target (Holm). Work is in member-iterations, worker-time in seconds of "
    "all workers together. Intervals are at 95%, over seeds."
)
"""What the table's columns are."""


def tables(cells: Sequence[Cell]) -> dict[Cost, Table]:
    """A table of one problem for each axis that says something of its own (`survival.costs`); none without
    targets."""
    found = {cost: reaches(cells, cost) for cost in costs(cells)}
    return {cost: table(mine, cost) for cost, mine in found.items() if mine}


def table(reaches: Sequence[Reach], cost: Cost) -> Table:
    """A row for each target and method. `reaches`: of one problem on this axis (`attempts.reaches`)."""
    several = len({r.cell.engine for r in reaches}) > 1
    crashes = any(r.attempts.crashed.any() for r in reaches)
    against = list(dict.fromkeys(label for r in reaches for label in r.against))
    header = ["target", "method", *["engine"] * several, "reached", *["crashed"] * crashes]
    header += ["of runs, 95%", f"expected {NAMES[cost]}", "95%"]
    header += ["budget", "mean up to it", "95%", *(f"p against {label}" for label in against)]
    body = [
        [
            *(number(r.target), r.cell.label, *[r.cell.engine] * several),
            *(f"{r.attempts.successes}/{r.attempts.n}", *[_crashed(r)] * crashes),
            f"{percent(r.success.low)} to {percent(r.success.high)}",
            *(amount(cost, r.ert.value), span(cost, r.ert)),
            *(amount(cost, r.budget), amount(cost, r.rmst.value), span(cost, r.rmst)),
            *(_p(r.against.get(label, math.nan)) for label in against),
        ]
        for r in reaches
    ]
    return Table(header, body, left=2 + several)


def _crashed(reach: Reach) -> str:
    return str(int(reach.attempts.crashed.sum()))


def _p(value: float) -> str:
    if math.isnan(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.2g}"
