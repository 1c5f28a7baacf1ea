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

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from pbtbench.adapters import memory
from pbtbench.adapters.live import Given, Live, within
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
) -> Start:
    """A problem's `start` for a Keras model.

    A step is one update on `batch_size` training examples drawn with replacement, on the loss and
    the model's own losses (regularizers). A population scores "loss" (without regularizers) and
    each of `metrics` on the validation set, and "test_…" of each where there is a test set. A
    member whose weights or predictions are not finite scores NaN. What the model draws must come
    from Keras's layers or their `SeedGenerator`s: these are keyed by member and step.
    """
    if batch_size < 1:
        raise BadInput(f"batch_size {batch_size}: give at least 1")
    return partial(KerasPopulation, Recipe(space, build, data, batch_size, tuple(metrics)))


@dataclass(frozen=True)
class Recipe:
    """What a population is made from, with its compiled programs, kept for this process's next one."""

    space: Space
    build: Build
    data: Data
    batch_size: int
    metrics: tuple[Metric, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe, (self.space, self.build, self.data, self.batch_size, self.metrics)

    @cached_property
    def live(self) -> dict[str, float]:
        """The dynamic hyperparameters that are numbers, each with one of its values. Others, such
        as a choice of names, count as static here: each value has its own program."""
        numbers = {name: within(self.space[name]) for name in self.space.dynamic}
        return {name: number for name, number in numbers.items() if number is not None}

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
        key = tuple(static.values())
        if key not in self.programs:
            self.programs[key] = Program(self, static)
        return self.programs[key]


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
        self._generators = [v for v in self.model.variables if id(v) not in own]
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
        return self.live[place]

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
        self._check_read()
        return tuple(v.value.read_value() for v in self.variables.values())

    def _update(self, keys: Any, t: Any) -> None:
        import tensorflow as tf

        inputs, labels = self.data["train"]
        count = tf.nest.flatten(labels)[0].shape[0]
        rows = tf.random.stateless_uniform(
            [self.recipe.batch_size], seed=tf.stack([keys[0], t]), maxval=count, dtype=tf.int32
        )
        inputs, labels = tf.nest.map_structure(lambda a: tf.gather(a, rows), (inputs, labels))
        draws = tf.random.stateless_uniform(
            [len(self._generators), 2],
            seed=tf.stack([keys[1], t]),
            maxval=2**31 - 1,
            dtype=tf.int32,
        )
        for place, generator in enumerate(self._generators):
            generator.assign(tf.cast(draws[place], generator.dtype))
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(labels, self.model(inputs, training=True))
            loss = tf.add_n([loss, *self.model.losses])
        gradients = tape.gradient(loss, [w.value for w in weights])
        self.optimizer.apply(gradients, weights)

    def _evaluate(self, values: Any) -> Any:
        """All scores, shape (scores,), in the order of `scores`; traced once."""
        import tensorflow as tf

        self.traces += 1
        self._put(values, None)
        sound = [tf.reduce_all(tf.math.is_finite(w.value)) for w in self._real_weights()]
        scores = []
        for part in self._judged():
            inputs, labels = self.data[part]
            predictions = self.model(inputs, training=False)
            finite = [tf.reduce_all(tf.math.is_finite(p)) for p in tf.nest.flatten(predictions)]
            part_scores = [f(labels, predictions) for f in (self.loss, *self.recipe.metrics)]
            part_scores = [tf.cast(score, tf.float32) for score in part_scores]
            scores += [tf.where(tf.reduce_all([*sound, *finite]), s, np.nan) for s in part_scores]
        return tf.stack(scores)

    @property
    def scores(self) -> list[str]:
        """The names of the scores: "loss", each metric, and "test_…" of each."""
        names = ["loss", *(metric.__name__ for metric in self.recipe.metrics)]
        return [("test_" if p == "test" else "") + name for p in self._judged() for name in names]

    def _judged(self) -> list[str]:
        return [part for part in ("validation", "test") if part in self.data]

    def _real_weights(self) -> list[Any]:
        return [w for w in self.model.weights if "float" in w.dtype]

    def _put(self, values: Any, live: Any) -> None:
        """Assign a member's values to the template: the variables share its buffers, without a copy."""
        for variable, value in zip(self.variables.values(), values, strict=True):
            variable.value.assign(value)
        if live is not None:
            self.live.assign(live)

    def _check_read(self) -> None:
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
        return Member(Moment(program, program.first(seed), 0), self._live(hyperparameters), keys)

    def _live(self, hyperparameters: Hyperparameters) -> Any:
        import tensorflow as tf

        numbers = [float(hyperparameters[name]) for name in self.recipe.live]
        return tf.constant(numbers or [0.0], dtype=tf.float32)

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

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        m = self.members[member]
        program = self.recipe.program(hyperparameters)
        if state is None and program is not m.moment.program:
            state = self.state(member)
        if state is not None:
            m.moment = Moment(program, program.fitting(state), int(state["step"]))
        m.live = self._live(hyperparameters)


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
