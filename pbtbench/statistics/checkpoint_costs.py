"""What checkpoints cost, stage by stage, on one problem in several sizes (METHOD 1).

PBT at an interval is held against its control: the same engine, budget and seeds without checkpoints.
The closed forms are fed with the cost of a save and a restore at the shortest interval, and with the
pace and the shares that save and exploit at the interval itself; what they say of longer intervals
can be wrong. A pace that checkpoints slow down is interference, which is told apart from the overhead.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from pbtbench.measures import Measures, closed_forms
from pbtbench.measures.checkpoints import STAGES, Stage
from pbtbench.measures.overhead import WORK
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.spread import Spread, spread

INSTRUMENTS = "synthetic."
"""What the names of problems begin with that exist to measure costs with."""

BUDGET = 0.05
"""The share of all time that checkpoints may take, where an interval is advised."""


@dataclass(frozen=True)
class Costs:
    """PBT at one interval on one engine and size, against its control."""

    cell: Cell
    control: str
    """The method of its control."""
    state_bytes: int
    stages: Mapping[str, Stage]
    fork_s: float
    """What a fork costs (`Cell.fork_s`)."""
    limit_s: float
    """What copying the state once in memory takes."""
    tax: Spread
    """PBT tax: wall over the control's of the same seed, less 1."""
    tax_after_setup: Spread
    """The same of the time after the first worker has begun to train."""
    interference: float
    """Training seconds of an iteration over the control's, less 1."""
    measured: float
    """Ω as measured: of checkpoints alone, or with waits where decisions are synchronous; without the
    decisions themselves, and waits for others to start, of which the forms say nothing."""
    predicted: float
    """Ω by the closed form; NaN where a save or a restore was never timed."""
    calibrated: bool
    """Whether the closed form has its costs from this very cell."""
    least_interval: int | None
    """The shortest interval that keeps checkpoints within `BUDGET`; None where nothing was timed."""

    def stage_of_fork_s(self, stage: str) -> float:
        """A stage's seconds for each fork; NaN without forks."""
        return _over(self.stages[stage].seconds, sum(m.overhead.forks for m in self.cell.completed))

    def stage_overhead(self, stage: str) -> float:
        """A stage's seconds over training and evaluation; NaN without any."""
        return _over(
            self.stages[stage].seconds, sum(m.overhead.work_s for m in self.cell.completed)
        )

    @property
    def difference(self) -> float:
        """How far the measured overhead is from the closed form's, relative to that."""
        return self.measured / self.predicted - 1 if self.predicted > 0 else math.nan


def checkpoint_costs(cells: Sequence[Cell], memcpy_s_per_gb: object) -> list[Costs]:
    """The costs of all PBT cells of problems that come in several sizes and have a control, by size,
    engine, method and interval. `memcpy_s_per_gb`: what copying takes here; anything but a number above
    0 is as good as unknown."""
    known = isinstance(memcpy_s_per_gb, int | float) and 0 < memcpy_s_per_gb < math.inf
    copying = float(memcpy_s_per_gb) if known else math.nan  # type: ignore[arg-type]
    by_problem: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_problem[cell.problem].append(cell)
    found = [
        costs
        for cell in cells
        if cell.interval is not None and cell.completed
        if (control := _control(cell, by_problem[cell.problem])) is not None
        if (costs := _costs(cell, control, by_problem[cell.problem], copying)) is not None
    ]
    sizes: dict[str, set[str]] = defaultdict(set)
    for c in found:
        sizes[c.cell.run.problem].add(c.cell.problem)
    found = [c for c in found if len(sizes[c.cell.run.problem]) > 1]
    found.sort(key=lambda c: c.state_bytes)
    return found


