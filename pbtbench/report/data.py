"""What a problem's figures draw from: named rows, that stand once in a page.

A row is a method with its interval on an engine; what it has of several values (along a curve, over
seeds) are lists of equal length, which figures take apart by Vega-Lite's `flatten`. Numbers have the
digits that can be seen, and are none where they aren't finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pbtbench.measures.quality import Axis
from pbtbench.report.palette import KINDS
from pbtbench.report.texts import clean
from pbtbench.report.wording import seconds
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.curves import curves
from pbtbench.statistics.targets import hardest

Row = dict[str, Any]
Data = Mapping[str, Sequence[Row]]
"""Name -> rows."""

AXES: Sequence[Axis] = ("seconds", "member_iterations")

POINTS, ALL_POINTS = 80, 4000
"""Of a curve: what the eye can tell apart at the width of a figure; and of all curves of a figure."""

SEEDS = 2000
"""Single runs of a problem that are drawn at most."""

BARS = 60
"""Bars of a figure at most."""


def of_problem(cells: Sequence[Cell]) -> dict[str, list[Row]]:
    """The rows that all figures of one problem share: `curves`, `cells` and `runs`."""
    return {"curves": _curves(cells), "cells": _cells(cells), "runs": _runs(cells)}


def number(value: float | None, digits: int = 5) -> float | None:
    """A number with so many significant digits; None for what is no finite one."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def numbers(values: Iterable[float | None], digits: int = 5) -> list[float | None]:
    """The same of many."""
    return [number(value, digits) for value in values]


def compared_target(cells: Sequence[Cell]) -> float:
    """The target whose times are drawn against the interval: the hardest that methods with one reach;
    NaN without."""
    swept = [c for c in cells if c.interval is not None]
    hits = hardest(swept) if swept else []
    return hits[0].target.target if hits else math.nan


def _identity(cell: Cell) -> Row:
    found: Row = clean({"label": cell.label, "method": cell.method, "engine": cell.engine})
    return found | {"interval": cell.interval}


def _curves(cells: Sequence[Cell]) -> list[Row]:
    """Best score so far: a row for each cell and axis; x, median, low and high where one of them changes,
    and at the end."""
    found = []
    for axis in AXES:
        for engine in dict.fromkeys(c.engine for c in cells):
            mine = [c for c in cells if c.engine == engine]
            points = max(8, min(POINTS, ALL_POINTS // len(mine)))
            for cell in mine:
                frame = curves([cell], axis, points)
                if frame.empty:
                    continue
                steps = frame[["median", "low", "high"]].to_numpy()
                kept = np.append(True, (np.diff(steps, axis=0) != 0).any(axis=1))
                kept[-1] = True
                lists = {
                    name: numbers(frame[name].to_numpy()[kept].tolist(), digits)
                    for name, digits in (("x", 4), ("median", 5), ("low", 5), ("high", 5))
                }
                found.append(
                    {**_identity(cell), "axis": axis, "n": int(frame["n"].iloc[0]), **lists}
                )
    return found


def _cells(cells: Sequence[Cell]) -> list[Row]:
    """Medians over the seeds, and where the worker-seconds went. Those that the figure of these shows have a
    `bar`."""
    several = len({c.engine for c in cells}) > 1
    target, bars = compared_target(cells), 0
    found = []
    for cell in cells:
        row = _identity(cell) | {
            "final": number(cell.final.median),
            "seconds": number(next((t.seconds for t in cell.targets if t.target == target), None)),
            "overhead": number(cell.checkpoint_overhead),
        }
        spent = [kind for kind in KINDS if cell.shares.get(kind, 0) > 0]
        if spent:
            bars += 1
        if spent and bars <= BARS:
            of_runs = [sum(m.overhead.seconds[kind] for m in cell.completed) for kind in spent]
            row |= {
                "bar": f"{row['label']} · {row['engine']}" if several else row["label"],
                "kind": spent,
                "share": numbers([cell.shares[kind] for kind in spent], 4),
                "spent": [seconds(sum_s / len(cell.completed)) for sum_s in of_runs],
            }
        found.append(row)
    return found


def _runs(cells: Sequence[Cell]) -> list[Row]:
    """Single runs of methods that have an interval; a sample, where they are too many to be told apart."""
    swept = [(c, m) for c in cells if c.interval is not None for m in c.measures]
    target = compared_target(cells)
    if len(swept) > SEEDS:
        chosen = np.random.default_rng(0).choice(len(swept), SEEDS, replace=False)
        swept = [swept[i] for i in sorted(chosen.tolist())]
    found: dict[int, Row] = {}
    for cell, m in swept:
        row = found.setdefault(
            id(cell), _identity(cell) | {"seed": [], "final": [], "seconds": [], "overhead": []}
        )
        row["seed"].append(m.run.seed)
        row["final"].append(None if m.cause else number(m.quality.final_score))
        row["seconds"].append(
            number(next((a.seconds for a in m.attempts if a.target == target), None))
        )
        row["overhead"].append(None if m.cause else number(m.overhead.checkpoint_overhead))
    return list(found.values())
