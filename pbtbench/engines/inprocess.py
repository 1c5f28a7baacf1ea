"""The whole population in one process, states copied in memory: the floor that others are measured against.

Synchronous decisions all see the same scores and the states before any fork; asynchronous ones are
taken one after another in random order, each seeing the forks before it.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal

import numpy as np

from pbtbench import catalogue
from pbtbench.engines import Engine, held_out, transport
from pbtbench.engines.decisions import Decisions
from pbtbench.engines.shard import Shard, exchange
from pbtbench.errors import BadInput
from pbtbench.options import Options
from pbtbench.population import FullPopulation
from pbtbench.problem import member_seed, method_rng
from pbtbench.process_memory import Memory
from pbtbench.space.columns import rows

if TYPE_CHECKING:
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.recorder import Recorder
    from pbtbench.runs import Run

LOOPED, STACKED, FASTEST = "looped", "stacked", "fastest"


class InProcessOptions(Options):
    """Options of the engine."""

    members: Literal["looped", "stacked", "fastest"] = "looped"
    """How those of a Keras problem train: `looped`, one after another; `stacked`, in one call; or
    `fastest`, by a short trial before the run's clock starts. Looped is the default, as there scores are the
    same to the bit run after run, and on every engine; stacked they agree to within rounding, and by a trial
    two runs may differ in which it is. The run's record says what was taken (the note `members`)."""


CLEARLY = 1.2
"""How much faster stacked members must be in the trial, to be worth other bits."""


def execute(run: Run, problem: Problem, method: Method, recorder: Recorder) -> None:
    """Train `run.population` members for `run.iterations` iterations."""
    lap, memory = recorder.lap, Memory()
    decisions = Decisions(run, problem, method)
    seeds = [member_seed(run.seed, member) for member in range(decisions.size)]
    members_as = run.engine_options["members"]
    if members_as == FASTEST:
        members_as = _trial(run.problem, json.dumps(run.problem_options), run.population)
    population = problem.population(rows(decisions.proposed), seeds, run.problem_options)
    if members_as == STACKED:
        population = _stacked(population, problem.name)
    shard = Shard(problem, population, recorder)
    objective, members = problem.objective.metric, np.arange(decisions.size)
    decisions.begun(recorder)
    recorder.note("members", members_as)
    with _folder(run.transport) as folder:
        travel = transport.transport(run.transport, Path(folder))
        lap("setup")
        for iteration in range(1, run.iterations + 1):
            found = shard.iterate()
            if not method.interval:
                continue
            decisions.report(members, found[objective], iteration)
            copies = (
                decisions.decide(members, recorder, iteration) if decisions.due(iteration) else []
            )
            lap("decide", iteration=iteration)
            if method.synchronous:
                exchange(copies, shard, travel)
            else:
                for copy in copies:
                    exchange([copy], shard, travel, settle=copy is copies[-1])
        travel.close()
    memory.note(recorder)
    with recorder.paused():
        held_out.note(held_out.tested(population, objective, members.tolist()), recorder)


def _folder(name: str) -> AbstractContextManager[str]:
    """A folder for the states of that transport; none is made for one that writes nothing."""
    if name == transport.MEMORY:
        return nullcontext("")
    return tempfile.TemporaryDirectory(prefix="pbtbench-states-")


def prepare(run: Run) -> None:
    """Make the trial, if one is asked for, before the run's clock starts."""
    if run.engine_options["members"] == FASTEST:
        _trial(run.problem, json.dumps(run.problem_options), run.population)


@cache
def _trial(reference: str, options: str, size: int) -> str:
    """Whether so many members of a problem train faster looped or stacked; looped where they can't be
    stacked."""
    problem = catalogue.problem(reference)
    rng = method_rng(0)
    hyperparameters = rows(problem.space.sample(rng, size))
    seeds = [member_seed(0, member) for member in range(size)]

    def seconds(population: FullPopulation) -> float:
        taken = []
        for _ in range(4):
            start = time.perf_counter()
            population.train(problem.steps_per_iteration)
            population.evaluate()
            taken.append(time.perf_counter() - start)
        return median(taken[1:])  # the first one compiles

    looped = problem.population(hyperparameters, seeds, json.loads(options))
    try:
        stacked = _stacked(looped, problem.name)
        if stacked is looped:
            return LOOPED
        return STACKED if CLEARLY * seconds(stacked) < seconds(looped) else LOOPED
    except BadInput:
        return LOOPED


def _stacked(population: FullPopulation, name: str) -> FullPopulation:
    from pbtbench.adapters.stacked import stacked

    return stacked(population, name)


ENGINE = Engine(
    purpose="the whole population in one process, states copied in memory: the floor",
    transports=(transport.MEMORY, "disk", "disk-async", "disk-npz", "disk-npz-async"),
    execute=execute,
    options=InProcessOptions,
    open=prepare,
)
