"""The members of a run of Ray Tune's, tested when its time is over.

A trial's actor ends with the trial, while others go on: it sets the member's last state aside, which takes as
long as a snapshot. Here these states are taken up again, by our own tasks on as many workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import ray

from pbtbench import catalogue
from pbtbench.engines.held_out import Tested, note, tested
from pbtbench.engines.tune.collector import Inbox, Last
from pbtbench.engines.tune.trainable import Assignment, nesting
from pbtbench.errors import BadInput
from pbtbench.population import State
from pbtbench.problem import Problem, member_seed
from pbtbench.recorder import Recorder
from pbtbench.runs import Run
from pbtbench.space import Hyperparameters
from pbtbench.user_code.tracebacks import contained, line


def test(run: Run, problem: Problem, inbox: Inbox, recorder: Recorder) -> None:
    """Have all members tested whose last states were set aside, off the run's clock."""
    with recorder.paused():
        try:
            last = inbox.last()
            shares = np.array_split(sorted(last), max(1, min(run.workers, len(last))))
            calls = [_asked(run, problem, last, s.tolist(), recorder) for s in shares if len(s)]
        except (ray.exceptions.RayError, BadInput) as error:
            recorder.note("untested", f"test(): {line(error)}")
            return
        for members, call in calls:
            note(_answered(call, members, run.limit_s), recorder)


def _asked(
    run: Run, problem: Problem, last: Mapping[int, Last], members: list[int], recorder: Recorder
) -> tuple[list[int], ray.ObjectRef]:
    """Members, and the task that tests them."""
    needs, assignment = run.cluster, Assignment.of(run, problem, recorder)
    task = ray.remote(
        num_cpus=needs.cpus_per_worker, num_gpus=needs.gpus_per_worker, max_retries=0
    )(_tested)
    flat, names = nesting(problem).flat, list(problem.space)
    hyperparameters = [flat(last[m][0], names) for m in members]
    states = [last[m][1] for m in members]
    return members, task.remote(assignment, members, hyperparameters, states)


def _tested(
    assignment: Assignment,
    members: Sequence[int],
    hyperparameters: Sequence[Hyperparameters],
    states: Sequence[State],
) -> Tested | None:
    """What comes of testing members, in a worker's process."""
    assignment.surroundings.enter()
    with contained():
        problem = catalogue.problem(assignment.problem)
        seeds = [member_seed(assignment.seed, member) for member in members]
        population = problem.population(hyperparameters, seeds, assignment.problem_options)
        for place, (state, of) in enumerate(zip(states, hyperparameters, strict=True)):
            population.adopt(place, population.morph(state, of), of)
        population.settle()
    return tested(population, assignment.metric, members)


def _answered(call: ray.ObjectRef, members: Sequence[int], limit_s: float) -> Tested | None:
    """What a task found, or why its members have no test score."""
    try:
        found: Tested | None = ray.get(call, timeout=limit_s)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(call, force=True)
        return Tested(members, why=f"test() did not end within the limit of {limit_s:g} s")
    except ray.exceptions.RayError as error:
        return Tested(members, why=f"test(): {line(error)}")
    return found
