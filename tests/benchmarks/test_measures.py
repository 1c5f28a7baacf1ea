"""What measuring costs: a run of many members, and the tables of many runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabricated import a_run, an_outcome, fork, score, started, timed

from pbtbench.measures import Measures, measure
from pbtbench.measures.summary import summary_csv
from pbtbench.record import Outcome
from pbtbench.recorder import Recorder
from pbtbench.statistics.cells import cells

ITERATIONS, INTERVAL = 100, 10


def many_members(members: int, *, together: bool) -> Outcome:
    """Each scores at each iteration, and forks after each interval but the last."""
    rng, everyone, recorder = np.random.default_rng(0), np.arange(members), Recorder()
    rate = rng.random(members)
    recorder.started({"rate": rate})
    for iteration in range(1, ITERATIONS + 1):
        recorder.add("train", iteration - 1.0, 0.5, iteration=iteration)
        at = np.full(members, iteration) + (0 if together else np.sort(rng.random(members)))
        order = everyone if together else rng.permutation(members)
        recorder.scored(order, iteration, {"accuracy": rng.random(members)}, t_s=at)
        if iteration % INTERVAL == 0 and iteration < ITERATIONS:
            new, donors = rng.random(members), rng.integers(0, members, members)
            recorder.forked(
                order, donors, iteration, old={"rate": rate}, new={"rate": new}, t_s=at,
                copied_iteration=iteration if together else -1,
            )  # fmt: skip
            rate = new
    return Outcome(recorder.record(), ITERATIONS + 1.0, 1, "memory", "made-up")


@pytest.mark.parametrize("together", [True, False], ids=["synchronous", "asynchronous"])
@pytest.mark.parametrize("members", [10_000, 100_000])
def test_a_run_of_many_members_is_measured(benchmark, members, together):
    outcome = many_members(members, together=together)
    run = a_run(iterations=ITERATIONS, interval=INTERVAL, targets=(0.9, 2.0))
    found = benchmark.pedantic(measure, (run, outcome), rounds=3)
    assert found.quality.scores == members * ITERATIONS
    assert found.overhead.forks == members * 9


def many_runs(count: int) -> list[Measures]:
    """Of fifty cells."""
    rows = [started(0, rate=0.1), started(1, rate=0.2), timed("train", 0, 1, iteration=1)]
    for i in range(1, 41):
        rows += [score(i, 0, i, 0.01 * i), score(i, 1, i, 0.02 * i)]
        rows += [fork(i + 0.5, 1, 0, i, 0.2, 0.1, copied_iteration=i)] * (i % 4 == 0)
    one = measure(a_run(targets=(0.1, 0.5)), an_outcome(*rows))
    runs = (
        a_run(problem=f"toy.{p}", method=f"m{m}", seed=s, targets=(0.1, 0.5), interval=4)
        for p in range(5)
        for m in range(10)
        for s in range(count // 50)
    )
    return [replace(one, run=run) for run in runs]


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_cells_and_summary_of_many_runs(benchmark, count):
    measures = many_runs(count)
    found, text = benchmark.pedantic(
        lambda: (cells(measures), summary_csv(measures)), rounds=3, warmup_rounds=1
    )
    assert len(found) == 50
    assert text.count("\n") == 1 + 2 * count
