"""A method over its seeds: the rows of a comparison, and what tables and findings are made of."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pbtbench.measures import Measures
from pbtbench.measures.of_run import weighted_median
from pbtbench.measures.table import CELL, IDENTITY
from pbtbench.measures.target import Attempt, ert
from pbtbench.record import TIMED
from pbtbench.runs import Run
from pbtbench.statistics.spread import Spread, median_of_known, spread, worst_first


@dataclass(frozen=True)
class TargetCell:
    """One target over the seeds of a method (METHOD 2)."""

    target: float
    """The score to be reached."""
    reached: int
    """How many runs reached it."""
    n: int
    """How many tried."""
    ert_s: float
    """Expected running time in wall seconds; infinite without a success."""
    ert_member_iterations: float
    """The same in work: iterations of all members."""


@dataclass(frozen=True)
class Cell:
    """A method at one interval on one problem and engine, over its seeds: a row of the comparison."""

    problem: str
    method: str
    """The method's name; `label` has its interval, too."""
    label: str
    interval: int | None
    engine: str
    """The engine's label."""
    cluster: str
    """With the machine's fingerprint, where runs of one cluster's label come from several machines."""
    measures: tuple[Measures, ...]
    held_out: bool
    """Whether methods on this problem are compared by test scores: all of its runs that completed, and ended
    with a score, have one."""
    score: Spread
    """The scores by which methods are compared: test scores where `held_out`, else validation scores, of the
    runs that completed. One that has none (all members NaN) counts as worst: median and extremes that fall
    on it are NaN."""
    final: Spread
    """Their validation scores, likewise, which stop the clock at targets and give regrets."""
    optimism: Spread | None
    """By how much selection flatters (`Quality.selection_optimism`); None unless `held_out`."""
    regret: float | None
    """Median over these runs, one without a score being infinite; None where the optimum isn't known."""
    behind_constant: float | None
    """The same of what the best constant hyperparameters reach."""
    iterations_made: Mapping[int, int]
    """Iterations -> how many members of these runs made so many."""
    made: Spread
    """The same in three numbers."""
    targets: tuple[TargetCell, ...]
    checkpoint_overhead: float
    """Median over the runs that completed, as the four below."""
    pbt_overhead: float
    fork_s: float
    """Worker-seconds that a fork costs (`Overhead.fork_s`); NaN without forks."""
    wall_s: float
    """Seconds from a run's start to its end."""
    early: Mapping[str, float]
    """Numeric hyperparameters with which the winning lineages trained early on (`Measures.early`)."""
    seconds: Mapping[str, float]
    """Kind, or `unaccounted` -> its worker-seconds in one of these runs, on average; empty without any."""

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.measures)

    @property
    def completed(self) -> tuple[Measures, ...]:
        """Its runs that did not fail."""
        return tuple(m for m in self.measures if not m.cause)

    @property
    def scored(self) -> bool:
        """Whether the median of its scores is a number."""
        return not math.isnan(self.score.median)

    @property
    def scores(self) -> tuple[float, ...]:
        """The scores by which its runs are compared, in the order of `completed`; NaN for one without."""
        return tuple(m.quality.score(self.held_out) for m in self.completed)

    @property
    def stopped(self) -> dict[int, int]:
        """Iterations -> how many members of these runs stopped after so many, before their budget."""
        return {i: n for i, n in self.iterations_made.items() if i < self.run.iterations}

    @property
    def shares(self) -> dict[str, float]:
        """Kind, or `unaccounted` -> its share of all worker-seconds of these runs; empty without any."""
        wall = sum(self.seconds.values())
        return {kind: s / wall for kind, s in self.seconds.items()} if wall > 0 else {}

    @property
    def state_bytes(self) -> int:
        """The largest state that was saved or restored in these runs; 0 if none was."""
        return max((m.overhead.state_bytes or 0 for m in self.completed), default=0)

    def target(self, value: float) -> TargetCell | None:
        """One of its targets; None if none of its runs tried it."""
        return next((t for t in self.targets if t.target == value), None)

    @property
    def run(self) -> Run:
        """One of its runs, for what they all share."""
        return self.measures[0].run