def least_interval(cell: Cell) -> int | None:
    """The shortest interval, in iterations, at which checkpoints take no more than `BUDGET` of the time, by
    what those of a cell took; None where none was timed. A run's checkpoints were made after every
    interval but one that ends with the run, where nobody forks any more."""
    if cell.interval is None or not any(_saved_and_restored(cell)):
        return None
    if not math.isfinite(cell.checkpoint_overhead):
        return None
    saved = max(m.checkpoints.last_save for m in cell.completed)
    made = int(cell.made.high)
    rounds = max(1, (made if saved >= made else made - 1) // cell.interval)
    return closed_forms.least_interval(cell.checkpoint_overhead * made / rounds, 1.0, BUDGET)


def outside(cells: Sequence[Cell], costs: Sequence[Costs]) -> list[Cell]:
    """The cells of problems whose scores matter: all but those that exist to measure costs with."""
    inside = {c.cell.problem for c in costs if c.cell.run.problem.startswith(INSTRUMENTS)}
    return [cell for cell in cells if cell.problem not in inside]


def _control(cell: Cell, cells: Sequence[Cell]) -> Cell | None:
    """The cell without checkpoints, of those of its problem, that this one is held against."""

    def alike(c: Cell) -> tuple[object, ...]:
        return c.run.engine, c.cluster, c.run.iterations, c.run.population

    for other in cells:
        if (
            alike(other) == alike(cell)
            and other.interval is None
            and other.completed
            and not any(m.overhead.saves for m in other.completed)
        ):
            return other
    return None


def _costs(
    cell: Cell, control: Cell, cells: Sequence[Cell], memcpy_s_per_gb: float
) -> Costs | None:
    """`cells`: those of its problem."""
    size = max((m.overhead.state_bytes or 0 for c in cells for m in c.completed), default=0)
    if not size:
        return None
    reference = min(_family(cell, cells), key=lambda c: c.interval or 0)
    together = cell.run.synchronous
    predict = _synchronously if together else _asynchronously
    return Costs(
        cell=cell,
        control=control.label,
        state_bytes=size,
        stages=_stages(cell),
        fork_s=cell.fork_s,
        limit_s=size * memcpy_s_per_gb / 1e9,
        tax=_tax(cell, control, lambda m: m.wall_s),
        tax_after_setup=_tax(cell, control, lambda m: m.checkpoints.after_setup_s),
        interference=_over(_pace(cell, ("train",)), _pace(control, ("train",))) - 1,
        measured=spread([_measured(m, waits=together) for m in cell.completed]).median,
        predicted=predict(cell, reference),
        calibrated=reference is cell,
        least_interval=least_interval(cell),
    )


def _family(cell: Cell, cells: Sequence[Cell]) -> list[Cell]:
    """The cells that differ by their interval alone."""
    key = (cell.engine, cell.cluster, cell.method)
    return [
        c
        for c in cells
        if (c.engine, c.cluster, c.method) == key
        if c.interval is not None and c.completed
    ]


def _stages(cell: Cell) -> dict[str, Stage]:
    return {
        name: reduce(add, (m.checkpoints.stages[name] for m in cell.completed)) for name in STAGES
    }


def _tax(cell: Cell, control: Cell, taken: Callable[[Measures], float]) -> Spread:
    without = {m.run.seed: taken(m) for m in control.completed}
    return spread(
        _over(taken(m), without[m.run.seed]) - 1 for m in cell.completed if m.run.seed in without
    )


def _over(one: float, other: float) -> float:
    """Their ratio; NaN over nothing."""
    return one / other if other else math.nan


def _trained(cell: Cell) -> int:
    return sum(m.checkpoints.trained for m in cell.completed)


def _pace(cell: Cell, kinds: Sequence[str]) -> float:
    """Seconds of an iteration of what a worker trains as one; NaN if nothing was trained."""
    rows = _trained(cell)
    spent = sum(m.overhead.seconds[kind] for m in cell.completed for kind in kinds)
    return _over(spent, rows)


def _measured(m: Measures, *, waits: bool) -> float:
    """Checkpoints over work; with the waits of each worker since it began to train."""
    waited = _over(m.checkpoints.waits_s, m.overhead.work_s) if waits else 0.0
    return m.overhead.checkpoint_overhead + waited


def _saved_and_restored(cell: Cell) -> tuple[int, int]:
    return (
        sum(m.overhead.saves for m in cell.completed),
        sum(m.overhead.restores for m in cell.completed),
    )


def _asynchronously(cell: Cell, reference: Cell) -> float:
    saves, restores = _saved_and_restored(cell)
    timed_saves, timed_restores = _saved_and_restored(reference)
    if not _pace(cell, WORK) > 0:
        return math.nan
    if (saves and not timed_saves) or (restores and not timed_restores):
        return math.nan
    stages, k, s = _stages(reference), cell.interval or 1, _pace(cell, WORK)
    c_s = (stages["save"].seconds + stages["persist"].seconds) / max(1, timed_saves)
    if (behind := stages["persist behind"]).rows:
        blocked = min(m.checkpoints.least_persist_s for m in reference.completed)
        snapshot = stages["save"].seconds / max(1, timed_saves) + blocked
        c_s = closed_forms.effective_save(snapshot, behind.seconds / behind.rows, k, s)
    back = sum(stages[kind].seconds for kind in ("transfer", "restore", "restart"))
    c_r = back / max(1, timed_restores)
    intervals = _trained(cell) / k
    return closed_forms.asynchronous(saves / intervals, c_s, restores / intervals, c_r, k, s)


def _synchronously(cell: Cell, reference: Cell) -> float:
    """The last interval has its barrier, but no checkpoints: nobody forks at the end."""
    k = cell.interval or 1
    if not all(_saved_and_restored(reference)) or not _pace(cell, WORK) > 0:
        return math.nan
    deciding = (cell.run.iterations - 1) // k * k / cell.run.iterations
    return closed_forms.synchronous(
        deciding * _pause(reference),
        _spread_between_workers(cell),
        cell.completed[0].workers,
        k,
        _pace(cell, WORK),
    )


def _pause(cell: Cell) -> float:
    """Seconds of a pause after an interval, on average (`Checkpoints.pause_s`)."""
    pauses = sum(m.checkpoints.pauses for m in cell.completed)
    spent = sum(m.checkpoints.pause_s for m in cell.completed)
    return _over(spent, pauses)


def _spread_between_workers(cell: Cell) -> float:
    """The standard deviation of an iteration's seconds between workers that make it at the same time."""
    squares = sum(m.checkpoints.squares for m in cell.completed)
    freedom = sum(m.checkpoints.freedom for m in cell.completed)
    return math.sqrt(squares / freedom) if freedom else 0.0
