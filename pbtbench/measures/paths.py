"""Where members were, for problems that say in which plane to look (`Problem.plane`)."""

from __future__ import annotations

import pandas as pd

from pbtbench.statistics.cells import Measures

COLUMNS = ["method", "member", "iteration", "x", "y", "score"]


def path(m: Measures) -> pd.DataFrame:
    """One row for each score of a run: its member's place in the problem's plane, columns `COLUMNS`.

    Empty if the problem has no plane.
    """
    plane, trace = m.run.card.plane, m.outcome.trace
    rows = []
    for row in trace.rows("score").tolist():
        detail = trace.detail[row]
        if plane and detail and all(name in detail for name in plane):
            x, y = (float(detail[name]) for name in plane)
            score = float(trace.value[row])
            rows.append(
                (m.run.label, int(trace.member[row]), int(trace.iteration[row]), x, y, score)
            )
    return pd.DataFrame(rows, columns=COLUMNS)
