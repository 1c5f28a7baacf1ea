"""A history's page: each series drawn with its levels and steps, in a file that needs no network and no script.

As in a study's report, whatever comes from outside is escaped by Jinja.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pbtbench import __version__
from pbtbench.regression.series import Series
from pbtbench.report.comparison import change_words
from pbtbench.report.history import SYMBOLS, Machine, commit, short, size, value
from pbtbench.report.html import asset, environment
from pbtbench.report.palette import Series as Colour
from pbtbench.report.palette import variables
from pbtbench.report.wording import plural

SIDE = 1000
"""Units of a figure's width and height."""

MARGIN = 0.06
"""Of the range of values, above and below."""

ROWS, ROOM, LATE = 3, 110, 850
"""Rows of commits above a figure; units that one takes; and from where on it stands before its step."""

LARGEST = 1e300
"""Values are drawn up to that: differences of larger ones are none."""

MANY = 200
"""Points that are drawn smaller."""

STEPS = 50
"""Of a series that are marked, the last ones."""

COLOURS = (
    Colour("worse", "worse", ("#b3283c", "#ff7b86")),
    Colour("better", "better", ("#1d7a5f", "#4fd1a5")),
)


@dataclass(frozen=True)
class Mark:
    """A step as it is drawn."""

    id: str
    x: float
    row: int
    late: bool
    """Whether its commit stands before it: behind it is no room."""
    named: bool
    """Whether there is room for its commit."""
    verdict: str
    symbol: str
    size: str
    levels: str
    """The one before and the one behind; empty where they are the same."""
    where: str
    short: str
    commit: str
    date: str

    @property
    def text(self) -> str:
        """For whoever points at it."""
        return f"{self.verdict}, {self.size} at {self.short}"


@dataclass(frozen=True)
class Cut:
    """Where a benchmark became another."""

    x: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """A series as it is drawn: paths in units of `SIDE`."""

    title: str
    caption: str
    many: bool
    dots: str
    levels: str
    cuts: Sequence[Cut]
    steps: Sequence[Mark]
    rows: int
    """Of commits above the figure."""
    least: str
    most: str
    first: str
    last: str


@dataclass(frozen=True)
class Section:
    """A machine."""

    heading: str
    sentences: Sequence[str]
    stepped: Sequence[Drawing]
    still: Sequence[Drawing]


def page(machines: Sequence[Machine], folder: Path) -> str:
    """The page of a history in a folder."""
    return (
        environment()
        .get_template("history.html.j2")
        .render(
            title=folder.absolute().name or "history",
            machines=[_section(place, machine) for place, machine in enumerate(machines)],
            version=__version__,
            css=Markup(asset("page.css") + asset("history.css")),  # noqa: S704 our own files
            light=variables(COLOURS, dark=False),
            dark=variables(COLOURS, dark=True),
            policy="",
            drawing=None,
        )
    )


def _section(place: int, machine: Machine) -> Section:
    stepped = machine.stepped
    return Section(
        machine.heading,
        machine.sentences,
        [_drawing(one, f"step-{place}-{number}") for number, one in enumerate(stepped)],
        [_drawing(one, "") for one in machine.series if not one.steps],
    )


def _drawing(series: Series, name: str) -> Drawing:
    """`name`: what the ids of its steps begin with."""
    count, bounds = len(series.values), _bounds(series.values)
    rows = np.rint(_y(series.values, *bounds)).astype(int)
    columns = np.rint(SIDE * (np.arange(count) + 0.5) / count).astype(int)
    levels = [
        f"M{_x(start, count)} {_y(level, *bounds):.1f}H{_x(end, count)}"
        for start, end, level in series.levels
    ]
    now, low, high = (value(series.kind, of) for of in (series.values[-1], *series.range))
    marks = [*_marks(series, name)]
    caption = f"{plural(count, 'sitting')}, now {now}"
    if low != high:
        caption += f" (rounds of {low} to {high})"
    if np.isinf(series.values).any():
        caption += "; at the upper edge: a target that was missed"
    if (before := len(series.steps) - STEPS) > 0:
        caption += f"; {plural(before, 'step')} before the last {STEPS} not marked"
    return Drawing(
        title=f"{series.measure} of {series.benchmark} {series.label}",
        caption=caption,
        many=count > MANY,
        dots=_dots(columns, rows),
        levels="".join(levels),
        cuts=[
            Cut(_x(cut, count), f"another benchmark since {commit(series.lines[cut])}")
            for cut in series.cuts
        ],
        steps=marks,
        rows=max((mark.row + 1 for mark in marks), default=0),
        least=value(series.kind, float(series.values.min())),
        most=value(series.kind, float(series.values.max())),
        first=commit(series.lines[0]),
        last=commit(series.lines[-1]),
    )


def _bounds(values: np.ndarray) -> tuple[float, float]:
    """What the figure's lower and upper edge stand for."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    least, most = np.clip([known.min(), known.max()], -LARGEST, LARGEST).tolist()
    margin = MARGIN * (most - least) or MARGIN * abs(most) or 1.0
    return (max(0.0, least - margin) if least >= 0 else least - margin), most + margin


def _y(values: Any, least: float, most: float) -> Any:
    """How far below the upper edge values stand; infinite ones at it."""
    return SIDE * (most - np.clip(values, least, most)) / (most - least)


def _x(place: int, count: int) -> float:
    """Where a point's own strip of the figure begins."""
    return round(SIDE * place / count, 1)


def _dots(columns: np.ndarray, rows: np.ndarray) -> str:
    """A path of strokes without length, whose round ends are dots; each from the last, which is shorter."""
    across, down = (np.diff(of, prepend=0).tolist() for of in (columns, rows))
    return "".join(f"m{dx} {dy}h0" for dx, dy in zip(across, down, strict=True))


def _marks(series: Series, name: str) -> Iterator[Mark]:
    ends = [0.0] * ROWS
    for number, step in enumerate(series.steps[-STEPS:]):
        line, x = series.lines[step.place], _x(step.place, len(series.values))
        before, after = value(series.kind, step.before), value(series.kind, step.after)
        start = x - ROOM if x > LATE else x
        row = next((row for row, end in enumerate(ends) if end <= start), None)
        if row is not None:
            ends[row] = start + ROOM
        yield Mark(
            id=f"{name}-{number}",
            x=x,
            row=ROWS - 1 if row is None else row,
            late=x > LATE,
            named=row is not None,
            verdict=step.verdict,
            symbol=SYMBOLS[step.verdict],
            size=size(series, step),
            levels=f"{before} to {after}" if before != after else "",
            where="".join(f"; {change_words(change)}" for change in step.where),
            short=short(line),
            commit=line.commit,
            date=f"{line.date:%Y-%m-%d}",
        )
