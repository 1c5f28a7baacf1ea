"""How good the scores got: at the end, at best, and along the way (METHOD 2, 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pbtbench.problem import Objective
from pbtbench.record import AGE, Outcome, Trace
from pbtbench.run import Run

Axis = Literal["seconds", "member_iterations", "iteration"]
"""What a curve runs along: wall time, the population's work, or members' iterations."""

QUARTILES_FROM = 4
"""Seeds from which a band shows quartiles; with fewer it spans all of them."""


@dataclass(frozen=True)
class Quality:
    """A run's scores in a few numbers. NaN where no member has a score that is a number."""

    best_score: float
    """The best score of any member at any time: what keeping every checkpoint would give."""
    final_score: float
    """The best of the members' last scores."""
    regret: float | None
    """|optimum − final_score|; None where the problem's optimum isn't known."""
    behind_constant: float | None
    """By how much the final score is worse than the best constant hyperparameters'; below zero where it
    is better, which only a schedule, or luck, can be. None where that score isn't known."""
    nan_members: int
    """Members whose score was NaN or infinite at least once."""
    standing: int
    """Scores that stand from an earlier iteration, as their own gave none."""
    beyond_bound: int
    """Scores better than any score can be: above 0 the problem, or its bound, is wrong."""
    out_of_bounds: int
    """Forks whose hyperparameters left the space's bounds: Ray Tune's PBT doesn't keep them."""
    exploits_skipped: int
    """Exploits that Ray Tune's PBT left out because the donor had no checkpoint yet."""


def quality(objective: Objective, outcome: Outcome, best_constant: float | None = None) -> Quality:
    """A run's quality. A member that is NaN scores worst."""
    trace = outcome.trace
    rows = trace.rows("score")
    fresh = [row for row in rows.tolist() if AGE not in (trace.detail[row] or {})]
    turned = _turned(objective, trace.value[rows])
    last = dict(zip(trace.member[rows].tolist(), turned.tolist(), strict=True))
    final = _best(objective, list(last.values()))
    beyond = 0
    if objective.bound is not None:
        slack = 1e-9 * max(1.0, abs(objective.bound))
        beyond = int((turned > objective.sign * objective.bound + slack).sum())
    return Quality(
        best_score=_best(objective, turned.tolist()),
        final_score=final,
        regret=None if objective.optimum is None else abs(objective.optimum - final),
        behind_constant=None if best_constant is None else objective.sign * (best_constant - final),
        nan_members=len(set(trace.member[fresh][~np.isfinite(trace.value[fresh])].tolist())),
        standing=len(rows) - len(fresh),
        beyond_bound=beyond,
        out_of_bounds=len(_with_detail(trace, "fork", "out_of_bounds")),
        exploits_skipped=sum(map(len, _with_detail(trace, "decide", "exploits_skipped"))),
    )


def curve(run: Run, outcome: Outcome, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Best score so far of a run, as steps: (where on the axis, the score from there on).

    Scores of one moment (or, along `iteration`, of one iteration) make one step. Leading NaN are left out.
    """
    trace = outcome.trace
    rows = trace.rows("score")
    if axis == "iteration":
        rows = rows[np.argsort(trace.iteration[rows], kind="stable")]
    at = {
        "seconds": trace.t_start_s[rows],
        "member_iterations": np.arange(1, len(rows) + 1, dtype=float),
        "iteration": trace.iteration[rows].astype(float),
    }[axis]
    moment = trace.iteration[rows] if axis == "iteration" else trace.t_start_s[rows]
    ends = np.append(np.diff(moment) > 0, True) if len(rows) else np.zeros(0, bool)
    sign = run.card.objective.sign
    best = np.maximum.accumulate(_turned(run.card.objective, trace.value[rows]))
    known = ends & np.isfinite(best)
    return at[known], sign * best[known]


def curves(pairs: Sequence[tuple[Run, Outcome]], axis: Axis, points: int = 120) -> pd.DataFrame:
    """Best score so far over the seeds of each (problem, method, engine), on a common grid.

    Columns: problem, method (with its interval), name, interval, engine, x, median, low, high, n. A
    run that has ended keeps its last score, one that has none yet counts as worst; the grid is
    logarithmic along `seconds`. `low` and `high` are quartiles, or with under 4 seeds the extremes.
    Failed runs are left out.
    """
    frames = []
    for group in grouped(pairs):
        run = group[0][0]
        steps = [curve(r, o, axis) for r, o in group if not o.cause]
        steps = [(x, y) for x, y in steps if len(x)]
        if not steps:
            continue
        start, end = min(x[0] for x, _ in steps), max(x[-1] for x, _ in steps)
        logarithmic = axis == "seconds" and 0 < start < end
        grid = (np.geomspace if logarithmic else np.linspace)(start, end, points)
        grid[-1] = end
        low, middle, high = _spread(np.array([_at(grid, x, y) for x, y in steps]), run)
        known = np.isfinite(middle)
        frames.append(
            pd.DataFrame(
                {
                    "problem": problem_name(run),
                    "method": run.label,
                    "name": run.method,
                    "interval": run.interval,
                    "engine": run.engine_label,
                    "x": grid[known],
                    "median": middle[known],
                    "low": low[known],
                    "high": high[known],
                    "n": len(steps),
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def grouped(pairs: Sequence[tuple[Run, Outcome]]) -> list[list[tuple[Run, Outcome]]]:
    """The runs that differ by seed alone, in the order of their first one."""
    groups: dict[Any, list[tuple[Run, Outcome]]] = {}
    for run, outcome in pairs:
        key = (problem_name(run), run.method, run.interval, run.engine_label, outcome.cluster)
        groups.setdefault(key, []).append((run, outcome))
    return list(groups.values())


def problem_name(run: Run) -> str:
    """The problem's readable name: the first part of the run's id."""
    return run.id.partition("/")[0]


def _with_detail(trace: Trace, kind: str, key: str) -> list[Any]:
    details = (trace.detail[row] for row in trace.rows(kind).tolist())
    return [detail[key] for detail in details if detail and key in detail]


def _turned(objective: Objective, scores: np.ndarray) -> np.ndarray:
    """Scores such that larger is better and NaN is worst."""
    return np.where(np.isnan(scores), -np.inf, objective.sign * scores)


def _best(objective: Objective, turned: Sequence[float]) -> float:
    best = max(turned, default=-math.inf)
    return objective.sign * best if best > -math.inf else math.nan


def _at(grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    place = np.searchsorted(x, grid, side="right") - 1
    return np.where(place < 0, np.nan, y[np.maximum(place, 0)])


def _spread(sampled: np.ndarray, run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, median and high over the runs, shape (points,), of scores (runs, points) with NaN where a
    run has none yet. The median is not finite while most have none; the band ends at what is known."""
    turned = _turned(run.card.objective, sampled)
    whole = np.isfinite(turned).all(axis=0)
    bands = np.quantile(turned, _band(len(turned)), axis=0, method="nearest")
    bands[:, whole] = np.quantile(turned[:, whole], _band(len(turned)), axis=0)
    worst_known = np.where(np.isfinite(turned), turned, np.inf).min(axis=0)
    low, middle, high = np.maximum(bands[0], worst_known), bands[1], bands[2]
    sign = run.card.objective.sign
    return (sign * low, sign * middle, sign * high) if sign > 0 else (-high, -middle, -low)


def _band(n: int) -> tuple[float, float, float]:
    return (0.25, 0.5, 0.75) if n >= QUARTILES_FROM else (0.0, 0.5, 1.0)
