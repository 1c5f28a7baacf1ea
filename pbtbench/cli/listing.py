"""The table of the problems, on the terminal.

A terminal gets as many columns as it has room for. Where the output goes elsewhere, each problem is one
line, however long, so that it can be searched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbtbench.problem import Problem

GAP = 2
INDENT = 2
UNBOUNDED = 10_000
"""Columns of an output that is no terminal."""


@dataclass(frozen=True)
class Column:
    """A column of the table of problems."""

    header: str
    cell: Callable[[Problem], str]
    least: int | None = None
    """Characters that it can be squeezed to, between words; None: it is shown whole."""
    rank: int = 0
    """The higher, the sooner it is left out of a narrow terminal."""

    def width(self, problems: Iterable[Problem]) -> int:
        """The fewest characters that no word of it is cut in."""
        cells = [self.header, *map(self.cell, problems)]
        if self.least is None:
            return max(map(len, cells))
        return max(self.least, *(len(word) for cell in cells for word in cell.split()))


def tested_on(problem: Problem) -> str:
    """The data that no decision sees and members are tested on, as far as that is stated."""
    from pbtbench.adapters.trainable import TEST, TrainableStart, is_tested

    if isinstance(problem.start, TrainableStart):
        return f"by {TEST}()" if is_tested(problem.start.trainable) else "nothing: no " + TEST
    return problem.test or "nothing stated"


COLUMNS = (
    Column("problem", lambda p: p.name),
    Column("framework", lambda p: p.framework or "unknown", rank=1),
    Column("what it is for", lambda p: "; ".join([p.title, *needs(p)]), least=28),
    Column("hyperparameters", lambda p: ", ".join(map(_starred(p), p.space)), least=16, rank=2),
    Column("budget", lambda p: f"{p.iterations} × {p.steps_per_iteration}", rank=3),
    Column("tested on", tested_on, least=16, rank=6),
    Column("targets", lambda p: numbers(p.objective.targets) or "none", rank=4),
    Column("source", lambda p: p.source, least=24, rank=5),
)


def print_problems(problems: Mapping[str, Problem], console: Console) -> None:
    """Print the table of problems."""
    listed = list(problems.values())
    if not _bounded(console):
        console.width = UNBOUNDED
    shown = fitting(console.width, listed)
    widths = _widths(shown, listed, console.width)
    # A terminal too narrow for even these breaks the lines itself: no name is cut.
    console.width = max(console.width, _sum(widths))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for column, width in zip(shown, widths, strict=True):
        table.add_column(column.header, width=width)
    for problem in listed:
        table.add_row(*(Text(column.cell(problem)) for column in shown))
    print_indented(table, console)
    hidden = [column.header for column in COLUMNS if column not in shown]
    console.print(
        "\n* may change while training. Budget: iterations × steps of each."
        + (f" A wider terminal has room for: {', '.join(hidden)}." if hidden else "")
        + " All of one: pbtbench show PROBLEM",
        style="dim",
        highlight=False,
        soft_wrap=not _bounded(console),
    )


def fitting(width: int, problems: Sequence[Problem]) -> list[Column]:
    """The columns for a terminal of so many characters; at least the problem's name and what it is for."""
    shown = list(COLUMNS)
    while _sum([c.width(problems) for c in shown]) > width and any(c.rank for c in shown):
        shown.remove(max(shown, key=lambda column: column.rank))
    return shown


def _widths(columns: Sequence[Column], problems: Sequence[Problem], room: int) -> list[int]:
    """Each column's width: what it needs at least, and a share of what is left, up to its longest cell."""
    least = [column.width(problems) for column in columns]
    whole = [max(len(c.header), *(len(c.cell(p)) for p in problems)) for c in columns]
    wanted = [max(0, w - n) for w, n in zip(whole, least, strict=True)]
    spare = max(0, room - _sum(least))
    share = min(1.0, spare / max(1, sum(wanted)))
    return [n + int(share * more) for n, more in zip(least, wanted, strict=True)]


def _sum(widths: Sequence[int]) -> int:
    """The width of a table whose columns have these."""
    return INDENT + sum(width + GAP for width in widths)


def needs(problem: Problem) -> list[str]:
    """What is still to be done before a problem runs here, if anything."""
    todo = [f"needs {m}, not installed: {problem.requires[m]}" for m in problem.missing()]
    return [*todo, f"downloads {problem.download}"] if problem.download else todo


def _starred(problem: Problem) -> Callable[[str], str]:
    return lambda name: f"{name}*" if problem.space[name].dynamic else name


def numbers(values: Iterable[float]) -> str:
    """`0.9, 0.95`: as short as they are exact to six digits."""
    return ", ".join(f"{value:g}" for value in values)


def _bounded(console: Console) -> bool:
    """Whether the output has a width: a terminal's, or one that was asked for."""
    return console.is_terminal or "COLUMNS" in os.environ


def print_indented(table: Table, console: Console) -> None:
    """Indented, and without the blanks that fill a table's last column."""
    with console.capture() as caught:
        console.print(table)
    for line in caught.get().splitlines():
        console.out(" " * INDENT + line.rstrip(), highlight=False)
