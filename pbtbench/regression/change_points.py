"""Where a series of times or shares comes to a new level, of one sitting after another.

Of the methods that `results/change_points.py` measures on recorded noise, this one is in use: PELT with a
radial kernel (Killick et al. 2012, Arlot et al. 2019; ruptures' `KernelCPD`), which looks at whole
distributions and not at means, so that outliers move it little.
"""

from __future__ import annotations

import numpy as np

LEAST = 3
"""Points of a level: fewer are outliers."""

PENALTY = 1.0
"""What a level costs, times the logarithm of the number of points."""

FINEST = 1e-3
"""Relative: no smaller difference is worth a word."""


def change_points(values: np.ndarray, penalty: float = PENALTY) -> list[int]:
    """The places at which a new level begins, of values in the order of time, shape (n,)."""
    import ruptures

    count = len(values)
    if count < 2 * LEAST:
        return []
    points = np.round(_logarithms(values) / FINEST)[:, None]
    if np.ptp(points) == 0:
        return []
    found = ruptures.KernelCPD(kernel="rbf", min_size=LEAST).fit(points)
    return [int(place) for place in found.predict(pen=penalty * np.log(count))[:-1]]


def _logarithms(values: np.ndarray) -> np.ndarray:
    """What has none, as a missed target is infinite, and a stage that never was 0, counts as twice the most of
    the others, or half the least."""
    there = np.isfinite(values) & (values > 0)
    if not there.any():
        return np.zeros(len(values))
    found = np.log(values, where=there, out=np.zeros(len(values)))
    least, most = found[there].min() - np.log(2), found[there].max() + np.log(2)
    logs: np.ndarray = np.where(there, found, np.where(values > 0, most, least))
    return logs
