"""Where the runs of a method lie, with intervals: the numbers of tables and of figures against the interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.statistics.attempts import attempts
from pbtbench.statistics.baselines import worths
from pbtbench.statistics.bootstrap import aggregate
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate, turned
from pbtbench.statistics.targets import compared_target
from pbtbench.statistics.time_to_target import ert

NOTHING = Estimate(math.nan, -math.inf, math.inf, 0)


def locations(cell: Cell, target: float) -> Mapping[str, Estimate]:
    """`final`: the median score; `seconds`: the expected time to the target; `overhead`: the median checkpoint
    overhead. NaN where there is none."""
    sign = cell.run.card.objective.sign
    tried = attempts(cell, target, "seconds")
    return {
        "final": turned(_median(worths(cell)), sign),
        "seconds": ert(tried) if tried.n else NOTHING,
        "overhead": _median(np.array([m.overhead.checkpoint_overhead for m in cell.completed])),
    }


def by_interval(cells: Sequence[Cell]) -> dict[int, Mapping[str, Estimate]]:
    """Of the cells of one problem that have an interval: place among the cells -> locations, at the target by
    which intervals are compared."""
    target = compared_target(cells)
    return {i: locations(cell, target) for i, cell in enumerate(cells) if cell.interval is not None}


def _median(values: np.ndarray) -> Estimate:
    known = values[~np.isnan(values)]
    return aggregate([known], "median") if len(known) else NOTHING
