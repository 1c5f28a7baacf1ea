"""The comparison as one frame: a row for each method at an interval, on a problem, an engine and a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pbtbench.statistics.cells import Cell, TargetCell

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Mapping[str, Callable[[Cell], Any]] = {
    "problem": lambda c: c.problem,
    "method": lambda c: c.method,
    "label": lambda c: c.label,
    "interval": lambda c: c.interval,
    "engine": lambda c: c.engine,
    "cluster": lambda c: c.cluster,
    "runs": lambda c: c.n,
    "completed": lambda c: len(c.completed),
    "score": lambda c: c.score.median,
    "score_low": lambda c: c.score.low,
    "score_high": lambda c: c.score.high,
    "checkpoint_overhead": lambda c: c.checkpoint_overhead,
    "pbt_overhead": lambda c: c.pbt_overhead,
    "fork_s": lambda c: c.fork_s,
    "wall_s": lambda c: c.wall_s,
}
"""Column -> what it says of a cell. Scores: by which methods are compared, median, least and largest over the
runs that completed; the others are medians over these."""

TARGET: Mapping[str, Callable[[TargetCell], Any]] = {
    "target": lambda t: t.target,
    "reached": lambda t: t.reached,
    "tried": lambda t: t.n,
    "expected_s": lambda t: t.ert_s,
    "expected_member_iterations": lambda t: t.ert_member_iterations,
}
"""The same of a target: its score; how many runs reached it, and tried; the expected wall seconds, and
the expected work, misses counted in (ERT). Of a cell's second target the columns are `target_2`, `reached_2`
and so on."""


def frame(cells: Sequence[Cell]) -> pd.DataFrame:
    """A row for each cell, in their order; columns of `COLUMNS`, and of `TARGET` for as many targets as any
    has."""
    import pandas as pd

    columns: dict[str, Any] = {name: [of(c) for c in cells] for name, of in COLUMNS.items()}
    columns["interval"] = pd.array(columns["interval"], dtype="Int64")
    for place in range(max((len(c.targets) for c in cells), default=0)):
        targets = [c.targets[place] if place < len(c.targets) else None for c in cells]
        for name, of_target in TARGET.items():
            whole = name in ("reached", "tried")
            values = [None if t is None else of_target(t) for t in targets]
            column = pd.array(values, dtype="Int64") if whole else pd.Series(values, dtype=float)
            columns[name if place == 0 else f"{name}_{place + 1}"] = column
    return pd.DataFrame(columns)
