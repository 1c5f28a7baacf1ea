"""A paper's data: the measures of all runs as tidy tables, and what each column is."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from pbtbench import spreadsheet
from pbtbench.measures import Measures, frame
from pbtbench.report.texts import Table

COLUMNS: Mapping[str, tuple[str, str]] = {
    "run": ("", "the run's id, and its folder"),
    "problem": ("", "problem, with the label that tells sweeps apart"),
    "method": ("", "method's name in the study"),
    "kind": ("", "the method itself"),
    "label": ("", "method with its interval"),
    "interval": ("iterations", "perturbation interval; empty for a method without one"),
    "synchronous": ("", "whether the method decides for all members together"),
    "seed": ("", "the run's seed"),
    "engine": ("", "what executed the run"),
    "engine_label": ("", "the same, with the transport where it is not the usual one"),
    "transport": ("", "how states travelled between members"),
    "cluster": ("", "where it ran"),
    "population": ("members", "members that there were"),
    "workers": ("workers", "workers of the engine"),
    "iterations": ("iterations", "budget of each member"),
    "machine": ("", "fingerprint of the machine, as in machine.json"),
    "version": ("", "version of pbtbench"),
    "commit": ("", "commit of pbtbench; -dirty where files differed from it"),
    "problem_digest": ("", "digest of the problem's code and options"),
    "started": ("ISO 8601, UTC", "when the run started"),
    "failure": ("", "crash or hang; empty for a run that completed"),
    "state_bytes": ("bytes", "largest state that was saved or restored"),
    "best_score": ("score", "best score of any member at any time"),
    "final_score": ("score", "best of the members' last scores"),
    "test_score": ("score", "of the selected member, on data that no decision saw"),
    "selection_optimism": (
        "score",
        "validation less test score of the selected member, turned to flatter",
    ),
    "regret": ("score", "distance of the final score from the optimum, where that is known"),
    "behind_constant": ("score", "by how much the final score is worse than the best constant's"),
    "scores": ("count", "scores that there are, one for each member and iteration"),
    "nan_members": ("members", "members that scored NaN or infinite at least once"),
    "standing": ("count", "scores that stand from an earlier iteration"),
    "beyond_bound": ("count", "scores better than the problem's bound"),
    "out_of_bounds": ("count", "forks whose hyperparameters left the space's bounds"),
    "exploits_skipped": ("count", "exploits that were left out, as the donor had no checkpoint"),
    "iterations_made": ("iterations", "median over the members of what each made"),
    "wall_s": ("s", "from the run's start to its end"),
    "after_setup_s": ("s", "wall time since the first worker began to train"),
    "setup_s": ("worker-s", "process start, imports, model build"),
    "compile_s": ("worker-s", "calls that compiled something"),
    "train_s": ("worker-s", "training"),
    "evaluate_s": ("worker-s", "evaluation"),
    "save_s": ("worker-s", "blocking snapshots of states"),
    "persist_s": ("worker-s", "writing states while a worker waits"),
    "transfer_s": ("worker-s", "moving states"),
    "restore_s": ("worker-s", "restoring states, morphing included"),
    "restart_s": ("worker-s", "actors or graphs built again"),
    "morph_s": ("worker-s", "making states fit another width, a part of restore_s"),
    "wait_s": ("worker-s", "barriers, pauses, queues"),
    "decide_s": ("worker-s", "the method's decisions"),
    "idle_s": ("worker-s", "nothing left to do"),
    "unaccounted_s": ("worker-s", "workers × wall time, less all that was timed"),
    "checkpoint_overhead": (
        "ratio",
        "save + persist + transfer + restore + restart over train + evaluate",
    ),
    "pbt_overhead": ("ratio", "the same with waits and decisions"),
    "fork_s": ("worker-s", "checkpoints' time for each fork"),
    "saves": ("count", "states saved"),
    "restores": ("count", "states restored"),
    "forks": ("count", "forks"),
    "bytes_saved": ("bytes", "bytes of saves"),
    "bytes_moved": ("bytes", "bytes of restores and transfers"),
    "spills": ("count", "states larger than the object store"),
    "score_before_fork": ("score", "median over the forks of the member's last score before"),
    "score_copied": ("score", "the same of the donor's score at the state that was copied"),
    "score_after_fork": ("score", "the same of the member's first score after"),
    "stale_steps": ("iterations", "mean over the forks of how far the donor had moved on"),
    "discarded": ("share", "member-iterations that live on in no member"),
    "never_perturbed": ("members", "members that never forked"),
    "lost": ("count", "states that were lost with a worker or trial"),
    "process_starts": ("count", "processes started for the members"),
    "peak_memory_bytes": ("bytes", "most that a worker's process held"),
    "peak_device_bytes": ("bytes", "the same on its device"),
    "target": ("score", "score to be reached; empty for a run without targets"),
    "reached": ("", "whether the run reached it"),
    "cause": ("", "why not: budget, crash or hang"),
    "seconds_to_target": ("s", "wall time to the target; empty for a miss, which is censored"),
    "iterations_to_target": ("iterations", "the same of the member that reached it"),
    "member_iterations_to_target": ("iterations", "the same of all members: the work"),
    "worker_seconds_to_target": ("worker-s", "wall time × workers: the cost"),
    "spent_s": ("s", "wall time spent on the target, also by a miss"),
    "spent_member_iterations": ("iterations", "work spent on the target, also by a miss"),
}
"""Column of `measures.frame` -> its unit and its meaning."""


def files(measures: Sequence[Measures]) -> dict[str, str | bytes]:
    """File in `data/` -> what is in it."""
    whole = frame(measures)
    parquet = io.BytesIO()
    whole.to_parquet(parquet, index=False)
    texts = whole.select_dtypes(include=["object", "string"]).columns
    shown = whole.assign(**{name: whole[name].map(spreadsheet.cell) for name in texts})
    about = Table(
        ["column", "unit", "meaning"],
        [[name, *COLUMNS.get(name, ("", ""))] for name in whole.columns],
        left=3,
    )
    return {
        "measures.csv": str(shown.to_csv(index=False, lineterminator="\n")),
        "measures.parquet": parquet.getvalue(),
        "columns.md": "# Columns of measures.csv and measures.parquet\n\nA row for each run and target.\n\n"
        + about.markdown(),
    }
