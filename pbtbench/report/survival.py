"""Figures of which share of a problem's runs has reached a target, against time, work and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pbtbench.report.axes import TITLES
from pbtbench.report.data import Data, Row, numbers
from pbtbench.report.figures import (
    Figure,
    Spec,
    figure,
    of_methods,
    pale,
    real,
    tooltip,
)
from pbtbench.report.palette import Series
from pbtbench.report.step_curves import layers, share
from pbtbench.report.texts import clean
from pbtbench.report.wording import counted, number
from pbtbench.statistics.attempts import attempts, shown_target
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.speedups import COSTS, Cost
from pbtbench.statistics.time_to_target import Attempts, survival

POINTS = 200
"""Of a curve, and runs marked on it, at most."""

MARKS = {
    "missed": "M0,-1L0,1M-1,0L1,0",
    "crashed": "M-0.75,-0.75L0.75,0.75M-0.75,0.75L0.75,-0.75",
}
"""How a run ended without the target -> the shape of its mark."""


def rows(cells: Sequence[Cell]) -> dict[str, list[Row]]:
    """What the figures of one problem draw from: `reached`, a curve for each cell and axis, and `missed`, the
    runs that ended without the target."""
    target = shown_target(cells)
    tried = [c for c in cells if c.target(target) is not None]
    found: dict[str, list[Row]] = {"reached": [], "missed": []}
    for cost in COSTS:
        of = [(c, attempts(c, target, cost)) for c in tried]
        end = max((float(a.spent.max()) for _, a in of), default=0.0)
        for cell, mine in of:
            name: Row = clean({"label": cell.label, "engine": cell.engine})
            name |= {"axis": cost, "n": mine.n}
            found["reached"].append(name | _curve(mine, end))
            found["missed"].append(name | _ended(mine))
    return found


def figures(cells: Sequence[Cell], data: Data, colours: Sequence[Series]) -> Iterator[Figure]:
    """For each engine and axis a figure of one problem at `attempts.shown_target`, if any run reached it.
    Worker-seconds are left out where they are wall seconds times the same number of workers."""
    objective = cells[0].run.card.objective
    relation = "≥" if objective.sign > 0 else "≤"
    goal = f"{objective.metric} {relation} {number(shown_target(cells))}"
    for engine in dict.fromkeys(row["engine"] for row in data["reached"]):
        for cost in costs([c for c in cells if clean(c.engine) == engine]):
            mine = [r for r in data["reached"] if (r["engine"], r["axis"]) == (engine, cost)]
            if not any(value for row in mine for value in row["share"]):
                continue
            yield figure(
                f"{cells[0].problem}-{engine}-reached-{cost.replace('_', '-')}",
                f"Runs that have reached {goal} against {TITLES[cost].partition(',')[0]}, {engine}",
                f"Share of {counted([row['n'] for row in mine], 'seed')} (Kaplan and Meier), band: 95%. "
                "+: a run that ended there without it, ×: one that crashed.",
                _curves(mine, engine, cost, colours),
                data,
            )


def costs(cells: Sequence[Cell]) -> list[Cost]:
    """The axes that say different things of these cells."""
    workers = {m.workers for c in cells for m in c.measures}
    return [cost for cost in COSTS if cost != "worker_seconds" or len(workers) > 1]


def _curve(found: Attempts, end: float) -> Row:
    """The share that has reached the target. Where no run is left of which nobody knows more, it stays until
    `end`."""
    curve = survival(found)
    open_ended = ~(found.reached | found.crashed)
    lines = np.array([curve.time, 1 - curve.share, 1 - curve.high, 1 - curve.low])
    if not (open_ended.any() and found.spent[open_ended].max() >= curve.time[-1]):
        lines = np.column_stack([lines, [end, *lines[1:, -1]]])
    if lines.shape[1] > POINTS:
        lines = lines[:, np.linspace(0, lines.shape[1] - 1, POINTS).astype(int)]
    x, middle, low, high = (numbers(line) for line in lines.tolist())
    return {"x": x, "share": middle, "low": low, "high": high}


def _ended(found: Attempts) -> Row:
    """Runs that ended without the target, on their curve."""
    curve = survival(found)
    ended = np.flatnonzero(~found.reached)[:POINTS]
    at = np.searchsorted(curve.time, found.spent[ended], side="right") - 1
    return {
        "x": numbers(found.spent[ended].tolist()),
        "share": numbers((1 - curve.share[at]).tolist()),
        "ended": ["crashed" if found.crashed[i] else "missed" for i in ended],
    }


def _curves(rows: Sequence[Row], engine: str, cost: Cost, colours: Sequence[Series]) -> Spec:
    here = {"and": [{"field": "engine", "equal": engine}, {"field": "axis", "equal": cost}]}
    y = share("share of runs")
    curve = {
        "data": {"name": "reached"},
        "transform": [{"filter": here}, {"flatten": ["x", "share", "low", "high"]}],
    }
    shape = {
        "field": "ended",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(MARKS), "range": list(MARKS.values())},
    }
    ended = {
        "data": {"name": "missed"},
        "transform": [{"filter": here}, {"flatten": ["x", "share", "ended"]}],
        "mark": {"type": "point", "size": 70, "strokeWidth": 1.8},
        "encoding": {
            "y": y,
            "shape": shape,
            "opacity": pale(1, 0.12),
            "tooltip": tooltip(label="nominal", x="quantitative .3s", ended="nominal"),
        },
    }
    return {
        "encoding": {
            "x": real("x", TITLES[cost], zero=True),
            "color": of_methods([row["label"] for row in rows], colours),
        },
        "layer": [*layers(y, curve), ended],
    }
