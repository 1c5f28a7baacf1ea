"""Made-up runs whose checkpoints cost what is known."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from fabricated import a_run, an_outcome, fork, score, started, timed

from pbtbench.measures import measure
from pbtbench.statistics.cells import cells
from pbtbench.statistics.checkpoint_costs import checkpoint_costs

ITERATION_S, SAVE_S, RESTORE_S, SIZE = 0.5, 0.02, 0.08, 1_000_000
ITERATIONS = 12


def training(interval, *, pause_s=0.0, state=SIZE, waits=False, copied_before=None):
    """Two members on a worker each; at each interval member 1 forks from member 0, where decisions are
    synchronous each waits while the other's part is under way."""
    rows = [started(0, rate=0.1), started(1, rate=0.1)]
    t = [0.0, 0.0]

    def lap(worker, kind, duration, iteration, bytes=0):
        rows.append(timed(kind, t[worker], duration, worker, worker, iteration, bytes))
        t[worker] += duration

    for i in range(1, ITERATIONS + 1):
        for worker in (0, 1):
            lap(worker, "train", 0.8 * ITERATION_S + pause_s, i)
            lap(worker, "evaluate", 0.2 * ITERATION_S, i)
            rows.append(score(t[worker], worker, i, 0.1 * i + 0.5 * (worker == 0)))
        if interval and i % interval == 0 and i < ITERATIONS:
            t = [max(t)] * 2
            at = -1 if copied_before is None else i - copied_before
            rows.append(fork(t[1], 1, 0, i, old=0.1, new=0.2, copied_iteration=at))
            lap(0, "save", SAVE_S, i, state)
            if waits:
                lap(1, "wait", SAVE_S, i)
                lap(0, "wait", RESTORE_S, i)
            else:
                t[1] = max(t)
            lap(1, "restore", RESTORE_S, i, state)
    return an_outcome(*rows, wall_s=max(t), workers=2)


def several_sizes(
    engines=("tune", "ray", "inprocess"),
    intervals=(1, 2, 3),
    sizes=(1, 16),
    synchronous=False,
    **made,
):
    for megabytes in sizes:
        for engine in engines:
            common = {
                "problem": f"lab@{megabytes}MB",
                "engine": engine,
                "iterations": ITERATIONS,
                "goal": "max",
            }
            state = SIZE * megabytes
            for k in intervals:
                run = a_run(method="pbt", interval=k, synchronous=synchronous, **common)
                yield located(run), training(k, state=state, waits=synchronous, **made)
            yield located(a_run(**common)), training(None)


def located(run):
    """The problem is one; its name in the study has the size."""
    return replace(run, problem="toy.lab")


def costs_of(pairs, memcpy_s_per_gb=0.1):
    return checkpoint_costs(cells_of(pairs), memcpy_s_per_gb)


def cells_of(pairs):
    return cells([measure(run, outcome) for run, outcome in pairs])


def doubled(outcome, kind):
    return longer(outcome, kind, 2)


def longer(outcome, kind, times):
    rows = outcome.record.timeline
    lasting = np.where(rows.of(kind), times, 1) * rows.duration_s
    return with_timeline(outcome, replace(rows, duration_s=lasting))


def with_row(outcome, row):
    """With one row more."""
    rows, more = outcome.record.timeline, an_outcome(row).record.timeline
    both = [np.append(getattr(rows, f.name), getattr(more, f.name)) for f in fields(rows)]
    return with_timeline(outcome, type(rows).ordered(*both))


def with_timeline(outcome, rows):
    return replace(outcome, record=replace(outcome.record, timeline=rows))


def dict_of(pairs):
    """One outcome for each run: the first."""
    found = {}
    for run, outcome in pairs:
        found.setdefault(run.id, (run, outcome))
    return list(found.values())
