"""Methods at the targets of their problems, on each of three axes: how often, when, and how sure (METHOD 2).

What methods take is compared on one problem and cluster alone: seconds of unlike machines are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.statistics.baselines import baselines, groups
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.ranks import holm
from pbtbench.statistics.speedups import FAULTS, Cost, spent
from pbtbench.statistics.targets import compared_target, hardest
from pbtbench.statistics.time_to_target import Attempts, ert, logrank, rmst, success_share


@dataclass(frozen=True)
class Reach:
    """A method at a target, on one axis."""

    cell: Cell
    target: float
    attempts: Attempts
    """In the order of the cell's runs."""
    success: Estimate
    """The share of runs that reached it."""
    ert: Estimate
    """Expected: all that was spent over the number of successes."""
    budget: float
    """Until where all methods of the problem and cluster can be followed at the target."""
    rmst: Estimate
    """The mean, no run counting for more than the budget."""
    against: Mapping[str, float]
    """Label of a baseline -> p of the log-rank test, adjusted for all such tests of the group at the target
    (Holm); NaN where there is nothing to test."""


def attempts(cell: Cell, target: float, cost: Cost) -> Attempts:
    """Of the runs that tried the target: a crash or a hang is a failure for good, a run that ended by its
    budget might have reached it later."""
    found = [(m, a) for m in cell.measures if (a := m.attempt(target)) is not None]
    return Attempts(
        spent=np.array([spent(m, a, cost) for m, a in found], float),
        reached=np.array([a.reached for _, a in found], bool),
        crashed=np.array([a.cause in FAULTS for _, a in found], bool),
    )


def reaches(cells: Sequence[Cell], cost: Cost) -> list[Reach]:
    """The cells of one problem, each at its targets: target by target, in the cells' order."""
    targets = sorted({t.target for c in cells for t in c.targets})
    if cells and cells[0].run.card.objective.sign < 0:
        targets.reverse()
    return [reach for target in targets for reach in _at(cells, target, cost)]


def shown_target(cells: Sequence[Cell]) -> float:
    """The target at which cells of one problem are shown: the hardest that methods with an interval reach, or
    else that any does, or else that any tried; NaN without targets."""
    found = compared_target(cells)
    if math.isnan(found) and (hits := hardest(cells)):
        found = hits[0].target.target
    if math.isnan(found):
        sign = cells[0].run.card.objective.sign
        tried = [t.target for c in cells for t in c.targets]
        found = max(tried, key=lambda t: sign * t, default=math.nan)
    return found


def common_budget(found: Sequence[Attempts]) -> float:
    """Until where all of these can be followed: the least of their longest times, of those that have runs of
    which nobody knows whether they would have reached the target later. Without such runs the longest time."""
    longest = [float(a.spent.max()) for a in found]
    open_ended = [
        longest[i] for i, a in enumerate(found) if not a.crashed.any() and not np.all(a.reached)
    ]
    return min(open_ended, default=max(longest))


def _at(cells: Sequence[Cell], target: float, cost: Cost) -> list[Reach]:
    tried = [c for c in cells if c.target(target) is not None]
    of = {id(c): attempts(c, target, cost) for c in tried}
    budgets = {
        cluster: common_budget([of[id(c)] for c in tried if c.cluster == cluster])
        for cluster in {c.cluster for c in tried}
    }
    against = _against(tried, of)
    found = []
    for c in tried:
        mine, budget = of[id(c)], budgets[c.cluster]
        restricted = rmst(mine, budget) if budget > 0 else Estimate(0.0, 0.0, 0.0, mine.n)
        found.append(
            Reach(
                cell=c,
                target=target,
                attempts=mine,
                success=success_share(mine),
                ert=ert(mine),
                budget=budget,
                rmst=restricted,
                against=against.get(id(c), {}),
            )
        )
    return found


def _against(cells: Sequence[Cell], of: Mapping[int, Attempts]) -> dict[int, dict[str, float]]:
    """Cell -> label of a baseline of its group -> the log-rank test's p, adjusted over the group."""
    found: dict[int, dict[str, float]] = {}
    for group in groups(cells):
        against = baselines(group)
        known = {id(b) for b in against}
        pairs = [(c, b) for c in group if id(c) not in known for b in against]
        p = np.array([logrank(of[id(c)], of[id(b)]) for c, b in pairs], float)
        adjusted = np.where(np.isnan(p), math.nan, holm(np.nan_to_num(p, nan=1.0).tolist()))
        for (c, b), value in zip(pairs, adjusted.tolist(), strict=True):
            found.setdefault(id(c), {})[b.label] = value
    return found
