"""Tune's schedulers by name: they end trials early, or change them, and all that they do is recorded."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
from ray.tune.schedulers import (
    PopulationBasedTraining,
    PopulationBasedTrainingReplay,
    TrialScheduler,
)

from pbtbench.adapters.nesting import Nesting
from pbtbench.engines import ray_internals
from pbtbench.engines.tune.budget import Budget
from pbtbench.engines.tune.constructed import constructed
from pbtbench.engines.tune.scheduler import RecordedForks
from pbtbench.engines.tune.trainable import member_of, nesting
from pbtbench.errors import BadInput
from pbtbench.methods.tuned import Tuned
from pbtbench.problem import Problem
from pbtbench.recorder import Recorder
from pbtbench.space import IntUniform, LogUniform, Space, Uniform
from pbtbench.space.columns import columns

SHORT = {"asha": "async_hyperband", "median": "median_stopping_rule", "replay": "pbt_replay"}
"""Names that people use -> Tune's."""

LEFT_OUT = {"pbt", "pbt_replay", "hb_bohb", "resource_changing"}
"""`pbt` is a method of ours and `replay` the replay's name; the others need objects that a study can't name."""

SCHEDULERS = {*SHORT, *ray_internals.schedulers()} - LEFT_OUT


def scheduler_class(name: str) -> type[Any]:
    """Tune's class of that name."""
    found: Any = ray_internals.schedulers()[SHORT.get(name, name)]
    return found() if inspect.isfunction(found) else found  # type: ignore[no-any-return]


def scheduler(
    method: Tuned, problem: Problem, iterations: int, recorder: Recorder, budget: Budget
) -> Any:
    """Tune's scheduler of that name, which records what it does. Raises `BadInput` for its options."""
    cls = scheduler_class(method.name)
    space, shape = problem.space, nesting(problem)
    options = dict(method.options)
    ours: dict[str, Any] = {"time_attr": "training_iteration", "max_t": iterations}
    if cls is PopulationBasedTrainingReplay:
        options["policy_file"] = _policy(options)
    elif issubclass(cls, PopulationBasedTraining):
        ours |= {
            "perturbation_interval": method.interval,
            "hyperparam_bounds": shape.placed(_bounds(space)),
        }
    elif method.name in ("median", "median_stopping_rule", "medianstopping"):
        ours["grace_period"] = 1  # Tune's is 60, meant as seconds
    records = RecordedPB2 if issubclass(cls, PopulationBasedTraining) else Recorded
    recorded = type(cls.__name__, (records, cls), {"__signature__": inspect.signature(cls)})
    found = constructed(method.name, recorded, options, ours)
    found.record_to(space, shape, recorder, budget)
    return found


class RecordedPB2(RecordedForks):
    """PB2, whose values are kept within bounds and on their step; Ray's are 32-bit numbers between steps."""

    def new_configuration(self, trial: Any, donor: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        before = len(ray_internals.tried(self))
        new, how = super().new_configuration(trial, donor)
        tried = ray_internals.tried(self)
        config = self._flat(donor.config)
        chosen = self._nesting.flat(new, list(_bounds(self._space)))
        for name, value in chosen.items():
            kept = self._space[name].nearest(value).item()  # type: ignore[attr-defined]
            config[name] = kept
            if len(tried) > before:
                tried.loc[tried.index[-1], name] = kept
        return self._nesting.nested(config), how


class Recorded:
    """Records a scheduler's decisions, whom it stops, and where a replay changes its trial."""

    def record_to(self, space: Space, nesting: Nesting, recorder: Recorder, budget: Budget) -> None:
        """Where to record."""
        self._names, self._nesting = list(space), nesting
        self._recorder, self._budget = recorder, budget

    def __getstate__(self) -> dict[str, Any]:
        """Tune's snapshots of the experiment need none of it."""
        return {}

    def on_trial_result(self, controller: Any, trial: Any, result: Any) -> Any:
        start, old = self._recorder.now(), self._nesting.flat(trial.config, self._names)
        decision = super().on_trial_result(self._watched(controller), trial, result)  # type: ignore[misc]
        member = member_of(trial.trial_id)
        if decision == TrialScheduler.STOP:
            self._budget.stop(member)
        iteration = self._budget.made[member]
        new = self._nesting.flat(trial.config, self._names)
        if new != old:
            self._budget.saved(member)
            self._recorder.forked(
                np.array([member]), member, iteration, old=columns([old]), new=columns([new])
            )
        duration = self._recorder.now() - start
        self._recorder.add("decide", start, duration, worker=-1, member=member, iteration=iteration)
        return decision

    def on_trial_complete(self, controller: Any, trial: Any, result: Any) -> None:
        super().on_trial_complete(self._watched(controller), trial, result)  # type: ignore[misc]

    def on_trial_remove(self, controller: Any, trial: Any) -> None:
        super().on_trial_remove(self._watched(controller), trial)  # type: ignore[misc]

    def on_trial_error(self, controller: Any, trial: Any) -> None:
        super().on_trial_error(self._watched(controller), trial)  # type: ignore[misc]

    def choose_trial_to_run(self, controller: Any) -> Any:
        return super().choose_trial_to_run(self._watched(controller))  # type: ignore[misc]

    def _watched(self, controller: Any) -> Any:
        return _Watched(controller, self._budget)


class _Watched:
    """Tune's controller, as a scheduler sees it: whom it stops is noted."""

    def __init__(self, controller: Any, budget: Budget) -> None:
        self._controller, self._budget = controller, budget

    def __getattr__(self, name: str) -> Any:
        return getattr(self._controller, name)

    def stop_trial(self, trial: Any) -> None:
        if not trial.is_finished():
            self._budget.stop(member_of(trial.trial_id))
        self._controller.stop_trial(trial)


def _policy(options: dict[str, Any]) -> str:
    """The file that `policy` names, which Ray's PBT wrote."""
    path = options.pop("policy", None)
    if not isinstance(path, str):
        raise BadInput(
            "method 'tune:replay': policy: give the path of a pbt_policy_*.txt, which Ray's PBT "
            "writes into the folder of a run with storage_path"
        )
    return str(Path(path).expanduser().absolute())


def _bounds(space: Space) -> dict[str, list[float]]:
    """Bounds of the hyperparameters that PB2 may move: dynamic real or whole numbers."""
    bounds = {
        name: [h.low, h.high]
        for name in space.dynamic
        if isinstance(h := space[name], Uniform | LogUniform | IntUniform)
    }
    if not bounds:
        raise BadInput("method 'tune:pb2': the problem has no dynamic number with bounds to move")
    return bounds
