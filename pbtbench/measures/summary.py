"""The tidy table of a study, `summary.csv`: one row for each run and target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from pbtbench.measures.quality import problem_name
from pbtbench.record import TIMED, Outcome
from pbtbench.run import Run
from pbtbench.statistics.cells import Measures, measure, spread

COLUMNS = (
    *("run", "problem", "method", "interval", "seed", "engine", "transport", "cluster"),
    *("population", "workers", "iterations", "state_bytes", "target", "reached", "cause"),
    *("seconds_to_target", "iterations_to_target", "member_iterations_to_target"),
    *("worker_seconds_to_target", "best_score", "final_score", "wall_s"),
    *(f"{kind}_s" for kind in TIMED if kind != "morph"),
    *("unaccounted_s", "checkpoint_overhead", "pbt_overhead"),
    *("saves", "restores", "forks", "bytes_saved", "bytes_moved"),
    "iterations_made",
)
"""A contract: people and tools rely on these names and this order. Times by kind are
worker-seconds over all workers, `restore_s` with the morphing of a state to another width; `iterations` are
the budget of each member, `iterations_made` the median over the members of what each made; what doesn't
apply is empty."""

_WHOLE = ("interval", "state_bytes", "iterations_to_target", "member_iterations_to_target")


def summary(pairs: Sequence[tuple[Run, Outcome]]) -> pd.DataFrame:
    """The table, with `COLUMNS`; a run without targets has one row, its target empty."""
    rows = [row for run, outcome in pairs for row in _rows(measure(run, outcome))]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(_WHOLE, "Int64"))


def summary_csv(pairs: Sequence[tuple[Run, Outcome]]) -> str:
    """The table as CSV text; numbers to nine digits."""
    return str(summary(pairs).to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def _rows(m: Measures) -> Iterator[dict[str, Any]]:
    run, outcome, cost = m.run, m.outcome, m.overhead
    whole = {
        "run": run.id,
        "problem": problem_name(run),
        "method": run.method,
        "interval": run.interval,
        "seed": run.seed,
        "engine": run.engine,
        "transport": outcome.transport,
        "cluster": outcome.cluster,
        "population": m.population,
        "workers": outcome.workers,
        "iterations": run.iterations,
        "state_bytes": cost.state_bytes,
        "cause": outcome.cause,
        "best_score": m.quality.best_score,
        "final_score": m.quality.final_score,
        "wall_s": outcome.wall_s,
        **{f"{kind}_s": seconds for kind, seconds in cost.seconds.items()},
        "restore_s": cost.seconds["restore"] + cost.seconds["morph"],
        "checkpoint_overhead": cost.checkpoint_overhead,
        "pbt_overhead": cost.pbt_overhead,
        "saves": cost.saves,
        "restores": cost.restores,
        "forks": cost.forks,
        "bytes_saved": cost.bytes_saved,
        "bytes_moved": cost.bytes_moved,
        "iterations_made": spread(m.made).median,
    }
    if not m.attempts:
        yield whole
    for a in m.attempts:
        yield {
            **whole,
            "target": a.target,
            "reached": a.reached,
            "cause": a.cause,
            "seconds_to_target": a.seconds,
            "iterations_to_target": a.iterations,
            "member_iterations_to_target": a.member_iterations,
            "worker_seconds_to_target": a.worker_seconds,
        }
