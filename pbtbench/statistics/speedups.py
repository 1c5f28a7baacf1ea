"""By what factor methods with an interval reach a target more cheaply than each baseline (METHOD 2, 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pbtbench.measures import Measures
from pbtbench.measures.target import Attempt, ert
from pbtbench.statistics.baselines import LEVEL, baselines, groups
from pbtbench.statistics.bootstrap import REPLICATES
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.ranks import holm
from pbtbench.statistics.targets import hardest
from pbtbench.statistics.time_to_target import Attempts, logrank

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
    a, b = (
        np.array([of[s] for s in (shared if paired else sorted(of))], float)
        for of in (ours, theirs)
    )
    return Speedup(
        one=one,
        baseline=baseline,
        target=target,
        cost=cost,
        ratio=ert_ratio(a[:, :2], b[:, :2], paired=paired),
        reached=int(a[:, 1].sum()),
        runs=len(a),
        baseline_reached=int(b[:, 1].sum()),
        baseline_runs=len(b),
        adjusted_p=logrank(*(_attempts(side) for side in (a, b))),
    )


def _attempts(side: np.ndarray) -> Attempts:
    """Of shape (runs, 3): what was spent, whether it was enough, whether the run crashed."""
    return Attempts(side[:, 0], side[:, 1] > 0, side[:, 2] > 0)


def _tried(cell: Cell, target: float, cost: Cost) -> dict[int, tuple[float, bool, bool]]:
    """Seed -> what the run spent on the target, whether it reached it, and whether it crashed before."""
    found = {}
    for m in cell.measures:
        if (a := m.attempt(target)) is not None:
            found[m.run.seed] = spent(m, a, cost), a.reached, a.cause in FAULTS
    return found


def ert_ratio(one: np.ndarray, other: np.ndarray, *, paired: bool, seed: int = 0) -> Estimate:
    """The other's expected running time over that of one, with the 95% percentile interval of a bootstrap over
    runs: pairs are drawn together. `one`, `other`: shape (runs, 2), what was spent and whether it was enough.

    Of draws in which neither succeeds nothing is known: they count at both ends.
    """
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(one), size=(REPLICATES, len(one)))
    a = one[rows].sum(axis=1)
    b = other[rows if paired else rng.integers(len(other), size=(REPLICATES, len(other)))]
    b = b.sum(axis=1)
    n = min(len(one), len(other))
    value = _over(
        ert(one[:, 0].tolist(), (one[:, 1] > 0).tolist()),
        ert(other[:, 0].tolist(), (other[:, 1] > 0).tolist()),
    )
    if n < 2:
        return Estimate(value, 0.0, math.inf, n)
    # other's ERT over one's = (spent_b / successes_b) / (spent_a / successes_a)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (b[:, 0] * a[:, 1]) / (a[:, 0] * b[:, 1])
    low, high = (
        float(
            np.quantile(np.nan_to_num(ratios, nan=end, posinf=math.inf), q, method="inverted_cdf")
        )
        for end, q in ((0.0, 0.025), (math.inf, 0.975))
    )
    return Estimate(value, low, high, n)


def _over(one: float, other: float) -> float:
    """The other's over one's."""
    if math.isinf(one):
        return math.nan if math.isinf(other) else 0.0
    return other / one if one else math.nan
