"""Plots that need no script: a few paths in a square of `SIDE` units, stretched to the room that they have, and
the words of their axes beside them.

For what is drawn of single runs: Vega takes as long for one figure as this for a page of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.report.wording import number

SIDE = 1000
"""Units of a plot's width and height."""

LARGEST = 1e300
"""Values are drawn up to that: differences of larger ones are none."""

TICKS = 6
"""Numbers along an axis, about."""


@dataclass(frozen=True)
class Tick:
    """A number beside a plot."""

    at: float
    """Per cent of the way from the left, or from the top."""
    text: str


@dataclass(frozen=True)
class Axis:
    """A number line from one edge of a plot to the other."""

    low: float
    high: float
    log: bool = False

    def share(self, values: np.ndarray) -> np.ndarray:
        """Where values stand, from 0 at the low end to 1 at the high one."""
        low, high = self._along(np.array([self.low, self.high]))
        found: np.ndarray = (self._along(values) - low) / ((high - low) or 1.0)
        return found.clip(0.0, 1.0)

    def ticks(self, vertical: bool = False) -> list[Tick]:
        """Round numbers within it."""
        values = np.array(self._round())
        at = 100 * self.share(values)
        return [
            Tick(round(100 - a if vertical else a, 2), number(value))
            for a, value in zip(at.tolist(), values.tolist(), strict=True)
        ]

    def _along(self, values: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.log10(values) if self.log else values
        return found

    def _round(self) -> list[float]:
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            step = max(1, -(-(last - first) // TICKS))
            tens = [10.0**power for power in range(first, last + 1, step)]
            if len(tens) > 1:
                return tens
        span = self.high - self.low
        if not span > 0:
            return [self.low]
        size = _round_step(span / TICKS)
        first, last = math.ceil(self.low / size - 1e-9), math.floor(self.high / size + 1e-9)
        return [i * size for i in range(first, last + 1)]


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least that."""
    ten = 10.0 ** math.floor(math.log10(least))
    return next(ten * n for n in (1, 2, 5, 10) if ten * n >= least * (1 - 1e-9))


def around(values: np.ndarray, *, log: bool = False) -> Axis:
    """An axis with a little room at both ends of the values, of which there is one at least."""
    low, high = np.clip([values.min(), values.max()], -LARGEST, LARGEST).tolist()
    if log:
        room = max((high / low) ** 0.05, 1.02)
        return Axis(low / room, high * room, log=True)
    room = 0.05 * (high - low) or 0.05 * abs(low) or 1.0
    return Axis(low - room, high + room)


@dataclass(frozen=True)
class Path:
    """Lines, or areas, of one look."""

    d: str
    variable: str
    """Of its colour."""
    width: float = 0.0
    """Of its lines, in pixels; 0 for areas."""


@dataclass(frozen=True)
class Mark:
    """A line of a plot's key."""

    text: str
    variable: str


@dataclass(frozen=True)
class Plot:
    """A figure of a run."""

    title: str
    caption: str
    paths: Sequence[Path]
    key: Sequence[Mark]
    x: Sequence[Tick]
    x_title: str
    y: Sequence[Tick]
    height: float
    """In rem."""
    grid: bool = True
    """Whether lines lead across from the numbers at its left."""


def lines(x: np.ndarray, y: np.ndarray, x2: np.ndarray, y2: np.ndarray) -> str:
    """A path of lines from (x, y) to (x2, y2), given as shares of width and height from below."""
    across, across2 = (np.rint(SIDE * of).astype(int).tolist() for of in (x, x2))
    up, up2 = (np.rint(SIDE * (1 - of)).astype(int).tolist() for of in (y, y2))
    parts = []
    for a, b, c, d in zip(across, up, across2, up2, strict=True):
        parts.append(f"M{a} {b}H{c}" if b == d else f"M{a} {b}L{c} {d}")
    return "".join(parts)


def boxes(x: np.ndarray, x2: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> str:
    """A path of rectangles, given as shares of width and of height from above; those too thin to see are left
    out."""
    left, right, upper, lower = (np.round(SIDE * of, 1).tolist() for of in (x, x2, top, bottom))
    parts = []
    for a, b, c, d in zip(left, right, upper, lower, strict=True):
        if b > a and d > c:
            parts.append(f"M{a:g} {c:g}H{b:g}V{d:g}H{a:g}Z")
    return "".join(parts)
