"""The interval of a share: of runs that reached a target, of pairs that a method wins."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""What a standard normal number exceeds in either direction in 5 of 100 cases."""


def wilson(share: float, n: float, z: float = Z) -> tuple[float, float]:
    """Of a share of n (Wilson 1927), which need not be whole: so many as would vary as the share does. Of
    those tried the one that covers best (`results/coverage.csv`)."""
    shrunk = 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / shrunk
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / shrunk
    low, high = min(middle - half, share), max(middle + half, share)  # but for rounding
    return max(low, 0.0), min(high, 1.0)