def cells(measures: Sequence[Measures]) -> list[Cell]:
    """The comparison: a cell for each of what differs by more than the seed (`measures.table.CELL`), in the
    order of their first runs."""
    key = [IDENTITY[name] for name in CELL]
    groups: dict[tuple[object, ...], list[Measures]] = {}
    machines: dict[str, set[str]] = defaultdict(set)
    for m in measures:
        groups.setdefault(tuple(of_run(m) for of_run in key), []).append(m)
        machines[m.cluster].add(IDENTITY["machine"](m))
    tested = held_out(measures)
    return [
        _cell(
            group,
            several=len(machines[group[0].cluster]) > 1,
            held_out=group[0].run.problem_name in tested,
        )
        for group in groups.values()
    ]


def held_out(measures: Sequence[Measures]) -> set[str]:
    """The problems whose methods are compared by test scores: all runs that completed, and ended with a
    score, have one."""
    scored = [m for m in measures if not m.cause and m.quality.scored]
    lacking = {m.run.problem_name for m in scored if m.quality.test_score is None}
    return {m.run.problem_name for m in scored} - lacking


def _cell(measures: Sequence[Measures], *, several: bool, held_out: bool) -> Cell:
    first, run = measures[0], measures[0].run
    completed = [m for m in measures if not m.cause]
    sign = run.card.objective.sign
    known = [o for m in completed if (o := m.quality.selection_optimism) is not None]
    made: Counter[int] = Counter()
    for m in completed:
        made.update(m.made)
    machine = f"{first.cluster} ({IDENTITY['machine'](first)[:8] or 'unknown machine'})"
    return Cell(
        problem=run.problem_name,
        method=run.method,
        label=run.label,
        interval=run.interval,
        engine=run.engine_label,
        cluster=machine if several else first.cluster,
        measures=tuple(measures),
        held_out=held_out,
        score=worst_first(sign, [m.quality.score(held_out) for m in completed]),
        final=worst_first(sign, [m.quality.final_score for m in completed]),
        optimism=spread(known) if held_out else None,
        regret=median_of_known(m.quality.regret for m in completed),
        behind_constant=median_of_known(m.quality.behind_constant for m in completed),
        iterations_made=made,
        made=Spread(
            weighted_median(made),
            min(made, default=math.nan),
            max(made, default=math.nan),
            made.total(),
        ),
        targets=_targets(measures),
        checkpoint_overhead=spread(m.overhead.checkpoint_overhead for m in completed).median,
        pbt_overhead=spread(m.overhead.pbt_overhead for m in completed).median,
        fork_s=spread(m.overhead.fork_s for m in completed).median,
        wall_s=spread(m.wall_s for m in completed).median,
        early=_early(completed),
        seconds=_seconds(completed),
    )


def _targets(measures: Sequence[Measures]) -> tuple[TargetCell, ...]:
    """Each over the runs that tried it."""
    tried: dict[float, list[Attempt]] = {}
    for m in measures:
        for a in m.attempts:
            tried.setdefault(a.target, []).append(a)
    return tuple(map(_target_cell, tried.values()))


def _target_cell(attempts: Sequence[Attempt]) -> TargetCell:
    reached = [a.reached for a in attempts]
    return TargetCell(
        target=attempts[0].target,
        reached=sum(reached),
        n=len(attempts),
        ert_s=ert([a.spent_s for a in attempts], reached),
        ert_member_iterations=ert([a.spent_member_iterations for a in attempts], reached),
    )


def _early(completed: Sequence[Measures]) -> dict[str, float]:
    known: dict[str, list[float]] = {}
    for m in completed:
        for name, value in m.early.items():
            known.setdefault(name, []).append(value)
    return {name: spread(values).median for name, values in known.items()}


def _seconds(completed: Sequence[Measures]) -> dict[str, float]:
    if not completed:
        return {}
    return {
        kind: sum(m.overhead.seconds[kind] for m in completed) / len(completed)
        for kind in (*TIMED, "unaccounted")
    }
