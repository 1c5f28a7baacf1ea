"""The end of `pbtbench run`: tables and findings on the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pbtbench.errors import plain
from pbtbench.measures import Measures
from pbtbench.report import places, texts
from pbtbench.report.checkpoint_costs import headline_table
from pbtbench.report.cost_sentences import sentences
from pbtbench.report.failures import failures
from pbtbench.report.findings import findings
from pbtbench.report.tables import Row, distinct, rows
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.statistics.checkpoint_costs import Costs, checkpoint_costs, outside
from pbtbench.statistics.places import Comparable, side_by_side

WIDE = 110
"""Columns of a terminal from which the whole table fits."""


def print_summary(
    measures: Sequence[Measures], console: Console, memcpy_s_per_gb: object = math.nan
) -> None:
    """Print what checkpoints cost, and a table for each other problem with what was found; then what
    failed."""
    raw = cells_of(measures)
    cells = distinct(raw)
    found = findings(cells)
    if not cells:
        console.print("No run is kept yet.")
    if costs := checkpoint_costs(raw, memcpy_s_per_gb):
        _print_costs(costs, console)
    for problem, mine in groupby(rows(outside(cells, costs)), key=lambda row: row.problem):
        of_problem = list(mine)
        console.print()
        console.print(_table(problem, of_problem, wide=console.width >= WIDE))
        for finding in found:
            if finding.problem == problem:
                print_sentences(finding.measured, console)
    for finding in found:
        if not finding.problem:
            console.print()
            print_sentences(finding.measured, console)
    for failure in failures(measures):
        console.print(Padding(_plain(f"{failure.which}: {failure.reason}"), (0, 0, 0, 2)))


def print_side_by_side(studies: Mapping[str, Sequence[Measures]], console: Console) -> None:
    """Print, for each problem of several studies, what it took where, and what of it is compared."""
    found = side_by_side(studies)
    for of, shown in zip(found, places.problems(found), strict=True):
        console.print()
        console.print(_placed(of, shown.heading))
        print_sentences(shown.sentences, console)
    console.print()
    print_sentences([places.COMPARED, places.NOT_COMPARED], console)


def _placed(of: Comparable, heading: str) -> Table:
    objective = of.rows[0].cell.run.card.objective
    several = len({row.cell.engine for row in of.rows}) > 1
    targets = [target.target for target in of.rows[0].cell.targets]
    table = Table(
        title=_plain(heading), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    for name in ("method", *["engine"] * several, "where"):
        table.add_column(name, no_wrap=True)
    relation = "≥" if objective.sign > 0 else "≤"
    reached = [f"{relation} {target}\nexpected time" for target in targets[-1:]]
    for name in ("n", "final, median", *reached, "checkpoint\noverhead", "wall"):
        table.add_column(name, justify="right", no_wrap=True)
    for row, text in zip(of.rows, rows([row.cell for row in of.rows]), strict=True):
        shown = (
            *(text.method, *[text.engine] * several, places.where(row.place, of)),
            *(text.n.replace(" of ", "/"), text.final),
            *(f"{t.reached}, {t.ert:>6}" for t in text.targets[-1:]),
            *(text.checkpoint_overhead, text.wall),
        )
        table.add_row(*map(_plain, shown))
    return table


def _table(problem: str, of_problem: Sequence[Row], wide: bool) -> Table:
    objective = of_problem[0].cell.run.card.objective
    goal = "higher" if objective.sign > 0 else "lower"
    title = _plain(f"{problem}  {objective.metric}, {goal} is better")
    title.stylize("bold", 0, len(problem))
    table = Table(
        title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False
    )
    several = len({row.engine for row in of_problem}) > 1
    relation = "≥" if objective.sign > 0 else "≤"
    table.add_column("method", no_wrap=True)
    if several:
        table.add_column("engine", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column(
        Text(f"{of_problem[0].kind},\nmedian" + (" [min–max]" if wide else "")),
        justify="right",
        no_wrap=True,
    )
    optimistic = wide and any(row.cell.optimism for row in of_problem)
    if optimistic:
        table.add_column("selection\noptimism", justify="right", no_wrap=True)
    targets = [t.target for t in of_problem[0].targets]
    for target in targets if wide else targets[-1:]:
        header = f"{relation} {target}\nexpected time"
        table.add_column(header, justify="right", no_wrap=True)
    if wide and targets:
        table.add_column("member-\niterations", justify="right", no_wrap=True)
    table.add_column("checkpoint\noverhead", justify="right", no_wrap=True)
    if wide:
        table.add_column("all\noverhead", justify="right", no_wrap=True)
    table.add_column("wall", justify="right", no_wrap=True)
    for row in of_problem:
        of_targets = row.targets if wide else row.targets[-1:]
        shown = (
            row.method,
            *([row.engine] if several else []),
            row.n.replace(" of ", "/"),
            f"{row.final} {row.spread}" if wide else row.final,
            *([row.optimism] if optimistic else []),
            *(f"{t.reached}, {t.ert:>6}" for t in of_targets),
            *([row.targets[-1].work] if wide and row.targets else []),
            row.checkpoint_overhead,
            *([row.pbt_overhead] if wide else []),
            row.wall,
        )
        table.add_row(*map(_plain, shown), style="bold" if row.best else "")
    return table


def _print_costs(costs: Sequence[Costs], console: Console) -> None:
    shown = headline_table(costs)
    for group in ("fork, ", "PBT tax, "):
        columns = [0, *(i for i, name in enumerate(shown.header) if name.startswith(group))]
        table = Table(
            title=_plain({"fork, ": "A fork costs", "PBT tax, ": "PBT tax"}[group]),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for i in columns:
            name = shown.header[i].removeprefix(group)
            table.add_column(name, justify="right" if i else "left", no_wrap=True)
        for line in shown.body:
            table.add_row(*(_plain(line[i]) for i in columns))
        console.print()
        console.print(table)
    print_sentences(list(sentences(costs)), console)


def print_table(table: texts.Table, console: Console, title: str) -> None:
    """Print a report's table."""
    shown = Table(
        title=_plain(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for i, name in enumerate(table.header):
        text = i < table.left
        shown.add_column(_plain(name), justify="left" if text else "right", no_wrap=text)
    for line in table.body:
        shown.add_row(*map(_plain, line))
    console.print(shown)


def print_sentences(sentences: Sequence[str], console: Console) -> None:
    """Print sentences, each with a bullet."""
    for sentence in sentences:
        bullet = Table.grid(padding=(0, 1))
        bullet.add_row("•", _plain(sentence))
        console.print(Padding(bullet, (0, 0, 0, 1)))


def _plain(text: str) -> Text:
    """Text without markup or control characters: names and messages come from files."""
    return Text(plain(text))
