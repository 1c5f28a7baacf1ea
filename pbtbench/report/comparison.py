"""Two sittings beside each other: the gate's table, in the terminal and as Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pbtbench.errors import plain
from pbtbench.regression.gate import Row, Verdict
from pbtbench.regression.kinds import KINDS
from pbtbench.regression.kinds import base as base_name
from pbtbench.regression.sitting import Loaded, Sitting
from pbtbench.regression.stages import Change, changes
from pbtbench.report.wording import listed, number, percent, plural, seconds, times

PIPE = r"\|"
WORDS: dict[Verdict, str] = {
    "worse": "worse",
    "better": "better",
    "same": "same",
    "unclear": "unclear",
    "other": "another benchmark",
    "unlike": "not compared",
    "missing": "missing",
    "new": "new",
}
STYLES: dict[Verdict, str] = {
    "worse": "bold red",
    "missing": "bold red",
    "other": "bold red",
    "better": "green",
}
JUDGED: tuple[Verdict, ...] = ("worse", "better", "unclear", "same")
BESIDE: dict[Verdict, str] = {
    "missing": "missing",
    "other": "not the same any more",
    "new": "new",
}
"""What is said of whole benchmarks."""
SHOWN: tuple[Verdict, ...] = ("worse", "better", "other", "missing", "new")
"""What is shown where not all is."""
COLUMNS = ("measure", "base", "new", "ratio", "allowed", "verdict")


@dataclass(frozen=True)
class Block:
    """A benchmark's method in the table."""

    name: str
    lines: tuple[tuple[Verdict, tuple[str, ...]], ...]
    """Cells of `COLUMNS`."""
    why: str
    """Where a change comes from, or why there is nothing to compare."""


def blocks(rows: Sequence[Row], base: Sitting, new: Sitting, *, whole: bool) -> list[Block]:
    """The table. Not `whole`: of what is the same, or can't be told, nothing."""
    found = []
    for (benchmark, label), of_one in groupby(rows, key=lambda row: (row.benchmark, row.label)):
        mine = [row for row in of_one if whole or row.verdict in SHOWN]
        if not mine:
            continue
        why = list(dict.fromkeys(row.why for row in mine if row.why and row.verdict == "other"))
        if any(row.verdict in ("worse", "better") for row in mine):
            before, after = (s.benchmarks[benchmark][label] for s in (base, new))
            why += map(change_words, changes(before, after))
        lines = tuple((row.verdict, _cells(row)) for row in mine)
        found.append(Block(plain(f"{benchmark} {label}".strip()), lines, plain("; ".join(why))))
    return found


def print_comparison(
    rows: Sequence[Row], base: Loaded, new: Loaded, console: Console, *, whole: bool
) -> None:
    """Print the table and what it comes to."""
    for block in blocks(rows, base.sitting, new.sitting, whole=whole):
        console.print(Text(block.name, style="bold"), soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in COLUMNS:
            justify: JustifyMethod = "right" if name in COLUMNS[1:5] else "left"
            table.add_column(name, justify=justify, overflow="fold")
        for verdict, cells in block.lines:
            table.add_row(*map(Text, cells), style=STYLES.get(verdict, ""))
        console.print(Padding(table, (0, 0, 0, 2)))
        if block.why:
            console.print(Padding(Text(block.why), (0, 0, 0, 2)))
        console.print()
    for sentence in sentences(rows, base, new):
        console.print(sentence, highlight=False, markup=False)


def markdown(rows: Sequence[Row], base: Loaded, new: Loaded) -> str:
    """The table for a pull request or a CI job's page: what changed, and what it comes to."""
    text = [f"{sentence}\n" for sentence in sentences(rows, base, new)]
    shown = blocks(rows, base.sitting, new.sitting, whole=False)
    if shown:
        text += [
            f"| benchmark | {' | '.join(COLUMNS)} | where |",
            "| --- | --- | --: | --: | --: | --: | --- | --- |",
        ]
    for block in shown:
        for place, (_, cells) in enumerate(block.lines):
            about = (block.name, *cells, block.why) if not place else ("", *cells, "")
            text.append(f"| {' | '.join(cell.replace('|', PIPE) for cell in about)} |")
    return "\n".join([*text, ""])


def tally(rows: Iterable[Row]) -> str:
    """How many measures are worse, better, unclear and the same; empty where none was judged."""
    counts = Counter(row.verdict for row in rows)
    return listed(
        [
            f"{plural(counts[verdict], 'measure')} {WORDS[verdict]}"
            for verdict in JUDGED
            if counts[verdict]
        ]
    )


def sentences(rows: Sequence[Row], base: Loaded, new: Loaded) -> list[str]:
    """What was compared, and what came of it."""
    counts = Counter(row.verdict for row in rows)
    found = [f"{tally(rows) or 'Nothing to compare'}."]
    for verdict, words in BESIDE.items():
        if counts[verdict]:
            found.append(f"{plural(counts[verdict], 'benchmark')} {words}.")
    if counts["unlike"]:
        machines = [one.sitting.cpu or "an unknown machine" for one in (base, new)]
        found.append(
            f"Seconds are not compared: the machines differ ({machines[0]}; {machines[1]}). "
            "Counts and shares are."
        )
    return found + remarks(base) + remarks(new)


def remarks(one: Loaded) -> list[str]:
    """What is to be known of a sitting, whatever it is compared with."""
    found = []
    if one.sitting.dirty:
        found.append(f"{plain(one.where)}: made of files that differ from their commit.")
    if one.untold:
        found.append(
            f"{plain(one.where)}: {plural(len(one.untold), 'benchmark')} without the fixture "
            "pbt_benchmark left out."
        )
    return found


def _cells(row: Row) -> tuple[str, ...]:
    if row.verdict in BESIDE:
        return "", "", "", "", "", WORDS[row.verdict]
    of_base, of_new = (_value(row.measure, value) for value in (row.base, row.new))
    verdict = WORDS[row.verdict] + (f", {row.why}" if row.verdict != "unlike" and row.why else "")
    return row.measure, of_base, of_new, _ratio(row), _allowed(row), verdict


def _value(measure: str, value: float) -> str:
    kind = KINDS[base_name(measure)]
    if math.isinf(value):
        return "missed"
    return {"time": seconds, "share": percent}.get(kind, number)(value)


def _ratio(row: Row) -> str:
    if row.ratio is not None and not math.isnan(row.ratio.value):
        interval = f"{number(row.ratio.low)} to {number(row.ratio.high)}"
        return f"{times(row.ratio.value)} ({interval}, n = {row.ratio.n})"
    if row.base and math.isfinite(row.base) and math.isfinite(row.new):
        return times(row.new / row.base)
    return ""


def _allowed(row: Row) -> str:
    return "" if math.isnan(row.threshold) else times(row.threshold)


def change_words(change: Change) -> str:
    """`restore takes 2.3× as long`, `2× as many forks`."""
    if change.what == "stage":
        if not change.base:
            return f"{change.name} is new: {number(change.new)} s"
        return f"{change.name} takes {times(change.new / change.base)} as long"
    return f"{times(change.new / change.base)} as many {change.name.replace('_', ' ')}"
