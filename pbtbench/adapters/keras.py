"""A Keras model, an optimizer and arrays become a population.

    def build(hyper):
        import keras
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(hyper["dropout"]), …])
        return model, keras.optimizers.SGD(hyper["learning_rate"]), keras.losses.…  # or a compiled model

    PROBLEM = Problem(…, start=keras_population(SPACE, build, data), framework="tensorflow")

Members of equal static hyperparameters share one compiled program: a template model, into whose
variables a member's tensors are put, trained, and taken out again inside the graph. A dynamic
hyperparameter of real numbers is `Live`, read from a variable at every step, so that changing it
compiles nothing; of whole numbers and names each value has a program of its own. Training and
evaluation are two compiled calls, not one, so that an engine can time them apart.

TensorFlow is imported when a population starts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pbtbench.adapters.examples import Data, Examples, load
from pbtbench.adapters.live import within
from pbtbench.adapters.morphism import RULES, Rule, morphed
from pbtbench.adapters.program import Moment, Program, Snapshot
from pbtbench.errors import BadInput, unknown
from pbtbench.problem import State
from pbtbench.space import Hyperparameters, Space, Value

Build = Callable[[Mapping[str, Any]], Any]
"""`build(hyper)`: a model, an optimizer and a loss, or a compiled model; made anew at every call. `hyper`
holds a `Live` for each dynamic hyperparameter of real numbers, and the plain value of any other."""


def keras_population(
    space: Space,
    build: Build,
    data: Data,
    *,
    batch_size: int = 64,
    metrics: Any = None,
    class_weight: Mapping[int, float] | None = None,
    widths: Sequence[str] = (),
    rule: Rule = "magnitude",
) -> KerasStart:
    """A problem's `start` for a Keras model.

    A step is the one that `fit` would make, on `batch_size` training examples drawn with replacement
    (a hyperparameter called `batch_size` has its place). A population scores "loss" (without
    regularizers) and each of `metrics` on the validation set, and "test_…" of each where there is a
    test set. A member whose weights or predictions are not finite scores NaN. What the model draws
    must come from Keras's layers or their `SeedGenerator`s: these are keyed by member and step.

    `metrics`: names and objects as in `compile` (`"accuracy"`, `"auc"`, `keras.metrics.AUC()`), or
    functions (labels, predictions) of TensorFlow, Keras, NumPy or scikit-learn, which get all examples
    at once; by default what a compiled model was compiled with, or else accuracy.
    `class_weight`: weights of the training examples by their label, as in `fit`.
    `widths`: hyperparameters that are widths of layers, and may be perturbed: a state is morphed by
    `rule` when it is taken to another width (`adapters.morphism`). Each width has its own program.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise BadInput(f"batch_size = {batch_size!r}: give a whole number of at least 1")
    for name in widths:
        if name not in space:
            raise unknown("hyperparameter", name, space)
    if rule not in RULES:
        raise unknown("rule of morphisms", rule, RULES)
    recipe = Recipe(space, build, data, batch_size, metrics, class_weight, tuple(widths), rule)
    return KerasStart(recipe)


@dataclass(frozen=True)
class KerasStart:
    """Starts populations of one Keras model."""

    recipe: Recipe
    framework = "tensorflow"

    def __call__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> KerasPopulation:
        return KerasPopulation(self.recipe, hyperparameters, seeds)

    def check(self) -> None:
        """Raise `BadInput` for a hyperparameter without effect, or one that can't change while training
        though it is declared so. Builds the model several times, and compiles nothing."""
        self.recipe.check()

    @staticmethod
    def metric_name(metric: str) -> str:
        """A score's name; as Keras's logs have it, `val_accuracy` is the validation's `accuracy`."""
        return metric.removeprefix("val_")


