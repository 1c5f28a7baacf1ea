"""`pbtbench advise`: which perturbation interval to set, and what it costs to be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pbtbench.cli.types import Place
from pbtbench.errors import BadInput, plain

if TYPE_CHECKING:
    from rich.console import Console

    from pbtbench.report.texts import Table


@click.command()
@click.argument("folder", type=Place(), required=False)
@click.option(
    "--target", type=float, help="Score to reach.  [default: the hardest that was reached]"
)
@click.option("--iterations", type=int, help="Budget of each member.  [default: the study's]")
@click.option("--problem", help="This problem of the study alone.")
@click.option("--engine", help="This engine alone.")
def advise(
    folder: Path | None,
    target: float | None,
    iterations: int | None,
    problem: str | None,
    engine: str | None,
) -> None:
    """Say which perturbation interval reaches a target soonest, by the runs of a study's folder at several."""
    from rich.console import Console

    console = Console()
    if folder is None:
        raise BadInput("nothing to advise on: give a study's folder")
    _by_study(folder, target, iterations, problem, engine, console)


def _by_study(
    folder: Path,
    target: float | None,
    iterations: int | None,
    problem: str | None,
    engine: str | None,
    console: Console,
) -> None:
    from pbtbench import results
    from pbtbench.report import advise as words

    found = results.load(folder)
    for line in found.left_out:
        _say(f"left out: {line}", console)
    (choices,) = found.choices(
        target, iterations=iterations, problem=problem, engine=engine
    ).values()
    if not choices:
        raise BadInput(
            f"{folder}: no method was run at two intervals with a seed in common; run it at several, as in "
            "--intervals 1,5,20"
        )
    for choice in choices:
        _say(words.said(choice), console)
        _print_table(words.title(choice), words.table(choice), console)
    _say(words.NOTE, console)


def _say(text: str, console: Console) -> None:
    console.print(plain(text), highlight=False, markup=False, soft_wrap=True)


def _print_table(title: str, shown: Table, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(plain(title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    for place, name in enumerate(shown.header):
        table.add_column(name, justify="left" if place < shown.left else "right")
    for i, line in enumerate(shown.body):
        table.add_row(
            *(
                Text(plain(text), "bold" if (i, j) in shown.bold else "")
                for j, text in enumerate(line)
            )
        )
    console.print(table)
