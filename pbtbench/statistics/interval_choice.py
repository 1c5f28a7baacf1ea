"""Which perturbation interval reaches a target soonest, and what it costs to be wrong (METHOD 1).

TTT(k) = work(k) · s · (1 + Ω(k)) / workers: the work to the target grows with k where exploits come too late,
the overhead Ω falls. s, the seconds of an iteration's work, is that of all intervals, so that what a machine
did beside the runs favours none. Start-up and compilation are left out: they don't depend on k.

Seeds are drawn anew, the same for all intervals. The interval that is recommended is the one of least
expected time, and not the longest of those that can't be told from it: with fewer seeds that set only
grows, and would recommend ever longer intervals the less is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pbtbench.measures import Measures
from pbtbench.measures.quality import Curve
from pbtbench.problem import Objective
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.spread import worst_first

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 10_000
FEWEST = 5
"""Seeds from which a choice is more than a guess."""
ERROR = 0.05
"""How often an interval should miss."""
BLOCK = 1_000_000
"""Numbers drawn at a time."""
ROUNDING = 1e-9
"""Costs that differ by no larger share are equal."""


@dataclass(frozen=True)
class IntervalCost:
    """What a target costs at one perturbation interval."""

    cell: Cell
    interval: int
    reached: int
    """How many of the seeds reached the target."""
    work: float
    """Expected member-iterations, misses counted at what they spent (ERT); infinite without a success."""
    overhead: float
    """Ω: what PBT adds to the work, over it, of all these runs together; NaN if nothing was trained."""
    seconds: Estimate
    """Expected wall seconds; infinite where nobody reached the target. `n` seeds."""
    regret: Estimate
    """By what share it costs more than the recommended interval; NaN if there is none."""
    cheapest: float
    """In what share of the resampled studies it costs least, of which none does where nobody reaches the
    target; NaN for a single seed."""
    apart: bool
    """Whether it can be told from the recommended: its interval, which holds for all these intervals together
    (Bonferroni), leaves out equal costs."""
    best_score: float
    """Median over the seeds of the best score within the budget; NaN where half of them have none."""


@dataclass(frozen=True)
class Choice:
    """The intervals of one method on one problem, engine and cluster, which differ by nothing else."""

    target: float
    """NaN where no score was to be reached."""
    iterations: int
    """The budget of each member."""
    iteration_s: float
    """s: seconds of train and evaluate of a member's iteration; NaN if nothing was trained."""
    seeds: int
    """How many: those that all intervals have."""
    costs: tuple[IntervalCost, ...]
    """Two or more, by interval."""
    recommended: IntervalCost | None
    """None if no seed reached the target at any interval, or nothing was timed."""

    @property
    def cell(self) -> Cell:
        """One of its cells, for what they all share."""
        return self.costs[0].cell

    @property
    def alike(self) -> tuple[IntervalCost, ...]:
        """The recommended interval and those that can't be told from it."""
        return tuple(c for c in self.costs if not c.apart) if self.recommended else ()

    @property
    def best(self) -> IntervalCost:
        """The interval with the best score within the budget; the shortest of equal ones."""
        sign = self.cell.run.card.objective.sign
        known = [c for c in self.costs if not math.isnan(c.best_score)]
        return max(known or self.costs, key=lambda c: sign * c.best_score)


def choices(
    cells: Sequence[Cell], target: float | None = None, iterations: int | None = None
) -> list[Choice]:
    """A choice for each method that was run at two intervals or more on a problem, engine and cluster, with the
    same population, workers and budget, in the order of `cells`.

    `target`: any score, by default the hardest that any of the intervals reached. `iterations`: a smaller
    budget of each member, at which attempts are cut. Raises `BadInput` for a target that no score can
    reach.
    """
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        if cell.interval is not None:
            if target is not None:
                cell.run.card.objective.check_target(target)
            groups.setdefault(_alike(cell), []).append(cell)
    found = [_choice(group, target, iterations) for group in groups.values()]
    return [choice for choice in found if choice is not None]


