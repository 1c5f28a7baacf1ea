"""The three axes on which targets are reached, in words: wall time, work and cost (METHOD 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pbtbench.report.progress import TITLES as OF_CURVES
from pbtbench.report.wording import NONE, number, seconds
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.speedups import Cost

TITLES: Mapping[str, str] = {**OF_CURVES, "worker_seconds": "cost, worker-seconds"}
"""Of figures' axes."""

NAMES: Mapping[Cost, str] = {
    "seconds": "wall time",
    "member_iterations": "work",
    "worker_seconds": "worker-time",
}
"""In tables and sentences. Work is in member-iterations, worker-time in seconds of all workers together."""


def amount(cost: Cost, value: float) -> str:
    """`1,280` member-iterations, `4.2 s` of wall time or of all workers' time."""
    return number(value) if cost == "member_iterations" else seconds(value)


def span(cost: Cost, estimate: Estimate) -> str:
    """An interval: `3.1 s to 4.2 s`; `–` where there is none."""
    if estimate.n < 2 or math.isnan(estimate.value):
        return NONE
    return f"{amount(cost, estimate.low)} to {amount(cost, estimate.high)}"
