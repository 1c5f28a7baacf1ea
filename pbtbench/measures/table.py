"""The measures of a study as one frame: a row for each run and target, identity as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pbtbench.record import TIMED

if TYPE_CHECKING:
    import pandas as pd

    from pbtbench.measures.of_run import Measures
    from pbtbench.measures.target import Attempt
    from pbtbench.runs import Provenance

CELL = ("problem", "method", "interval", "engine_label", "cluster", "machine")
"""Columns of what differs by seed alone."""


def _seconds(kind: str, m: Measures) -> float:
    return m.overhead.seconds[kind]


IDENTITY: Mapping[str, Callable[[Measures], Any]] = {
    "run": lambda m: m.run.id,
    "problem": lambda m: m.run.problem_name,
    "method": lambda m: m.run.method,
    "kind": lambda m: m.run.kind,
    "label": lambda m: m.run.label,
    "interval": lambda m: m.run.interval,
    "synchronous": lambda m: m.run.synchronous,
    "seed": lambda m: m.run.seed,
    "engine": lambda m: m.run.engine,
    "engine_label": lambda m: m.run.engine_label,
    "transport": lambda m: m.transport,
    "cluster": lambda m: m.cluster,
    "population": lambda m: m.population,
    "workers": lambda m: m.workers,
    "iterations": lambda m: m.run.iterations,
    "machine": lambda m: "" if m.provenance is None else m.provenance.machine,
    "version": lambda m: "" if m.provenance is None else m.provenance.version,
    "commit": lambda m: _commit(m.provenance),
    "problem_digest": lambda m: "" if m.provenance is None else m.provenance.problem,
    "started": lambda m: "" if m.provenance is None else m.provenance.started,
    "failure": lambda m: m.cause,
}
"""Column -> what it says of a run."""

NUMBERS: Mapping[str, Callable[[Measures], Any]] = {
    "state_bytes": lambda m: m.overhead.state_bytes,
    "best_score": lambda m: m.quality.best_score,
    "final_score": lambda m: m.quality.final_score,
    "test_score": lambda m: m.quality.test_score,
    "selection_optimism": lambda m: m.quality.selection_optimism,
    "regret": lambda m: m.quality.regret,
    "behind_constant": lambda m: m.quality.behind_constant,
    "scores": lambda m: m.quality.scores,
    "nan_members": lambda m: m.quality.nan_members,
    "standing": lambda m: m.quality.standing,
    "beyond_bound": lambda m: m.quality.beyond_bound,
    "out_of_bounds": lambda m: m.quality.out_of_bounds,
    "exploits_skipped": lambda m: m.quality.exploits_skipped,
    "iterations_made": lambda m: m.iterations_made,
    "wall_s": lambda m: m.wall_s,
    "after_setup_s": lambda m: m.checkpoints.after_setup_s,
    **{f"{kind}_s": partial(_seconds, kind) for kind in TIMED},
    "restore_s": lambda m: m.overhead.seconds["restore"] + m.overhead.seconds["morph"],
    "unaccounted_s": lambda m: m.overhead.seconds["unaccounted"],
    "checkpoint_overhead": lambda m: m.overhead.checkpoint_overhead,
    "pbt_overhead": lambda m: m.overhead.pbt_overhead,
    "fork_s": lambda m: m.overhead.fork_s,
    "saves": lambda m: m.overhead.saves,
    "restores": lambda m: m.overhead.restores,
    "forks": lambda m: m.overhead.forks,
    "bytes_saved": lambda m: m.overhead.bytes_saved,
    "bytes_moved": lambda m: m.overhead.bytes_moved,
    "spills": lambda m: m.checkpoints.spills,
    "score_before_fork": lambda m: m.forks.before,
    "score_copied": lambda m: m.forks.copied,
    "score_after_fork": lambda m: m.forks.after,
    "stale_steps": lambda m: m.forks.stale_steps,
    "discarded": lambda m: m.forks.discarded,
    "never_perturbed": lambda m: m.forks.never_perturbed,
    "lost": lambda m: m.forks.lost,
    "process_starts": lambda m: m.forks.process_starts,
    "peak_memory_bytes": lambda m: max(m.forks.peak_memory_bytes.values(), default=None),
    "peak_device_bytes": lambda m: m.forks.peak_device_bytes,
}
"""The same. Times by kind are worker-seconds; `morph_s` is a part of `restore_s`."""

TARGET: Mapping[str, Callable[[Attempt], Any]] = {
    "target": lambda a: a.target,
    "reached": lambda a: a.reached,
    "cause": lambda a: a.cause,
    "seconds_to_target": lambda a: a.seconds,
    "iterations_to_target": lambda a: a.iterations,
    "member_iterations_to_target": lambda a: a.member_iterations,
    "worker_seconds_to_target": lambda a: a.worker_seconds,
    "spent_s": lambda a: a.spent_s,
    "spent_member_iterations": lambda a: a.spent_member_iterations,
}
"""Column -> what it says of a run at a target; empty for a run without any, but for `cause`."""

_WHOLE = (
    *("interval", "state_bytes", "iterations_to_target", "member_iterations_to_target"),
    *("spent_member_iterations", "peak_memory_bytes"),
)
_REAL = (
    *("test_score", "selection_optimism", "regret", "behind_constant", "target"),
    *("seconds_to_target", "worker_seconds_to_target"),
)


def frame(measures: Sequence[Measures]) -> pd.DataFrame:
    """A row for each run and target, columns of `IDENTITY`, `NUMBERS` and `TARGET`."""
    import pandas as pd

    tried = [(m, a) for m in measures for a in m.attempts or (None,)]
    repeats = [len(m.attempts) or 1 for m in measures]
    columns: dict[str, Any] = {}
    for name, of_run in {**IDENTITY, **NUMBERS}.items():
        values = map(of_run, measures)
        columns[name] = [v for v, n in zip(values, repeats, strict=True) for _ in range(n)]
    for name, of_target in TARGET.items():
        columns[name] = [None if a is None else of_target(a) for _, a in tried]
    columns["cause"] = [m.cause if a is None else a.cause for m, a in tried]
    types = {
        **dict.fromkeys(_WHOLE, "Int64"),
        **dict.fromkeys((*_REAL, "spent_s"), float),
        "reached": "boolean",
    }
    typed = {
        name: pd.array(values, dtype=types[name]) if name in types else values
        for name, values in columns.items()
    }
    return pd.DataFrame(typed)


def _commit(provenance: Provenance | None) -> str:
    """As git describes it: `-dirty` at the end where files differed from the commit."""
    if provenance is None:
        return ""
    return provenance.commit + "-dirty" * (provenance.dirty and bool(provenance.commit))


def frame_of_studies(studies: Mapping[str, Sequence[Measures]]) -> pd.DataFrame:
    """The same of several studies, by name: each run's id begins with its study's name, as the same ids may be
    in several, and a column `study` stands at the end."""
    import pandas as pd

    frames = [
        frame(measures).assign(run=lambda f, name=name: f"{name}/" + f["run"], study=name)
        for name, measures in studies.items()
    ]
    return pd.concat(frames, ignore_index=True)
