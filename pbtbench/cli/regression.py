"""The commands that look for regressions."""

from __future__ import annotations

from pathlib import Path

import click

from pbtbench.cli.types import Place
from pbtbench.errors import plain


@click.command()
@click.argument("base", type=Place())
@click.argument("new", type=Place())
@click.option(
    "--thresholds",
    type=Place(),
    help="A TOML file with a table [gate].  [default: pyproject.toml's [tool.pbtbench.gate]]",
)
@click.option("--whole", is_flag=True, help="Show also what is the same.")
@click.option("--update", is_flag=True, help="Write NEW in the place of BASE, a baseline's file.")
@click.option("--markdown", type=Place(), help="Write the table to this file, too, at its end.")
def compare(
    base: Path, new: Path, thresholds: Path | None, whole: bool, update: bool, markdown: Path | None
) -> None:
    """Compare benchmarks with a baseline: exit code 1 if one got worse or is missing.

    BASE and NEW are files that `pytest --benchmark --benchmark-json` or `--update` wrote, or studies' folders.
    """
    from rich.console import Console

    from pbtbench.regression import gate, sitting
    from pbtbench.regression import thresholds as allowed
    from pbtbench.report import comparison

    after = sitting.load(new)
    if update and not base.exists():
        sitting.write(base, after.sitting)
        click.echo(f"{plain(base)}: a new baseline")
        return
    before = sitting.load(base)
    found = allowed.load(thresholds) if thresholds else allowed.beside(Path.cwd())
    rows = gate.compare(before.sitting, after.sitting, found)
    comparison.print_comparison(rows, before, after, Console(), whole=whole)
    if markdown is not None:
        with markdown.open("a", encoding="utf-8") as file:
            file.write(comparison.markdown(rows, before, after))
    if update:
        sitting.write(base, after.sitting)
        click.echo(f"{plain(base)}: the new baseline")
    elif gate.tripped(rows):
        raise SystemExit(1)


@click.command()
@click.argument("measured", type=Place())
@click.option(
    "--to",
    type=click.Choice(["github", "bencher"]),
    required=True,
    help="github-action-benchmark's customSmallerIsBetter, or Bencher Metric Format.",
)
def export(measured: Path, to: str) -> None:
    """Print benchmarks as a service reads them: from a file as `compare` takes it, or a study's folder."""
    from pbtbench.regression import exports, sitting

    click.echo(exports.exported(sitting.load(measured).sitting, to), nl=False)


COMMANDS = (compare, export)
