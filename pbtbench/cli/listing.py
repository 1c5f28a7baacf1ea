"""What there is to choose from, on the terminal: a table of the problems, and all that is known of one.

A terminal gets as many columns as it has room for. Where the output goes elsewhere, each problem is one
line, however long, so that it can be searched.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbtbench.problem import Objective, Problem
from pbtbench.space import (
    Choice,
    Constant,
    Derived,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Sampler,
    Uniform,
)

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


COLUMNS = (
    Column("problem", lambda p: p.name),
    Column("framework", lambda p: p.framework or "unknown", rank=1),
    Column("what it is for", lambda p: "; ".join([p.title, *needs(p)]), least=28),
    Column("hyperparameters", lambda p: ", ".join(map(_starred(p), p.space)), least=16, rank=2),
    Column("budget", lambda p: f"{p.iterations} × {p.steps_per_iteration}", rank=3),
    Column("targets", lambda p: _numbers(p.objective.targets) or "none", rank=4),
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
    _print(table, console)
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


def print_problem(problem: Problem, reference: str, console: Console) -> None:
    """Print all that is known of a problem, and how to run it by the `reference` that it was asked for."""
    console.print(Text(problem.name, "bold"), Text(problem.title), soft_wrap=True)
    rows = Table.grid(padding=(0, GAP, 0, 0))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for name, lines in _card(problem).items():
        for place, line in enumerate(lines):
            rows.add_row(Text("" if place else name, "dim"), Text(line))
    _print(rows, console)
    command = f"pbtbench run --problems {shlex.quote(reference)} --methods pbt,random"
    console.print(f"\nto run it: {command}", highlight=False, markup=False, soft_wrap=True)


def needs(problem: Problem) -> list[str]:
    """What is still to be done before a problem runs here, if anything."""
    todo = [f"needs {m}, not installed: {problem.requires[m]}" for m in problem.missing()]
    return [*todo, f"downloads {problem.download}"] if problem.download else todo


def _card(problem: Problem) -> dict[str, list[str]]:
    """Name -> lines."""
    objective = problem.objective
    width = max(map(len, problem.space))
    return {
        **_made_with(problem),
        "source": [problem.source],
        "finding": [problem.finding or "none stated"],
        "objective": [_objective(objective)],
        "targets": [_numbers(objective.targets) or "none"],
        "budget": [
            f"{problem.iterations} iterations of {problem.steps_per_iteration} "
            + ("step" if problem.steps_per_iteration == 1 else "steps")
        ],
        "hyperparameters": [
            f"{name:<{width}}  {prior(h)}; {'dynamic' if h.dynamic else 'static'}"
            for name, h in problem.space.items()
        ],
        "options": [f"{name} = {value!r}" for name, value in problem.options.items()] or ["none"],
        "requires": [
            f"{module}: {'not installed: ' if module in problem.missing() else ''}{command}"
            for module, command in problem.requires.items()
        ]
        or ["nothing beyond pbtbench"],
        "downloads": [problem.download or "nothing"],
    }


def _made_with(problem: Problem) -> dict[str, list[str]]:
    """What trains: a framework, or a user's class; nothing where nobody says."""
    from pbtbench.adapters.trainable import TrainableStart

    if isinstance(problem.start, TrainableStart):
        objective, name = problem.objective, problem.start.trainable.__name__
        return {
            "trainable": [
                f'{name} of Ray Tune, METRIC = "{objective.metric}", MODE = "{objective.goal}"'
            ]
        }
    return {"framework": [problem.framework]} if problem.framework else {}


def _objective(objective: Objective) -> str:
    known = [f"{objective.metric}, {'higher' if objective.sign > 0 else 'lower'} is better"]
    if objective.optimum is not None:
        known.append(f"optimum {objective.optimum:.6g}")
    elif objective.bound is not None:
        known.append(
            f"{'never above' if objective.sign > 0 else 'never below'} {objective.bound:g}"
        )
    return "; ".join(known)


@singledispatch
def _prior(hyperparameter: object) -> str:
    return str(hyperparameter)


@_prior.register
def _(found: Uniform) -> str:
    return f"uniform in [{found.low:g}, {found.high:g}]{_steps(found.step)}"


@_prior.register
def _(found: LogUniform) -> str:
    return f"log-uniform in [{found.low:g}, {found.high:g}]{_steps(found.step)}"


@_prior.register
def _(found: IntUniform) -> str:
    return f"a whole number, uniform in [{found.low}, {found.high}]{_steps(found.step)}"


@_prior.register
def _(found: LogIntUniform) -> str:
    return f"a whole number, log-uniform in [{found.low}, {found.high}]{_steps(found.step)}"


@_prior.register
def _(found: Derived) -> str:
    return "drawn from the others' values"


@_prior.register
def _(found: Choice) -> str:
    return f"one of {', '.join(map(str, found.values))}"


@_prior.register
def _(found: Constant) -> str:
    return f"always {found.value}"


@_prior.register
def _(found: Sampler) -> str:
    return "whatever its callable draws; no bounds"


def _steps(step: float | None) -> str:
    return "" if step in (None, 1) else f" in steps of {step:g}"


def prior(hyperparameter: object) -> str:
    """How a hyperparameter is drawn, and its bounds; one of a type of somebody's own in its own words."""
    if type(hyperparameter) in _prior.registry:
        return _prior(hyperparameter)
    meaning = (type(hyperparameter).__doc__ or "").strip().splitlines()[:1]
    return ": ".join([str(hyperparameter), *meaning]).rstrip(".")


def _starred(problem: Problem) -> Callable[[str], str]:
    return lambda name: f"{name}*" if problem.space[name].dynamic else name


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _bounded(console: Console) -> bool:
    """Whether the output has a width: a terminal's, or one that was asked for."""
    return console.is_terminal or "COLUMNS" in os.environ


def _print(table: Table, console: Console) -> None:
    """Indented, and without the blanks that fill a table's last column."""
    with console.capture() as caught:
        console.print(table)
    for line in caught.get().splitlines():
        console.out(" " * INDENT + line.rstrip(), highlight=False)
