"""Where a series of times or shares comes to a new level, of one sitting after another.

Of the methods that `results/change_points.py` measures, this one is in use.
"""

from __future__ import annotations

import numpy as np

LEAST = 3
"""Points of a level: fewer are outliers."""

PENALTY = 4.0
"""What a level costs, in variances of the noise times the logarithm of the number of points; for independent
noise 2 would be Schwarz's criterion (BIC)."""

FINEST = 1e-3
"""The noise is taken for no less than that, relative: what repeats better has no smaller steps worth a word."""

WINDOW, FAR = 5, 3.0
"""An outlier is that many standard deviations away from the median of so many points around it."""

BLOCK = 4
"""Points of which means are taken, to see noise that stays for several points."""

NORMAL = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


def change_points(values: np.ndarray, penalty: float = PENALTY) -> list[int]:
    """The places at which a new level begins, of values in the order of time, shape (n,).

    Of all ways to part their logarithms into levels, the one that has the least squares, where each level
    costs a penalty; what is around an outlier stands in its place. The noise is that of differences, of
    single points or of means of blocks, whichever is more: sittings of one day are more alike than those of
    two.
    """
    count = len(values)
    if count < 2 * LEAST:
        return []
    points = _logarithms(values)
    noise = max(_deviation(np.diff(points)) / np.sqrt(2), FINEST)
    points = _without_outliers(points, FAR * noise)
    if count >= 4 * BLOCK:
        means = np.convolve(points, np.full(BLOCK, 1 / BLOCK), "valid")
        noise = max(noise, _deviation(means[BLOCK:] - means[:-BLOCK]) * np.sqrt(BLOCK / 2))
    noise *= count / (count - LEAST)  # of few points it may be far more than they show
    return _partition(points, penalty * noise**2 * np.log(count))


def _logarithms(values: np.ndarray) -> np.ndarray:
    """About their median. What has none, as a missed target is infinite, and a stage that never was 0, counts
    as twice the most of the others, or half the least."""
    there = np.isfinite(values) & (values > 0)
    if not there.any():
        return np.zeros(len(values))
    known = np.log(values[there])
    found = np.where(values > 0, known.max() + np.log(2), known.min() - np.log(2))
    found[there] = known
    centred: np.ndarray = found - np.median(found)
    return centred


def _deviation(differences: np.ndarray) -> float:
    return NORMAL * float(np.median(np.abs(differences)))


def _without_outliers(points: np.ndarray, far: float) -> np.ndarray:
    """With the median of the points around it in place of each that is farther than that from it (Hampel)."""
    medians = np.median(np.lib.stride_tricks.sliding_window_view(points, WINDOW), axis=1)
    middle = np.pad(medians, WINDOW // 2, mode="edge")
    return np.where(np.abs(points - middle) > far, middle, points)


def _partition(points: np.ndarray, penalty: float) -> list[int]:
    """Where the levels of the best partition begin, but for the first, by optimal partitioning (Jackson et al.
    2005): of all ends, the best way to come there."""
    count = len(points)
    sums, squares = (np.concatenate([[0.0], np.cumsum(of)]) for of in (points, points**2))
    cost = np.full(count + 1, np.inf)  # of the best partition of the points before
    cost[0] = 0.0
    begins = np.zeros(count + 1, int)  # where its last level begins
    places = np.arange(count + 1)
    for end in range(LEAST, count + 1):
        starts = places[: end - LEAST + 1]
        explained = (sums[end] - sums[starts]) ** 2 / (end - starts)
        ways = cost[starts] - squares[starts] - explained
        begins[end] = best = int(np.argmin(ways))
        cost[end] = ways[best] + squares[end] + penalty
    found: list[int] = []
    at = int(begins[count])
    while at:
        found.append(at)
        at = int(begins[at])
    return found[::-1]
