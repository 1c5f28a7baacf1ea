"""Where members were, for problems that say in which plane to look (`Problem.plane`)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pbtbench.measures.quality import objective_scores
from pbtbench.record import Record
from pbtbench.runs import Run

COLUMNS = ["method", "member", "iteration", "x", "y", "score"]


def path(run: Run, record: Record) -> pd.DataFrame:
    """One row for each score of a run: its member's place in the problem's plane, columns `COLUMNS`.

    Empty if the problem has no plane.
    """
    plane, scores = run.card.plane, record.scores
    if not plane or not all(name in scores.metrics for name in plane):
        return pd.DataFrame(columns=COLUMNS)
    x, y = (scores.metrics[name] for name in plane)
    there = ~(np.isnan(x) | np.isnan(y))
    columns = (
        scores.member,
        scores.iteration,
        x,
        y,
        objective_scores(run.card.objective, scores),
    )
    found = pd.DataFrame(
        {name: values[there] for name, values in zip(COLUMNS[1:], columns, strict=True)}
    )
    found.insert(0, COLUMNS[0], run.label)
    return found
