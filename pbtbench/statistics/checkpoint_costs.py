"""What checkpoints cost, stage by stage, on one problem in several sizes (METHOD 1).

PBT at an interval is held against its control, which is the same engine, budget and seeds without
checkpoints; and against the closed forms, fed with what was timed at the shortest interval: what they say of
longer ones can be wrong. A pace that checkpoints slow down is interference, which is told apart from the
overhead.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pbtbench.measures import Measures
from pbtbench.measures.checkpoints import Stage
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.intervals import least_interval
from pbtbench.statistics.predictions import pace, predicted, stages
from pbtbench.statistics.spread import Spread, ratio, spread

INSTRUMENTS = "synthetic."
"""What the names of problems begin with that exist to measure costs with."""

ENGINES = ("tune", "ray", "inprocess")
"""The engines of the headline, each with its usual transport."""


@dataclass(frozen=True)
class Costs:
    """PBT at one interval on one engine and size, against its control."""

    cell: Cell
    control: str
    """The method of its control."""
    state_bytes: int
    """The largest state of the problem that was saved or restored."""
    stages: Mapping[str, Stage]
    """Stage -> what it took in all completed runs of the cell."""
    fork_s: float
    """What a fork costs (`Cell.fork_s`)."""
    limit_s: float
    """Seconds that copying the state once in memory takes; NaN if it is unknown how fast memory is."""
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
    """Whether the closed form has its costs from this very cell, so that it says nothing of it."""
    least_interval: int | None
    """The shortest interval that keeps checkpoints within `BUDGET`; None where nothing was timed."""

    def stage_of_fork_s(self, stage: str) -> float:
        """A stage's seconds for each fork; NaN without forks."""
        return ratio(self.stages[stage].seconds, sum(m.overhead.forks for m in self.cell.completed))

    def stage_overhead(self, stage: str) -> float:
        """A stage's seconds over training and evaluation; NaN without any."""
        return ratio(
            self.stages[stage].seconds, sum(m.overhead.work_s for m in self.cell.completed)
        )

    @property
    def difference(self) -> float:
        """How far the measured overhead is from the closed form's, relative to that."""
        return self.measured / self.predicted - 1 if self.predicted > 0 else math.nan


@dataclass(frozen=True)
class Agreement:
    """How far the closed forms were off, where they could be: at intervals longer than the shortest."""

    off: Spread
    """|measured/predicted − 1|."""
    worst: Costs


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


def headline(costs: Sequence[Costs]) -> dict[int, dict[str, Costs]]:
    """State size in bytes -> engine -> its costs at the shortest interval, for those of `ENGINES` that
    there are, and the first cost's method."""
    found: dict[int, dict[str, Costs]] = {}
    for c in sorted(costs, key=lambda c: (c.cell.interval or 0, c.cell.run.iterations)):
        if c.cell.engine in ENGINES and c.cell.method == costs[0].cell.method:
            found.setdefault(c.state_bytes, {}).setdefault(c.cell.engine, c)
    return {
        state: {engine: of[engine] for engine in ENGINES if engine in of}
        for state, of in found.items()
    }


def shortest(costs: Sequence[Costs]) -> list[Costs]:
    """Those at the shortest interval of the study."""
    least = min(c.cell.interval or 0 for c in costs)
    return [c for c in costs if c.cell.interval == least]


def agreement(costs: Sequence[Costs]) -> Agreement | None:
    """How far the closed forms were off; None where no cost says."""
    checked = [c for c in costs if not c.calibrated and not math.isnan(c.difference)]
    if not checked:
        return None
    off = spread(abs(c.difference) for c in checked)
    return Agreement(off, next(c for c in checked if abs(c.difference) == off.high))


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
    size = max(c.state_bytes for c in cells)
    if not size:
        return None
    reference = min(_family(cell, cells), key=lambda c: c.interval or 0)
    return Costs(
        cell=cell,
        control=control.label,
        state_bytes=size,
        stages=stages(cell),
        fork_s=cell.fork_s,
        limit_s=size * memcpy_s_per_gb / 1e9,
        tax=_tax(cell, control, lambda m: m.wall_s),
        tax_after_setup=_tax(cell, control, lambda m: m.checkpoints.after_setup_s),
        interference=ratio(pace(cell, ["train"]), pace(control, ["train"])) - 1,
        measured=spread(_measured(m) for m in cell.completed).median,
        predicted=predicted(cell, reference),
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


def _tax(cell: Cell, control: Cell, taken: Callable[[Measures], float]) -> Spread:
    without = {m.run.seed: taken(m) for m in control.completed}
    return spread(
        ratio(taken(m), without[m.run.seed]) - 1 for m in cell.completed if m.run.seed in without
    )


def _measured(m: Measures) -> float:
    """Checkpoints over work; where decisions are synchronous with the waits of each worker since it began to
    train."""
    waited = ratio(m.checkpoints.waits_s, m.overhead.work_s) if m.run.synchronous else 0.0
    return m.overhead.checkpoint_overhead + waited
