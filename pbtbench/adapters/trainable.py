"""A user's own `tune.Trainable` becomes a problem, as it is: on Ray Tune, and on our engines, too.

    class MyTrainable(tune.Trainable): …

    PARAM_SPACE = {"learning_rate": tune.loguniform(1e-4, 1e-1), "units": 64}
    METRIC, MODE = "accuracy", "max"

`pbtbench run --problems my_module:MyTrainable` reads these names beside the class, and, where they are
there, HYPERPARAM_MUTATIONS and ITERATIONS; `trainable_problem` takes the same as arguments.

On `tune` the class itself runs, and what Tune has it do is timed. On the other engines a member is an
instance; its state is the files that `save_checkpoint` writes, which travel as arrays of bytes. What a
trainable draws is its own affair: no seed of ours reaches it. A class may have a method `test_held_out`, which
gives what `step` gives, on data that no decision saw. A function trainable, which reports by `tune.report`,
lives in Tune's session, runs on `tune` alone and is not tested.
"""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pbtbench.adapters import param_space as spaces
from pbtbench.adapters.nesting import Nesting
from pbtbench.adapters.parameters import Parameters
from pbtbench.adapters.results import Score
from pbtbench.errors import BadInput
from pbtbench.population import FullPopulation, LoopedPopulation, Population, State
from pbtbench.problem import Objective, Problem, Starter, method_rng
from pbtbench.protocol import AGE, DONE
from pbtbench.space import Hyperparameters
from pbtbench.space.columns import rows
from pbtbench.user_code.loading import OF_FILE

ITERATION = "/training_iteration"
"""Of a state, beside its files, whose names don't begin with a slash."""

NEEDED = {"step": "_train", "save_checkpoint": "_save", "load_checkpoint": "_restore"}
"""What a class must have -> what it was called before Ray 1.0."""

TEST = "test_held_out"
"""A method that a class may have: what a member scores on data that no decision saw, as `step` gives it."""

SCORE = "/score"
"""Of a state, too: the latest score and its age, which go with the state."""


def trainable_problem(
    trainable: type[Any] | Callable[..., Any],
    param_space: Mapping[str, Any],
    metric: str,
    mode: str,
    *,
    hyperparam_mutations: Mapping[str, Any] | None = None,
    iterations: int = 20,
    targets: Sequence[float] = (),
) -> Problem:
    """A problem from a trainable, with what `tune.Tuner` and its `PopulationBasedTraining` take.

    An iteration is one `step`, or one `tune.report`. `iterations`: the default budget of each member.
    Raises `BadInput` for a class that lacks checkpoints, or a space that has no place here.
    """
    name, doc = _name(trainable), inspect.getdoc(trainable)
    function = inspect.isfunction(trainable) or isinstance(trainable, partial)
    found: Any = _wrapped(trainable) if function else trainable
    if not is_trainable(found):
        raise BadInput(f"{name} is no class of tune.Trainable's, nor a function trainable")
    for method, old in NEEDED.items():
        if not _overrides(found, method):
            hint = f"; Ray before 1.0 called it {old}" if hasattr(found, old) else ""
            raise BadInput(f"{name} has no {method}: PBT needs it{hint}")
    if mode not in ("max", "min"):
        raise BadInput(f"{name}: MODE = {mode!r}: give 'max' or 'min'")
    mutations = hyperparam_mutations or {}
    own = doc and doc != inspect.getdoc(_base(found))
    return Problem(
        title=doc.strip().splitlines()[0].rstrip(".") if doc and own else name,
        source=f"{trainable.__module__.removeprefix(OF_FILE)}.{name}, a tune.Trainable",
        finding="",
        space=spaces.space(param_space, mutations),
        objective=Objective(metric, "min" if mode == "min" else "max", tuple(targets)),
        iterations=iterations,
        steps_per_iteration=1,
        start=TrainableStart(
            found, metric, spaces.nesting(param_space, mutations), Parameters(trainable)
        ),
        framework="ray",
    )


