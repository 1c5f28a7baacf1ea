"""Figures of what the perturbation interval does: final score, time to target, checkpoint overhead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt
import pandas as pd

from pbtbench.report.figures import Figure, figure
from pbtbench.report.figures import colour as colour_of
from pbtbench.report.palette import HUES, Series
from pbtbench.report.wording import number
from pbtbench.statistics.cells import Cell

SEEDS = 2000
"""Points for single runs that a figure has at most."""


def by_interval(cells: Sequence[Cell], colours: Sequence[Series]) -> Iterator[Figure]:
    """Final score, time to target and checkpoint overhead of one problem against the interval."""
    swept = [c for c in cells if c.interval is not None]
    if len({c.interval for c in swept}) < 2:
        return
    objective = cells[0].run.card.objective
    problem = cells[0].problem
    relation = "≥" if objective.sign > 0 else "≤"
    reached = [t.target for c in swept for t in c.targets if t.reached]
    target = max(reached, key=lambda t: objective.sign * t, default=math.nan)
    shown = "A point for each seed, a line through their medians."
    dashes = " Dashed: methods without an interval."
    measures = [
        ("final", f"Final {objective.metric}", shown),
        (
            "seconds",
            f"Seconds to {objective.metric} {relation} {number(target)}",
            shown + " Misses have no point, and count as infinite in the medians.",
        ),
        (
            "overhead",
            "Checkpoint overhead",
            shown + " Checkpoint time over training and evaluation.",
        ),
    ]
    for key, title, caption in measures:
        points = pd.DataFrame(_points(swept, key, target))
        if points.empty:
            continue
        left_out = ""
        if (count := len(points)) > SEEDS:
            points = points.sample(SEEDS, random_state=0).sort_index()
            left_out = f" Drawn are {SEEDS:,} of {count:,} points, chosen at random."
        rivals = [c for c in cells if c.interval is None and key != "overhead"]
        medians = pd.DataFrame(_medians(swept, key, target))
        dashed = pd.DataFrame(_medians(rivals, key, target))
        chart = _by_interval(points, medians, dashed, title, colours, key == "overhead")
        yield figure(
            f"{problem}-interval-{key}",
            f"{title} against perturbation interval",
            caption + dashes * bool(len(dashed)) + left_out,
            chart,
            220,
        )


def _points(cells: Sequence[Cell], key: str, target: float) -> list[dict[str, Any]]:
    """A row for each run that has the measure."""
    found = []
    for cell in cells:
        for m in cell.measures if key == "seconds" else cell.completed:
            value = {
                "final": m.quality.final_score,
                "seconds": next((a.seconds for a in m.attempts if a.target == target), None),
                "overhead": m.overhead.checkpoint_overhead,
            }[key]
            found.append(_row(cell, value) | {"seed": m.run.seed})
    return [row for row in found if row["value"] is not None]


def _medians(cells: Sequence[Cell], key: str, target: float) -> list[dict[str, Any]]:
    """A row for each cell; where half the runs miss the target it has no value, and breaks the line."""
    found = [
        _row(
            cell,
            {
                "final": cell.final.median,
                "seconds": next((t.seconds for t in cell.targets if t.target == target), None),
                "overhead": cell.checkpoint_overhead,
            }[key],
        )
        for cell in cells
    ]
    return found if any(row["value"] is not None for row in found) else []


def _row(cell: Cell, value: float | None) -> dict[str, Any]:
    known = value is not None and math.isfinite(value)
    return {
        "interval": cell.interval,
        "engine": cell.engine,
        "method": cell.method,
        "value": float(f"{value:.5g}") if known else None,
    }


def _by_interval(
    points: pd.DataFrame,
    medians: pd.DataFrame,
    rivals: pd.DataFrame,
    title: str,
    colours: Sequence[Series],
    percent: bool,
) -> Any:
    intervals = sorted(points["interval"].unique().tolist())
    axis = alt.Axis(values=intervals, format="d", grid=False)
    x = alt.X(
        "interval:Q",
        title="perturbation interval, iterations",
        axis=axis,
        scale=alt.Scale(type="log", nice=False, padding=14),
    )
    frames = [points, *([rivals] if len(rivals) else [])]
    values = pd.concat([frame["value"] for frame in frames]).dropna()
    log = values.min() > 0 and values.max() / values.min() > 50
    y = {
        "title": title.lower() if percent else title,
        "scale": alt.Scale(type="log", nice=False, padding=10) if log else alt.Scale(zero=percent),
        "axis": alt.Axis(format="~%") if percent else alt.Axis(),
    }
    colour = _of_engines(frames) or colour_of(
        "method", [name for frame in frames for name in frame["method"]], colours
    )
    encoding = {"x": x, "y": alt.Y("value:Q", **y), "color": colour}
    marks = alt.Chart(points).mark_point(filled=True, size=34, opacity=0.55)
    marks = marks.encode(
        **encoding,
        tooltip=["method:N", "engine:N", "interval:Q", "seed:Q", "value:Q"],
    )
    layers = [marks]
    if len(medians):
        line = alt.Chart(medians).mark_line(strokeWidth=2)
        layers.insert(0, line.encode(**encoding, detail=["engine:N", "method:N"]))
    if len(rivals):
        rule = alt.Chart(rivals).mark_rule(strokeWidth=1.5, strokeDash=[5, 4])
        named = ["method:N", "engine:N", "value:Q"]
        layers.append(rule.encode(y=encoding["y"], color=colour, tooltip=named))
    return alt.layer(*layers)


def _of_engines(frames: Sequence[pd.DataFrame]) -> Any:
    """Colours by engine, where there are several; else None."""
    engines = sorted({engine for frame in frames for engine in frame["engine"]})
    if len(engines) < 2:
        return None
    hues = [f"var(--{HUES[i % len(HUES)]})" for i in range(len(engines))]
    return alt.Color("engine:N", title=None, scale=alt.Scale(domain=engines, range=hues))
