"""What checkpoints of any size cost on an engine, fitted to runs of several sizes, and the overhead and the
shortest interval that follow by the closed forms (METHOD 1).

A stage takes a + b · bytes. Each run is a point; as a large state's times scatter by more seconds than a
small one's, points weigh by the inverse of the mean at their size. Neither a nor b may be below zero: where the
data say so, it is 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.measures import Measures, closed_forms
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.intervals import BUDGET
from pbtbench.statistics.spread import ratio

PER_SAVE, PER_RESTORE = ("save", "persist"), ("transfer", "restore", "restart")
"""Stages that block a worker, by what they are counted with."""

TABLE_TO = 20
"""The table of intervals goes on at least to this one, and until checkpoints take a fifth of `BUDGET`."""

SAME_SIZE = 0.01
"""Sizes that differ by no more than this share are one."""


@dataclass(frozen=True)
class Line:
    """Seconds of one stage for each save, or restore: a + b · bytes."""

    fixed_s: float
    """a."""
    s_per_byte: float
    """b."""
    covariance: np.ndarray
    """Of a and b, shape (2, 2)."""
    freedom: int
    """Points less what was fitted to them; 0 where nothing is known of the uncertainty."""
    n: int
    """How many runs."""

    def at(self, state_bytes: float) -> Estimate:
        """Mean seconds for a state of that size, with its 95% interval."""
        from scipy.stats import t

        place = np.array([1.0, state_bytes])
        value = self.fixed_s + self.s_per_byte * state_bytes
        if not value:
            return Estimate(0.0, 0.0, 0.0, self.n)
        if not self.freedom:
            return Estimate(value, 0.0, math.inf, self.n)
        error = math.sqrt(max(0.0, float(place @ self.covariance @ place)))
        half = float(t.isf(0.025, self.freedom)) * error
        return Estimate(value, max(0.0, value - half), value + half, self.n)


@dataclass(frozen=True)
class CostFit:
    """What checkpoints cost on an engine."""

    engine: str
    lines: Mapping[str, Line]
    """Stage -> its seconds for each save (`PER_SAVE`), or restore (`PER_RESTORE`)."""
    smallest: int
    """Bytes of the smallest state that was measured."""
    largest: int
    runs: int

    def beyond(self, state_bytes: float) -> float:
        """By what factor a state is larger than all that were measured, or smaller than all; 1 within."""
        return max(1.0, state_bytes / self.largest, self.smallest / state_bytes)


@dataclass(frozen=True)
class Shares:
    """The shares of members that save and that restore a state after an interval."""

    save: float
    restore: float


@dataclass(frozen=True)
class IntervalOverhead:
    """What checkpoints add at one interval."""

    interval: int
    overhead: Estimate
    """Ω."""

    @property
    def share(self) -> float:
        """φ, of all the time."""
        return closed_forms.share(self.overhead.value)


@dataclass(frozen=True)
class CostAdvice:
    """The intervals that follow from costs alone."""

    fit: CostFit
    state_bytes: float
    iteration_s: float
    """Seconds of train and evaluate of one member's iteration."""
    shares: Shares

    @cached_property
    def cost_s(self) -> Estimate:
        """p_s·c_s + q·c_r: what a member's checkpoints take for each interval, in the mean over members. Stages
        count as independent."""
        weights = {
            **dict.fromkeys(PER_SAVE, self.shares.save),
            **dict.fromkeys(PER_RESTORE, self.shares.restore),
        }
        parts = [(w, self.fit.lines[stage].at(self.state_bytes)) for stage, w in weights.items()]
        value = sum(w * e.value for w, e in parts)
        below = math.sqrt(sum((w * (e.value - e.low)) ** 2 for w, e in parts))
        above = math.sqrt(sum((w * (e.high - e.value)) ** 2 for w, e in parts if w))
        return Estimate(value, max(0.0, value - below), value + above, self.fit.runs)

    def overhead(self, interval: int) -> Estimate:
        """Ω(k), asynchronous."""
        cost, s = self.cost_s, self.iteration_s
        low, value, high = (
            closed_forms.asynchronous(
                1.0, c, 0.0, 0.0, interval, s
            )  # the cost has its shares in it
            for c in (cost.low, cost.value, cost.high)
        )
        return Estimate(value, low, high, cost.n)

    @property
    def least_interval(self) -> int:
        """The shortest interval at which checkpoints take no more than `BUDGET` of the time."""
        return closed_forms.least_interval(self.cost_s.value, self.iteration_s, BUDGET)

    @property
    def least_between(self) -> tuple[int, int | None]:
        """The same by the ends of the cost's interval; None for one that has no end."""
        low, high = self.cost_s.low, self.cost_s.high
        least = closed_forms.least_interval(low, self.iteration_s, BUDGET)
        if math.isinf(high):
            return least, None
        return least, closed_forms.least_interval(high, self.iteration_s, BUDGET)

    def intervals(self) -> list[IntervalOverhead]:
        """Ω at 1, 2, 5, 10, 20 and so on, and at the least interval."""
        wanted, scale = {self.least_interval}, 1
        while True:
            for interval in (scale, 2 * scale, 5 * scale):
                wanted.add(interval)
                small = closed_forms.share(self.overhead(interval).value) <= BUDGET / 5
                if small and interval >= TABLE_TO:
                    return [IntervalOverhead(k, self.overhead(k)) for k in sorted(wanted)]
            scale *= 10


