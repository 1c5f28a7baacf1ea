"""The tidy table of a study, `summary.csv`: one row for each run and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pbtbench import spreadsheet
from pbtbench.measures.of_run import Measures
from pbtbench.measures.table import frame, frame_of_studies
from pbtbench.record import TIMED

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("run", "problem", "method", "interval", "seed", "engine", "transport", "cluster"),
    *("population", "workers", "iterations", "state_bytes", "target", "reached", "cause"),
    *("seconds_to_target", "iterations_to_target", "member_iterations_to_target"),
    *("worker_seconds_to_target", "best_score", "final_score", "wall_s"),
    *(f"{kind}_s" for kind in TIMED if kind != "morph"),
    *("unaccounted_s", "checkpoint_overhead", "pbt_overhead"),
    *("saves", "restores", "forks", "bytes_saved", "bytes_moved"),
    *("iterations_made", "morph_s", "machine", "commit"),
    *("test_score", "selection_optimism"),
)
"""A contract: people and tools rely on these names and this order. Times by kind are worker-seconds over
all workers; `restore_s` has the morphing of a state to another width in it, which `morph_s` tells alone;
`iterations` are the budget of each member, `iterations_made` the median over the members of what each made;
`final_score` is the selected member's on validation data, `test_score` on data that no decision saw; what
doesn't apply is empty."""

_TEXTS = (
    "run",
    "problem",
    "method",
    "engine",
    "transport",
    "cluster",
    "cause",
    "machine",
    "commit",
)


def summary(measures: Sequence[Measures]) -> pd.DataFrame:
    """The table, with `COLUMNS`; a run without targets has one row, its target empty."""
    return frame(measures)[list(COLUMNS)]


def summary_csv(measures: Sequence[Measures]) -> str:
    """The table as CSV text; numbers to nine digits."""
    return _csv(summary(measures), _TEXTS)


def summary_csv_of_studies(studies: Mapping[str, Sequence[Measures]]) -> str:
    """The same of several studies, by name, with the column `study` behind the others."""
    return _csv(frame_of_studies(studies)[[*COLUMNS, "study"]], (*_TEXTS, "study"))


def _csv(table: pd.DataFrame, texts: Sequence[str]) -> str:
    shown = table.copy()
    for name in texts:
        shown[name] = shown[name].map(spreadsheet.cell)
    return str(shown.to_csv(index=False, float_format="%.9g", lineterminator="\n"))
