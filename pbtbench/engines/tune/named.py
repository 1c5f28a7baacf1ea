"""Who decides in a run: Tune's PBT for our `pbt`, a scheduler or searcher of Tune's for `tune:<name>`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.search.basic_variant import BasicVariantGenerator

from pbtbench.engines.tune.scheduler import Budget, RecordedPBT
from pbtbench.engines.tune.schedulers import SCHEDULERS, scheduler
from pbtbench.engines.tune.searchers import SEARCHERS, Numbered, Proposals, searcher
from pbtbench.errors import BadInput, unknown
from pbtbench.methods import Method
from pbtbench.methods.pbt import PBT
from pbtbench.methods.tuned import Tuned
from pbtbench.problem import Problem
from pbtbench.run import Run
from pbtbench.space import Hyperparameters, Space
from pbtbench.trace import Recorder


@dataclass(frozen=True)
class Deciding:
    """What Tune is given to decide with."""

    search: Any
    scheduler: Any = None
    """None: every trial runs to its end."""
    param_space: Mapping[str, Any] | None = None
    callbacks: tuple[Any, ...] = ()


def check(method: Tuned, space: Space) -> None:
    """Raise `BadInput` for a name that Tune doesn't have, options that don't fit, or a missing package."""
    name = method.name
    if name in SEARCHERS:
        searcher(method, space, size=1, seed=0)
    elif name in SCHEDULERS:
        largest = 2**31 - 1  # the budget isn't known here; max_t follows from it
        _replayed(scheduler(method, space, largest, Recorder(), _no_budget()), space)
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
    """Who decides in `run`, with what members start noted as it gets known."""
    space = problem.space
    if isinstance(method, Tuned) and method.name in SEARCHERS:
        found = searcher(method, space, run.population, run.seed)
        return Deciding(Numbered(found, run.workers), callbacks=(Proposals(recorder),))
    points = list(proposed)
    decides = None
    if isinstance(method, PBT):
        decides = RecordedPBT(method, space, run.seed, recorder, budget)
    elif isinstance(method, Tuned):
        decides = scheduler(method, space, run.iterations, recorder, budget)
        points = _replayed(decides, space) or points
    for member, hyperparameters in enumerate(points):
        detail = dict(hyperparameters)
        recorder.add("setup", 0.0, worker=-1, member=member, iteration=0, detail=detail)
    search = BasicVariantGenerator(points_to_evaluate=points)
    return Deciding(search, decides, dict.fromkeys(space))


def _replayed(decides: Any, space: Space) -> list[Hyperparameters]:
    """With what the one trial of a replay starts; nothing for any other scheduler."""
    start = getattr(decides, "current_config", None)
    if start is None:
        return []
    if set(start) != set(space):
        raise BadInput(
            f"method 'tune:replay': the policy is of {', '.join(sorted(start))}; the problem has "
            f"{', '.join(sorted(space))}"
        )
    return [start]


def _no_budget() -> Budget:
    return Budget(1, {}, Recorder(), 0.0)
