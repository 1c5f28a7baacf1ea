"""Pages of single runs: which runs have one, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pbtbench import filename
from pbtbench.measures import Measures
from pbtbench.record import Record
from pbtbench.report.lineages import Family, family, lineages
from pbtbench.report.plots import Plot
from pbtbench.report.timeline import timeline
from pbtbench.runs import Run
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.order import best_run, places

PAGES = 30
"""Of runs at most."""

STRETCHES = 100
"""Of a schedule that are written out at most: the first."""


class Records(Protocol):
    """Where records come from."""

    def record(self, run: Run) -> Record | None:
        """A run's record; None if it can't be read."""


@dataclass(frozen=True)
class RunPage:
    """What is shown of one run."""

    path: str
    """In the report."""
    cell: Cell
    measures: Measures
    workers: Plot | None
    family: Family | None
    """None of a run without forks."""
    lineages: Sequence[Plot]

    @property
    def run(self) -> Run:
        """The run."""
        return self.measures.run


def run_pages(cells: Sequence[Cell], records: Records) -> list[RunPage]:
    """A page for the best run of each cell with an interval, at most `PAGES`: of each problem first the cell
    that stands best. Runs whose records can't be read have none."""
    found = []
    names: set[str] = set()
    for cell in _chosen(cells):
        measures = best_run(cell)
        record = None if measures is None else records.record(measures.run)
        if measures is None or record is None:
            continue
        name = filename.part(measures.run.id)
        while name.lower() in names:
            name += "-"
        names.add(name.lower())
        tree = family(measures.run, record)
        found.append(
            RunPage(
                path=f"runs/{name}.html",
                cell=cell,
                measures=measures,
                workers=timeline(measures, record),
                family=tree,
                lineages=[] if tree is None else list(lineages(tree)),
            )
        )
    order = {id(cell): i for i, cell in enumerate(cells)}
    return sorted(found, key=lambda page: order[id(page.cell)])


def _chosen(cells: Sequence[Cell]) -> list[Cell]:
    """Cells with an interval, the best of each problem and engine first, then the second best."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.interval is not None and cell.completed:
            groups.setdefault((cell.problem, cell.engine), []).append(cell)
    ranked: list[tuple[int, Cell]] = []
    for mine in groups.values():
        found = [
            (place.rank or len(mine), cell) for place, cell in zip(places(mine), mine, strict=True)
        ]
        ranked += enumerate(cell for _, cell in sorted(found, key=lambda one: one[0]))
    return [cell for _, cell in sorted(ranked, key=lambda one: one[0])[:PAGES]]
