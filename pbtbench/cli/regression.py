"""The commands that look for regressions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click

from pbtbench.cli.types import Place
from pbtbench.errors import plain

MINUTES = 30.0
"""For which revisions take turns, at most."""


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
@click.option(
    "--paired",
    is_flag=True,
    help="BASE and NEW are revisions of the git repository: measure both in turns, here and now.",
)
@click.option(
    "--benchmarks",
    metavar="PATH",
    multiple=True,
    help="With --paired: what pytest is to run, in each revision; may be given several times.  [default: all]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, 10_000, min_open=True),
    help="With --paired: for how long to measure at most.  [default: 30]",
)
def compare(
    base: Path,
    new: Path,
    thresholds: Path | None,
    whole: bool,
    update: bool,
    markdown: Path | None,
    paired: bool,
    benchmarks: Sequence[str],
    minutes: float | None,
) -> None:
    """Compare benchmarks with a baseline: exit code 1 if one got worse or is missing.

    BASE and NEW are files that `pytest --benchmark --benchmark-json` or `--update` wrote, or studies' folders;
    with --paired, revisions such as main and HEAD.
    """
    from rich.console import Console

    from pbtbench.regression import gate, sitting
    from pbtbench.regression import thresholds as allowed
    from pbtbench.report import comparison
    from pbtbench.store.files import described

    if paired and update:
        raise click.UsageError(
            "--paired compares revisions, and no baseline moves: leave out --update"
        )
    if minutes is not None and math.isnan(minutes):
        raise click.UsageError("--minutes nan: give a number of minutes")
    if not paired and (benchmarks or minutes is not None):
        raise click.UsageError(
            "--benchmarks and --minutes are for --paired: revisions measured in turns"
        )
    found = allowed.load(thresholds) if thresholds else allowed.beside(Path.cwd())
    if paired:
        from pbtbench.cli.paired import compare_revisions

        if markdown is not None and not markdown.parent.is_dir():
            raise click.UsageError(f"--markdown {markdown}: there is no folder {markdown.parent}")
        revisions = str(base), str(new)
        text, worse = compare_revisions(
            revisions, benchmarks, minutes or MINUTES, found, whole=whole
        )
        if markdown is not None:
            _append(markdown, text)
        if worse:
            raise SystemExit(1)
        return
    after = sitting.load(new)
    with described(base):
        made = update and not base.exists()
    if made:
        sitting.write(base, after.sitting)
        for line in [*comparison.remarks(after), f"{plain(base)}: a new baseline"]:
            click.echo(line)
        return
    before = sitting.load(base)
    rows = gate.compare(before.sitting, after.sitting, found)
    comparison.print_comparison(rows, before, after, Console(), whole=whole)
    if markdown is not None:
        _append(markdown, comparison.markdown(rows, before, after))
    if update:
        sitting.write(base, after.sitting)
        click.echo(f"{plain(base)}: the new baseline")
    elif gate.tripped(rows):
        raise SystemExit(1)


def _append(file: Path, text: str) -> None:
    from pbtbench.store.files import Folder, described

    with described(file), Folder(file.parent).appending(file.name) as opened:
        opened.write(text.encode())


@click.command()
@click.argument("folder", metavar="DIR", type=Place())
@click.option(
    "--add",
    metavar="FILE",
    type=Place(),
    multiple=True,
    help="Add this sitting before; may be given several times.",
)
@click.option("--markdown", type=Place(), help="Write the table to this file, too, at its end.")
@click.option("--page", type=Place(), help="Draw all series in this file, an HTML page.")
def history(folder: Path, add: tuple[Path, ...], markdown: Path | None, page: Path | None) -> None:
    """Show how benchmarks changed over commits: the steps of each series, and the commits that made them.

    DIR is a folder for git to keep, with a file for each machine. FILE is what `pytest --benchmark
    --benchmark-json` wrote, a baseline, or a study's folder; add them in the order of their commits.
    """
    from rich.console import Console

    from pbtbench.regression import history, sitting, thresholds
    from pbtbench.regression.series import series
    from pbtbench.report import comparison
    from pbtbench.report import history as shown
    from pbtbench.store.files import Folder

    given = [sitting.load(file) for file in add]
    for loaded, line in [(loaded, history.line(loaded)) for loaded in given]:
        new = history.add(folder, line)
        click.echo(f"{plain(loaded.where)}: {'added' if new else 'there already, not added again'}")
        for remark in comparison.remarks(loaded):
            click.echo(remark)
    allowed = thresholds.beside(Path.cwd())
    machines = [
        shown.Machine(fingerprint, lines, series(lines, allowed))
        for fingerprint, lines in history.load(folder).items()
    ]
    shown.print_history(machines, Console())
    if markdown is not None:
        _append(markdown, shown.markdown(machines))
    if page is not None:
        from pbtbench.report import history_page

        Folder(page.parent).write(page.name, history_page.page(machines, folder).encode())
        click.echo(f"page: {plain(page)}")


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


@click.group()
def ci() -> None:
    """Have CI hold each change against a baseline."""


@ci.command()
@click.option(
    "--provider",
    type=click.Choice(["github", "gitlab"]),
    default="github",
    show_default=True,
    help="Whose workflow.",
)
@click.option("--no-baseline", is_flag=True, help="Don't run the benchmarks for a baseline.")
@click.option("--force", is_flag=True, help="Write over files that are already there.")
def init(provider: str, no_baseline: bool, force: bool) -> None:
    """Write a workflow, a first benchmark and its baseline into the git repository that one stands in."""
    from pbtbench.regression import starter

    root = starter.repository()
    for place in starter.write(root, provider, baseline=not no_baseline, force=force):
        click.echo(f"{place}: written")
    if not no_baseline:
        starter.make_baseline(root)
    click.echo(starter.NEXT[provider])


COMMANDS = (compare, history, export, ci)
