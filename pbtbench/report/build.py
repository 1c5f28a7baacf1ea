"""What a report consists of: a study's measures -> the texts of its files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pandas as pd

from pbtbench import filename
from pbtbench.errors import BadInput
from pbtbench.measures import Measures
from pbtbench.measures.paths import path
from pbtbench.record import Record
from pbtbench.report import (
    checkpoint_costs,
    content,
    data,
    forks,
    html,
    intervals,
    palette,
    paths,
    progress,
    run_pages,
    seeds,
    spending,
    survival,
    tables,
    target_tables,
)
from pbtbench.report.cell_table import cell_table
from pbtbench.report.figures import Figure, draw
from pbtbench.report.findings import Finding, findings
from pbtbench.report.matrix import matrix
from pbtbench.report.over_problems import over_problems
from pbtbench.report.palette import Series
from pbtbench.report.run_pages import RunPage
from pbtbench.report.summary import summary
from pbtbench.report.vega import bundling
from pbtbench.runs import Run
from pbtbench.statistics import checkpoint_costs as costs_of
from pbtbench.statistics.baselines import Comparison, comparisons
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.statistics.overall import standings
from pbtbench.statistics.sequential import level
from pbtbench.statistics.speedups import speedups
from pbtbench.store import Store

MANY = 10
"""Problems that one page shows at most: of more each has a page of its own."""


def build(out: Store, measures: Sequence[Measures], version: str = "") -> dict[str, str]:
    """Path within `report/` -> text. `version`: of a report that is served, whose pages ask for a later one."""
    if measures:
        bundling()  # which takes its time
    of_runs = cells_of(measures)
    machine = out.machine()
    found_costs = costs_of.checkpoint_costs(of_runs, machine.get("memcpy_s_per_gb", math.nan))
    cells = tables.distinct(of_runs)
    shown = costs_of.outside(cells, found_costs)
    found = findings(cells)
    drawing = Drawing(out)
    compared = comparisons(shown, level(out.declared()))
    ranked = standings(shown)
    inside = run_pages.run_pages(shown, drawing)
    colours = palette.series(cells)
    many = len({cell.problem for cell in shown}) > MANY
    sections = [
        _section(
            finding,
            [c for c in shown if c.problem == finding.problem],
            [c for c in compared if c.one.problem == finding.problem],
            [page for page in inside if page.cell.problem == finding.problem],
            colours,
            drawing,
            many,
        )
        for finding in found
        if any(c.problem == finding.problem for c in shown)
    ]
    costs = checkpoint_costs.checkpoint_costs(found_costs)
    fork_table = forks.forks(cells)
    optimism = tables.optimism(cells)
    over = over_problems(shown, compared, ranked, colours)
    drawn = [f for section in sections for f in section.figures]
    drawn += [*(costs.figures if costs else []), *(over.figures if over else [])]
    draw(drawn)
    shown_content = content.Content(
        title=out.title(),
        sections=sections,
        overall=[f for f in found if not f.problem],
        cells=cells,
        summary=summary(shown, compared, ranked, speedups(shown, "worker_seconds")),
        over_problems=over,
        optimism=optimism,
        matrix=matrix(shown, compared),
        table=cell_table(cells, {page.measures.run.id: page.path for page in inside}),
        colours=colours,
        costs=costs,
        forks=fork_table,
        study=out.study_text(),
        machine=machine,
        machines=len(out.machines()),
        version=version,
        left_out=[*out.left_out, *drawing.damaged],
    )
    light = palette.variables(colours, dark=False)
    return {
        **(html.pages(shown_content) if many else {"index.html": html.page(shown_content)}),
        **html.run_pages(shown_content, inside),
        **tables.comparison(cells).files("tables/comparison"),
        **(optimism.files("tables/optimism") if optimism else {}),
        **(costs.files() if costs else {}),
        **(over.files() if over else {}),
        **(fork_table.files("tables/forks") if fork_table else {}),
        **{f"figures/{f.name}.svg": palette.resolved(f.svg, light) for f in drawn},
    }


class Drawing:
    """What drawing a study's figures shares: the records of the runs that are drawn, and names."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: set[str] = set()
        self.damaged: list[str] = []
        """What is wrong with records that could not be read, a line for each."""

    def record(self, run: Run) -> Record | None:
        """A run's record; None if it can't be read."""
        try:
            return self._store.record(run)
        except BadInput as error:
            if (line := str(error)) not in self.damaged:
                self.damaged.append(line)
            return None

    def named(self, figures: Iterable[Figure]) -> list[Figure]:
        """The figures, each with a name of its own in the report."""
        found = []
        for figure in figures:
            name = figure.name
            while name.lower() in self._names:
                name += "-"
            self._names.add(name.lower())
            found.append(replace(figure, name=name))
        return found


def _section(
    finding: Finding,
    cells: Sequence[Cell],
    compared: Sequence[Comparison],
    inside: Sequence[RunPage],
    colours: Sequence[Series],
    drawing: Drawing,
    many: bool,
) -> content.Section:
    rows = data.of_problem(cells)
    places = list(_places(cells, drawing))
    plane = cells[0].run.card.plane
    if plane and places:
        rows["places"] = paths.places(places)
    cost = spending.worker_seconds(cells, rows)
    rows |= survival.rows(cells)
    return content.Section(
        name=finding.problem,
        page=f"problems/{filename.part(finding.problem)}.html" if many else "",
        finding=finding,
        rows=tables.rows(cells),
        data=rows,
        scores=drawing.named(
            [
                *progress.progress(cells, rows, colours),
                *(paths.paths(finding.problem, plane, rows, colours) if plane and places else ()),
            ]
        ),
        targets=drawing.named(survival.figures(cells, rows, colours)),
        target_tables=target_tables.tables(cells),
        comparisons=seeds.table(compared) if compared else None,
        intervals=drawing.named(intervals.by_interval(cells, rows, colours)),
        costs=drawing.named([cost] if cost else []),
        inside=inside,
        forks=forks.forks(cells) if many else None,
        thumbnail=progress.thumbnail(rows, colours) if many else "",
    )


def _places(cells: Sequence[Cell], drawing: Drawing) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """Where the members of a run of each method were, for a problem that has a plane."""
    for cell in cells:
        if cell.run.card.plane is not None and cell.completed:
            run = cell.completed[0].run
            record = drawing.record(run)
            if record is not None and len(found := path(run, record)):
                yield cell, found
