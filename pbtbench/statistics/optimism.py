"""By how much selection flatters a method, and whether that grows with how often it looks (METHOD 7).

Of many noisy scores the best is too good by chance: of n members that are equally good, whose scores have the
noise σ, by σ times the expected largest of n standard normals. What validation and test data differ by is in
it, too, and the same for all methods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.measures import Measures
from pbtbench.methods import TUNED
from pbtbench.statistics.cells import Cell

LEVEL = 0.05
"""The p-value below which optimism is said to grow."""

FEWEST = 5
"""Runs below which nothing is said of growth."""


@dataclass(frozen=True)
class Trend:
    """How the selection optimism of runs goes with their looks."""

    few: Cell
    """The method that looks least, and the one that looks most."""
    many: Cell
    tau: float
    """Kendall's τ-b of looks and optimism over the runs; 0 where all are equal."""
    p: float
    """How likely a τ so large is by chance; one-sided, each run taken as independent."""
    runs: int

    @property
    def grows(self) -> bool:
        """Whether chance is ruled out."""
        return self.p < LEVEL


def looks(m: Measures) -> int | None:
    """Validation scores that a run has selected by: of all members at every interval, or at the end alone for a
    method without one. None for a scheduler of Ray Tune's that doesn't say how often it looks."""
    run = m.run
    if run.interval is not None:
        return max(1, run.iterations // run.interval) * m.population
    return None if run.kind.startswith(TUNED) else m.population


def trend(cells: Sequence[Cell]) -> Trend | None:
    """Over the runs of some cells of one problem; None where they are too few, or all look equally often."""
    from scipy.stats import kendalltau

    pairs = [
        (seen, optimism)
        for cell in cells
        for m in cell.completed
        if cell.held_out
        and (seen := looks(m)) is not None
        and (optimism := m.quality.selection_optimism) is not None
        and math.isfinite(optimism)
    ]
    if len(pairs) < FEWEST or len({seen for seen, _ in pairs}) < 2:
        return None
    found = kendalltau(*zip(*pairs, strict=True), alternative="greater")
    tau, p = float(found.statistic), float(found.pvalue)
    if math.isnan(tau):
        tau, p = 0.0, 1.0
    known = [c for c in cells if c.optimism and c.optimism.n and looks(c.completed[0]) is not None]
    by_looks = sorted(known, key=lambda c: looks(c.completed[0]) or 0)
    return Trend(by_looks[0], by_looks[-1], tau, p, len(pairs))
