"""The laboratory: what checkpoints cost, stage by stage, on one problem in several sizes (METHOD 1).

PBT at an interval is held against its control: the same engine, budget and seeds without checkpoints.
The closed forms are fed with the cost of a save and a restore at the shortest interval, and with the
pace and the shares that save and exploit at the interval itself; what they say of longer intervals
can be wrong. A pace that checkpoints slow down is interference, which is told apart from the overhead.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench import methods
from pbtbench.measures import closed_forms
from pbtbench.measures.overhead import CHECKPOINT, WORK, after_setup_s
from pbtbench.statistics.cells import Cell, Measures, Spread, spread

BEHIND = ("persist behind", "transfer behind")
"""The stages that go on behind the training, and take no worker's time."""

STAGES = (*CHECKPOINT, *BEHIND)

INSTRUMENTS = "synthetic."
"""What the names of problems begin with that exist to measure costs with."""

BUDGET = 0.05
"""The share of all time that checkpoints may take, where an interval is advised."""


@dataclass(frozen=True)
class Stage:
    """What one stage of all checkpoints of a cell took."""

    seconds: float
    rows: int
    bytes: int

    @property
    def s_per_gb(self) -> float:
        """Seconds for 10⁹ bytes; NaN for a stage that moves none."""
        return 1e9 * self.seconds / self.bytes if self.bytes else math.nan


@dataclass(frozen=True)
class Costs:
    """PBT at one interval on one engine and size, against its control."""

    cell: Cell
    control: str
    """The method of its control."""
    state_bytes: int
    stages: Mapping[str, Stage]
    fork_s: float
    """Checkpoint seconds for each fork, all saves made for it counted in; NaN without forks."""
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

    @property
    def difference(self) -> float:
        """How far the measured overhead is from the closed form's, relative to that."""
        return self.measured / self.predicted - 1 if self.predicted > 0 else math.nan