@dataclass(frozen=True)
class Recipe:
    """What a population is made from, with its compiled programs, kept for this process's next one."""

    space: Space
    build: Build
    data: Data
    batch_size: int
    metrics: Any
    class_weight: Mapping[int, float] | None = None
    widths: tuple[str, ...] = ()
    rule: Rule = "magnitude"

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe, tuple(getattr(self, f.name) for f in fields(self))

    def __deepcopy__(self, memo: object) -> Recipe:
        """Without what was compiled."""
        return replace(self)

    @cached_property
    def live(self) -> dict[str, float]:
        """The dynamic hyperparameters of real numbers, each with one of its values. Others, such as a
        choice of names, whole numbers, and widths, count as static here: each value has its own program."""
        dynamic = [name for name in self.space.dynamic if name not in self.widths]
        numbers = {name: within(self.space[name]) for name in dynamic}
        return {name: number for name, number in numbers.items() if number is not None}

    def present(self, hyperparameters: Hyperparameters) -> Any:
        """The values of the live ones among `hyperparameters`, shape (live,)."""
        import tensorflow as tf

        return tf.constant(
            [float(hyperparameters[name]) for name in self.live] or [0.0],
            dtype=tf.float32,
        )

    @cached_property
    def examples(self) -> dict[str, Examples]:
        """The data on the device, loaded once."""
        return load(self.data, self.class_weight)

    @cached_property
    def programs(self) -> dict[str, Program]:
        """The programs compiled so far, by the values of the static hyperparameters."""
        return {}

    def static(self, hyperparameters: Hyperparameters) -> dict[str, Value]:
        """Those among `hyperparameters` that a program is made for."""
        return {name: hyperparameters[name] for name in self.space if name not in self.live}

    def program(self, hyperparameters: Hyperparameters) -> Program:
        """The program for the static ones among `hyperparameters`."""
        static = self.static(hyperparameters)
        for name in self.widths:
            if float(static[name]) < 1:
                raise BadInput(f"{name} = {static[name]}: a layer needs at least 1 unit")
        key = json.dumps(static, default=repr)
        if key not in self.programs:
            self.programs[key] = Program(self, static)
        return self.programs[key]

    @cached_property
    def probes(self) -> list[Probe]:
        """What comes of some hyperparameters, each tried for one step outside of a graph."""
        found = []
        for hyperparameters in variants(self.space, self.live):
            program = Program(self, self.static(hyperparameters))
            program.try_step()
            shapes = {name: tuple(v.shape) for name, v in program.variables.items()}
            found.append(Probe(hyperparameters, shapes, frozenset(program.asked)))
        return found

    def check_asked(self, asked: AbstractSet[str]) -> None:
        """Raise `BadInput` for a hyperparameter that is not among those `asked` for, nor asked for with any
        other values of the static ones."""
        if unread := set(self.space) - asked:
            unread -= {name for probe in self.probes for name in probe.asked}
        if unread:
            raise BadInput(
                f"hyperparameter {min(unread)!r}: build() never asks for it, so that its values change "
                "nothing; use it there, or take it out of the space"
            )

    def check(self) -> None:
        """As `KerasStart.check`."""
        self.check_asked(set())
        some, *others = self.probes
        for other in others:
            changed = [n for n in self.space if other.tried[n] != some.tried[n]]
            if len(changed) != 1 or other.shapes == some.shapes:
                continue
            if self.space[name := changed[0]].dynamic and name not in self.widths:
                value = other.tried[name]
                width = isinstance(value, int) and (
                    ", or, where it is the width of a layer, name it in keras_population(…, widths=(…))"
                )
                raise BadInput(
                    f"dynamic hyperparameter {name!r}: {value!r} makes other weights or optimizer slots "
                    f"than {some.tried[name]!r}, so that a member can't change it and keep its state; "
                    f"declare it with dynamic=False{width or ''}"
                )


class Probe(NamedTuple):
    """What came of hyperparameters that were tried for a step."""

    tried: Hyperparameters
    shapes: Mapping[str, tuple[int, ...]]
    """Of weights and slots, by name."""
    asked: frozenset[str]
    """The hyperparameters that were asked for."""


