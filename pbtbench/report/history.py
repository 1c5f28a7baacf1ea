"""A history's series with their steps, in the terminal and as Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pbtbench.errors import plain
from pbtbench.regression.history import Line
from pbtbench.regression.kinds import Kind
from pbtbench.regression.series import Series, Step
from pbtbench.report.comparison import PIPE, STYLES, WORDS, change_words
from pbtbench.report.wording import number, percent, plural, score, seconds, signed

COLUMNS = ("measure", "points", "now", "steps")
MOST = 5
"""Steps of a series that are named, the last ones."""
HASH = re.compile("[0-9a-f]{7,}")
SYMBOLS = {"worse": "▲", "better": "▼"}
"""Beside the word and the colour."""


@dataclass(frozen=True)
class Machine:
    """The history on one machine."""

    fingerprint: str
    lines: Sequence[Line]
    series: Sequence[Series]

    @property
    def heading(self) -> str:
        """`AMD EPYC 7B13 (0f3a…): 45 sittings, abc1234 (2026-09-01) to def5678 (2026-11-26)`."""
        first, last = (commit(line) for line in (self.lines[0], self.lines[-1]))
        many = plural(len(self.lines), "sitting")
        over = f"{first} to {last}" if len(self.lines) > 1 else first
        return plain(f"{self.lines[-1].cpu or 'a machine'} ({self.fingerprint}): {many}, {over}")

    @property
    def stepped(self) -> list[Series]:
        """Series with steps: those of the benchmark with the latest step first."""
        latest: dict[tuple[str, str], float] = {}
        for one in self.series:
            if one.steps:
                age = len(one.lines) - one.steps[-1].place
                latest[_method(one)] = min(age, latest.get(_method(one), math.inf))
        return sorted(
            (one for one in self.series if one.steps), key=lambda one: latest[_method(one)]
        )

    @property
    def sentences(self) -> list[str]:
        """What there is beside the series with steps."""
        still = [one for one in self.series if not one.steps]
        too_short = [one for one in still if one.missing]
        found = [f"{len(self.series) - len(still):,} of {len(self.series):,} series with steps."]
        if too_short:
            more = plural(max(one.missing for one in too_short), "more sitting")
            found.append(f"{len(too_short):,} too short to have one as yet: {more} will do.")
        return found


def print_history(machines: Sequence[Machine], console: Console) -> None:
    """Print the series with steps, and how many have none."""
    for machine in machines:
        console.print(Text(machine.heading, style="bold"), soft_wrap=True)
        console.print()
        for (benchmark, label), of_one in groupby(machine.stepped, key=_method):
            console.print(Text(plain(f"{benchmark} {label}")), soft_wrap=True)
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
            for name in COLUMNS:
                table.add_column(name, justify="right" if name in COLUMNS[1:3] else "left")
            for one in of_one:
                steps = Text("\n").join(Text(text, style=style) for style, text in steps_of(one))
                table.add_row(*(Text(cell, no_wrap=True) for cell in cells(one)), steps)
            console.print(Padding(table, (0, 0, 1, 2)))
        for sentence in machine.sentences:
            console.print(sentence, highlight=False, markup=False)
        console.print()


def markdown(machines: Sequence[Machine]) -> str:
    """The same for a CI job's page."""
    text: list[str] = []
    for machine in machines:
        text += [f"**{machine.heading}**\n", " ".join(machine.sentences) + "\n"]
        if machine.stepped:
            text += [f"| benchmark | {' | '.join(COLUMNS)} |", "| --- | --- | --: | --: | --- |"]
        for one in machine.stepped:
            steps = "<br>".join(steps for _, steps in steps_of(one))
            row = (plain(" ".join(_method(one))), *cells(one), steps)
            text.append(f"| {' | '.join(cell.replace('|', PIPE) for cell in row)} |")
        text.append("")
    return "\n".join(text)


def cells(series: Series) -> tuple[str, str, str]:
    """Those of `COLUMNS` before the steps."""
    last = value(series.kind, float(series.values[-1]))
    return series.measure, f"{len(series.values):,}", last


def steps_of(series: Series) -> list[tuple[str, str]]:
    """The style and the words of the last steps, the latest first, and how many there were before."""
    last = reversed(series.steps[-MOST:])
    found = [(STYLES[step.verdict], step_words(series, step)) for step in last]
    before = len(series.steps) - MOST
    return [*found, *([("", f"and {before:,} before")] if before > 0 else [])]


def step_words(series: Series, step: Step) -> str:
    """`▲ worse: +12% at abc1234 (2026-11-02); restore takes 2.3× as long`."""
    of = f"{SYMBOLS[step.verdict]} {WORDS[step.verdict]}: {size(series, step)}"
    return "; ".join(
        [f"{of} at {commit(series.lines[step.place])}", *map(change_words, step.where)]
    )


def size(series: Series, step: Step) -> str:
    """How large a step is: `+12%`; of a score, and where there is no ratio, `0.91 to 0.93`."""
    if math.isclose(step.before, step.after) or step.before == step.after:
        return step.seeds
    ratio = step.after / step.before if step.before else math.inf
    if series.kind == "score" or not 0 < ratio < math.inf:
        return f"{value(series.kind, step.before)} to {value(series.kind, step.after)}"
    return signed(ratio - 1)


def value(kind: Kind, of: float) -> str:
    """A value of a measure, with its unit."""
    if math.isinf(of):
        return "missed"
    return {"time": seconds, "share": percent, "score": score}.get(kind, number)(of)


def commit(line: Line) -> str:
    """`abc1234 (2026-11-02)`."""
    return f"{short(line)} ({line.date:%Y-%m-%d})"


def short(line: Line) -> str:
    """A commit as one names it; a tag as it is."""
    return line.commit[:7] if HASH.fullmatch(line.commit) else line.commit


def _method(series: Series) -> tuple[str, str]:
    return series.benchmark, series.label
