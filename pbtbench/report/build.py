"""What a report consists of: a study's runs -> the texts of its files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pbtbench.measures.forks import fork_effects
from pbtbench.record import Outcome
from pbtbench.report import (
    checkpoint_costs,
    figures,
    forks,
    html,
    intervals,
    lineages,
    palette,
    paths,
    tables,
)
from pbtbench.report.findings import Finding, findings
from pbtbench.report.palette import Series
from pbtbench.run import Run
from pbtbench.statistics import compare
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.statistics.checkpoint_costs import laboratory, outside
from pbtbench.store import Store


def build(out: Store, pairs: Sequence[tuple[Run, Outcome]]) -> dict[str, str]:
    """Path within `report/` -> text."""
    cells = cells_of(pairs)
    found = findings(cells)
    colours = palette.series(cells)
    machine = out.machine()
    costs = laboratory(cells, machine.get("memcpy_s_per_gb", math.nan))
    lab = checkpoint_costs.laboratory(costs)
    sections = list(_sections(outside(cells, costs), found, colours))
    told = [
        (cell, [(m, fork_effects(m.run, m.outcome)) for m in cell.completed])
        for cell in cells
        if cell.interval is not None
    ]
    forked = forks.forks(told)
    page = html.page(
        html.Content(
            title=out.title(),
            sections=sections,
            overall=[f for f in found if not f.problem],
            cells=cells,
            colours=colours,
            lab=lab,
            forks=forked,
            study=(out.path / "study.toml").read_text("utf-8"),
            machine=machine,
        )
    )
    light = palette.variables(colours, dark=False)
    drawn = [f for section in sections for f in section.figures] + (lab.figures if lab else [])
    return {
        "index.html": page,
        **tables.comparison(cells).files("tables/comparison"),
        **(lab.files() if lab else {}),
        **(
            {**forked.files("tables/forks"), "tables/restores.csv": forks.restores(told)}
            if forked
            else {}
        ),
        **{f"figures/{f.name}.svg": palette.resolved(f.svg, light) for f in drawn},
    }


def _sections(
    cells: Sequence[Cell], found: Sequence[Finding], colours: Sequence[Series]
) -> Iterator[html.Section]:
    for finding in found:
        mine = [c for c in cells if c.problem == finding.problem]
        if mine:
            cost = figures.worker_seconds(mine)
            yield html.Section(
                name=finding.problem,
                finding=finding,
                rows=[row for row in tables.rows(cells) if row.problem == finding.problem],
                scores=[*figures.progress(mine, colours), *paths.paths(mine, colours)],
                intervals=list(intervals.by_interval(mine, colours)),
                costs=[cost] if cost else [],
                lineages=[
                    f
                    for cell in _telling(mine)
                    for f in lineages.lineages(
                        cell.completed[0],
                        f"{cell.problem}-{cell.engine}-{cell.method}-k{cell.interval}",
                    )
                ],
            )


def _telling(cells: Sequence[Cell]) -> list[Cell]:
    """The cells whose runs are drawn: the shortest interval, and the best, if it isn't as good."""
    swept = sorted(
        (c for c in cells if c.interval is not None and c.scored), key=lambda c: c.interval or 0
    )
    if not swept:
        return []
    best = compare.best(swept)[0]
    return [best] if best is swept[0] else [swept[0], best]