def cost_fit(measures: Sequence[Measures], engine: str, state_bytes: float | None) -> CostFit:
    """The costs on an engine, of its runs with their usual transport in which states were saved and restored.
    `state_bytes`: the size that is asked for, if it isn't that of the runs.

    Raises `BadInput` where there are none, or where all are of one size and another is asked for.
    """
    runs = [m for m in measures if not m.cause and m.overhead.saves and m.overhead.restores]
    mine = [m for m in runs if m.run.engine_label == engine]
    if not mine:
        others = sorted({m.run.engine_label for m in runs})
        there = f"there are such runs on {', '.join(others)}" if others else "there are none at all"
        raise BadInput(
            f"no completed run on {engine} saved and restored states, to take costs from; {there}"
        )
    sizes = np.array([float(m.overhead.state_bytes or 1) for m in mine])
    several = sizes.max() > (1 + SAME_SIZE) * sizes.min()
    if not several and state_bytes is not None:
        off = abs(state_bytes / sizes[0] - 1)
        if off > SAME_SIZE:
            raise BadInput(
                f"all runs on {engine} are of states of {sizes[0]:,.0f} bytes, which says nothing of "
                f"{state_bytes:,.0f}; give runs of several sizes, as `pbtbench run overhead` makes"
            )
    lines = {}
    for stages, counts in (
        (PER_SAVE, [m.overhead.saves for m in mine]),
        (PER_RESTORE, [m.overhead.restores for m in mine]),
    ):
        for stage in stages:
            took = [m.checkpoints.stages[stage].seconds for m in mine]
            lines[stage] = _line(sizes, np.array(took) / counts, several)
    return CostFit(engine, lines, int(sizes.min()), int(sizes.max()), len(mine))


def shares(engine: str, population: int, workers: int, quantile_fraction: float) -> Shares:
    """The shares by truncation selection: its quantile of members is copied and replaced after each interval.
    Ray Tune with fewer workers than members pauses all of them there, which saves and restores each."""
    if engine == "tune" and workers < population:
        return Shares(1.0, 1.0)
    quantile = min(math.ceil(population * quantile_fraction), population // 2)
    return Shares(quantile / population, quantile / population)


def iteration_s(measures: Sequence[Measures]) -> float:
    """Seconds of train and evaluate of one member's iteration, of all runs together; NaN without any."""
    made = sum(m.quality.scores for m in measures)
    return ratio(sum(m.overhead.work_s for m in measures), made)


def _line(sizes: np.ndarray, seconds: np.ndarray, several: bool) -> Line:
    """The least squares of points that weigh by the inverse of the mean at their size."""
    n = len(sizes)
    if not seconds.any():
        return Line(0.0, 0.0, np.zeros((2, 2)), n, n)
    _, place = np.unique(sizes, return_inverse=True)
    means = np.bincount(place, seconds) / np.bincount(place)
    means[means == 0] = means[means > 0].min()
    weights = 1 / means[place]
    columns = np.stack([np.ones(n), sizes / sizes.max()], axis=1)
    kept = [0, 1] if several else [0]
    found, design = _least_squares(columns[:, kept], weights, seconds)
    if (found < 0).any():
        kept = [1] if found[0] < 0 else [0]
        found, design = _least_squares(columns[:, kept], weights, seconds)
    freedom = max(0, n - len(kept))
    covariance = np.zeros((2, 2))
    if freedom:
        left = seconds * weights - design @ found
        covariance[np.ix_(kept, kept)] = np.linalg.inv(design.T @ design) * (left @ left) / freedom
    line = np.zeros(2)
    line[kept] = found
    scales = np.array([1.0, sizes.max()])
    fixed_s, s_per_byte = (line / scales).tolist()
    return Line(fixed_s, s_per_byte, covariance / np.outer(scales, scales), freedom, n)


def _least_squares(
    columns: np.ndarray, weights: np.ndarray, seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What fits, and the weighted columns."""
    design = columns * weights[:, None]
    found, *_ = np.linalg.lstsq(design, seconds * weights, rcond=None)
    return found, design
