"""Ray's example for PBT: a learning rate that must rise, then fall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.adapters.streams import Streams
from pbtbench.population import State
from pbtbench.problem import Objective, Problem
from pbtbench.space import Hyperparameters, Space, Uniform

MIDPOINT = 100.0
PEAK, FLOOR = 0.01, 0.001
TOLERANCE = 3.0
NOISE = 2.0


def best_rate(accuracy: np.ndarray) -> np.ndarray:
    """The learning rate that helps most: it rises until the midpoint, and falls behind it."""
    return np.clip(PEAK * (1 - abs(accuracy - MIDPOINT) / MIDPOINT), FLOOR, PEAK)


class Triangle:
    """Members whose accuracy rises while their learning rate is within a factor of three of the best one,
    and falls if it is far above; accuracy, rate and step have shape (size,)."""

    traces = 0

    def __init__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> None:
        self.size = len(hyperparameters)
        self.accuracy = np.zeros(self.size)
        self.step = np.zeros(self.size, np.int64)
        self.rate = np.array([float(h["learning_rate"]) for h in hyperparameters])
        self.draws = Streams(
            seeds, lambda rng, n: np.stack([rng.random(n), rng.standard_normal(n)], axis=1)
        )

    def train(self, steps: int) -> None:
        for _ in range(steps):
            gain, noise = self.draws.at(self.step).T
            best = best_rate(self.accuracy)
            ratio = np.maximum(self.rate, best) / np.minimum(self.rate, best)
            far = np.where(self.rate > best, -(ratio - TOLERANCE) * gain, 0.0)
            moved = self.accuracy + np.where(ratio < TOLERANCE, gain / ratio, far)
            self.accuracy = np.maximum(moved + NOISE * noise, 0.0)
            self.step += 1

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return {"accuracy": self.accuracy.copy()}

    def state(self, member: int) -> State:
        return {
            "accuracy": np.array(self.accuracy[member]),
            "step": np.array(self.step[member]),
        }

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.accuracy[member], self.step[member] = state["accuracy"], state["step"]
        self.rate[member] = float(hyperparameters["learning_rate"])


PROBLEM = Problem(
    title="an accuracy that rises with a learning rate which must rise, then fall",
    source="Ray 2.60, the example pbt_function of Ray Tune",
    finding="Ray's documentation says that it does not converge without PBT: a claim to test.",
    space=Space({"learning_rate": Uniform(1e-4, 0.02)}),
    objective=Objective("accuracy", "max", targets=(100.0, 150.0)),
    iterations=400,
    steps_per_iteration=1,
    start=Triangle,
    framework="numpy",
)
