"""The command that says what a study's seeds can decide."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from pbtbench.cli.types import Place
from pbtbench.errors import plain


@click.command()
@click.argument("folder", type=Place())
def power(folder: Path) -> None:
    """Show which differences the seeds of a study's folder can decide, and how many more would.

    Each method with an interval is held against each baseline. `could show`: the smallest difference that so
    many seeds show in 4 of 5 studies. `seeds to show it`: how many would show the difference that was seen.
    """
    from rich.console import Console

    from pbtbench.report import seeds
    from pbtbench.report.terminal import print_sentences, print_table
    from pbtbench.statistics.baselines import comparisons
    from pbtbench.statistics.cells import cells
    from pbtbench.statistics.seeds import plan
    from pbtbench.store import Store

    console = Console()
    store = Store.open(folder)
    found = comparisons(cells(store.runs()))
    for line in store.left_out:
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
    if not found:
        console.print(
            "Nothing to compare: give a study two methods or more, with runs that complete."
        )
        return
    print_table(seeds.table(found), console)
    print_sentences(list(seeds.sentences(found)), console)
    if (asked := plan(found)) is not None:
        words = ["pbtbench", "run", plain(folder / "study.toml"), "--seeds", str(asked.seeds)]
        console.print("\nTo add them:", highlight=False)
        command = shlex.join([*words, "--out", plain(folder)])
        console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
