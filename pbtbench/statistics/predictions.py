"""What the closed forms say that checkpoints of a method cost, fed with what was timed (METHOD 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

from pbtbench.measures import closed_forms
from pbtbench.measures.checkpoints import STAGES, Stage
from pbtbench.measures.overhead import WORK
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.spread import ratio
from pbtbench.statistics.totals import totals


def predicted(cell: Cell, reference: Cell) -> float:
    """Ω of a cell by the closed form, with the costs of a save and a restore from `reference`, and with the
    cell's own pace and shares that save and exploit; NaN where the reference never timed what it takes."""
    if not pace(cell, WORK) > 0:
        return math.nan
    return (_synchronous if cell.run.synchronous else _asynchronous)(cell, reference)


def stages(cell: Cell) -> dict[str, Stage]:
    """Stage of a checkpoint -> what it took in all completed runs."""
    return {
        name: reduce(add, (m.checkpoints.stages[name] for m in cell.completed)) for name in STAGES
    }


def pace(cell: Cell, kinds: Sequence[str]) -> float:
    """Seconds of an iteration of what a worker trains as one; NaN if nothing was trained."""
    spent = sum(m.overhead.seconds[kind] for m in cell.completed for kind in kinds)
    return ratio(spent, _trained(cell))


def _trained(cell: Cell) -> int:
    return sum(m.checkpoints.trained for m in cell.completed)


def _asynchronous(cell: Cell, reference: Cell) -> float:
    counted, timed = totals([cell]), totals([reference])
    if (counted.saves and not timed.saves) or (counted.restores and not timed.restores):
        return math.nan
    took, k, s = stages(reference), cell.interval or 1, pace(cell, WORK)
    c_s = (took["save"].seconds + took["persist"].seconds) / max(1, timed.saves)
    if (behind := took["persist behind"]).rows:
        blocked = min(m.checkpoints.least_persist_s for m in reference.completed)
        snapshot = took["save"].seconds / max(1, timed.saves) + blocked
        c_s = closed_forms.effective_save(snapshot, behind.seconds / behind.rows, k, s)
    back = sum(took[kind].seconds for kind in ("transfer", "restore", "restart"))
    c_r = back / max(1, timed.restores)
    rounds = _trained(cell) / k
    return closed_forms.asynchronous(
        counted.saves / rounds, c_s, counted.restores / rounds, c_r, k, s
    )


def _synchronous(cell: Cell, reference: Cell) -> float:
    """The last interval has its barrier, but no checkpoints: nobody forks at the end."""
    timed, k = totals([reference]), cell.interval or 1
    if not (timed.saves and timed.restores):
        return math.nan
    deciding = (cell.run.iterations - 1) // k * k / cell.run.iterations
    return closed_forms.synchronous(
        deciding * _pause(reference),
        _spread_between_workers(cell),
        cell.completed[0].workers,
        k,
        pace(cell, WORK),
    )


def _pause(cell: Cell) -> float:
    """Seconds of a pause after an interval, on average (`Checkpoints.pause_s`)."""
    pauses = sum(m.checkpoints.pauses for m in cell.completed)
    return ratio(sum(m.checkpoints.pause_s for m in cell.completed), pauses)


def _spread_between_workers(cell: Cell) -> float:
    """The standard deviation of an iteration's seconds between workers that make it at the same time."""
    squares = sum(m.checkpoints.squares for m in cell.completed)
    freedom = sum(m.checkpoints.freedom for m in cell.completed)
    return math.sqrt(squares / freedom) if freedom else 0.0
