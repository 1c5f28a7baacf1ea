"""Counts over the runs of some methods: what failed, what diverged, what came with the forks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pbtbench.statistics.cells import Cell


@dataclass(frozen=True)
class Totals:
    """Sums over all runs of some cells; what comes with forks and final scores over those that completed."""

    runs: int
    failed: Mapping[str, int]
    """Cause -> how many runs it ended."""
    unscored: int
    """Completed runs in which no member ended with a score."""
    saves: int
    restores: int
    forks: int
    out_of_bounds: int
    """Forks whose hyperparameters left the space's bounds."""
    exploits_skipped: int
    scores: int
    """One for each member and iteration."""
    standing: int
    """Scores that stand from an earlier iteration."""
    nan_members: int
    """Members whose score was NaN or infinite at least once."""
    beyond_bound: int
    """Scores better than the problem's bound."""

    @property
    def failures(self) -> int:
        """How many runs failed."""
        return sum(self.failed.values())


@dataclass(frozen=True)
class Spills:
    """States that an object store could not hold."""

    states: int
    state_bytes: int
    """The largest state of the runs that had any."""
    store_bytes: int
    """The object store's size, the largest of several."""


def totals(cells: Sequence[Cell]) -> Totals:
    """The sums over some cells."""
    runs = [m for cell in cells for m in cell.measures]
    completed = [m for m in runs if not m.cause]
    return Totals(
        runs=len(runs),
        failed=Counter(m.cause for m in runs if m.cause),
        unscored=sum(not m.quality.scored for m in completed),
        saves=sum(m.overhead.saves for m in completed),
        restores=sum(m.overhead.restores for m in completed),
        forks=sum(m.overhead.forks for m in completed),
        out_of_bounds=sum(m.quality.out_of_bounds for m in completed),
        exploits_skipped=sum(m.quality.exploits_skipped for m in completed),
        scores=sum(m.quality.scores for m in runs),
        standing=sum(m.quality.standing for m in runs),
        nan_members=sum(m.quality.nan_members for m in runs),
        beyond_bound=sum(m.quality.beyond_bound for m in runs),
    )


def spills(cells: Sequence[Cell]) -> Spills | None:
    """What Ray spilled to disk in the runs of some cells; None if nothing."""
    spilled = [m for cell in cells for m in cell.measures if m.checkpoints.spills]
    if not spilled:
        return None
    return Spills(
        states=sum(m.checkpoints.spills for m in spilled),
        state_bytes=max(m.overhead.state_bytes or 0 for m in spilled),
        store_bytes=max(m.checkpoints.store_bytes for m in spilled),
    )
