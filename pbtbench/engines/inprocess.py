"""The whole population in one process, states copied in memory: the floor that others are measured against.

A fork is two rows, `save` (the donor's snapshot) and `restore` (the member adopts it). Synchronous
decisions all see the same scores and the states before any fork; asynchronous ones are taken one
after another in random order, each seeing the forks before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pbtbench.engines import Engine
from pbtbench.methods import Fork
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.problem import Population, State, member_seed, method_rng, scores, state_bytes

if TYPE_CHECKING:
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.run import Run
    from pbtbench.trace import Recorder

Decided = tuple[int, Fork]
"""A member and its fork."""


def execute(run: Run, problem: Problem, method: Method, recorder: Recorder) -> None:
    """Train `run.population` members for `run.iterations` iterations."""
    lap, add = recorder.lap, recorder.add
    rng = method_rng(run.seed)
    proposed = method.propose(problem.space, run.population, rng)
    seeds = [member_seed(run.seed, member) for member in range(len(proposed))]
    population = problem.population(proposed, seeds, run.problem_options)
    for member, hyperparameters in enumerate(proposed):
        add("setup", recorder.now(), member=member, iteration=0, detail=dict(hyperparameters))
    board = Leaderboard(proposed, problem.objective.sign)
    objective, members = problem.objective.metric, range(population.size)
    lap("setup")

    for iteration in range(1, run.iterations + 1):
        traces = population.traces
        population.train(problem.steps_per_iteration)
        lap("train" if population.traces == traces else "compile", iteration=iteration)
        traces = population.traces
        found = scores(population.evaluate(), objective, population.size)
        _record(found, objective, recorder, iteration)
        lap("evaluate" if population.traces == traces else "compile", iteration=iteration)
        if not method.interval:
            continue
        for member in members:
            board.report(member, found[objective][member], iteration)
        if iteration % method.interval or iteration == run.iterations:
            lap("decide", iteration=iteration)
        elif method.synchronous:
            forks = [
                (member, fork)
                for member in members
                if (fork := method.decide(member, board, problem.space, rng))
            ]
            lap("decide", iteration=iteration)
            _fork(forks, population, board, recorder, iteration)
        else:
            for member in rng.permutation(population.size).tolist():
                fork = method.decide(member, board, problem.space, rng)
                lap("decide", member=member, iteration=iteration)
                if fork:
                    _fork([(member, fork)], population, board, recorder, iteration)


def _record(
    found: Mapping[str, Sequence[float]], objective: str, recorder: Recorder, iteration: int
) -> None:
    """Record every member's score, with the other metrics as detail."""
    moment = recorder.now()
    others = {name: values for name, values in found.items() if name != objective}
    for member, score in enumerate(found[objective]):
        detail = {name: values[member] for name, values in others.items()} or None
        recorder.add(
            "score", moment, member=member, iteration=iteration, value=score, detail=detail
        )


def _fork(
    forks: Sequence[Decided],
    population: Population,
    board: Leaderboard,
    recorder: Recorder,
    iteration: int,
) -> None:
    """Carry out forks that were decided together: all snapshots first, one for each donor."""
    lap = recorder.lap
    snapshots: dict[int, tuple[State, int]] = {}
    for _, fork in forks:
        if fork.donor not in snapshots:
            state = population.state(fork.donor)
            size = state_bytes(state)
            lap("save", member=fork.donor, iteration=iteration, bytes=size)
            snapshots[fork.donor] = state, size
    for member, fork in forks:
        state, size = snapshots[fork.donor]
        population.adopt(member, state, fork.hyperparameters)
        lap("restore", member=member, iteration=iteration, bytes=size)
    for member, fork in forks:
        detail = {
            "donor": fork.donor,
            "old": board.hyperparameters[member],
            "new": fork.hyperparameters,
        }
        recorder.add("fork", recorder.lapped, member=member, iteration=iteration, detail=detail)
    board.forked((member, fork.donor, fork.hyperparameters) for member, fork in forks)
    if forks:
        lap("decide", iteration=iteration)


ENGINE = Engine(
    purpose="the whole population in one process, states copied in memory: the floor",
    transports=("memory",),
    execute=execute,
)