def from_module(trainable: type[Any] | Callable[..., Any], module: ModuleType) -> Problem:
    """The problem of a trainable whose space and metric stand beside it in its module."""
    missing = [n for n in ("PARAM_SPACE", "METRIC", "MODE") if not hasattr(module, n)]
    if missing:
        raise BadInput(
            f"{_name(trainable)}: beside it, {module.__name__} has no {', '.join(missing)}; give "
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


def requested(problem: Problem) -> dict[str, float]:
    """What each worker of a trainable needs, as its `default_resource_request` says: `cpus_per_worker` and
    `gpus_per_worker`; empty where it asks for nothing.

    Raises `BadInput` for other resources, as workers have none.
    """
    if not isinstance(problem.start, TrainableStart):
        return {}
    (some,) = rows(problem.space.sample(method_rng(0), 1))
    asked = problem.start.resources(some)
    known = {"CPU": "cpus_per_worker", "GPU": "gpus_per_worker"}
    others = sorted(set(asked) - set(known))
    if others:
        raise BadInput(
            f"{problem.name}: default_resource_request asks for {', '.join(others)}; workers get CPUs and "
            "GPUs alone"
        )
    if asked and "CPU" not in asked:
        asked = {"CPU": 1.0, **asked}
    return {known[name]: amount for name, amount in asked.items()}


def is_trainable(found: object) -> bool:
    """Whether something is a class trainable of Ray Tune's; looking imports nothing."""
    return inspect.isclass(found) and any(map(_is_base, found.__mro__))


def is_tested(trainable: type[Any]) -> bool:
    """Whether a class says how its members do on data that no decision saw."""
    return callable(getattr(trainable, TEST, None))


def is_function_trainable(found: object, module: ModuleType) -> bool:
    """Whether something may be a function trainable: a function with a space or a metric beside it."""
    function = inspect.isfunction(found) or isinstance(found, partial)
    return function and (hasattr(module, "PARAM_SPACE") or hasattr(module, "METRIC"))


def _wrapped(function: Callable[..., Any]) -> type[Any]:
    """A function trainable, as the class that Tune makes of it."""
    from ray.tune.trainable.function_trainable import wrap_function

    try:
        found: type[Any] = wrap_function(function, name=_name(function))
    except Exception as error:
        raise BadInput(
            f"{_name(function)} is no class of tune.Trainable's, nor a function trainable: "
            f"{' '.join(str(error).split())}"
        ) from None
    found.__name__ = _name(function)
    return found


def _name(trainable: Any) -> str:
    """What a trainable is called."""
    while isinstance(trainable, partial):
        trainable = trainable.func
    return str(getattr(trainable, "__name__", trainable))


def _is_base(cls: type[Any]) -> bool:
    return cls.__name__ == "Trainable" and cls.__module__.startswith("ray.tune.")


def _base(trainable: type[Any]) -> type[Any]:
    """Tune's own class that a trainable is made from."""
    return next(cls for cls in trainable.__mro__ if _is_base(cls))


def _overrides(trainable: type[Any], method: str) -> bool:
    """Whether a trainable has a method of its own, not Tune's."""
    return getattr(trainable, method) is not getattr(_base(trainable), method)


@dataclass(frozen=True)
class TrainableStart(Starter):
    """A problem's `start` for a trainable. Ray Tune runs `trainable` itself."""

    trainable: type[Any]
    metric: str
    nesting: Nesting = field(default_factory=Nesting)
    """Where hyperparameters stand in the configuration that the trainable gets."""
    parameters: Parameters = field(default_factory=lambda: Parameters(None))
    """What `tune.with_parameters` gave it."""

    @property
    def only_on(self) -> str | None:
        """The one engine that it runs on; None for a class, which runs on any."""
        from ray.tune.trainable import FunctionTrainable

        return "tune" if issubclass(self.trainable, FunctionTrainable) else None

    def resources(self, hyperparameters: Hyperparameters) -> Mapping[str, float]:
        """What a member asks for by `default_resource_request`: resource -> amount; empty if nothing.

        Raises `BadInput` for a request that can't be made out.
        """
        try:
            request = self.trainable.default_resource_request(self.nesting.nested(hyperparameters))
            return dict(request.required_resources) if request is not None else {}
        except Exception as error:
            raise BadInput(
                f"{self.trainable.__name__}.default_resource_request: {type(error).__name__}: {error}"
            ) from None

    def __call__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> Population:
        if self.only_on:
            raise BadInput(
                f"{self.trainable.__name__} is a function trainable, which engine 'tune' alone runs; for "
                "the others make it a class with setup, step, save_checkpoint and load_checkpoint"
            )
        self.parameters.put()
        return TrainablePopulation(
            [
                TrainableMember(self, h, _identity(seed, place))
                for place, (h, seed) in enumerate(zip(hyperparameters, seeds, strict=True))
            ]
        )


def _identity(seed: np.random.SeedSequence | None, place: int) -> str:
    """A member's trial id, in Tune's form: the run's seed and the member, which its seed tells."""
    if seed is None:
        return f"{0:05x}_{place:05d}"
    return f"{seed.entropy:05x}_{seed.spawn_key[-1]:05d}"


class _Local:
    """A trainable's life without Tune: its log folder is a temporary one, and where it goes on from
    another's checkpoint it has the other's count of iterations, as with Tune."""

    gave: Mapping[str, Any] | None = None
    """What `step` gave last, without what Tune adds; None for a class with a `train` of its own."""

    def _setup_logdir(self) -> None:
        self._logdir = tempfile.mkdtemp(prefix="pbtbench-trainable-")

    def resume_at(self, iteration: int) -> None:
        self._iteration = iteration

    def step(self) -> Any:
        self.gave = super().step()  # type: ignore[misc]
        return self.gave


class TrainablePopulation(LoopedPopulation):
    """Trainables side by side. What some of them don't measure is NaN."""

    def evaluate(self) -> Mapping[str, np.ndarray]:
        found = [member.evaluate() for member in self.members]
        names = dict.fromkeys(name for metrics in found for name in metrics)
        lacking = {name: np.array([0.0 if name in (AGE, DONE) else np.nan]) for name in names}
        return {
            name: np.concatenate([metrics.get(name, lacking[name]) for metrics in found])
            for name in names
        }

    @property
    def tested(self) -> bool:
        return all(member.tested for member in self.members)  # type: ignore[attr-defined]


class TrainableMember(FullPopulation):
    """A population of one: an instance of a class trainable."""

    size = 1
    traces = 0

    def __init__(
        self, start: TrainableStart, hyperparameters: Hyperparameters, identity: str
    ) -> None:
        name = start.trainable.__name__
        own = {"trial_id": identity, "trial_name": f"{name}_{identity}"}
        self._class = type(name, (_Local, start.trainable), own)
        self._nesting = start.nesting
        self._score = Score(start.metric)
        self._measured: Mapping[str, float] = {}
        self._done = False
        self._trainable = self._class(self._nesting.nested(hyperparameters))

    def train(self, steps: int) -> None:
        for _ in range(steps):
            if self._done:  # Tune would not ask it again
                self._measured = {**self._measured, DONE: 1.0}
                continue
            result = self._trainable.train()
            self._done = bool(result.get("done"))
            self._measured = self._score.take(self._trainable.gave or result)

    def evaluate(self) -> Mapping[str, np.ndarray]:
        """What the latest `step` measured, with the metric's last value where it gave none."""
        return {name: np.array([value]) for name, value in self._measured.items()}

    @property
    def tested(self) -> bool:
        return is_tested(self._class)

    def test(self) -> Mapping[str, np.ndarray]:
        """What its own `test_held_out` measures."""
        found = Score(self._score.metric).take(getattr(self._trainable, TEST)())
        return {name: np.array([value]) for name, value in found.items() if name != AGE}

    def state(self, member: int) -> State:
        with tempfile.TemporaryDirectory(prefix="pbtbench-checkpoint-") as folder:
            self._trainable.save(folder)
            state = files(Path(folder))
        return {**state, **progress(self._trainable.training_iteration, self._score)}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is None:
            state = self.state(0)
        else:
            self._done = False
        self._reset(hyperparameters)
        with tempfile.TemporaryDirectory(prefix="pbtbench-checkpoint-") as folder:
            _write(state, Path(folder))
            self._trainable.restore(folder)
        self._trainable.resume_at(int(state[ITERATION]))
        self._score.value, self._score.age = float(state[SCORE][0]), int(state[SCORE][1])

    def _reset(self, hyperparameters: Hyperparameters) -> None:
        """As Tune does before a restore: reset where the class can, else a new instance."""
        shutil.rmtree(self._trainable.logdir, ignore_errors=True)
        if not self._trainable.reset(self._nesting.nested(hyperparameters)):
            shutil.rmtree(self._trainable.logdir, ignore_errors=True)
            self._trainable.stop()
            self._trainable = self._class(self._nesting.nested(hyperparameters))

    def __del__(self) -> None:
        if hasattr(self, "_trainable"):
            shutil.rmtree(self._trainable.logdir, ignore_errors=True)


def files(folder: Path) -> State:
    """A folder's files as arrays of bytes, by their paths; an empty folder's path ends in a slash."""
    state = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            state[name] = np.fromfile(path, np.uint8)
        elif path.is_dir() and not any(path.iterdir()):
            state[f"{name}/"] = np.zeros(0, np.uint8)
    return state


def progress(iteration: int, score: Score) -> State:
    """What of a state is beside its files."""
    return {
        ITERATION: np.array(iteration, np.int64),
        SCORE: np.array([score.value, score.age]),
    }


def _write(state: State, folder: Path) -> None:
    """The files and empty folders of a state."""
    for name, content in state.items():
        if name.startswith("/"):
            continue
        path = Path(folder, name)
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        np.asarray(content).tofile(path)
