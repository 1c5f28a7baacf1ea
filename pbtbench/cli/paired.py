"""`pbtbench compare --paired`: two revisions measured in turns, and shown."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from pbtbench.errors import plain
from pbtbench.process import terminated
from pbtbench.regression import paired, revisions, starter
from pbtbench.regression.gate import Row
from pbtbench.regression.paired import Answer
from pbtbench.regression.revisions import Revision, Turn
from pbtbench.regression.thresholds import Thresholds
from pbtbench.report import comparison
from pbtbench.report.wording import plural, seconds


def compare_revisions(
    given: tuple[str, str],
    benchmarks: Sequence[str],
    minutes: float,
    thresholds: Thresholds,
    *,
    whole: bool,
) -> tuple[str, bool]:
    """Have two revisions of the repository that one stands in take turns, and print what came of it; gives the
    same as Markdown, and whether the gate trips."""
    answer = _measured(given, benchmarks, minutes, thresholds)
    beside, table = _sentences(answer, minutes), ""
    click.echo()
    if answer.pairs:
        base, new = answer.sides
        comparison.print_comparison(answer.rows, base, new, Console(), whole=whole)
        table = comparison.markdown(answer.rows, base, new)
    for sentence in beside:
        click.echo(sentence)
    return "\n\n".join([table, *beside, ""]), answer.tripped


def _measured(
    given: tuple[str, str], benchmarks: Sequence[str], minutes: float, thresholds: Thresholds
) -> Answer:
    signal.signal(signal.SIGTERM, terminated)  # which ends what it started, too
    root = starter.repository()
    places = revisions.places(root, benchmarks)
    if revisions.is_changed(root):
        click.echo("changes that are not committed are not measured")
    with revisions.cache() as cache:
        first, second = (_prepared(cache, root, name) for name in given)
        if first.commit == second.commit:
            click.echo("both are the same commit: what differs is noise")

        def turn(revision: Revision, limit_s: float) -> Turn | None:
            with tempfile.TemporaryDirectory(prefix="pbtbench-turn-") as scratch:
                return revisions.run(revision, places, Path(scratch), limit_s)

        return paired.measure((first, second), turn, thresholds, 60 * minutes, _tell, _tell_look)


def _prepared(cache: Path, root: Path, given: str) -> Revision:
    revision, built = revisions.prepared(cache, root, given)
    what = "its environment was built" if built else "its environment was there"
    click.echo(f"{plain(given)} is {revision.commit[:12]}: {what}")
    return revision


def _tell(turns: int, revision: Revision, took_s: float) -> None:
    click.echo(f"turn {turns}: {plain(revision.given)}, {seconds(took_s)}")


def _tell_look(pairs: int, rows: Sequence[Row]) -> None:
    click.echo(f"after {plural(pairs, 'pair')} of turns: {comparison.tally(rows)}")


def _sentences(answer: Answer, minutes: float) -> list[str]:
    """What is to be said beside the table."""
    found = [f"{plural(answer.pairs, 'pair')} of turns in {seconds(answer.seconds)}."]
    if answer.failed:
        found += [
            f"{plain(revision.given)}: {plain(name)} failed{f': {plain(why)}' if why else ''}"
            for revision, name, why in answer.failed
        ]
    elif answer.unclear and not answer.tripped:
        unclear = plural(len(answer.unclear), "measure")
        given = f"in {minutes:g} minutes" if answer.pairs < paired.LOOKS[-1] else "by as many"
        text = f"{unclear} can't be told {given}"
        if (needed := answer.pairs_needed) is not None and needed > answer.pairs:
            more = needed * answer.seconds / max(1, answer.pairs)
            text += f": it would take about {needed:,} pairs, {seconds(more)}"
        found.append(f"{text}.")
    return found
