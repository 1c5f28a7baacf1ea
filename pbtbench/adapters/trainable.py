"""A user's own `tune.Trainable` becomes a problem, as it is: on Ray Tune, and on our engines, too.

    class MyTrainable(tune.Trainable): …

    PARAM_SPACE = {"learning_rate": tune.loguniform(1e-4, 1e-1), "units": 64}
    METRIC, MODE = "accuracy", "max"

`pbtbench run --problems my_module:MyTrainable` reads these names beside the class, and, where they are
there, HYPERPARAM_MUTATIONS and ITERATIONS; `trainable_problem` takes the same as arguments.

On `tune` the class itself runs, and what Tune has it do is timed. On the other engines a member is an
instance; its state is the files that `save_checkpoint` writes, which travel as arrays of bytes. What a
trainable draws is its own affair: no seed of ours reaches it.
"""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pbtbench.adapters import param_space as spaces
from pbtbench.errors import BadInput
from pbtbench.loading import OF_FILE
from pbtbench.problem import LoopedPopulation, Objective, Population, Problem, State
from pbtbench.space import Hyperparameters

ITERATION = "/training_iteration"
"""Of a state, beside its files, whose names don't begin with a slash."""


def trainable_problem(
    trainable: type[Any],
    param_space: Mapping[str, Any],
    metric: str,
    mode: str,
    *,
    hyperparam_mutations: Mapping[str, Any] | None = None,
    iterations: int = 20,
    targets: Sequence[float] = (),
) -> Problem:
    """A problem from a class trainable, with what `tune.Tuner` and its `PopulationBasedTraining` take.

    An iteration is one `step`. `iterations`: the default budget of each member. Raises `BadInput` for
    a class that lacks checkpoints, or a space that has no place here.
    """
    if not is_trainable(trainable):
        raise BadInput(
            f"{trainable!r} is no class of tune.Trainable's; pbtbench runs class trainables"
        )
    for method in ("step", "save_checkpoint", "load_checkpoint"):
        if not _overrides(trainable, method):
            raise BadInput(f"{trainable.__qualname__} has no {method}: PBT needs it")
    if mode not in ("max", "min"):
        raise BadInput(f"{trainable.__qualname__}: MODE = {mode!r}: give 'max' or 'min'")
    return Problem(
        title=(trainable.__doc__ or trainable.__qualname__).strip().splitlines()[0].rstrip("."),
        source=f"{trainable.__module__.removeprefix(OF_FILE)}.{trainable.__qualname__}, a tune.Trainable",
        finding="",
        space=spaces.space(param_space, hyperparam_mutations or {}),
        objective=Objective(metric, "min" if mode == "min" else "max", tuple(targets)),
        iterations=iterations,
        steps_per_iteration=1,
        start=TrainableStart(trainable, metric),
        framework="ray",
    )


def beside(trainable: type[Any], module: ModuleType) -> Problem:
    """The problem of a trainable whose space and metric stand beside it in its module."""
    missing = [n for n in ("PARAM_SPACE", "METRIC", "MODE") if not hasattr(module, n)]
    if missing:
        raise BadInput(
            f"{trainable.__qualname__}: beside it, {module.__name__} has no {', '.join(missing)}; give "
            'PARAM_SPACE = {…}, METRIC = "…" and MODE = "max" or "min", as tune.Tuner takes them'
        )
    return trainable_problem(
        trainable,
        module.PARAM_SPACE,
        module.METRIC,
        module.MODE,
        hyperparam_mutations=getattr(module, "HYPERPARAM_MUTATIONS", None),
        iterations=getattr(module, "ITERATIONS", 20),
    )


def is_trainable(found: object) -> bool:
    """Whether something is a class trainable of Ray Tune's; looking imports nothing."""
    return inspect.isclass(found) and any(map(_is_base, found.__mro__))


def _is_base(cls: type[Any]) -> bool:
    return cls.__name__ == "Trainable" and cls.__module__.startswith("ray.tune.")


def _overrides(trainable: type[Any], method: str) -> bool:
    """Whether a trainable has a method of its own, not Tune's."""
    base = next(c for c in trainable.__mro__ if _is_base(c))
    return getattr(trainable, method) is not getattr(base, method)


@dataclass(frozen=True)
class TrainableStart:
    """A problem's `start` for a class trainable. Ray Tune runs `trainable` itself."""

    trainable: type[Any]
    metric: str

    @property
    def resets(self) -> bool:
        """Whether an instance can take another configuration."""
        return _overrides(self.trainable, "reset_config")

    def __call__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> Population:
        local = type(self.trainable.__name__, (_Local, self.trainable), {})
        return LoopedPopulation([TrainableMember(local, self.metric, h) for h in hyperparameters])


class _Local:
    """A trainable's life without Tune: its log folder is a temporary one, and where it goes on from
    another's checkpoint it has the other's count of iterations, as with Tune."""

    def _setup_logdir(self) -> None:
        self._logdir = tempfile.mkdtemp(prefix="pbtbench-trainable-")

    def resume_at(self, iteration: int) -> None:
        self._iteration = iteration


class TrainableMember:
    """A population of one: an instance of a class trainable."""

    size = 1
    traces = 0

    def __init__(self, trainable: type[Any], metric: str, hyperparameters: Hyperparameters) -> None:
        self._class, self._metric = trainable, metric
        self._trainable = trainable(dict(hyperparameters))
        self._result: Mapping[str, Any] = {}

    def train(self, steps: int) -> None:
        for _ in range(steps):
            if not self._result.get("done"):  # Tune would not ask it again
                self._result = self._trainable.train()

    def evaluate(self) -> Mapping[str, np.ndarray]:
        """The metric that the latest `step` gave."""
        return {self._metric: np.array([float(measured(self._result, self._metric))])}

    def state(self, member: int) -> State:
        with tempfile.TemporaryDirectory(prefix="pbtbench-checkpoint-") as folder:
            self._trainable.save(folder)
            files = sorted(file for file in Path(folder).rglob("*") if file.is_file())
            state = {f.relative_to(folder).as_posix(): np.fromfile(f, np.uint8) for f in files}
        state[ITERATION] = np.array(self._trainable.training_iteration, np.int64)
        return state

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        state = self.state(0) if state is None else state
        self._reset(hyperparameters)
        with tempfile.TemporaryDirectory(prefix="pbtbench-checkpoint-") as folder:
            for name, content in state.items():
                if name != ITERATION:
                    file = Path(folder, name)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    np.asarray(content).tofile(file)
            self._trainable.restore(folder)
        self._trainable.resume_at(int(state[ITERATION]))

    def _reset(self, hyperparameters: Hyperparameters) -> None:
        """As Tune does: reset where the class can, else a new instance."""
        shutil.rmtree(self._trainable.logdir, ignore_errors=True)
        if not self._trainable.reset(dict(hyperparameters)):
            shutil.rmtree(self._trainable.logdir, ignore_errors=True)
            self._trainable.stop()
            self._trainable = self._class(dict(hyperparameters))

    def __del__(self) -> None:
        if hasattr(self, "_trainable"):
            shutil.rmtree(self._trainable.logdir, ignore_errors=True)


def measured(result: Mapping[str, Any], metric: str) -> Any:
    """What a `step` gave for the metric; `ValueError` without it."""
    if metric not in result:
        raise ValueError(f"step() gives {sorted(result)}, but not the metric {metric!r}")
    return result[metric]
