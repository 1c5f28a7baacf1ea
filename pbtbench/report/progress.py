"""Figures of the best score so far, against time and against work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pbtbench.report.data import Data, Row
from pbtbench.report.figures import (
    CONFIG,
    Figure,
    Spec,
    dashes,
    drawn,
    figure,
    of_methods,
    of_shown,
    pale,
    picked,
    real,
    tooltip,
)
from pbtbench.report.palette import Series
from pbtbench.report.texts import clean
from pbtbench.report.wording import counted
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.curves import QUARTILES_FROM

TITLES = {"seconds": "wall time, seconds", "member_iterations": "work, member-iterations"}


def progress(cells: Sequence[Cell], data: Data, colours: Sequence[Series]) -> Iterator[Figure]:
    """Best score so far of one problem against time and against work, a pair for each engine."""
    metric = cells[0].run.card.objective.metric
    for engine in dict.fromkeys(row["engine"] for row in data["curves"]):
        for axis, title in TITLES.items():
            rows = _rows(data, engine, axis)
            if not rows:
                continue
            seeds = [row["n"] for row in rows]
            yield figure(
                f"{cells[0].problem}-{engine}-{axis.replace('_', '-')}",
                f"Best {metric} so far against {title.partition(',')[0]}, {engine}",
                _of_seeds(min(seeds), max(seeds)),
                of_shown(_lines(rows, engine, axis, metric, colours)),
                data,
            )


def thumbnail(data: Data, colours: Sequence[Series]) -> str:
    """A small SVG of the medians against work on the first engine, without words; empty without a score."""
    rows = data["curves"] and _rows(data, data["curves"][0]["engine"], "member_iterations")
    if not rows:
        return ""
    engine = rows[0]["engine"]
    spec = _lines(rows, engine, "member_iterations", "", colours)
    line = spec["layer"][1]
    line["mark"] = {"type": "line", "strokeWidth": 1.6, "interpolate": "step-after"}
    dash = {**line["encoding"]["strokeDash"], "legend": None}
    y = {**line["encoding"]["y"], "axis": None, "title": None}
    line["encoding"] = {"y": y, "strokeDash": dash}
    x = {**spec["encoding"]["x"], "axis": None}
    colour = {**spec["encoding"]["color"], "legend": None}
    small = {
        **{key: spec[key] for key in ("data", "transform")},
        **line,
        "width": 220,
        "height": 84,
        "encoding": {**line["encoding"], "x": x, "color": colour},
    }
    svg = drawn(clean(small), data, {**CONFIG, "padding": 2})
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), svg)


def _rows(data: Data, engine: str, axis: str) -> list[Row]:
    return [row for row in data["curves"] if (row["engine"], row["axis"]) == (engine, axis)]


def _of_seeds(least: int, most: int) -> str:
    """What a curve and its band are, of as many seeds."""
    if most == 1:
        return "One seed."
    seeds = counted([least, most], "seed")
    if least < QUARTILES_FROM <= most:
        return f"Median of {seeds}, band: quartiles, or the range of fewer than {QUARTILES_FROM}."
    return f"Median of {seeds}, band: {'quartiles' if most >= QUARTILES_FROM else 'range'}."


def _lines(
    rows: Sequence[Row], engine: str, axis: str, metric: str, colours: Sequence[Series]
) -> Spec:
    low = min((value for row in rows for value in row["low"] if value is not None), default=0)
    high = max((value for row in rows for value in row["high"] if value is not None), default=0)
    wide = low > 0 and high / low > 20
    log = axis == "seconds" and min(value for row in rows for value in row["x"]) > 0
    labels = [row["label"] for row in rows]
    legend = {"symbolType": "stroke", "symbolSize": 300}
    x = real("x", TITLES[axis], log=log) | {"axis": {"grid": not log}}
    y = real("median", metric, log=wide, **({} if wide else {"zero": False, "nice": True}))
    return {
        "data": {"name": "curves"},
        "transform": [
            {
                "filter": {
                    "and": [{"field": "engine", "equal": engine}, {"field": "axis", "equal": axis}]
                }
            },
            {"flatten": ["x", "median", "low", "high"]},
        ],
        "encoding": {"x": x, "color": of_methods(labels, colours) | {"legend": legend}},
        "layer": [
            {
                "params": picked("label"),
                "mark": {"type": "area", "interpolate": "step-after", "tooltip": False},
                "encoding": {
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    "opacity": pale(0.13, 0.02),
                },
            },
            {
                "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
                "encoding": {
                    "y": y,
                    "strokeDash": dashes(labels, colours) | {"legend": legend},
                    "opacity": pale(1, 0.12),
                    "tooltip": tooltip(label="nominal", x="quantitative", median="quantitative"),
                },
            },
        ],
    }
