"""By what factor methods with an interval reach a target more cheaply than each baseline (METHOD 2, 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pbtbench.measures import Measures
from pbtbench.measures.target import Attempt
from pbtbench.statistics.baselines import LEVEL, baselines, groups
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.ranks import holm
from pbtbench.statistics.targets import hardest
from pbtbench.statistics.time_to_target import Attempts, ert_ratio, logrank

Cost = Literal["seconds", "member_iterations", "worker_seconds"]
"""What it takes: wall time, work, or wall time of all workers."""

COSTS: Sequence[Cost] = get_args(Cost)

FAULTS = ("crash", "hang")
"""Causes for which a run would never have reached a target."""

SURE = 6
"""Seeds from which on pairs can rule out chance at the level of 5%."""


@dataclass(frozen=True)
class Speedup:
    """A method against a baseline at one target."""

    one: Cell
    baseline: Cell
    target: float
    cost: Cost
    ratio: Estimate
    """What the baseline takes over what the method takes, both expected (ERT): above 1 the method is cheaper.
    Infinite where only the method reached the target in any run, 0 where only the baseline did."""
    reached: int
    """How many of the method's runs reached it."""
    runs: int
    """Of how many."""
    baseline_reached: int
    baseline_runs: int

    adjusted_p: float
    """Of the log-rank test that both reach it alike, over all comparisons of the group (Holm); 1 where there is
    nothing to test."""

    @property
    def slowdown(self) -> Estimate:
        """The ratio turned over: what the method takes over what the baseline takes."""
        of = self.ratio
        value, low, high = (1 / r if r else math.inf for r in (of.value, of.high, of.low))
        return Estimate(value, low, high, of.n)

    @property
    def clear(self) -> bool:
        """Whether the interval leaves no doubt of which is cheaper, and chance is ruled out; never with fewer
        than `SURE` seeds, with which both say too much."""
        apart = self.ratio.low > 1 or self.ratio.high < 1
        return apart and self.adjusted_p <= LEVEL and self.ratio.n >= SURE


def speedups(cells: Sequence[Cell], cost: Cost) -> list[Speedup]:
    """Each method with an interval against each baseline of its group (`baselines.groups`), at the hardest
    target that any cell of the group reached; none where none was reached."""
    found = []
    for group in groups(cells):
        hits = hardest(group)
        if not hits:
            continue
        target, against = hits[0].target.target, baselines(group)
        others = [c for c in group if not any(c is one for one in against)]
        pairs = [_speedup(c, b, target, cost) for c in others for b in against]
        known = [one for one in pairs if one is not None]
        adjusted = holm([1.0 if math.isnan(s.adjusted_p) else s.adjusted_p for s in known])
        found += [replace(s, adjusted_p=p) for s, p in zip(known, adjusted.tolist(), strict=True)]
    return found


def spent(measures: Measures, attempt: Attempt, cost: Cost) -> float:
    """What a run spent on a target, until it was reached or the run ended."""
    if cost == "member_iterations":
        return attempt.spent_member_iterations
    return attempt.spent_s * (measures.workers if cost == "worker_seconds" else 1)


def _speedup(one: Cell, baseline: Cell, target: float, cost: Cost) -> Speedup | None:
    ours, theirs = (_tried(cell, target, cost) for cell in (one, baseline))
    if not (ours and theirs) or not any(r for _, r, _ in [*ours.values(), *theirs.values()]):
        return None
    shared = sorted(ours.keys() & theirs.keys())
    paired = len(shared) > 1 or len(shared) == len(ours) == len(theirs)
    a, b = (_attempts([of[s] for s in (shared if paired else sorted(of))]) for of in (ours, theirs))
    return Speedup(
        one=one,
        baseline=baseline,
        target=target,
        cost=cost,
        ratio=ert_ratio(a, b, paired=paired),
        reached=a.successes,
        runs=a.n,
        baseline_reached=b.successes,
        baseline_runs=b.n,
        adjusted_p=logrank(a, b),
    )


def _attempts(runs: Sequence[tuple[float, bool, bool]]) -> Attempts:
    spent, reached, crashed = zip(*runs, strict=True)
    return Attempts(np.array(spent, float), np.array(reached), np.array(crashed))


def _tried(cell: Cell, target: float, cost: Cost) -> dict[int, tuple[float, bool, bool]]:
    """Seed -> what the run spent on the target, whether it reached it, and whether it crashed before."""
    found = {}
    for m in cell.measures:
        if (a := m.attempt(target)) is not None:
            found[m.run.seed] = spent(m, a, cost), a.reached, a.cause in FAULTS
    return found