def variants(space: Space, live: Mapping[str, float]) -> list[dict[str, Value]]:
    """Hyperparameters that show what shapes a model: some, then each other value of each one that isn't
    live (the least and greatest of whole numbers, some draws where there are no bounds), then some more
    draws of all."""
    rng = np.random.default_rng(0)
    some = space.sample(rng)
    found = [some]
    for name, hyperparameter in space.items():
        if name in live:
            continue
        values = getattr(hyperparameter, "values", None) or [
            getattr(hyperparameter, bound)
            for bound in ("low", "high")
            if hasattr(hyperparameter, bound)
        ]
        values = values or [hyperparameter.sample(rng) for _ in range(DRAWS)]
        found += [{**some, name: value} for value in values if value != some[name]]
    return found + [space.sample(rng) for _ in range(DRAWS)]


DRAWS = 4
"""Values that are tried of a hyperparameter whose values can't be listed."""


@dataclass
class Member:
    """One member: where it stands, and what it trains with."""

    moment: Moment
    live: Any
    """Present values of the live hyperparameters, shape (live,)."""
    keys: Any
    """Of the batches' draws and of the layers' draws, shape (2,): each is keyed by (key, step)."""


class KerasPopulation:
    """Members that share compiled programs, trained one after another."""

    concurrent = True

    def __init__(
        self,
        recipe: Recipe,
        hyperparameters: Sequence[Hyperparameters],
        seeds: Sequence[np.random.SeedSequence],
    ) -> None:
        self.recipe = recipe
        self.members = [
            self._member(h, seed) for h, seed in zip(hyperparameters, seeds, strict=True)
        ]

    def _member(self, hyperparameters: Hyperparameters, seed: np.random.SeedSequence) -> Member:
        import tensorflow as tf

        program = self.recipe.program(hyperparameters)
        keys = tf.constant((seed.generate_state(2, np.uint64) >> np.uint64(1)).astype(np.int64))
        return Member(
            Moment(program, program.first(seed), 0), self.recipe.present(hyperparameters), keys
        )

    @property
    def size(self) -> int:
        return len(self.members)

    @property
    def traces(self) -> int:
        """Compilations of the recipe's programs so far, in this process."""
        return sum(program.traces for program in self.recipe.programs.values())

    @property
    def finished(self) -> int:
        """The steps of all members, which grow while they train one after another."""
        return sum(m.moment.step for m in self.members)

    def train(self, steps: int) -> None:
        import tensorflow as tf

        count = tf.constant(steps, tf.int64)
        for m in self.members:
            program, values, step = m.moment
            values = program.train(values, m.live, m.keys, tf.constant(step, tf.int64), count)
            m.moment = Moment(program, values, step + steps)
        tf.test.experimental.sync_devices()

    def evaluate(self) -> Mapping[str, np.ndarray]:
        # All members are on their way before the first result is waited for.
        moments = [m.moment for m in self.members]
        found = [at.program.evaluate(at.values) for at in moments]
        table = np.array(
            [
                at.program.completed(values.numpy(), outside)
                for at, (values, outside) in zip(moments, found, strict=True)
            ]
        )
        return dict(zip(moments[0].program.scores, table.T.copy(), strict=True))

    def state(self, member: int) -> State:
        return Snapshot(self.members[member].moment)

    def morph(self, state: State, hyperparameters: Hyperparameters) -> State:
        """The state as a member of these hyperparameters needs it: itself, unless a width differs."""
        if not self.recipe.widths:
            return state
        return morphed(state, self.recipe.program(hyperparameters), self.recipe.rule)

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        m = self.members[member]
        program = self.recipe.program(hyperparameters)
        if state is None and program is not m.moment.program:
            state = self.state(member)
        if state is not None:
            state = self.morph(state, hyperparameters)
            m.moment = Moment(program, program.fitting(state), int(state["step"]))
        m.live = self.recipe.present(hyperparameters)
