"""What came with the forks of a method, over its seeds (`measures.forks`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.statistics.cells import Cell
from pbtbench.statistics.spread import Spread, spread
from pbtbench.statistics.targets import SAME_TIME
from pbtbench.statistics.totals import totals


@dataclass(frozen=True)
class ForksOfCell:
    """Whole numbers are totals over the completed runs of a cell, reals medians over them (`ForkEffects` and
    `Quality` say what of); NaN where none has a number."""

    forks: int
    exploits_skipped: int
    out_of_bounds: int
    never_perturbed: int
    members: int
    """Of all these runs."""
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
    """Over these runs: the most that a process held on its device; of none where there is none."""


@dataclass(frozen=True)
class ForkCosts:
    """A method at one interval on the engine where its forks cost most, and where they cost least."""

    dear: Cell
    cheap: Cell

    @property
    def times(self) -> float:
        """How many times the cheaper one's cost the dearer one's is."""
        return self.dear.fork_s / self.cheap.fork_s


def fork_costs(cells: Sequence[Cell]) -> ForkCosts | None:
    """Of the first method and interval whose forks cost more on one engine than on another, by more than clocks
    can't tell (`SAME_TIME`); None if there is none. `cells`: of one problem."""
    for label in dict.fromkeys(c.label for c in cells):
        timed = [c for c in cells if c.label == label and c.fork_s > 0]
        if timed:
            by_cost = sorted(timed, key=lambda c: c.fork_s)
            found = ForkCosts(dear=by_cost[-1], cheap=by_cost[0])
            if found.dear.engine != found.cheap.engine and found.times > SAME_TIME:
                return found
    return None


def forks_of(cell: Cell) -> ForksOfCell:
    """Of a cell that has completed runs."""
    runs, counted = cell.completed, totals([cell])
    effects = [m.forks for m in runs]
    return ForksOfCell(
        forks=counted.forks,
        exploits_skipped=counted.exploits_skipped,
        out_of_bounds=counted.out_of_bounds,
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
