"""Who decides in a run: Tune's PBT for our `pbt`, a scheduler or searcher of Tune's for `tune:<name>`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.search.basic_variant import BasicVariantGenerator

from pbtbench.adapters.nesting import Nesting
from pbtbench.engines import ray_internals
from pbtbench.engines.tune.budget import Budget
from pbtbench.engines.tune.scheduler import RecordedPBT
from pbtbench.engines.tune.schedulers import SCHEDULERS, scheduler
from pbtbench.engines.tune.searchers import SEARCHERS, Coded, Numbered, Proposals, searcher
from pbtbench.engines.tune.trainable import member_of, nesting
from pbtbench.errors import BadInput, unknown
from pbtbench.methods import Method
from pbtbench.methods.pbt import PBT
from pbtbench.methods.tuned import Tuned
from pbtbench.problem import Problem
from pbtbench.recorder import Recorder
from pbtbench.runs import Run
from pbtbench.space import Hyperparameters, Space
from pbtbench.space.columns import columns


@dataclass(frozen=True)
class Deciding:
    """What Tune is given to decide with."""

    search: Any
    scheduler: Any = None
    """None: every trial runs to its end."""
    callbacks: tuple[Any, ...] = ()


class Points(BasicVariantGenerator):  # type: ignore[misc]
    """Trials 0, 1, … with exactly these configurations. Tune's own way to a configuration breaks on lists
    and None."""

    def __init__(self, points: Sequence[Hyperparameters], nesting: Nesting) -> None:
        super().__init__(points_to_evaluate=[{} for _ in points])
        self._points, self._nesting = points, nesting

    def next_trial(self) -> Any:
        trial = super().next_trial()
        if trial is not None:
            point = self._points[member_of(trial.trial_id)]
            trial.set_config(self._nesting.nested(point))
            trial.evaluated_params = dict(point)
        return trial


def check(method: Tuned, problem: Problem) -> None:
    """Raise `BadInput` for a name that Tune doesn't have, options that don't fit, or a missing package."""
    name, space = method.name, problem.space
    if name in SEARCHERS:
        searcher(method, Coded(method.name, space), size=1, seed=0)
    elif name in SCHEDULERS:
        largest = 2**31 - 1  # the budget isn't known here; max_t follows from it
        found = scheduler(method, problem, largest, Recorder(), _no_budget())
        _replayed(found, space, nesting(problem))
    else:
        raise unknown("scheduler or searcher of Ray Tune", name, {*SEARCHERS, *SCHEDULERS})


def deciding(
    run: Run,
    problem: Problem,
    method: Method,
    proposed: Sequence[Hyperparameters],
    recorder: Recorder,
    budget: Budget,
) -> Deciding:
    """Who decides in `run`; with what members start is recorded as it gets known."""
    space, shape = problem.space, nesting(problem)
    if isinstance(method, Tuned) and method.name in SEARCHERS:
        coded = Coded(method.name, space)
        found = searcher(method, coded, run.population, run.seed)
        numbered = Numbered(found, run.workers, coded, shape)
        return Deciding(numbered, callbacks=(Proposals(recorder, space, shape),))
    points = list(proposed)
    decides = None
    if isinstance(method, PBT):
        decides = RecordedPBT(method, space, shape, run.seed, recorder, budget)
    elif isinstance(method, Tuned):
        decides = scheduler(method, problem, run.iterations, recorder, budget)
        points = _replayed(decides, space, shape) or points
    recorder.started(columns(points))
    return Deciding(Points(points, shape), decides)


def _replayed(decides: Any, space: Space, shape: Nesting) -> list[Hyperparameters]:
    """With what the one trial of a replay starts; nothing for any other scheduler."""
    start = ray_internals.replayed_start(decides)
    if start is None:
        return []
    if set(start) != {shape.path(name)[0] for name in space}:
        raise BadInput(
            f"method 'tune:replay': the policy is of {', '.join(sorted(start))}; the problem has "
            f"{', '.join(sorted(space))}"
        )
    return [shape.flat(start, list(space))]


def _no_budget() -> Budget:
    return Budget(1, {}, Recorder(), 0.0)
