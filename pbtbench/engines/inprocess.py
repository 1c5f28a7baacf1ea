"""The whole population in one process, states copied in memory: the floor that others are measured against.

A fork is two rows, `save` (the donor's snapshot) and `restore` (the member adopts it). Synchronous
decisions all see the same scores and the states before any fork; asynchronous ones are taken one
after another in random order, each seeing the forks before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pbtbench.engines import Engine
from pbtbench.methods import Fork
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.problem import Population, State, member_seed, method_rng, state_bytes

if TYPE_CHECKING:
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.study import Run
    from pbtbench.trace import Recorder

Decided = tuple[int, Fork]
"""A member and its fork."""


def execute(run: Run, problem: Problem, method: Method, recorder: Recorder) -> None:
    """Train `run.population` members for `run.iterations` iterations."""
    now, add = recorder.now, recorder.add
    rng = method_rng(run.seed)
    with recorder.timed("setup"):
        proposed = method.propose(problem.space, run.population, rng)
        seeds = [member_seed(run.seed, member) for member in range(len(proposed))]
        population = problem.population(proposed, seeds, run.problem_options)
    for member, hyperparameters in enumerate(proposed):
        add("setup", now(), member=member, iteration=0, detail=dict(hyperparameters))
    board = Leaderboard(proposed, problem.objective.sign)
    metric = problem.objective.metric
    members = range(population.size)

    for iteration in range(1, run.iterations + 1):
        start, traces = now(), population.traces
        population.train(problem.steps_per_iteration)
        end = now()
        kind = "train" if population.traces == traces else "compile"
        add(kind, start, end - start, iteration=iteration)
        traces = population.traces
        metrics = population.evaluate()
        start = now()
        kind = "evaluate" if population.traces == traces else "compile"
        add(kind, end, start - end, iteration=iteration)

        scores = metrics[metric].tolist()
        others = {name: v.tolist() for name, v in metrics.items() if name != metric}
        for member in members:
            detail = {name: v[member] for name, v in others.items()} if others else None
            add(
                "score",
                start,
                member=member,
                iteration=iteration,
                value=scores[member],
                detail=detail,
            )
            board.report(member, scores[member], iteration)
        decides = method.interval and iteration % method.interval == 0
        if decides and iteration < run.iterations:
            if method.synchronous:
                forks = [
                    (member, fork)
                    for member in members
                    if (fork := method.decide(member, board, problem.space, rng))
                ]
                add("decide", start, now() - start, iteration=iteration)
                _fork(forks, population, board, recorder, iteration)
            else:
                for member in rng.permutation(population.size).tolist():
                    start = now()
                    fork = method.decide(member, board, problem.space, rng)
                    add("decide", start, now() - start, member=member, iteration=iteration)
                    if fork:
                        _fork([(member, fork)], population, board, recorder, iteration)
        else:
            add("decide", start, now() - start, iteration=iteration)


def _fork(
    forks: Sequence[Decided],
    population: Population,
    board: Leaderboard,
    recorder: Recorder,
    iteration: int,
) -> None:
    """Carry out forks that were decided together: all snapshots first, one for each donor."""
    now, add = recorder.now, recorder.add
    snapshots: dict[int, tuple[State, int]] = {}
    for _, fork in forks:
        if fork.donor not in snapshots:
            start = now()
            state = population.state(fork.donor)
            size = state_bytes(state)
            add("save", start, now() - start, member=fork.donor, iteration=iteration, bytes=size)
            snapshots[fork.donor] = state, size
    for member, fork in forks:
        start = now()
        state, size = snapshots[fork.donor]
        population.adopt(member, state, fork.hyperparameters)
        end = now()
        add("restore", start, end - start, member=member, iteration=iteration, bytes=size)
        detail = {
            "donor": fork.donor,
            "old": board.hyperparameters[member],
            "new": fork.hyperparameters,
        }
        add("fork", end, member=member, iteration=iteration, detail=detail)
    board.forked((member, fork.donor, fork.hyperparameters) for member, fork in forks)


ENGINE = Engine(
    purpose="the whole population in one process, states copied in memory: the floor",
    transport="memory",
    execute=execute,
)
