"""The whole population in one process, states copied in memory: the floor that others are measured against.

Synchronous decisions all see the same scores and the states before any fork; asynchronous ones are
taken one after another in random order, each seeing the forks before it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pbtbench import transport
from pbtbench.decisions import Decisions
from pbtbench.engines import Engine
from pbtbench.problem import member_seed
from pbtbench.process import note_memory
from pbtbench.shard import Shard, exchange

if TYPE_CHECKING:
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.run import Run
    from pbtbench.trace import Recorder


def execute(run: Run, problem: Problem, method: Method, recorder: Recorder) -> None:
    """Train `run.population` members for `run.iterations` iterations."""
    lap = recorder.lap
    decisions = Decisions(run, problem, method)
    proposed = decisions.proposed
    seeds = [member_seed(run.seed, member) for member in range(len(proposed))]
    shard = Shard(problem, problem.population(proposed, seeds, run.problem_options), recorder)
    objective, members = problem.objective.metric, shard.members
    decisions.begun(recorder)
    with tempfile.TemporaryDirectory(prefix="pbtbench-states-") as folder:
        travel = transport.transport(run.transport, Path(folder))
        lap("setup")
        for iteration in range(1, run.iterations + 1):
            found = shard.iterate()
            if not method.interval:
                continue
            decisions.report(members, found[objective], iteration)
            if not decisions.due(iteration):
                lap("decide", iteration=iteration)
            elif method.synchronous:
                copies = decisions.together()
                decisions.made(copies, recorder, iteration, worker=0)
                lap("decide", iteration=iteration)
                exchange(copies, [shard], travel)
            else:
                for member in decisions.shuffled(members):
                    copies = [copy] if (copy := decisions.alone(member)) else []
                    decisions.made(copies, recorder, iteration, worker=0)
                    lap("decide", member=member, iteration=iteration)
                    exchange(copies, [shard], travel)
        travel.close()
    note_memory(recorder, 0)


ENGINE = Engine(
    purpose="the whole population in one process, states copied in memory: the floor",
    transports=("memory", "disk", "disk-async", "disk-npz", "disk-npz-async"),
    execute=execute,
)
