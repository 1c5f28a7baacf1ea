"""A template model and its compiled training and evaluation, for any member that fits it.

A member's tensors are put into the template's variables, trained, and taken out again inside the
graph. What a member is between two calls is a `TrainingState`; what it hands out is a `Snapshot`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from pbtbench.adapters import memory
from pbtbench.adapters.compiled import compiled
from pbtbench.adapters.dynamic import DynamicNumber, HyperparametersInGraph, named_refusals
from pbtbench.adapters.examples import Examples
from pbtbench.adapters.recipe import Recipe
from pbtbench.adapters.scoring import Scoring
from pbtbench.adapters.watched import Watched
from pbtbench.errors import BadInput
from pbtbench.population import State
from pbtbench.space import Hyperparameters

BATCH_SIZE = "batch_size"
"""A hyperparameter of this name is the number of training examples in a step."""


class Program:
    """A template model and its compiled training and evaluation, for any member that fits it."""

    def __init__(
        self,
        recipe: Recipe,
        static: Hyperparameters,
        check_asked: Callable[[AbstractSet[str]], None],
    ) -> None:
        """`check_asked` refuses hyperparameters that no program of the recipe asks for; it gets those that
        this one asked for."""
        import keras
        import tensorflow as tf

        if keras.backend.backend() != "tensorflow":
            raise BadInput(
                f"Keras runs on {keras.backend.backend()}: set KERAS_BACKEND=tensorflow, or unset it"
            )
        self.recipe, self._check_asked = recipe, check_asked
        self.data = recipe.examples
        self.batch_size = _batch_size(static, recipe)
        self.traces = 0
        self.numbers = tf.Variable(list(recipe.dynamic_numbers.values()) or [0.0], dtype=tf.float32)
        self._source: Any = self.numbers
        self._read: set[str] = set()
        numbers = {
            name: DynamicNumber(name, number, partial(self._present, place, name))
            for place, (name, number) in enumerate(recipe.dynamic_numbers.items())
        }
        self._hyperparameters = HyperparametersInGraph({**static, **numbers})
        several = isinstance(self.data["train"].labels, dict | tuple)
        self.compiled = compiled(self._built(np.random.SeedSequence(0)), several=several)
        self.model, self.optimizer = self.compiled.model, self.compiled.optimizer
        if not self.model.trainable_variables:
            raise BadInput("build(): its model has no weights to train")
        self.optimizer.build(self.model.trainable_variables)
        if self.compiled.overrides("train_step"):
            self._make_metrics()
        weights = _named_weights(self.model)
        slots = _named_slots(self.optimizer, weights)
        self.variables = {**weights, **slots}
        self._first_slots = [tf.identity(v.value) for v in slots.values()]
        self._several = several
        own = {id(v) for v in self.model.weights}
        self.generators = [v for v in self.model.variables if id(v) not in own]
        mine = [*self.variables.values(), *self.generators, *self.model.metrics_variables]
        known = {id(v.value) for v in mine} | {id(self.numbers)}
        self.train = Watched(tf.function(self._train, autograph=False), known, "training")
        evaluate = tf.function(partial(self._scores, "validation"), autograph=False)
        self.evaluate = Watched(evaluate, known, "evaluating")
        self.test = Watched(
            tf.function(partial(self._scores, "test"), autograph=False), known, "testing"
        )

    @property
    def asked(self) -> set[str]:
        """The hyperparameters that `build` asked for, and those that are read elsewhere."""
        return self._hyperparameters.asked | {BATCH_SIZE}

    def first(self, seed: np.random.SeedSequence) -> tuple[Any, ...]:
        """The values of all variables before the first step, which depend on `seed` alone."""
        built = self._built(seed)
        model = built[0] if isinstance(built, tuple | list) else built
        own = {id(v): v for v in self.model.weights}
        if shared := [v for v in model.weights if id(v) in own]:
            raise BadInput(
                f"build() gives the weight {shared[0].path!r} again, which another member trains: make "
                "every layer inside build(), anew at each call"
            )
        first_weights = [v.value.read_value() for v in model.weights]
        return (*first_weights, *(self._slots_of(built) if self._own_slots else self._first_slots))

    @cached_property
    def _own_slots(self) -> bool:
        """Whether the optimizer's slots begin with what depends on the weights, as those of
        schedule-free optimizers do."""
        return any(np.ptp(slot) > 0 for slot in map(np.asarray, self._first_slots) if slot.size > 1)

    def _slots_of(self, built: Any) -> list[Any]:
        """The first slots of another model's optimizer."""
        other = compiled(built, several=self._several)
        other.optimizer.build(other.model.trainable_variables)
        slots = _named_slots(other.optimizer, _named_weights(other.model))
        return [v.value.read_value() for v in slots.values()]

    @cached_property
    def scorings(self) -> dict[str, Scoring]:
        """How members are scored, by the part of the data."""
        import tensorflow as tf

        with tf.init_scope(), named_refusals():  # first asked for while it is traced, perhaps
            return {
                part: Scoring(self.compiled, self.recipe.metrics, self.data[part], self.batch_size)
                for part in ("validation", "test")
                if part in self.data
            }

    def fitting(self, state: State) -> tuple[Any, ...]:
        """`state` as values of the variables: the immutable tensors that a snapshot of this process has,
        else as `memory.tensor` makes them. `BadInput` if it doesn't fit them."""
        for name in {*self.variables, "step"} ^ set(state):
            where = "lacks" if name not in state else "has no place for"
            raise BadInput(f"a state doesn't fit the model: it {where} {name!r}")
        for name, variable in self.variables.items():
            if state[name].shape != tuple(variable.shape):
                raise BadInput(
                    f"a state doesn't fit the model: {name!r} has shape {state[name].shape}, "
                    f"which must be {tuple(variable.shape)}"
                )
        tensors = state.tensors if isinstance(state, Snapshot) else {}
        return tuple(
            tensors[id(state[n])] if id(state[n]) in tensors else memory.tensor(state[n], v.dtype)
            for n, v in self.variables.items()
        )

    def _built(self, seed: np.random.SeedSequence) -> Any:
        import tensorflow as tf

        with _seeded(seed), named_refusals():
            built = self.recipe.build(self._hyperparameters)
            model = built[0] if isinstance(built, tuple | list) and built else built
            if not getattr(model, "built", True):
                model(tf.nest.map_structure(lambda a: a[:1], self.data["train"].inputs))
        return built

    def _make_metrics(self) -> None:
        """Have a model that updates metrics while it trains make their variables, as a graph can't."""
        few = self.data["train"].map(lambda a: a[:2])
        with named_refusals():
            self.model.test_step(few.packed)
        self.model.reset_metrics()

    def _present(self, place: int, name: str) -> Any:
        self._read.add(name)
        return self._source[place]

    def _train(self, values: Any, numbers: Any, keys: Any, step: Any, steps: Any) -> Any:
        """The values after `steps` steps from `step`; traced once."""
        import tensorflow as tf

        self.traces += 1
        self._read.clear()
        self._put(values, numbers)

        def update(t: Any) -> Any:
            self._update(keys, t)
            return t + 1

        tf.while_loop(lambda t: t < step + steps, update, [step], parallel_iterations=1)
        self.check_read()
        return tuple(v.value.read_value() for v in self.variables.values())

    def batch(self, keys: Any, t: Any) -> tuple[Any, Any, tuple[Any, list[Any]]]:
        """Inputs and labels of step `t`, and beside them the examples' weights (or None) and a state for
        each of `generators`: what the member of these keys draws, shape (2,), whoever trains beside it."""
        import tensorflow as tf

        train = self.data["train"]
        rows = tf.random.stateless_uniform(
            [self.batch_size], seed=tf.stack([keys[0], t]), maxval=train.size, dtype=tf.int32
        )
        draws = tf.random.stateless_uniform(
            [len(self.generators), 2],
            seed=tf.stack([keys[1], t]),
            maxval=2**31 - 1,
            dtype=tf.int32,
        )
        states = [tf.cast(draws[i], g.dtype) for i, g in enumerate(self.generators)]
        inputs, labels, weights = train.map(lambda a: tf.gather(a, rows))
        return inputs, labels, (weights, states)

    def scored(
        self, part: str, predict: Callable[[Any], Any], weights: Sequence[Any]
    ) -> tuple[Any, Any, Any]:
        """All scores, on a part of the data, of a member that predicts so, shape (scores,), in the order of
        their names; NaN unless its weights and predictions are finite. And what scores outside of the graph
        are made of: whether it is sound, and its predictions, () where there are no such scores."""
        import tensorflow as tf

        real = [w for w in weights if w.dtype.is_floating]
        finite = [tf.reduce_all(tf.math.is_finite(w)) for w in real]
        scores = self.scorings[part](predict)
        sound = tf.reduce_all([*finite, scores.finite])
        return tf.where(sound, scores.values, math.nan), sound, scores.predictions

    def completed(
        self, part: str, members: Sequence[tuple[np.ndarray, Any, Any]]
    ) -> dict[str, np.ndarray]:
        """What `scored` gave for each member, by metric, with what is made outside of the graph."""
        scoring = self.scorings[part]
        table = np.array([values for values, _, _ in members], np.float64)
        for row, (_, sound, predictions) in zip(table, members, strict=True):
            if scoring.outside and sound:
                for name, score in scoring.made_outside(predictions).items():
                    row[scoring.names.index(name)] = score
        return dict(zip(scoring.names, table.T.copy(), strict=True))

    @contextmanager
    def reading(self, numbers: Any) -> Iterator[None]:
        """While it is traced: dynamic hyperparameters are read from `numbers`, shape (dynamic numbers,)."""
        self._source, before = numbers, self._source
        try:
            yield
        finally:
            self._source = before

    def _update(self, keys: Any, t: Any) -> None:
        inputs, labels, (weights, states) = self.batch(keys, t)
        for generator, state in zip(self.generators, states, strict=True):
            generator.assign(state)
        self.compiled.update(Examples(inputs, labels, weights))

    def _scores(self, part: str, values: Any) -> tuple[Any, Any, Any]:
        """What `scored` gives; traced once for each part of the data."""
        self.traces += 1
        self._put(values, None)
        weights = [w.value.read_value() for w in self.model.weights]
        return self.scored(part, lambda inputs: self.model(inputs, training=False), weights)

    def _put(self, values: Any, numbers: Any) -> None:
        """Assign a member's values to the template: the variables share its buffers, without a copy."""
        for variable, value in zip(self.variables.values(), values, strict=True):
            variable.value.assign(value)
        if numbers is not None:
            self.numbers.assign(numbers)

    def try_step(self) -> None:
        """A step on a few examples, outside of a graph: for a program that is not used any further."""
        with named_refusals():
            self.compiled.update(self.data["train"].map(lambda a: a[:2]))

    def check_read(self) -> None:
        """Raise `BadInput` for a hyperparameter that nothing asks for, or a dynamic one that `build` asked
        for, but what was traced doesn't read."""
        self._check_asked(self.asked)
        for name in self.recipe.dynamic_numbers:
            if name in self._hyperparameters.asked and name not in self._read:
                raise BadInput(
                    f"dynamic hyperparameter {name!r}: training never reads its present value, so "
                    "changing it would do nothing. build() asks for it and doesn't use it, or made a "
                    "tensor of it at once; if it can't change while training, declare it with "
                    "dynamic=False"
                )


