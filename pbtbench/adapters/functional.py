"""A member in pure functions of TensorFlow's tensors becomes a population.

For what doesn't fit a model and a loss: several networks, environments that are part of the state. A
member is a dictionary of tensors; a step is a function from it to the next one, compiled once for all
members and hyperparameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from pbtbench.adapters import memory
from pbtbench.population import FullPopulation, State
from pbtbench.problem import Start
from pbtbench.space import Hyperparameters

Tensors = dict[str, Any]

Seed = Any
"""Shape (2,), for `tf.random.stateless_*`: of one member at one step; draw more by `folded`."""

STEP = "step"

JUDGES, TESTERS = 2026, 2027
"""The keys of what an evaluation draws, and a test: the same for all members, as a data set is."""


@dataclass(frozen=True)
class Functions:
    """What a member does. `hyper` holds a scalar tensor for each hyperparameter."""

    first: Callable[[Seed], Tensors]
    """The tensors before the first step."""
    update: Callable[[Tensors, Tensors, Seed], Tensors]
    """`update(tensors, hyper, seed)`: those after one more step."""
    scores: Callable[[Tensors, Seed], Tensors]
    """`scores(tensors, seed)`: metric -> a scalar. The seed is the same for all members at a step."""
    test: Callable[[Tensors, Seed], Tensors] | None = None
    """The same on draws that no decision saw: the seed is one that `scores` never gets. None: not tested."""


def functional_population(functions: Callable[[], Functions]) -> Start:
    """A problem's `start`. `functions()` is called once TensorFlow may be imported."""
    return partial(FunctionalPopulation, CompiledFunctions(functions))


def folded(seed: Seed, number: Any) -> Seed:
    """Another seed, for another draw."""
    import tensorflow as tf

    return tf.random.experimental.stateless_fold_in(seed, number)


class CompiledFunctions:
    """The functions, compiled, for this process's populations."""

    def __init__(self, functions: Callable[[], Functions]) -> None:
        self._functions = functions
        self.traces = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return CompiledFunctions, (self._functions,)

    @cached_property
    def functions(self) -> Functions:
        return self._functions()

    @cached_property
    def first(self) -> Any:
        import tensorflow as tf

        return tf.function(self.functions.first, autograph=False)

    @cached_property
    def train(self) -> Any:
        """`train(tensors, hyper, key, step, steps)`: the tensors `steps` steps later."""
        import tensorflow as tf

        def train(tensors: Tensors, hyper: Tensors, key: Any, step: Any, steps: Any) -> Tensors:
            self.traces += 1

            def update(t: Any, present: Tensors) -> tuple[Any, Tensors]:
                return t + 1, self.functions.update(present, hyper, tf.stack([key, t]))

            _, after = tf.while_loop(
                lambda t, _: t < step + steps, update, [step, tensors], parallel_iterations=1
            )
            return dict(after)

        return tf.function(train, autograph=False, jit_compile=True)

    @cached_property
    def evaluate(self) -> Any:
        import tensorflow as tf

        def evaluate(tensors: Tensors, step: Any) -> Tensors:
            self.traces += 1
            return self.functions.scores(tensors, tf.stack([tf.constant(JUDGES, tf.int64), step]))

        return tf.function(evaluate, autograph=False, jit_compile=True)

    @cached_property
    def test(self) -> Any:
        import tensorflow as tf

        def test(tensors: Tensors) -> Tensors:
            self.traces += 1
            assert self.functions.test is not None
            return self.functions.test(tensors, tf.constant([TESTERS, 0], tf.int64))

        return tf.function(test, autograph=False, jit_compile=True)


@dataclass
class _Member:
    """Its tensors are immutable, and replaced as a whole with their step."""

    training_state: tuple[Tensors, int]
    hyper: Tensors
    keys: Any
    """Of what it draws first, and while it trains; shape (2,)."""


class FunctionalPopulation(FullPopulation):
    """Members that share compiled functions, trained one after another."""

    concurrent = True

    def __init__(
        self,
        compiled: CompiledFunctions,
        hyperparameters: Sequence[Hyperparameters],
        seeds: Sequence[np.random.SeedSequence],
    ) -> None:
        self.compiled = compiled
        self.members = [
            self._member(h, seed) for h, seed in zip(hyperparameters, seeds, strict=True)
        ]

    def _member(self, hyperparameters: Hyperparameters, seed: np.random.SeedSequence) -> _Member:
        import tensorflow as tf

        keys = tf.constant((seed.generate_state(2, np.uint64) >> np.uint64(1)).astype(np.int64))
        first = self.compiled.first(tf.stack([keys[0], tf.constant(0, tf.int64)]))
        return _Member((first, 0), _hyper(hyperparameters), keys)

    @property
    def size(self) -> int:
        return len(self.members)

    @property
    def traces(self) -> int:
        """Compilations so far, in this process."""
        return self.compiled.traces

    @property
    def finished(self) -> int:
        """The steps of all members, which grow while they train one after another."""
        return sum(step for _, step in (m.training_state for m in self.members))

    def train(self, steps: int) -> None:
        import tensorflow as tf

        count = tf.constant(steps, tf.int64)
        for m in self.members:
            tensors, step = m.training_state
            now = tf.constant(step, tf.int64)
            m.training_state = (
                self.compiled.train(tensors, m.hyper, m.keys[1], now, count),
                step + steps,
            )
        tf.test.experimental.sync_devices()

    def evaluate(self) -> Mapping[str, np.ndarray]:
        import tensorflow as tf

        found = [
            self.compiled.evaluate(m.training_state[0], tf.constant(m.training_state[1], tf.int64))
            for m in self.members
        ]
        return _numbers(found)

    @property
    def tested(self) -> bool:
        return self.compiled.functions.test is not None

    def test(self) -> Mapping[str, np.ndarray]:
        return _numbers([self.compiled.test(m.training_state[0]) for m in self.members])

    def state(self, member: int) -> State:
        tensors, step = self.members[member].training_state
        arrays = {name: memory.array(tensor) for name, tensor in tensors.items()}
        return {**arrays, STEP: np.array(step, np.int64)}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        m = self.members[member]
        if state is not None:
            own, _ = m.training_state
            tensors = {n: memory.tensor(state[n], own[n].dtype.name) for n in own}
            m.training_state = tensors, int(state[STEP])
        m.hyper = _hyper(hyperparameters)


def _numbers(members: Sequence[Tensors]) -> dict[str, np.ndarray]:
    """The members' scores, by metric."""
    return {name: np.array([float(m[name]) for m in members]) for name in members[0]}


def _hyper(hyperparameters: Hyperparameters) -> Tensors:
    import tensorflow as tf

    return {name: tf.constant(float(h), tf.float32) for name, h in hyperparameters.items()}
