"""The intervals at which checkpoints stay within a share of the time (METHOD 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pbtbench.measures import closed_forms
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.totals import totals

BUDGET = 0.05
"""The share of all time that checkpoints may take, where an interval is advised."""


def least_interval(cell: Cell) -> int | None:
    """The shortest interval, in iterations, at which checkpoints take no more than `BUDGET` of the time, by
    what those of a cell took; None where none was timed. A run's checkpoints were made after every
    interval but one that ends with the run, where nobody forks any more."""
    if cell.interval is None or not math.isfinite(cell.checkpoint_overhead):
        return None
    counted = totals([cell])
    if not (counted.saves or counted.restores):
        return None
    saved = max(m.checkpoints.last_save for m in cell.completed)
    made = int(cell.made.high)
    rounds = max(1, (made if saved >= made else made - 1) // cell.interval)
    return closed_forms.least_interval(cell.checkpoint_overhead * made / rounds, 1.0, BUDGET)


def least_intervals(cells: Sequence[Cell]) -> Mapping[str, tuple[Cell, int]]:
    """Engine -> the cell of a problem by whose costs an interval is advised, and that interval: of the method
    that was timed on most engines, each at its shortest interval. Empty where nothing was timed."""
    timed: dict[str, dict[str, tuple[Cell, int]]] = {}
    for cell in sorted(cells, key=lambda c: c.interval or 0):
        least = least_interval(cell)
        if least is not None:
            timed.setdefault(cell.method, {}).setdefault(cell.engine, (cell, least))
    return max(timed.values(), key=len, default={})
