"""What came with the forks: how they went, how old the states were, how members scored around them."""

from __future__ import annotations

from collections.abc import Sequence

from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent, score, size
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.forks import ForksOfCell, forks_of
from pbtbench.statistics.spread import Spread

HEADER = (
    *("problem", "method", "engine", "runs", "forks", "exploits skipped", "out of bounds"),
    *("never perturbed", "states lost", "score before", "donor's", "score after", "stale steps"),
    *("discarded", "process starts", "memory of a worker"),
)


def forks(cells: Sequence[Cell]) -> Table | None:
    """A row for each method, interval and engine; None where no method has an interval. Counts are
    totals over the runs, the others medians."""
    found = [(c, forks_of(c)) for c in cells if c.interval is not None and c.completed]
    if not found:
        return None
    devices = any(of.device_bytes.n for _, of in found)
    header = [*HEADER, *["memory of a device"] * devices]
    body = [[*_row(c, of), *[_range(of.device_bytes)] * devices] for c, of in found]
    return Table(header, body, left=3)


def _row(cell: Cell, of: ForksOfCell) -> list[str]:
    return [
        *(cell.problem, cell.label, cell.engine, str(len(cell.completed))),
        *(f"{of.forks:,}", f"{of.exploits_skipped:,}", f"{of.out_of_bounds:,}"),
        f"{of.never_perturbed:,} of {of.members:,}",
        f"{of.lost:,}",
        *(score(of.before), score(of.copied), score(of.after)),
        *(number(of.stale_steps), percent(of.discarded), number(of.process_starts)),
        _range(of.memory_bytes),
    ]


def _range(found: Spread) -> str:
    """`480 MB`, or the least and the most."""
    if not found.n:
        return NONE
    low, high = size(found.low), size(found.high)
    return low if low == high else f"{low} to {high}"
