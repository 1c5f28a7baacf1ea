"""What of a benchmark is compared, and how: counts that repeat exactly, times, shares, scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pbtbench.record import TIMED
from pbtbench.runs import Run

Kind = Literal["count", "time", "share", "score"]

TO_TARGET = ("iterations_to_target", "member_iterations_to_target", "seconds_to_target")
"""What there is for each target."""

STAGES = tuple(f"{kind}_s" for kind in TIMED if kind != "idle")
"""The times that a run's time consists of, in worker-seconds."""

KINDS: Mapping[str, Kind] = {
    "iterations_to_target": "count",
    "member_iterations_to_target": "count",
    "forks": "count",
    "saves": "count",
    "restores": "count",
    "bytes_saved": "count",
    "bytes_moved": "count",
    "wall_s": "time",
    "seconds_to_target": "time",
    **dict.fromkeys(STAGES, "time"),
    "checkpoint_overhead": "share",
    "pbt_overhead": "share",
    "final_score": "score",
    "best_score": "score",
}
"""Measure, a column of `summary.csv` -> what it is. Counts, times and shares are better when less; of a score
the problem's objective says which."""


def base(measure: str) -> str:
    """A measure's name without the target that it is of: `seconds_to_target` of `seconds_to_target[0.95]`."""
    return measure.partition("[")[0]


def exact(run: Run) -> frozenset[str]:
    """The measures that the same run repeats exactly, on the same machine: any difference is a change.

    Who reaches a target first depends on the clock as soon as there are several workers, and so do all
    decisions where workers decide alone.
    """
    repeated = {name for name, kind in KINDS.items() if kind in ("count", "score")}
    if run.engine == "inprocess":
        return frozenset(repeated)
    if run.engine == "ray" and (run.synchronous or run.interval is None):
        return frozenset(repeated.difference(TO_TARGET))
    return frozenset()