def laboratory(cells: Sequence[Cell], memcpy_s_per_gb: object) -> list[Costs]:
    """The costs of all PBT cells of problems that come in several sizes and have a control, by size,
    engine, method and interval. `memcpy_s_per_gb`: what copying takes here; anything but a number above
    0 is as good as unknown."""
    known = isinstance(memcpy_s_per_gb, int | float) and 0 < memcpy_s_per_gb < math.inf
    copying = float(memcpy_s_per_gb) if known else math.nan  # type: ignore[arg-type]
    found = [
        costs
        for cell in cells
        if cell.interval is not None and cell.completed
        if (control := _control(cell, cells)) is not None
        if (costs := _costs(cell, control, cells, copying)) is not None
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
    saved = max(
        int(t.iteration[t.kind == "save"].max(initial=0))
        for m in cell.completed
        for t in (m.outcome.trace,)
    )
    made = int(cell.made.high)
    rounds = max(1, (made if saved >= made else made - 1) // cell.interval)
    return closed_forms.least_interval(cell.checkpoint_overhead * made / rounds, 1.0, BUDGET)


def outside(cells: Sequence[Cell], costs: Sequence[Costs]) -> list[Cell]:
    """The cells of problems whose scores matter: all but those that exist to time the laboratory's costs."""
    inside = {c.cell.problem for c in costs if c.cell.run.problem.startswith(INSTRUMENTS)}
    return [cell for cell in cells if cell.problem not in inside]


def _control(cell: Cell, cells: Sequence[Cell]) -> Cell | None:
    """The cell without checkpoints that this one is held against."""
    run = cell.run
    for other in cells:
        own = other.run
        if (
            (other.problem, other.engine.partition("+")[0], other.cluster)
            == (cell.problem, cell.engine.partition("+")[0], cell.cluster)
            and (own.iterations, own.population) == (run.iterations, run.population)
            and other.interval is None
            and other.completed
            and not any(m.overhead.saves for m in other.completed)
        ):
            return other
    return None


def _costs(
    cell: Cell, control: Cell, cells: Sequence[Cell], memcpy_s_per_gb: float
) -> Costs | None:
    stages = _stages(cell)
    forks = sum(m.overhead.forks for m in cell.completed)
    size = max((m.overhead.state_bytes or 0 for m in _alike(cell, cells)), default=0)
    if not size:
        return None
    spent = sum(stages[kind].seconds for kind in CHECKPOINT)
    reference = min(_family(cell, cells), key=lambda c: c.interval or 0)
    together = _synchronous(cell)
    predict = _synchronously if together else _asynchronously
    return Costs(
        cell=cell,
        control=control.label,
        state_bytes=size,
        stages=stages,
        fork_s=spent / forks if forks else math.nan,
        limit_s=size * memcpy_s_per_gb / 1e9,
        tax=_tax(cell, control, lambda m: m.outcome.wall_s),
        tax_after_setup=_tax(cell, control, lambda m: after_setup_s(m.outcome)),
        interference=_pace(cell, ("train",)) / _pace(control, ("train",)) - 1,
        measured=spread([_measured(m, waits=together) for m in cell.completed]).median,
        predicted=predict(cell, reference),
        calibrated=reference is cell,
        least_interval=least_interval(cell),
    )


def _alike(cell: Cell, cells: Sequence[Cell]) -> Iterator[Measures]:
    """All runs of the same problem and size."""
    for other in cells:
        if other.problem == cell.problem:
            yield from other.completed


def _family(cell: Cell, cells: Sequence[Cell]) -> list[Cell]:
    """The cells that differ by their interval alone."""
    key = (cell.problem, cell.engine, cell.cluster, cell.method)
    return [
        c
        for c in cells
        if (c.problem, c.engine, c.cluster, c.method) == key
        if c.interval is not None and c.completed
    ]


def _stages(cell: Cell) -> dict[str, Stage]:
    found = {}
    for name in STAGES:
        kind = name.partition(" ")[0]
        seconds, rows, size = 0.0, 0, 0
        for m in cell.completed:
            trace = m.outcome.trace
            aside = trace.worker < 0
            chosen = (trace.kind == kind) & (aside if name in BEHIND else ~aside)
            seconds += float(trace.duration_s[chosen].sum())
            rows += int(chosen.sum())
            size += int(trace.bytes[chosen].sum())
        found[name] = Stage(seconds, rows, size)
    return found


def _tax(cell: Cell, control: Cell, taken: Callable[[Measures], float]) -> Spread:
    without = {m.run.seed: taken(m) for m in control.completed}
    return spread(
        [taken(m) / without[m.run.seed] - 1 for m in cell.completed if m.run.seed in without]
    )


def _count(cell: Cell, kind: str) -> int:
    return sum(
        int(((t := m.outcome.trace).kind == kind)[t.worker >= 0].sum()) for m in cell.completed
    )


def _pace(cell: Cell, kinds: Sequence[str]) -> float:
    """Seconds of an iteration of what a worker trains as one; NaN if nothing was trained."""
    rows = _count(cell, "train")
    spent = sum(m.overhead.seconds[kind] for m in cell.completed for kind in kinds)
    return spent / rows if rows else math.nan


def _measured(m: Measures, *, waits: bool) -> float:
    """Checkpoints over work; with the waits of each worker since it began to train."""
    if not waits:
        return m.overhead.checkpoint_overhead
    trace = m.outcome.trace
    begun, _ = _bounds(m)
    first = {worker: min(t for (w, _), t in begun.items() if w == worker) for worker, _ in begun}
    rows = trace.rows("wait")
    since = [
        row
        for row, worker in zip(rows.tolist(), trace.worker[rows].tolist(), strict=True)
        if trace.t_start_s[row] >= first.get(worker, math.inf)
    ]
    work = sum(m.overhead.seconds[kind] for kind in WORK)
    return m.overhead.checkpoint_overhead + float(trace.duration_s[since].sum()) / work


def _synchronous(cell: Cell) -> bool:
    run = cell.run
    return bool(methods.build(run.kind, run.interval, run.method_options).synchronous)


def _saved_and_restored(cell: Cell) -> tuple[int, int]:
    return (
        sum(m.overhead.saves for m in cell.completed),
        sum(m.overhead.restores for m in cell.completed),
    )


def _asynchronously(cell: Cell, reference: Cell) -> float:
    saves, restores = _saved_and_restored(cell)
    timed_saves, timed_restores = _saved_and_restored(reference)
    if (saves and not timed_saves) or (restores and not timed_restores):
        return math.nan
    stages, k, s = _stages(reference), cell.interval or 1, _pace(cell, WORK)
    c_s = (stages["save"].seconds + stages["persist"].seconds) / max(1, timed_saves)
    if (behind := stages["persist behind"]).rows:
        blocked = [
            float(t.duration_s[(t.kind == "persist") & (t.worker >= 0)].min(initial=math.inf))
            for m in reference.completed
            for t in (m.outcome.trace,)
        ]
        snapshot = stages["save"].seconds / max(1, timed_saves) + min(blocked)
        c_s = closed_forms.effective_save(snapshot, behind.seconds / behind.rows, k, s)
    back = sum(stages[kind].seconds for kind in ("transfer", "restore", "restart"))
    c_r = back / max(1, timed_restores)
    intervals = _count(cell, "train") / k
    return closed_forms.asynchronous(saves / intervals, c_s, restores / intervals, c_r, k, s)


def _synchronously(cell: Cell, reference: Cell) -> float:
    """The last interval has its barrier, but no checkpoints: nobody forks at the end."""
    k = cell.interval or 1
    if not all(_saved_and_restored(reference)):
        return math.nan
    deciding = (cell.run.iterations - 1) // k * k / cell.run.iterations
    return closed_forms.synchronous(
        deciding * _pause(reference),
        _spread_between_workers(cell),
        cell.completed[0].outcome.workers,
        k,
        _pace(cell, WORK),
    )


def _pause(cell: Cell) -> float:
    """Seconds from when the last worker has made an interval until all train again, on average, less those
    of their own decisions: saves and restores as everybody pays for them, messages and all."""
    k = cell.interval or 1
    found = []
    for m in cell.completed:
        begun, ended = _bounds(m)
        deciding = _by_worker_and_iteration(m, ("decide",))
        for iteration in range(k, cell.run.iterations, k):
            ends = [t for (_, i), t in ended.items() if i == iteration]
            resumed = [
                t - deciding.get((worker, iteration), 0.0)
                for (worker, i), t in begun.items()
                if i == iteration + 1
            ]
            if ends and resumed:
                found.append(max(resumed) - max(ends))
    return float(np.mean(found)) if found else math.nan


def _spread_between_workers(cell: Cell) -> float:
    """The standard deviation of an iteration's seconds between workers that make it at the same time: what
    slows all down together keeps nobody waiting."""
    squares, freedom = 0.0, 0
    for m in cell.completed:
        paces: dict[int, list[float]] = defaultdict(list)
        for (_, iteration), seconds in _by_worker_and_iteration(m, WORK).items():
            paces[iteration].append(seconds)
        for of_workers in paces.values():
            squares += len(of_workers) * float(np.var(of_workers))
            freedom += len(of_workers) - 1
    return math.sqrt(squares / freedom) if freedom else 0.0


def _by_worker_and_iteration(m: Measures, kinds: Sequence[str]) -> dict[tuple[int, int], float]:
    """Seconds of some kinds."""
    trace = m.outcome.trace
    found: dict[tuple[int, int], float] = defaultdict(float)
    for row in np.flatnonzero(np.isin(trace.kind, kinds) & (trace.worker >= 0)).tolist():
        found[int(trace.worker[row]), int(trace.iteration[row])] += float(trace.duration_s[row])
    return found


def _bounds(m: Measures) -> tuple[dict[tuple[int, int], float], dict[tuple[int, int], float]]:
    """When each worker began each iteration, and ended it, by (worker, iteration)."""
    trace = m.outcome.trace
    begun: dict[tuple[int, int], float] = {}
    ended: dict[tuple[int, int], float] = {}
    for row in np.flatnonzero(
        np.isin(trace.kind, (*WORK, "compile")) & (trace.worker >= 0)
    ).tolist():
        place = int(trace.worker[row]), int(trace.iteration[row])
        start = float(trace.t_start_s[row])
        begun[place] = min(start, begun.get(place, math.inf))
        ended[place] = max(start + float(trace.duration_s[row]), ended.get(place, 0.0))
    return begun, ended
