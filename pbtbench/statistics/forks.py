"""What came with the forks of a method, over its seeds (`measures.forks`)."""

from __future__ import annotations

from dataclasses import dataclass

from pbtbench.statistics.cells import Cell
from pbtbench.statistics.spread import Spread, spread


@dataclass(frozen=True)
class ForksOfCell:
    """Totals over the completed runs of a cell; medians over them where nothing else is said."""

    forks: int
    exploits_skipped: int
    out_of_bounds: int
    never_perturbed: int
    members: int
    lost: int
    before: float
    copied: float
    after: float
    stale_steps: float
    discarded: float
    process_starts: float
    memory_bytes: Spread
    """Over all workers of these runs: the most that a process of each held."""
    device_bytes: Spread


def forks_of(cell: Cell) -> ForksOfCell:
    """Of a cell that has completed runs."""
    runs = cell.completed
    effects = [m.forks for m in runs]
    return ForksOfCell(
        forks=sum(m.overhead.forks for m in runs),
        exploits_skipped=sum(m.quality.exploits_skipped for m in runs),
        out_of_bounds=sum(m.quality.out_of_bounds for m in runs),
        never_perturbed=sum(e.never_perturbed for e in effects),
        members=sum(m.population for m in runs),
        lost=sum(e.lost for e in effects),
        before=spread(e.before for e in effects).median,
        copied=spread(e.copied for e in effects).median,
        after=spread(e.after for e in effects).median,
        stale_steps=spread(e.stale_steps for e in effects).median,
        discarded=spread(e.discarded for e in effects).median,
        process_starts=spread(float(e.process_starts) for e in effects).median,
        memory_bytes=spread(float(p) for e in effects for p in e.peak_memory_bytes.values()),
        device_bytes=spread(e.peak_device_bytes for e in effects),
    )
