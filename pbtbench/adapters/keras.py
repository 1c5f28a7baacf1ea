"""A Keras model, an optimizer and arrays become a population.

    def build(hyper):
        import keras
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(hyper["dropout"]), …])
        return model, keras.optimizers.SGD(hyper["learning_rate"]), keras.losses.…

    PROBLEM = Problem(…, start=keras_population(SPACE, build, data), framework="tensorflow")

Members of equal static hyperparameters share one compiled program: a template model, into whose
variables a member's tensors are put, trained, and taken out again inside the graph. A dynamic
hyperparameter is `Live`, read from a variable at every step, so that changing it compiles nothing.
Training and evaluation are two compiled calls, not one, so that an engine can time them apart.

TensorFlow is imported when a population starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

import numpy as np

from pbtbench.adapters.live import within
from pbtbench.adapters.morphism import RULES, Rule, morphed
from pbtbench.adapters.program import Moment, Program, Snapshot
from pbtbench.errors import BadInput, unknown
from pbtbench.problem import Start, State
from pbtbench.space import Hyperparameters, Space, Value

Build = Callable[[Mapping[str, Any]], tuple[Any, Any, Any]]
"""`build(hyper)`: a model, an optimizer and a loss. `hyper` holds a `Live` for each dynamic
hyperparameter and the plain value of each static one."""

Data = Callable[[], Mapping[str, tuple[Any, Any]]]
"""`data()`: inputs and labels, first axis the examples, of "train", "validation" and perhaps "test"."""

Metric = Callable[[Any, Any], Any]
"""`metric(labels, predictions)`: a scalar tensor; its `__name__` is the score's name."""


def accuracy(labels: Any, predictions: Any) -> Any:
    """The share of examples whose largest prediction, shape (examples, classes), is at the label."""
    import tensorflow as tf

    hits = tf.argmax(predictions, axis=-1) == tf.cast(tf.reshape(labels, [-1]), tf.int64)
    return tf.reduce_mean(tf.cast(hits, tf.float32))


def keras_population(
    space: Space,
    build: Build,
    data: Data,
    *,
    batch_size: int = 64,
    metrics: Sequence[Metric] = (accuracy,),
    widths: Sequence[str] = (),
    rule: Rule = "magnitude",
) -> Start:
    """A problem's `start` for a Keras model.

    A step is one update on `batch_size` training examples drawn with replacement, on the loss and
    the model's own losses (regularizers). A population scores "loss" (without regularizers) and
    each of `metrics` on the validation set, and "test_…" of each where there is a test set. A
    member whose weights or predictions are not finite scores NaN. What the model draws must come
    from Keras's layers or their `SeedGenerator`s: these are keyed by member and step.

    `widths`: hyperparameters that are widths of layers, and may be perturbed: a state is morphed by
    `rule` when it is taken to another width (`adapters.morphism`). Each width has its own program.
    """
    if batch_size < 1:
        raise BadInput(f"batch_size {batch_size}: give at least 1")
    for name in widths:
        if name not in space:
            raise unknown("hyperparameter", name, space)
    if rule not in RULES:
        raise unknown("rule of morphisms", rule, RULES)
    recipe = Recipe(space, build, data, batch_size, tuple(metrics), tuple(widths), rule)
    return partial(KerasPopulation, recipe)


@dataclass(frozen=True)
class Recipe:
    """What a population is made from, with its compiled programs, kept for this process's next one."""

    space: Space
    build: Build
    data: Data
    batch_size: int
    metrics: tuple[Metric, ...]
    widths: tuple[str, ...] = ()
    rule: Rule = "magnitude"

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe, tuple(getattr(self, f.name) for f in fields(self))

    @cached_property
    def live(self) -> dict[str, float]:
        """The dynamic hyperparameters that are numbers, each with one of its values. Others, such
        as a choice of names, and widths, count as static here: each value has its own program."""
        dynamic = [name for name in self.space.dynamic if name not in self.widths]
        numbers = {name: within(self.space[name]) for name in dynamic}
        return {name: number for name, number in numbers.items() if number is not None}

    def present(self, hyperparameters: Hyperparameters) -> Any:
        """The values of the live ones among `hyperparameters`, shape (live,)."""
        import tensorflow as tf

        return tf.constant(
            [float(hyperparameters[name]) for name in self.live] or [0.0], dtype=tf.float32
        )

    @cached_property
    def tensors(self) -> dict[str, tuple[Any, Any]]:
        """The data on the device, loaded once, real numbers as float32."""
        import tensorflow as tf

        def tensor(array: Any) -> Any:
            array = np.asarray(array)
            return tf.constant(array.astype("float32") if array.dtype.kind == "f" else array)

        arrays = self.data()
        for name in arrays:
            if name not in ("train", "validation", "test"):
                raise unknown("part of the data", name, ("train", "validation", "test"))
        for name in ("train", "validation"):
            if name not in arrays:
                raise BadInput(f"the data has no {name!r}: give inputs and labels under that name")
        for name, pair in arrays.items():
            counts = {np.shape(array)[:1] for array in tf.nest.flatten(tuple(pair))}
            if len(counts) > 1 or () in counts:
                raise BadInput(
                    f"the data's {name!r}: inputs and labels must be arrays of equally many examples"
                )
        return {name: tf.nest.map_structure(tensor, tuple(a)) for name, a in arrays.items()}

    @cached_property
    def programs(self) -> dict[tuple[Value, ...], Program]:
        """The programs compiled so far, by the values of the static hyperparameters."""
        return {}

    def program(self, hyperparameters: Hyperparameters) -> Program:
        """The program for the static ones among `hyperparameters`."""
        static = {name: hyperparameters[name] for name in self.space if name not in self.live}
        for name in self.widths:
            if float(static[name]) < 1:
                raise BadInput(f"{name} = {static[name]}: a layer needs at least 1 unit")
        key = tuple(static.values())
        if key not in self.programs:
            self.programs[key] = Program(self, static)
        return self.programs[key]


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
        tensors = [at.program.evaluate(at.values) for at in moments]
        table = np.array([tensor.numpy() for tensor in tensors], dtype=np.float64)
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
