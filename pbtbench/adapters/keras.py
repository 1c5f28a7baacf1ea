"""A Keras model, an optimizer and arrays become a population.

    def build(hyper):
        import keras
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(hyper["dropout"]), …])
        return model, keras.optimizers.SGD(hyper["learning_rate"]), keras.losses.…  # or a compiled model

    PROBLEM = Problem(…, start=keras_population(SPACE, build, data))

Members of equal static hyperparameters share one compiled program: a template model, into whose
variables a member's tensors are put, trained, and taken out again inside the graph. A dynamic
hyperparameter of real numbers is `DynamicNumber`, read from a variable at every step, so that changing it
compiles nothing; of whole numbers and names each value has a program of its own. Training and
evaluation are two compiled calls, not one, so that an engine can time them apart.

TensorFlow is imported when a population starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbtbench import summaries
from pbtbench.adapters.examples import Data
from pbtbench.adapters.morphism import morphed
from pbtbench.adapters.program import Snapshot, TrainingState
from pbtbench.adapters.programs import Programs
from pbtbench.adapters.recipe import RULES, Build, Recipe, Rule
from pbtbench.errors import BadInput, unknown
from pbtbench.population import FullPopulation, State
from pbtbench.problem import Starter
from pbtbench.space import Hyperparameters, Space


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
    regularizers) and each of `metrics` on the validation set, and where `data()` gives a "test" set, on
    that after its last iteration. A member whose weights or predictions are not finite scores NaN. What
    the model draws must come from Keras's layers or their `SeedGenerator`s: these are keyed by member
    and step.

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
    return KerasStart(Programs(recipe))


@dataclass(frozen=True)
class KerasStart(Starter):
    """Starts populations of one Keras model."""

    programs: Programs
    framework = "tensorflow"

    def __call__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> KerasPopulation:
        return KerasPopulation(self.programs, hyperparameters, seeds)

    def check(self, **options: Any) -> None:
        """Raise `BadInput` for a hyperparameter without effect, or one that can't change while training
        though it is declared so. Builds the model several times, and compiles nothing."""
        self.programs.check()

    def metric_name(self, metric: str) -> str:
        """A score's name; as Keras's logs have it, `val_accuracy` is the validation's `accuracy`."""
        return metric.removeprefix("val_")


@dataclass
class KerasMember:
    """One member: where it stands, and what it trains with."""

    training_state: TrainingState
    numbers: Any
    """Present values of the dynamic numbers, shape (dynamic numbers,)."""
    keys: Any
    """Of the batches' draws and of the layers' draws, shape (2,): each is keyed by (key, step)."""


class KerasPopulation(FullPopulation):
    """Members that share compiled programs, trained one after another."""

    concurrent = True

    def __init__(
        self,
        programs: Programs,
        hyperparameters: Sequence[Hyperparameters],
        seeds: Sequence[np.random.SeedSequence],
    ) -> None:
        self.programs = programs
        self.members = [
            self._member(h, seed) for h, seed in zip(hyperparameters, seeds, strict=True)
        ]

    def _member(
        self, hyperparameters: Hyperparameters, seed: np.random.SeedSequence
    ) -> KerasMember:
        import tensorflow as tf

        program = self.programs.of(hyperparameters)
        keys = tf.constant((seed.generate_state(2, np.uint64) >> np.uint64(1)).astype(np.int64))
        return KerasMember(
            TrainingState(program, program.first(seed), 0),
            self.programs.recipe.present(hyperparameters),
            keys,
        )

    @property
    def size(self) -> int:
        return len(self.members)

    @property
    def traces(self) -> int:
        """Compilations of the programs so far, in this process."""
        return sum(program.traces for program in self.programs.made.values())

    @property
    def finished(self) -> int:
        """The steps of all members, which grow while they train one after another."""
        return sum(m.training_state.step for m in self.members)

    def train(self, steps: int) -> None:
        import tensorflow as tf

        count = tf.constant(steps, tf.int64)
        for place, m in enumerate(self.members):
            program, values, step = m.training_state
            now = tf.constant(step, tf.int64)
            with summaries.of_member(place):
                values = program.train(values, m.numbers, m.keys, now, count)
            m.training_state = TrainingState(program, values, step + steps)
        tf.test.experimental.sync_devices()

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return self._scores("validation", lambda at: at.program.evaluate(at.values))

    @property
    def tested(self) -> bool:
        return "test" in self.programs.recipe.examples

    def test(self) -> Mapping[str, np.ndarray]:
        return self._scores("test", lambda at: at.program.test(at.values))

    def _scores(
        self, part: str, scored: Callable[[TrainingState], Any]
    ) -> Mapping[str, np.ndarray]:
        # All members are on their way before the first result is waited for.
        states = [m.training_state for m in self.members]
        found = []
        for place, at in enumerate(states):
            with summaries.of_member(place):
                found.append(scored(at))
        tables = []
        for place, (at, (values, *rest)) in enumerate(zip(states, found, strict=True)):
            with summaries.of_member(place):
                tables.append(at.program.completed(part, [(values.numpy(), *rest)]))
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}

    def state(self, member: int) -> State:
        return Snapshot(self.members[member].training_state)

    def morph(self, state: State, hyperparameters: Hyperparameters) -> State:
        """The state as a member of these hyperparameters needs it: itself, unless a width differs."""
        if not self.programs.recipe.widths:
            return state
        return morphed(state, self.programs.of(hyperparameters), self.programs.recipe.rule)

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        m = self.members[member]
        program = self.programs.of(hyperparameters)
        if state is None and program is not m.training_state.program:
            state = self.state(member)
        if state is not None:
            state = self.morph(state, hyperparameters)
            m.training_state = TrainingState(program, program.fitting(state), int(state["step"]))
        m.numbers = self.programs.recipe.present(hyperparameters)
