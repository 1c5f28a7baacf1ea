"""A real Keras model of any state size and step time: the instrument for checkpoint overhead."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from pbtbench.adapters.keras import KerasPopulation, keras_population
from pbtbench.errors import BadInput
from pbtbench.population import FullPopulation, Population, State
from pbtbench.problem import Objective, Problem, Start
from pbtbench.space import Hyperparameters, LogUniform, Space

SPACE = Space({"learning_rate": LogUniform(1e-3, 10.0)})

WIDTH = 8
"""Numbers in a row of the table."""
ROWS_USED = 24
"""Rows that training and evaluation look up, whatever the size: a step costs the same at all sizes."""
BESIDES = 4 * (WIDTH + 1) + 8 + 8
"""Bytes of a state that are not in the table: the output layer, the optimizer's count, the step."""
SMALLEST, LARGEST = 1_000, 1_000_000_000
ROOTS_AT_ONCE = 32_768
"""Numbers of which roots are taken together: 256 kB, which stay in a core's cache."""


def build(state_bytes: int, hyper: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """An embedding table, which is nearly all of the state, and one output unit on top."""
    import keras

    rows = (state_bytes - BESIDES) // (4 * WIDTH)
    table = keras.layers.Embedding(rows, WIDTH)
    flat, output = keras.layers.Flatten(), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((1,), dtype="int32"), table, flat, output])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return model, keras.optimizers.SGD(hyper["learning_rate"]), loss


def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Row numbers, shape (examples, 1), and whether each is odd."""
    rows = np.arange(ROWS_USED, dtype=np.int32)[:, None]
    examples = rows, (rows % 2).astype(np.float32)
    return {"train": examples, "validation": examples}


@dataclass
class Paced(FullPopulation):
    """A population whose steps take `step_s` seconds each, or as long as they need if that is more.

    They sleep, but for a step's own training and `roots` square roots, on one core.
    """

    population: KerasPopulation
    step_s: float
    roots: int
    concurrent = True

    @property
    def size(self) -> int:
        return self.population.size

    @property
    def traces(self) -> int:
        return self.population.traces

    def train(self, steps: int) -> None:
        end = time.perf_counter() + steps * self.size * self.step_s
        self.population.train(steps)
        self._compute(steps * self.size * self.roots)
        time.sleep(max(0.0, end - time.perf_counter()))

    def _compute(self, roots: int) -> None:
        """Take so many square roots: work whose amount doesn't depend on what goes on beside it."""
        numbers = np.full(ROOTS_AT_ONCE, 2.0)
        for _ in range(round(roots / ROOTS_AT_ONCE)):
            np.sqrt(numbers, out=numbers)

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return self.population.evaluate()

    def state(self, member: int) -> State:
        return self.population.state(member)

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        self.population.adopt(member, state, hyperparameters)


@dataclass
class Sized:
    """`start`, which keeps what is compiled for a size, for this process's next population of it."""

    starts: dict[int, Start] = field(default_factory=dict)

    def __call__(
        self,
        hyperparameters: Sequence[Hyperparameters],
        seeds: Sequence[np.random.SeedSequence],
        state_bytes: int,
        step_s: float,
        roots: int,
    ) -> Population:
        """`state_bytes`: of a member's state, met to within a row of the table (32 bytes); `step_s`:
        seconds of a training step at least, most of which it sleeps; `roots`: square roots that a step takes
        besides, work that competes for the processor with what goes on behind the training."""
        if not SMALLEST <= state_bytes <= LARGEST:
            raise BadInput(
                f"synthetic.state_size: state_bytes = {state_bytes}: give {SMALLEST} to {LARGEST}"
            )
        if not 0 <= step_s < np.inf:
            raise BadInput(f"synthetic.state_size: step_s = {step_s}: give 0 seconds or more")
        if roots < 0:
            raise BadInput(f"synthetic.state_size: roots = {roots}: give 0 or more")
        if state_bytes not in self.starts:
            self.starts[state_bytes] = keras_population(
                SPACE, partial(build, state_bytes), data, batch_size=8, metrics=()
            )
        return Paced(self.starts[state_bytes](hyperparameters, seeds), step_s, roots)  # type: ignore[arg-type]


PROBLEM = Problem(
    title="which numbers are odd, learned with a table of any size: steps of any length",
    source="this suite, 2026: an instrument, made to measure with",
    finding="The score is beside the point: what a checkpoint costs depends on the state's size, "
    "and what that matters on how long a step takes.",
    space=SPACE,
    objective=Objective("loss", "min", targets=(0.6, 0.1), bound=0.0),
    iterations=20,
    steps_per_iteration=10,
    start=Sized(),
    framework="tensorflow",
    options={"state_bytes": 1_000_000, "step_s": 0.001, "roots": 0},
)
