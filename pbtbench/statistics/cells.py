"""All measures of a run, and of a method over its seeds: what tables and findings are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.measures.overhead import Overhead, overhead
from pbtbench.measures.quality import Quality, grouped, problem_name, quality
from pbtbench.measures.target import Attempt, attempt, censored_median, ert
from pbtbench.record import DONE, Outcome
from pbtbench.run import Run


@dataclass(frozen=True)
class Spread:
    """Median, least and largest of some numbers; NaN where there are none."""

    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Measures:
    """One run's measures."""

    run: Run
    outcome: Outcome
    overhead: Overhead
    quality: Quality
    attempts: tuple[Attempt, ...]
    """One for each target, in the run's order."""
    population: int
    """Members that there were; a grid may have fewer than asked for."""
    made: tuple[int, ...]
    """Iterations that each member made: its last score's. Fewer than the run's where members stop early."""


@dataclass(frozen=True)
class TargetCell:
    """One target over the seeds of a method (METHOD 2)."""

    target: float
    reached: int
    n: int
    ert_s: float
    """Expected running time in wall seconds; infinite without a success."""
    ert_member_iterations: float
    """The same in work."""
    seconds: float
    """Median wall seconds, a miss being infinite."""
    member_iterations: float
    """Median work, a miss being infinite."""


@dataclass(frozen=True)
class Cell:
    """A method at one interval on one problem and engine, over its seeds: a row of the comparison."""

    problem: str
    method: str
    """The method's name; `label` has its interval, too."""
    label: str
    interval: int | None
    engine: str
    cluster: str
    measures: tuple[Measures, ...]
    final: Spread
    """Final scores of the runs that completed. One that has none (all members NaN) counts as worst: median
    and extremes that fall on it are NaN."""
    made: Spread
    """Iterations that the members of these runs made."""
    targets: tuple[TargetCell, ...]
    checkpoint_overhead: float
    """Median over the runs that completed, as the two below."""
    pbt_overhead: float
    wall_s: float

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.measures)

    @property
    def completed(self) -> tuple[Measures, ...]:
        return tuple(m for m in self.measures if not m.outcome.cause)

    @property
    def scored(self) -> bool:
        """Whether its median final score is a number."""
        return not math.isnan(self.final.median)

    @property
    def stopped_early(self) -> bool:
        """Whether members made fewer iterations than their budget, in runs that completed."""
        return self.made.low < self.run.iterations

    @property
    def run(self) -> Run:
        """One of its runs, for what they all share."""
        return self.measures[0].run


def measure(run: Run, outcome: Outcome) -> Measures:
    """All measures of one run."""
    objective, trace = run.card.objective, outcome.trace
    made = dict.fromkeys(trace.member[trace.member >= 0].tolist(), 0)
    rows = [row for row in trace.rows("score").tolist() if DONE not in (trace.detail[row] or {})]
    made |= dict(zip(trace.member[rows].tolist(), trace.iteration[rows].tolist(), strict=True))
    return Measures(
        run=run,
        outcome=outcome,
        overhead=overhead(outcome),
        quality=quality(objective, outcome, run.card.best_constant),
        attempts=tuple(attempt(objective, target, outcome) for target in run.targets),
        population=len(made) or run.population,
        made=tuple(made.values()),
    )


def cells(pairs: Sequence[tuple[Run, Outcome]]) -> list[Cell]:
    """The comparison: a cell for each (problem, method, interval, engine, cluster)."""
    return [_cell([measure(run, outcome) for run, outcome in group]) for group in grouped(pairs)]


def spread(values: Sequence[float]) -> Spread:
    """Median and extremes of the values that are numbers."""
    known = [v for v in values if not math.isnan(v)]
    if not known:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(float(np.median(known)), min(known), max(known), len(known))


def _final(sign: int, scores: Sequence[float]) -> Spread:
    """Of final scores, of which NaN is worst."""
    turned = [-math.inf if math.isnan(s) else sign * s for s in scores]
    if not turned:
        return spread([])

    def back(value: float) -> float:
        return math.nan if value == -math.inf else sign * value

    worst, best = back(min(turned)), back(max(turned))
    low, high = (worst, best) if sign > 0 else (best, worst)
    return Spread(back(float(np.median(turned))), low, high, len(turned))


def _cell(measures: Sequence[Measures]) -> Cell:
    run = measures[0].run
    completed = [m for m in measures if not m.outcome.cause]
    attempts = zip(*(m.attempts for m in measures), strict=True)
    return Cell(
        problem=problem_name(run),
        method=run.method,
        label=run.label,
        interval=run.interval,
        engine=run.engine_label,
        cluster=measures[0].outcome.cluster,
        measures=tuple(measures),
        final=_final(run.card.objective.sign, [m.quality.final_score for m in completed]),
        made=spread([made for m in completed for made in m.made]),
        targets=tuple(_target_cell(of_target) for of_target in attempts),
        checkpoint_overhead=spread([m.overhead.checkpoint_overhead for m in completed]).median,
        pbt_overhead=spread([m.overhead.pbt_overhead for m in completed]).median,
        wall_s=spread([m.outcome.wall_s for m in completed]).median,
    )


def _target_cell(attempts: Sequence[Attempt]) -> TargetCell:
    reached = [a.reached for a in attempts]
    return TargetCell(
        target=attempts[0].target,
        reached=sum(reached),
        n=len(attempts),
        ert_s=ert([a.spent_s for a in attempts], reached),
        ert_member_iterations=ert([a.spent_member_iterations for a in attempts], reached),
        seconds=censored_median([a.seconds for a in attempts]),
        member_iterations=censored_median([a.member_iterations for a in attempts]),
    )
