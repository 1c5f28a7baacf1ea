"""A template model and its compiled training and evaluation, for any member that fits it.

A member's tensors are put into the template's variables, trained, and taken out again inside the
graph. What a member is between two calls is a `Moment`; what it hands out is a `Snapshot`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pbtbench.adapters import memory
from pbtbench.adapters.live import Given, Live
from pbtbench.errors import BadInput
from pbtbench.problem import State
from pbtbench.space import Hyperparameters

if TYPE_CHECKING:
    from pbtbench.adapters.keras import Recipe


class Program:
    """A template model and its compiled training and evaluation, for any member that fits it."""

    def __init__(self, recipe: Recipe, static: Hyperparameters) -> None:
        import keras
        import tensorflow as tf

        if keras.backend.backend() != "tensorflow":
            raise BadInput(
                f"Keras runs on {keras.backend.backend()}: set KERAS_BACKEND=tensorflow, or unset it"
            )
        self.recipe = recipe
        self.data = recipe.tensors
        self.traces = 0
        self.live = tf.Variable(list(recipe.live.values()) or [0.0], dtype=tf.float32)
        self._source: Any = self.live
        self._read: set[str] = set()
        self._given = Given(static)
        for place, (name, number) in enumerate(recipe.live.items()):
            self._given[name] = Live(number, partial(self._present, place, name))
        self.model, self.optimizer, self.loss = self._built(np.random.SeedSequence(0))
        self.optimizer.build(self.model.trainable_variables)
        weights = _named_weights(self.model)
        slots = _named_slots(self.optimizer, weights)
        self.variables = {**weights, **slots}
        self._first_slots = [tf.identity(v.value) for v in slots.values()]
        own = {id(v) for v in self.model.weights}
        self.generators = [v for v in self.model.variables if id(v) not in own]
        self.train = tf.function(self._train, autograph=False)
        self.evaluate = tf.function(self._evaluate, autograph=False)

    def first(self, seed: np.random.SeedSequence) -> tuple[Any, ...]:
        """The values of all variables before the first step, which depend on `seed` alone."""
        model, _, _ = self._built(seed)
        return (*(v.value.read_value() for v in model.weights), *self._first_slots)

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

    def _built(self, seed: np.random.SeedSequence) -> tuple[Any, Any, Any]:
        import tensorflow as tf

        with _seeded(seed):
            model, optimizer, loss = self.recipe.build(self._given)
            if not model.built:
                model(tf.nest.map_structure(lambda a: a[:1], self.data["train"][0]))
        return model, optimizer, loss

    def _present(self, place: int, name: str) -> Any:
        self._read.add(name)
        return self._source[place]

    def _train(self, values: Any, live: Any, keys: Any, step: Any, steps: Any) -> Any:
        """The values after `steps` steps from `step`; traced once."""
        import tensorflow as tf

        self.traces += 1
        self._read.clear()
        self._put(values, live)

        def update(t: Any) -> Any:
            self._update(keys, t)
            return t + 1

        tf.while_loop(lambda t: t < step + steps, update, [step], parallel_iterations=1)
        self.check_read()
        return tuple(v.value.read_value() for v in self.variables.values())

    def batch(self, keys: Any, t: Any) -> tuple[Any, Any, list[Any]]:
        """Inputs and labels of step `t`, and a state for each of `generators`: what the member of these
        keys draws, shape (2,), whoever trains beside it."""
        import tensorflow as tf

        inputs, labels = self.data["train"]
        count = tf.nest.flatten(labels)[0].shape[0]
        rows = tf.random.stateless_uniform(
            [self.recipe.batch_size], seed=tf.stack([keys[0], t]), maxval=count, dtype=tf.int32
        )
        inputs, labels = tf.nest.map_structure(lambda a: tf.gather(a, rows), (inputs, labels))
        draws = tf.random.stateless_uniform(
            [len(self.generators), 2],
            seed=tf.stack([keys[1], t]),
            maxval=2**31 - 1,
            dtype=tf.int32,
        )
        return inputs, labels, [tf.cast(draws[i], g.dtype) for i, g in enumerate(self.generators)]

    def scored(self, predict: Callable[[Any], Any], weights: Sequence[Any]) -> Any:
        """All scores of a member that predicts so, shape (scores,), in the order of `scores`; NaN unless
        its weights and predictions are finite."""
        import tensorflow as tf

        real = [w for w in weights if w.dtype.is_floating]
        sound = [tf.reduce_all(tf.math.is_finite(w)) for w in real]
        found = []
        for part in self._judged():
            inputs, labels = self.data[part]
            predictions = predict(inputs)
            finite = [tf.reduce_all(tf.math.is_finite(p)) for p in tf.nest.flatten(predictions)]
            scores = [f(labels, predictions) for f in (self.loss, *self.recipe.metrics)]
            scores = [tf.cast(score, tf.float32) for score in scores]
            found += [tf.where(tf.reduce_all([*sound, *finite]), s, np.nan) for s in scores]
        return tf.stack(found)

    @contextmanager
    def reading(self, live: Any) -> Iterator[None]:
        """While it is traced: dynamic hyperparameters are read from `live`, shape (live,)."""
        self._source, before = live, self._source
        try:
            yield
        finally:
            self._source = before

    def _update(self, keys: Any, t: Any) -> None:
        import tensorflow as tf

        inputs, labels, states = self.batch(keys, t)
        for generator, state in zip(self.generators, states, strict=True):
            generator.assign(state)
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(labels, self.model(inputs, training=True))
            loss = tf.add_n([loss, *self.model.losses])
        gradients = tape.gradient(loss, [w.value for w in weights])
        self.optimizer.apply(gradients, weights)

    def _evaluate(self, values: Any) -> Any:
        """All scores, shape (scores,), in the order of `scores`; traced once."""
        self.traces += 1
        self._put(values, None)
        weights = [w.value.read_value() for w in self.model.weights]
        return self.scored(lambda inputs: self.model(inputs, training=False), weights)

    @property
    def scores(self) -> list[str]:
        """The names of the scores: "loss", each metric, and "test_…" of each."""
        names = ["loss", *(metric.__name__ for metric in self.recipe.metrics)]
        return [("test_" if p == "test" else "") + name for p in self._judged() for name in names]

    def _judged(self) -> list[str]:
        return [part for part in ("validation", "test") if part in self.data]

    def _put(self, values: Any, live: Any) -> None:
        """Assign a member's values to the template: the variables share its buffers, without a copy."""
        for variable, value in zip(self.variables.values(), values, strict=True):
            variable.value.assign(value)
        if live is not None:
            self.live.assign(live)

    def check_read(self) -> None:
        """Raise `BadInput` for a dynamic hyperparameter that what was traced doesn't read."""
        for name in self.recipe.live:
            if name not in self._read:
                raise BadInput(
                    f"dynamic hyperparameter {name!r}: training never reads its present value, so "
                    "changing it would do nothing. Something took float() of it (as "
                    "keras.regularizers.L1 does; use lambda w: hyper[…] * keras.ops.sum(keras.ops.abs(w)))"
                    ", or build() doesn't use it; if it can't change while training, "
                    "declare it with dynamic=False"
                )


class Moment(NamedTuple):
    """Where a member stands. Its tensors are immutable, and it is replaced as a whole: whoever holds
    one has a snapshot."""

    program: Program
    values: tuple[Any, ...]
    """Of the program's variables."""
    step: int


class Snapshot(dict[str, np.ndarray]):
    """A member's state: read-only views of its tensors where they lie in main memory, else copies.
    Pickled, it is a plain dictionary."""

    def __init__(self, moment: Moment) -> None:
        arrays = [memory.array(value) for value in moment.values]
        super().__init__(zip(moment.program.variables, arrays, strict=True))
        self.tensors = {id(a): value for a, value in zip(arrays, moment.values, strict=True)}
        """By the identity of their arrays: one put in an array's place is not mistaken for it."""
        self._arrays = arrays  # whose identities must last
        self["step"] = np.array(moment.step, np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


@contextmanager
def _seeded(seed: np.random.SeedSequence) -> Iterator[None]:
    """Keras's initializers take their seeds from `random`: give them ours, then put back what was."""
    before = random.getstate()
    random.seed(seed.generate_state(4).tobytes())
    try:
        yield
    finally:
        random.setstate(before)


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
