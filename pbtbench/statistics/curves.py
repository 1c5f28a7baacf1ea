"""Best score so far of methods over their seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pbtbench.measures.quality import Axis, Curve, turned
from pbtbench.problem import Objective
from pbtbench.statistics.cells import Cell

QUARTILES_FROM = 4
"""Seeds from which a band shows quartiles; with fewer it spans all of them."""


def curves(cells: Sequence[Cell], axis: Axis, points: int = 120) -> pd.DataFrame:
    """Best score so far over the seeds of each cell, on a grid of so many points each.

    Columns: problem, method (with its interval), name, interval, engine, x, median, low, high, n. A
    run that has ended keeps its last score, one that has none yet counts as worst; the grid is
    logarithmic along `seconds`. `low` and `high` are quartiles, or with under 4 seeds the extremes.
    Failed runs are left out.
    """
    frames = []
    for cell in cells:
        steps = [m.curves[axis] for m in cell.completed if m.curves[axis].x]
        if not steps:
            continue
        start, end = min(one.x[0] for one in steps), max(one.end for one in steps)
        logarithmic = axis == "seconds" and 0 < start < end
        grid = (np.geomspace if logarithmic else np.linspace)(start, end, points)
        grid[-1] = end
        objective = cell.run.card.objective
        low, middle, high = _band(np.array([_at(grid, one) for one in steps]), objective)
        known = np.isfinite(middle)
        frames.append(
            pd.DataFrame(
                {
                    "problem": cell.problem,
                    "method": cell.label,
                    "name": cell.method,
                    "interval": cell.interval,
                    "engine": cell.engine,
                    "x": grid[known],
                    "median": middle[known],
                    "low": low[known],
                    "high": high[known],
                    "n": len(steps),
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _at(grid: np.ndarray, steps: Curve) -> np.ndarray:
    place = np.searchsorted(steps.x, grid, side="right") - 1
    return np.where(place < 0, np.nan, np.array(steps.y)[np.maximum(place, 0)])


def _band(sampled: np.ndarray, objective: Objective) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, median and high over the runs, shape (points,), of scores (runs, points) with NaN where a
    run has none yet. The median is not finite while most have none; the band ends at what is known."""
    worth = turned(objective, sampled)
    quantiles = (0.25, 0.5, 0.75) if len(worth) >= QUARTILES_FROM else (0.0, 0.5, 1.0)
    whole = np.isfinite(worth).all(axis=0)
    bands = np.quantile(worth, quantiles, axis=0, method="nearest")
    bands[:, whole] = np.quantile(worth[:, whole], quantiles, axis=0)
    worst_known = np.where(np.isfinite(worth), worth, np.inf).min(axis=0)
    low, middle, high = np.maximum(bands[0], worst_known), bands[1], bands[2]
    sign = objective.sign
    return (sign * low, sign * middle, sign * high) if sign > 0 else (-high, -middle, -low)