def _batch_size(static: Hyperparameters, recipe: Recipe) -> int:
    """The training examples in a step."""
    size: object = recipe.dynamic_numbers.get(BATCH_SIZE, static.get(BATCH_SIZE, recipe.batch_size))
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise BadInput(
            f"hyperparameter {BATCH_SIZE!r} = {size!r}: give whole numbers of at least 1, as "
            "IntUniform(16, 256) or a list of them"
        )
    return size


class TrainingState(NamedTuple):
    """Where a member stands. Its tensors are immutable, and it is replaced as a whole: whoever holds
    one has a snapshot."""

    program: Program
    values: tuple[Any, ...]
    """Of the program's variables."""
    step: int


class Snapshot(dict[str, np.ndarray]):
    """A member's state: read-only views of its tensors where they lie in main memory, else copies.
    Pickled, it is a plain dictionary."""

    def __init__(self, training_state: TrainingState) -> None:
        arrays = [memory.array(value) for value in training_state.values]
        super().__init__(zip(training_state.program.variables, arrays, strict=True))
        self.tensors = {
            id(a): value for a, value in zip(arrays, training_state.values, strict=True)
        }
        """By the identity of their arrays: one put in an array's place is not mistaken for it."""
        self._arrays = arrays  # whose identities must last
        self["step"] = np.array(training_state.step, np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


@contextmanager
def _seeded(seed: np.random.SeedSequence) -> Iterator[None]:
    """Keras's initializers take their seeds from `random`, and others draw from NumPy: give them ours, then
    put back what was."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed.generate_state(4).tobytes())
    np.random.seed(seed.generate_state(4))  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002


def _named_weights(model: Any) -> dict[str, Any]:
    return {f"weights/{place}/{w.name}": w for place, w in enumerate(model.weights)}


def _named_slots(optimizer: Any, weights: Mapping[str, Any]) -> dict[str, Any]:
    """The optimizer's variables, a weight's slots named after the weight.

    Keras names them after the layers, which it numbers through; and a learning rate that it holds
    is a hyperparameter's, not a member's.
    """
    of = {w.path.replace("/", "_") + "_": name for name, w in weights.items()}
    slots: dict[str, Any] = {}
    for variable in optimizer.variables:
        if variable.name == "learning_rate":
            continue
        path = max((p for p in of if variable.name.startswith(p)), key=len, default="")
        name = "/".join(filter(None, [of.get(path, ""), variable.name.removeprefix(path)]))
        name = f"optimizer/{name.removeprefix('weights/')}"
        while name in slots:
            name += "'"
        slots[name] = variable
    return slots
