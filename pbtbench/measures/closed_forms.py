"""What checkpoints should cost: METHOD 1's closed forms, to hold against what is measured.

All give Ω, checkpoint seconds over seconds of work. Symbols: k, the interval in iterations; s, seconds
of an iteration; c_s and c_r, seconds of a save and of a transfer with its restore; p_s and q, the
shares of members that save and that exploit at an interval.
"""

from __future__ import annotations

import math
from functools import cache


def asynchronous(p_s: float, c_s: float, q: float, c_r: float, k: float, s: float) -> float:
    """Ω(k) = (p_s·c_s + q·c_r) / (k·s): no member waits for another, and each has a slot."""
    return (p_s * c_s + q * c_r) / (k * s)


def synchronous(c: float, sigma: float, n: int, k: float, s: float) -> float:
    """Ω(k) = (c + σ√k·m_n) / (k·s): all n wait for the slowest, and pay c = c_s + c_r whole. σ is the
    standard deviation of s, m_n the expected maximum of n standard normals."""
    return (c + sigma * math.sqrt(k) * expected_maximum(n)) / (k * s)


def effective_save(snapshot_s: float, persist_s: float, k: float, s: float) -> float:
    """c_s where a state of which a snapshot was taken is written behind the training: what of the
    writing the interval doesn't hide comes on top."""
    return snapshot_s + max(0.0, persist_s - k * s)


def share(omega: float) -> float:
    """φ = Ω/(1+Ω): checkpoints' part of all the time."""
    return omega / (1 + omega)


def least_interval(cost_s: float, s: float, budget: float) -> int:
    """The shortest interval at which checkpoints take no more than the share `budget` of the time:
    k ≥ (p_s·c_s + q·c_r)(1−ε) / (ε·s), with `cost_s` for the bracket."""
    return max(1, math.ceil(cost_s * (1 - budget) / (budget * s)))


@cache
def expected_maximum(n: int) -> float:
    """Of n independent standard normals: ∫ x·n·φ(x)·Φ(x)ⁿ⁻¹ dx; 0 for one."""
    if n < 2:
        return 0.0
    from scipy import integrate, stats  # slow to import, and seldom needed

    def weighted(x: float) -> float:
        return float(x * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1))

    return float(integrate.quad(weighted, -12, 12)[0])
