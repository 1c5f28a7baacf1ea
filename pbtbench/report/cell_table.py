"""The table of all cells: a row for each method, interval, problem and engine, to be sorted and filtered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pbtbench.report.tables import Row, rows
from pbtbench.report.wording import NONE, number, seconds
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.targets import hardest

MOST = 2000
"""Rows of the table at most."""

HEADER: Sequence[tuple[str, str]] = (
    ("problem", "text"),
    ("method", "text"),
    ("interval", "number"),
    ("engine", "text"),
    ("runs", "number"),
    ("score", "number"),
    ("min, max", "range"),
    ("of data", "text"),
    ("selection optimism", "number"),
    ("target", "number"),
    ("reached", "number"),
    ("expected work", "number"),
    ("expected time", "number"),
    ("checkpoint overhead", "number"),
    ("all overhead", "number"),
    ("wall", "number"),
)
"""Names of the columns, and what they hold."""

CHOSEN = ("problem", "method", "interval", "engine", "of data")
"""Columns of which one value can be chosen."""


@dataclass(frozen=True)
class Value:
    """A text, and the number that it is sorted by."""

    text: str
    number: float | None = None
    """None for a text; NaN for none."""
    first: bool = False
    """Whether it stands out: the best of its problem."""

    @property
    def sorted_by(self) -> str:
        """The number, as a page has it; empty for none."""
        return "" if self.number is None or math.isnan(self.number) else repr(self.number)


@dataclass(frozen=True)
class Line:
    """A row, a value for each column."""

    label: str
    values: Sequence[Value]
    run_page: str
    """The page of a run of it; empty if none has one."""


@dataclass(frozen=True)
class CellTable:
    """The rows, of which some may be left out."""

    header: Sequence[tuple[str, str]]
    """Of `HEADER` the columns that are shown: those that say something."""
    lines: Sequence[Line]
    count: int
    """How many there are, with those that are left out."""

    @property
    def inside(self) -> bool:
        """Whether any row has a run with a page."""
        return any(line.run_page for line in self.lines)

    @property
    def choices(self) -> dict[int, list[str]]:
        """Column -> its values, of the columns of `CHOSEN` that have several."""
        found = {}
        for column, (name, _) in enumerate(self.header):
            values = list(dict.fromkeys(line.values[column].text for line in self.lines))
            if name in CHOSEN and len(values) > 1:
                found[column] = values
        return found


def cell_table(cells: Sequence[Cell], run_pages: Mapping[str, str]) -> CellTable:
    """The table of some cells. `run_pages`: id of a run -> its page in the report."""
    of_problem: dict[str, list[Cell]] = {}
    for cell in cells:
        of_problem.setdefault(cell.problem, []).append(cell)
    targets = {
        problem: hits[0].target.target
        for problem, mine in of_problem.items()
        if (hits := hardest(mine))
    }
    texts = rows(cells)
    lines = [_line(row, targets.get(row.problem), run_pages) for row in texts[:MOST]]
    shown = [i for i, (name, _) in enumerate(HEADER) if _says_something(name, cells)]
    kinds = {row.kind for row in texts}
    header = [
        (f"{kinds.pop()} score" if name == "score" and len(kinds) == 1 else name, kind)
        for name, kind in (HEADER[i] for i in shown)
    ]
    lines = [replace(line, values=[line.values[i] for i in shown]) for line in lines]
    return CellTable(header, lines, len(cells))


def _says_something(column: str, cells: Sequence[Cell]) -> bool:
    """Whether a column is not the same in all rows, where that can be."""
    if column == "engine":
        return len({cell.engine for cell in cells}) > 1
    if column == "of data":
        return len({cell.held_out for cell in cells}) > 1
    return column != "selection optimism" or any(cell.optimism is not None for cell in cells)


def _line(row: Row, target: float | None, run_pages: Mapping[str, str]) -> Line:
    cell = row.cell
    found = None if target is None else cell.target(target)
    nothing = Value(NONE, math.nan)
    if found is None:
        attempts = [nothing] * 4
    else:
        attempts = [
            Value(number(found.target), found.target),
            Value(f"{found.reached}/{found.n}", found.reached / found.n),
            Value(number(found.ert_member_iterations), found.ert_member_iterations),
            Value(seconds(found.ert_s), found.ert_s),
        ]
    interval = nothing if cell.interval is None else Value(str(cell.interval), cell.interval)
    pages = (run_pages[m.run.id] for m in cell.measures if m.run.id in run_pages)
    return Line(
        label=cell.label,
        values=[
            *(Value(row.problem), Value(cell.method), interval, Value(row.engine)),
            Value(row.n, cell.n),
            Value(row.final, cell.score.median, row.best),
            Value(row.spread, cell.score.low),
            Value(row.kind),
            nothing if cell.optimism is None else Value(row.optimism, cell.optimism.median),
            *attempts,
            Value(row.checkpoint_overhead, cell.checkpoint_overhead),
            Value(row.pbt_overhead, cell.pbt_overhead),
            Value(row.wall, cell.wall_s),
        ],
        run_page=next(pages, ""),
    )
