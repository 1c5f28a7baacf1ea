"""The digits and the perceptron of `digits_mlp`, in JAX: the whole population trains in one compiled call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np

from pbtbench.population import FullPopulation, State
from pbtbench.space import Hyperparameters, Space
from problems.vision.digits_mlp import PROBLEM as DIGITS
from problems.vision.digits_mlp import data

SIZES = (64, 32, 32, 10)
BATCH_SIZE = 64
TUNED = ("learning_rate", "momentum", "l1", "dropout")
FIRST = 2**32 - 1
"""The step whose draws are the initial weights."""

Arrays = dict[str, Any]
"""By name; of a member, or of all members with a first axis for them."""


class JaxPrograms:
    """A problem's `start`, with its compiled programs, kept for this process's next population."""

    def __init__(self) -> None:
        self.traces = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return JaxPrograms, ()

    def __call__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> JaxPopulation:
        return JaxPopulation(self, hyperparameters, seeds)

    @cached_property
    def digits(self) -> dict[str, tuple[Any, Any]]:
        """The data on the device; asked for before anything is traced, since in a trace arrays aren't real."""
        import jax.numpy as jnp

        return {
            part: (jnp.asarray(inputs, jnp.float32), jnp.asarray(labels, jnp.int32))
            for part, (inputs, labels) in data().items()
        }

    @cached_property
    def first(self) -> Any:
        """`first(keys)`: all members before their first step; keys have shape (size, 2)."""
        return self._stacked(_first)

    @cached_property
    def train(self) -> Any:
        """`train(members, tuned, keys, steps)`: all members after so many steps; `tuned`, shape
        (size, len(TUNED)), holds their hyperparameters."""
        return self._stacked(self._trained, axes=(0, 0, 0, None))

    @cached_property
    def evaluate(self) -> Any:
        """`evaluate(members)`: each score of all members, shape (size,)."""
        return self._stacked(partial(self._scores, "validation"))

    @cached_property
    def test(self) -> Any:
        """`test(members)`: the same on the test part of the data."""
        return self._stacked(partial(self._scores, "test"))

    @cached_property
    def put(self) -> Any:
        """`put(members, place, member)`: the members with one replaced."""
        import jax

        def replaced(members: Arrays, place: Any, member: Arrays) -> Arrays:
            return {name: array.at[place].set(member[name]) for name, array in members.items()}

        return jax.jit(self._counted(replaced))

    def _stacked(self, of_one: Any, axes: Any = 0) -> Any:
        """What is written for one member, compiled for all."""
        import jax

        assert self.digits
        return jax.jit(self._counted(jax.vmap(of_one, in_axes=axes)))

    def _counted(self, traced: Any) -> Any:
        def counting(*arguments: Any) -> Any:
            self.traces += 1  # Python runs this only while JAX traces it
            return traced(*arguments)

        return counting

    def _trained(self, member: Arrays, tuned: Any, key: Any, steps: Any) -> Arrays:
        import jax

        update = self._updated(tuned, _key(key))
        after: Arrays = jax.lax.fori_loop(0, steps, lambda _, member: update(member), member)
        return after

    def _updated(self, tuned: Any, key: Any) -> Any:
        """SGD with momentum on a batch drawn with replacement; what it draws depends on key and step."""
        import jax

        rate, momentum, l1, dropout = tuned
        inputs, labels = self.digits["train"]

        def loss(weights: Arrays, rows: Any, draw: Any) -> Any:
            logits = _logits(weights, inputs[rows], dropout, draw)
            kernels = [w for name, w in weights.items() if name.endswith("kernel")]
            return _loss(logits, labels[rows]) + l1 * sum(abs(k).sum() for k in kernels)

        def update(member: Arrays) -> Arrays:
            step = member["step"]
            batch, draw = jax.random.split(jax.random.fold_in(key, step))
            rows = jax.random.randint(batch, (BATCH_SIZE,), 0, len(labels))
            slopes = jax.grad(loss)(_weights(member), rows, draw)
            after = {"step": step + 1}
            for name, slope in slopes.items():
                velocity = momentum * member[f"momentum/{name}"] - rate * slope
                after[f"momentum/{name}"] = velocity
                after[f"weights/{name}"] = member[f"weights/{name}"] + velocity
            return after

        return update

    def _scores(self, part: str, member: Arrays) -> Arrays:
        import jax.numpy as jnp

        inputs, labels = self.digits[part]
        logits = _logits(_weights(member), inputs)
        sound = jnp.isfinite(logits).all()
        hits = (logits.argmax(-1) == labels).mean()
        scores = {"loss": _loss(logits, labels), "accuracy": hits}
        return {name: jnp.where(sound, score, jnp.nan) for name, score in scores.items()}


