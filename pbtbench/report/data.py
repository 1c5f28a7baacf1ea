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
from pbtbench.statistics.curves import Band, band
from pbtbench.statistics.locations import by_interval
from pbtbench.statistics.targets import compared_target

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


def _identity(cell: Cell) -> Row:
    found: Row = clean({"label": cell.label, "method": cell.method, "engine": cell.engine})
    return found | {"interval": cell.interval}


def _curves(cells: Sequence[Cell]) -> list[Row]:
    """Best score so far: a row for each cell and axis."""
    found: list[Row] = []
    for axis in AXES:
        for engine in dict.fromkeys(c.engine for c in cells):
            mine = [c for c in cells if c.engine == engine]
            points = max(8, min(POINTS, ALL_POINTS // len(mine)))
            found += [
                _identity(cell) | {"axis": axis} | _steps(of_seeds)
                for cell in mine
                if (of_seeds := band(cell, axis, points)) is not None
            ]
    return found


def _steps(of_seeds: Band) -> Row:
    """A band where one of its lines changes, and at the end."""
    lines = np.array([of_seeds.median, of_seeds.low, of_seeds.high])
    changes = np.append(True, (np.diff(lines) != 0).any(axis=0))
    changes[-1] = True
    x = numbers(of_seeds.x[changes].tolist(), 4)
    median, low, high = (numbers(line) for line in lines[:, changes].tolist())
    return {"n": of_seeds.n, "x": x, "median": median, "low": low, "high": high}


def _cells(cells: Sequence[Cell]) -> list[Row]:
    """Medians over the seeds and expected times (with 95% intervals, of methods that have a perturbation
    interval), and where the worker-seconds went. Those that the figure of these shows have a `bar`."""
    several = len({c.engine for c in cells}) > 1
    target, bars = compared_target(cells), 0
    intervals = by_interval(cells)
    found: list[Row] = []
    for cell in cells:
        reached, shares = cell.target(target), cell.shares
        row = _identity(cell) | {
            "final": number(cell.score.median),
            "seconds": number(reached.ert_s if reached else None),
            "overhead": number(cell.checkpoint_overhead),
        }
        for key, estimate in intervals.get(len(found), {}).items():
            row |= {f"{key}_low": number(estimate.low), f"{key}_high": number(estimate.high)}
        spent = [kind for kind in KINDS if shares.get(kind, 0) > 0]
        if spent:
            bars += 1
        if spent and bars <= BARS:
            row |= {
                "bar": f"{row['label']} · {row['engine']}" if several else row["label"],
                "kind": spent,
                "share": numbers([shares[kind] for kind in spent], 4),
                "spent": [seconds(cell.seconds[kind]) for kind in spent],
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
        attempt = m.attempt(target)
        row = found.setdefault(
            id(cell), _identity(cell) | {"seed": [], "final": [], "seconds": [], "overhead": []}
        )
        row["seed"].append(m.run.seed)
        row["final"].append(None if m.cause else number(m.quality.score(cell.held_out)))
        row["seconds"].append(number(attempt.seconds if attempt else None))
        row["overhead"].append(None if m.cause else number(m.overhead.checkpoint_overhead))
    return list(found.values())
