"""Members of a Keras problem side by side: one compiled call trains them all.

Their tensors have a first axis for the members, and `vectorized_map` makes batched operations of what
is written for one. What a member draws is what it draws alone; states are those of `KerasPopulation`,
so that scores agree with it to within rounding. A fork is an index: all forks are one gather.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pbtbench.adapters.compiled import with_added
from pbtbench.adapters.examples import Examples
from pbtbench.adapters.keras import KerasPopulation
from pbtbench.adapters.keras_internals import clipped
from pbtbench.adapters.optimizers import adam, sgd
from pbtbench.adapters.program import Program, Snapshot, TrainingState
from pbtbench.adapters.side_by_side import registered
from pbtbench.errors import BadInput
from pbtbench.population import FullPopulation, LoopedPopulation, State
from pbtbench.space import Hyperparameters


def stacked(population: FullPopulation, name: str) -> FullPopulation:
    """The population with its members stacked; one that is made of arrays is stacked already.

    Raises `BadInput` for one that can't be stacked. `name`: the problem's.
    """
    if isinstance(population, KerasPopulation):
        return StackedPopulation(population, name)
    if isinstance(population, LoopedPopulation):
        raise BadInput(f"{name} can't be stacked: its members are objects of their own; {LOOP}")
    return population


LOOP = 'set members = "looped"'

UNBATCHED = re.compile(r"""(?:vectorization defined for |Input "\w+" of op ')(?P<op>\w+)""")
"""What TensorFlow says of an operation that it can't batch."""


class StackedState(NamedTuple):
    """Where all members stand. Immutable, and replaced as a whole."""

    values: tuple[Any, ...]
    """Of the program's variables, first axis the members."""
    steps: Any
    """Shape (members,)."""


class StackedPopulation(FullPopulation):
    """Members that one program fits, trained in one call."""

    def __init__(self, looped: KerasPopulation, name: str) -> None:
        import tensorflow as tf

        registered()
        self.programs, members = looped.programs, looped.members
        programs = {id(m.training_state.program) for m in members}
        if len(programs) > 1:
            raise BadInput(
                f"{name} can't be stacked: its members differ in hyperparameters that shape the "
                f"model; {LOOP}"
            )
        self.program = members[0].training_state.program
        self.stacked = StackedProgram(self.program, name)
        columns = zip(*(m.training_state.values for m in members), strict=True)
        self._stack = StackedState(
            tuple(tf.stack(column) for column in columns),
            tf.constant([m.training_state.step for m in members], tf.int64),
        )
        self._numbers = [m.numbers for m in members]
        self._keys = tf.stack([m.keys for m in members])
        self._adopted: dict[int, tuple[tuple[Any, ...], int]] = {}

    @property
    def size(self) -> int:
        return len(self._numbers)

    @property
    def traces(self) -> int:
        """Compilations of this population so far."""
        return self.stacked.traces

    def train(self, steps: int) -> None:
        import tensorflow as tf

        self.settle()
        numbers, count = tf.stack(self._numbers), tf.constant(steps, tf.int64)
        values = self.stacked.train(*self._stack, numbers, self._keys, count)
        self._stack = StackedState(values, self._stack.steps + steps)
        tf.test.experimental.sync_devices()

    def evaluate(self) -> Mapping[str, np.ndarray]:
        self.settle()
        return self._scores("validation", self.stacked.evaluate(self._stack.values))

    @property
    def tested(self) -> bool:
        return "test" in self.programs.recipe.examples

    def test(self) -> Mapping[str, np.ndarray]:
        self.settle()
        return self._scores("test", self.stacked.test(self._stack.values))

    def _scores(self, part: str, found: tuple[Any, Any, Any]) -> Mapping[str, np.ndarray]:
        import tensorflow as tf

        values, *rest = found
        rows = [
            (row, *tf.nest.map_structure(lambda t: t[member], rest))  # noqa: B023
            for member, row in enumerate(values.numpy())
        ]
        return self.program.completed(part, rows)

    def state(self, member: int) -> State:
        values, step = self._adopted.get(member) or (
            tuple(v[member] for v in self._stack.values),
            int(self._stack.steps[member]),
        )
        return Snapshot(TrainingState(self.program, values, step))

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        """Takes effect with `settle`, or with whatever needs it first."""
        if self.programs.of(hyperparameters) is not self.program:
            raise BadInput(
                f"members that are stacked can't take {dict(hyperparameters)}, which shapes another "
                f"model; {LOOP}"
            )
        if state is not None:
            self._adopted[member] = self.program.fitting(state), int(state["step"])
        self._numbers[member] = self.programs.recipe.present(hyperparameters)

    def settle(self) -> None:
        """Carry out all forks since the last time: one gather for each variable."""
        import tensorflow as tf

        if not self._adopted:
            return
        rows = np.arange(self.size)
        rows[list(self._adopted)] = self.size + np.arange(len(self._adopted))
        adopted = list(self._adopted.values())
        fresh = zip(*(values for values, _ in adopted), strict=True)
        steps = tf.constant([step for _, step in adopted], tf.int64)

        def gathered(stack: Any, others: Any) -> Any:
            return tf.gather(tf.concat([stack, others], axis=0), rows)

        pairs = zip(self._stack.values, fresh, strict=True)
        self._stack = StackedState(
            tuple(gathered(stack, tf.stack(new)) for stack, new in pairs),
            gathered(self._stack.steps, steps),
        )
        self._adopted = {}


class StackedProgram:
    """A program's training and evaluation for members side by side, compiled."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.traces = 0
        self._names = {id(v): n for n, v in program.variables.items()}
        self._trainable = [self._names[id(v)] for v in program.model.trainable_variables]
        self._apply = self._optimizer()

    @cached_property
    def train(self) -> Any:
        """`train(values, steps, numbers, keys, count)`: the values `count` steps later."""
        import tensorflow as tf

        def train(values: Any, steps: Any, numbers: Any, keys: Any, count: Any) -> Any:
            self.traces += 1

            def update(i: Any, values: Any) -> tuple[Any, Any]:
                members = (values, numbers, keys, steps + i)
                return i + 1, tf.vectorized_map(
                    lambda member: self._updated(*member), members, fallback_to_while_loop=False
                )

            start = tf.constant(0, tf.int64)
            _, after = tf.while_loop(
                lambda i, _: i < count, update, [start, values], parallel_iterations=1
            )
            self.program.check_read()
            return after

        return self._stackable(tf.function(train, autograph=False))

    @cached_property
    def evaluate(self) -> Any:
        """`evaluate(values)`: what `Program.scored` gives, first axis the members."""
        return self._scoring("validation")

    @cached_property
    def test(self) -> Any:
        """`test(values)`: the same on the test part of the data."""
        return self._scoring("test")

    def _scoring(self, part: str) -> Any:
        import tensorflow as tf

        def scored(values: Any) -> Any:
            present = dict(zip(self.program.variables, values, strict=True))
            weights = [present[n] for n in present if n.startswith("weights/")]

            def predict(inputs: Any) -> Any:
                trained, others = self._split(present, None)
                return self.program.model.stateless_call(trained, others, inputs, training=False)[0]

            return self.program.scored(part, predict, weights)

        def of_all(values: Any) -> Any:
            self.traces += 1
            return tf.vectorized_map(scored, values, fallback_to_while_loop=False)

        return self._stackable(tf.function(of_all, autograph=False))

    def _updated(self, values: Any, numbers: Any, keys: Any, step: Any) -> Any:
        """One member after a step."""
        import tensorflow as tf

        program = self.program
        present = dict(zip(program.variables, values, strict=True))
        inputs, labels, (weights, states) = program.batch(keys, step)
        batch = Examples(inputs, labels, weights)
        trained, others = self._split(present, states)
        with program.reading(numbers):
            with tf.GradientTape() as tape:
                tape.watch(trained)
                predictions, others, losses = program.model.stateless_call(
                    trained, others, inputs, training=True, return_losses=True
                )
                loss = with_added(program.compiled.loss(batch, predictions), losses)
            gradients = clipped(program.optimizer, tape.gradient(loss, trained))
            after = {**present, **self._apply(present, gradients)}
        for variable, value in zip(program.model.non_trainable_variables, others, strict=True):
            if name := self._names.get(id(variable)):
                after[name] = value
        return tuple(after[name] for name in program.variables)

    def _split(self, present: Mapping[str, Any], states: list[Any] | None) -> tuple[Any, Any]:
        """The trainable variables, and the others, among them the generators' states."""
        generators = {id(g): i for i, g in enumerate(self.program.generators)}
        others = []
        for variable in self.program.model.non_trainable_variables:
            if id(variable) not in generators:
                others.append(present[self._names[id(variable)]])
            else:
                own = variable.value.read_value()
                others.append(states[generators[id(variable)]] if states else own)
        return [present[name] for name in self._trainable], others

    def _optimizer(self) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
        """What the program's optimizer does to weights and slots."""
        import keras
        import tensorflow as tf

        optimizer = self.program.optimizer
        for method in ("train_step", "compute_loss"):
            if self.program.compiled.overrides(method):
                raise BadInput(
                    f"{self.name} can't be stacked: its model has its own {method}; {LOOP}"
                )
        kind = type(optimizer)
        plain = not (optimizer.weight_decay or optimizer.use_ema or optimizer.loss_scale_factor)
        plain &= not getattr(optimizer, "nesterov", False)
        plain &= not getattr(optimizer, "amsgrad", False)
        if kind not in (keras.optimizers.SGD, keras.optimizers.Adam) or not plain:
            raise BadInput(
                f"{self.name} can't be stacked: of Keras's optimizers there are SGD with momentum and "
                f"Adam, without weight decay and averages, not this {kind.__name__}; {LOOP}"
            )
        stems = [name.removeprefix("weights/") for name in self._trainable]
        slots = [
            [name for name in self.program.variables if name.startswith(f"optimizer/{stem}/")]
            for stem in stems
        ]

        def apply(present: Mapping[str, Any], gradients: Any) -> dict[str, Any]:
            weights = [present[name] for name in self._trainable]
            rate = tf.convert_to_tensor(optimizer.learning_rate, tf.float32)
            columns = [[present[n] for n in column] for column in zip(*slots, strict=True)]
            iterations = next(n for n in self.program.variables if n == "optimizer/iteration")
            count = tf.cast(present[iterations], tf.float32)
            moved: list[Any]
            after: list[list[Any]]
            if kind is keras.optimizers.Adam:
                means, squares = columns
                betas = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
                moved, *after = adam(weights, gradients, means, squares, count, rate, *betas)
            else:
                velocities = columns[0] if columns else [tf.zeros_like(w) for w in weights]
                moved, *after = sgd(weights, gradients, velocities, rate, optimizer.momentum)
            named = dict(zip(self._trainable, moved, strict=True))
            for column, names in zip(after, zip(*slots, strict=True), strict=False):
                named |= dict(zip(names, column, strict=True))
            return {**named, iterations: present[iterations] + 1}

        return apply

    def _stackable(self, compiled: Any) -> Callable[..., Any]:
        """The compiled function, which says in one line what of the model can't be stacked."""

        def call(*arguments: Any) -> Any:
            try:
                return compiled(*arguments)
            except ValueError as error:
                found = UNBATCHED.search(str(error))
                if not found:
                    raise
                raise BadInput(
                    f"{self.name} can't be stacked: TensorFlow can't batch its {found['op']} over "
                    f"members; {LOOP}"
                ) from None

        return call