class JaxPopulation(FullPopulation):
    """Members side by side in arrays, whose first axis they are."""

    # Arrays of JAX's are immutable, and `members` is replaced as a whole.
    concurrent = True

    def __init__(
        self,
        programs: JaxPrograms,
        hyperparameters: Sequence[Hyperparameters],
        seeds: Sequence[np.random.SeedSequence],
    ) -> None:
        self.programs = programs
        self.keys = np.stack([seed.generate_state(2, np.uint32) for seed in seeds])
        self.tuned = np.array([_tuned(h) for h in hyperparameters], np.float32)
        self.members = programs.first(self.keys)
        self.adopt(0, self.state(0), hyperparameters[0])  # compiled before it is needed

    @property
    def size(self) -> int:
        return len(self.keys)

    @property
    def traces(self) -> int:
        """Compilations of this problem so far, in this process."""
        return self.programs.traces

    def train(self, steps: int) -> None:
        import jax

        trained = self.programs.train(self.members, self.tuned, self.keys, np.int32(steps))
        self.members = jax.block_until_ready(trained)

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return self._scored(self.programs.evaluate)

    def test(self) -> Mapping[str, np.ndarray]:
        return self._scored(self.programs.test)

    def _scored(self, scored: Any) -> Mapping[str, np.ndarray]:
        scores = scored(self.members)
        return {name: np.asarray(score, np.float64) for name, score in scores.items()}

    def state(self, member: int) -> State:
        return {name: np.array(np.asarray(a)[member]) for name, a in self.members.items()}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        import jax

        if state is not None:
            put = self.programs.put(self.members, np.int32(member), dict(state))
            self.members = jax.block_until_ready(put)
        self.tuned[member] = _tuned(hyperparameters)


def _tuned(hyperparameters: Hyperparameters) -> list[float]:
    return [float(hyperparameters[name]) for name in TUNED]


def _key(words: Any) -> Any:
    import jax

    return jax.random.wrap_key_data(words, impl="threefry2x32")


def _first(key: Any) -> Arrays:
    """Kernels as of Glorot and Bengio 2010, uniform; biases of zero."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.fold_in(_key(key), np.uint32(FIRST)), len(SIZES) - 1)
    weights = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(SIZES)):
        limit = np.sqrt(6 / (fan_in + fan_out))
        uniform = jax.random.uniform(keys[layer], (fan_in, fan_out), jnp.float32, -limit, limit)
        weights[f"{layer}/kernel"] = uniform
        weights[f"{layer}/bias"] = jnp.zeros(fan_out, jnp.float32)
    return {
        **{f"weights/{name}": weight for name, weight in weights.items()},
        **{f"momentum/{name}": jnp.zeros_like(weight) for name, weight in weights.items()},
        "step": jnp.zeros((), jnp.int32),
    }


def _weights(member: Arrays) -> Arrays:
    prefix = "weights/"
    return {n.removeprefix(prefix): a for n, a in member.items() if n.startswith(prefix)}


def _logits(weights: Arrays, x: Any, dropout: Any = 0.0, draw: Any = None) -> Any:
    """With dropout where there is a key to draw it from."""
    import jax

    last = len(SIZES) - 2
    for layer in range(last + 1):
        x = x @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"]
        if layer < last:
            x = jax.nn.relu(x)
            if draw is not None:
                kept = jax.random.uniform(jax.random.fold_in(draw, layer), x.shape) >= dropout
                x = x * kept / (1 - dropout)
    return x


def _loss(logits: Any, labels: Any) -> Any:
    import jax
    import jax.numpy as jnp

    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=-1)
    return -chosen.mean()


PROBLEM = replace(
    DIGITS,
    title="the perceptron of vision.digits_mlp in JAX, all members trained in one compiled call",
    finding="What vision.digits_mlp shows doesn't hang on TensorFlow: nothing but the drawn numbers differs.",
    space=Space({name: DIGITS.space[name] for name in TUNED}),
    start=JaxPrograms(),
    framework="jax",
    requires={"jax": 'pip install "jax>=0.4.30"'},
)