COLUMNS: Mapping[str, Any] = {
    "problem": lambda choice, c: c.cell.problem,
    "method": lambda choice, c: c.cell.method,
    "engine": lambda choice, c: c.cell.engine,
    "cluster": lambda choice, c: c.cell.cluster,
    "target": lambda choice, c: choice.target,
    "iterations": lambda choice, c: choice.iterations,
    "interval": lambda choice, c: c.interval,
    "seeds": lambda choice, c: choice.seeds,
    "reached": lambda choice, c: c.reached,
    "work": lambda choice, c: c.work,
    "iteration_s": lambda choice, c: choice.iteration_s,
    "overhead": lambda choice, c: c.overhead,
    "seconds": lambda choice, c: c.seconds.value,
    "seconds_low": lambda choice, c: c.seconds.low,
    "seconds_high": lambda choice, c: c.seconds.high,
    "cheapest": lambda choice, c: c.cheapest,
    "regret": lambda choice, c: c.regret.value,
    "regret_low": lambda choice, c: c.regret.low,
    "regret_high": lambda choice, c: c.regret.high,
    "apart": lambda choice, c: c.apart,
    "recommended": lambda choice, c: c is choice.recommended,
    "best_score": lambda choice, c: c.best_score,
}
"""Column -> what it says of an interval of a choice: the fields of `Choice` and `IntervalCost`."""


def frame(choices: Sequence[Choice]) -> pd.DataFrame:
    """A row for each interval of each choice, with `COLUMNS`."""
    import pandas as pd

    rows = [(choice, cost) for choice in choices for cost in choice.costs]
    return pd.DataFrame({name: [of(*row) for row in rows] for name, of in COLUMNS.items()})


def _alike(cell: Cell) -> tuple[object, ...]:
    run = cell.run
    shared = run.population, run.workers, run.iterations
    return cell.problem, cell.method, cell.engine, cell.cluster, *shared


