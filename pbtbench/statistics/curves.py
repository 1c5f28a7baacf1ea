"""Best score so far of a method over its seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pbtbench.measures.quality import Axis, Curve, to_maximise
from pbtbench.problem import Objective
from pbtbench.statistics.cells import Cell

QUARTILES_FROM = 4
"""Seeds from which a band shows quartiles; with fewer it spans all of them."""


@dataclass(frozen=True)
class Band:
    """Best score so far at ascending places of an axis; arrays of shape (points,)."""

    x: np.ndarray
    median: np.ndarray
    low: np.ndarray
    """A quartile, or with under `QUARTILES_FROM` seeds the extreme."""
    high: np.ndarray
    n: int
    """How many runs it is of."""


def band(cell: Cell, axis: Axis, points: int) -> Band | None:
    """Best score so far over the completed runs of a cell, on a grid of so many points, of which those are left
    out where most have no score yet. None if no run has one.

    A run that has ended keeps its last score, one that has none yet counts as worst; the grid is
    logarithmic along `seconds`.
    """
    steps = [m.curves[axis] for m in cell.completed if m.curves[axis].x]
    if not steps:
        return None
    start, end = min(one.x[0] for one in steps), max(one.end for one in steps)
    logarithmic = axis == "seconds" and 0 < start < end
    grid = (np.geomspace if logarithmic else np.linspace)(start, end, points)
    grid[-1] = end
    low, median, high = _quantiles(
        np.array([_at(grid, one) for one in steps]), cell.run.card.objective
    )
    known = np.isfinite(median)
    return Band(grid[known], median[known], low[known], high[known], len(steps))


def _at(grid: np.ndarray, steps: Curve) -> np.ndarray:
    place = np.searchsorted(steps.x, grid, side="right") - 1
    return np.where(place < 0, np.nan, np.array(steps.y)[np.maximum(place, 0)])


def _quantiles(
    sampled: np.ndarray, objective: Objective
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, median and high over the runs, shape (points,), of scores (runs, points) with NaN where a
    run has none yet. The median is not finite while most have none; the band ends at what is known."""
    worth = to_maximise(objective, sampled)
    quantiles = (0.25, 0.5, 0.75) if len(worth) >= QUARTILES_FROM else (0.0, 0.5, 1.0)
    whole = np.isfinite(worth).all(axis=0)
    bands = np.quantile(worth, quantiles, axis=0, method="nearest")
    bands[:, whole] = np.quantile(worth[:, whole], quantiles, axis=0)
    worst_known = np.where(np.isfinite(worth), worth, np.inf).min(axis=0)
    low, middle, high = np.maximum(bands[0], worst_known), bands[1], bands[2]
    sign = objective.sign
    return (sign * low, sign * middle, sign * high) if sign > 0 else (-high, -middle, -low)