@dataclass(frozen=True)
class _Seeds:
    """What runs spent, arrays of shape (intervals, seeds)."""

    spent: np.ndarray
    """Member-iterations to the target, or until the run ended without it."""
    reached: np.ndarray
    added_s: np.ndarray
    """Worker-seconds that PBT added."""
    work_s: np.ndarray
    """Worker-seconds of train and evaluate."""
    made: np.ndarray
    """Member-iterations of the whole run."""
    workers: int

    @classmethod
    def of(cls, runs: Sequence[Sequence[Measures]], target: float, budget: int) -> _Seeds:
        tried = np.array([[_attempt(m, target, budget) for m in of] for of in runs], float)
        overheads = [[m.overhead for m in of] for of in runs]
        work = np.array([[o.work_s for o in of] for of in overheads])
        share = np.array([[o.pbt_overhead for o in of] for of in overheads])
        made = np.array([[m.quality.scores for m in of] for of in runs], float)
        added = np.where(work > 0, work * share, 0.0)
        workers = max(m.workers for of in runs for m in of)
        return cls(tried[..., 0], tried[..., 1], added, work, made, workers)

    @property
    def n(self) -> int:
        return int(self.spent.shape[1])

    def work(self, drawn: np.ndarray) -> np.ndarray:
        """ERT of each interval, shape (intervals, replicates), for seeds drawn, shape (replicates, seeds)."""
        return _over(self.spent[:, drawn].sum(2), self.reached[:, drawn].sum(2))

    def overhead(self, drawn: np.ndarray) -> np.ndarray:
        """Ω, likewise; NaN where nothing was trained."""
        worked = self.work_s[:, drawn].sum(2)
        return np.where(worked > 0, _over(self.added_s[:, drawn].sum(2), worked), math.nan)

    def iteration_s(self, drawn: np.ndarray) -> np.ndarray:
        """s, shape (replicates,): the median over the runs of all intervals."""
        pace = np.where((self.made > 0) & (self.work_s > 0), _over(self.work_s, self.made), np.nan)
        of_runs = np.moveaxis(pace[:, drawn], 0, 2).reshape(len(drawn), -1)
        known = ~np.isnan(of_runs).all(axis=1)
        found = np.full(len(drawn), math.nan)
        found[known] = np.nanmedian(of_runs[known], axis=1)
        return found

    def seconds(self, drawn: np.ndarray) -> np.ndarray:
        """Expected wall seconds, shape (intervals, replicates); infinite where it can't be said."""
        rate = self.iteration_s(drawn) * (1 + self.overhead(drawn)) / self.workers
        return np.where(np.isnan(rate), math.inf, self.work(drawn) * rate)

    def resampled(self, seed: int = 0) -> np.ndarray:
        """`seconds` of `REPLICATES` studies whose seeds are drawn from these."""
        rng = np.random.default_rng(seed)
        step = max(1, BLOCK // self.spent.size)
        sizes = [min(step, REPLICATES - start) for start in range(0, REPLICATES, step)]
        return np.concatenate(
            [self.seconds(rng.integers(self.n, size=(size, self.n))) for size in sizes], axis=1
        )


def _choice(cells: Sequence[Cell], target: float | None, iterations: int | None) -> Choice | None:
    """None where fewer than two intervals have a seed in common."""
    cells = sorted(cells, key=lambda c: c.interval or 0)
    by_seed = [{m.run.seed: m for m in c.measures} for c in cells]
    shared = sorted(set.intersection(*map(set, by_seed)))
    if len(cells) < 2 or not shared:
        return None
    runs = [[of[seed] for seed in shared] for of in by_seed]
    budget = min(iterations or cells[0].run.iterations, cells[0].run.iterations)
    target = _hardest(cells, runs, budget) if target is None else target
    seeds = _Seeds.of(runs, target, budget)
    as_it_is = np.arange(seeds.n)[None]
    seconds = seeds.seconds(as_it_is)[:, 0]
    drawn = seeds.resampled() if seeds.n > 1 else np.empty((len(cells), 0))
    recommended = _least(seconds)
    work, overhead = seeds.work(as_it_is)[:, 0], seeds.overhead(as_it_is)[:, 0]
    shares = _cheapest(drawn)
    sign = cells[0].run.card.objective.sign
    costs = []
    for place, cell in enumerate(cells):
        best = worst_first(sign, [_best_within(m, budget) for m in runs[place]])
        regret, apart = _regret(seconds, drawn, place, recommended, seeds.n)
        costs.append(
            IntervalCost(
                cell=cell,
                interval=cell.interval or 0,
                reached=int(seeds.reached[place].sum()),
                work=float(work[place]),
                overhead=float(overhead[place]),
                seconds=_estimate(float(seconds[place]), drawn[place], seeds.n, ERROR),
                regret=regret,
                cheapest=float(shares[place]),
                apart=apart,
                best_score=best.median,
            )
        )
    return Choice(
        target=target,
        iterations=budget,
        iteration_s=float(seeds.iteration_s(as_it_is)[0]),
        seeds=seeds.n,
        costs=tuple(costs),
        recommended=None if recommended is None else costs[recommended],
    )


def _hardest(cells: Sequence[Cell], runs: Sequence[Sequence[Measures]], budget: int) -> float:
    """The hardest target that any reached within the budget; if none was, the easiest that was tried; NaN
    without any."""
    sign = cells[0].run.card.objective.sign
    tried = sorted(
        {a.target for of in runs for m in of for a in m.attempts}, key=lambda t: sign * t
    )
    reached = [t for t in tried if any(_attempt(m, t, budget)[1] for of in runs for m in of)]
    return reached[-1] if reached else tried[0] if tried else math.nan


def _attempt(m: Measures, target: float, budget: int) -> tuple[float, bool]:
    """Member-iterations that a run spent on a target within a budget of iterations, and whether it reached it.
    Where the run didn't time that target, by the steps of its curves."""
    whole = budget >= m.run.iterations
    known = m.attempt(target)
    if known is not None and whole:
        return known.spent_member_iterations, known.reached
    objective = m.run.card.objective
    made = m.quality.scores if whole else sum(min(i, budget) * n for i, n in m.made.items())
    if _first(objective, m.curves["iteration"], target) > budget:
        return made, False
    return min(_first(objective, m.curves["member_iterations"], target), made), True


def _first(objective: Objective, curve: Curve, target: float) -> float:
    """Where a curve first reaches a target; infinite if it doesn't."""
    hit = objective.reached(np.array(curve.y), target)
    return curve.x[int(hit.argmax())] if hit.any() else math.inf


def _best_within(m: Measures, budget: int) -> float:
    """The best score of a run's first iterations; NaN without one."""
    steps = m.curves["iteration"]
    before = int(np.searchsorted(steps.x, budget, side="right"))
    return steps.y[before - 1] if before else math.nan


def _over(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One over the other; infinite over nothing."""
    found: np.ndarray = np.divide(one, other, out=np.full(np.shape(one), math.inf), where=other > 0)
    return found


def _least(seconds: np.ndarray) -> int | None:
    """The place of the least; of equal ones the last, which makes fewest checkpoints."""
    least = seconds.min()
    return None if math.isinf(least) else int(np.flatnonzero(seconds <= least * (1 + ROUNDING))[-1])


def _cheapest(drawn: np.ndarray) -> np.ndarray:
    """In what share of replicates each costs least, shape (intervals,); those that tie share one."""
    if not drawn.shape[1]:
        return np.full(len(drawn), math.nan)
    least = np.isfinite(drawn) & (drawn <= drawn.min(axis=0) * (1 + ROUNDING))
    found: np.ndarray = (least / np.maximum(1, least.sum(axis=0))).mean(axis=1)
    return found


def _regret(
    seconds: np.ndarray, drawn: np.ndarray, place: int, recommended: int | None, n: int
) -> tuple[Estimate, bool]:
    """By what share it costs more than the recommended one, and whether it can be told apart."""
    if recommended is None:
        return Estimate(math.nan, math.nan, math.nan, n), False
    if place == recommended:
        return Estimate(0.0, 0.0, 0.0, n), False
    with np.errstate(invalid="ignore", divide="ignore"):  # infinite over infinite
        ratios = drawn[place] / drawn[recommended]
    ratio = float(seconds[place] / seconds[recommended])
    alone = _estimate(ratio, ratios, n, ERROR)
    together = _estimate(ratio, ratios, n, ERROR / (len(seconds) - 1))
    regret = Estimate(alone.value - 1, alone.low - 1, alone.high - 1, n)
    return regret, together.low > 1 + ROUNDING or together.high < 1 - ROUNDING


def _estimate(value: float, drawn: np.ndarray, n: int, error: float) -> Estimate:
    """With percentiles of the replicates, at the level that would be Student's t if they were normal: plain
    ones are too narrow for few seeds (Hesterberg 2015, section 3.5). From 0 to infinity for a single one. What
    is infinite over infinite may be anything."""
    from scipy.stats import norm, t

    if n < 2:
        return Estimate(value, 0.0, math.inf, n)
    beyond = float(norm.sf(math.sqrt(n / (n - 1)) * t.isf(error / 2, n - 1)))
    low = np.where(np.isnan(drawn), 0.0, drawn)
    high = np.where(np.isnan(drawn), math.inf, drawn)
    return Estimate(
        value,
        float(np.quantile(low, beyond, method="inverted_cdf")),
        float(np.quantile(high, 1 - beyond, method="inverted_cdf")),
        n,
    )
