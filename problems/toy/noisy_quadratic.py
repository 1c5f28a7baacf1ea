"""The noisy quadratic: why short perturbation intervals are greedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.population import State
from pbtbench.problem import Objective, Problem
from pbtbench.space import Hyperparameters, LogUniform, Space

DIMENSIONS = 1000
CURVATURE = 1.0 / np.arange(1, DIMENSIONS + 1)


class NoisyQuadratic:
    """SGD on a quadratic with gradient noise, in expectation: mean m and variance v of each weight."""

    traces = 0

    def __init__(
        self, hyperparameters: Sequence[Hyperparameters], batch_size: float, noise: float
    ) -> None:
        self.size = len(hyperparameters)
        self.m = np.ones((self.size, DIMENSIONS))
        self.v = np.zeros((self.size, DIMENSIONS))
        self.rate = np.array([float(h["learning_rate"]) for h in hyperparameters])
        self.variance = noise * CURVATURE / batch_size

    def train(self, steps: int) -> None:
        rate = self.rate[:, None]
        decay = 1 - rate * CURVATURE
        added = rate**2 * self.variance
        for _ in range(steps):
            self.m *= decay
            self.v = decay**2 * self.v + added

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return {"loss": 0.5 * (self.m**2 + self.v) @ CURVATURE}

    def state(self, member: int) -> State:
        return {"m": self.m[member].copy(), "v": self.v[member].copy()}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.m[member], self.v[member] = state["m"], state["v"]
        self.rate[member] = float(hyperparameters["learning_rate"])


def start(
    hyperparameters: Sequence[Hyperparameters],
    seeds: Sequence[np.random.SeedSequence],
    batch_size: float,
    noise: float,
) -> NoisyQuadratic:
    """All members start at m = 1, v = 0; there is no randomness, so the seeds are not used.

    `noise` is c/h: the gradient noise of each weight, relative to its curvature.
    """
    return NoisyQuadratic(hyperparameters, batch_size, noise)


PROBLEM = Problem(
    title="expected loss of SGD on a noisy quadratic, in closed form",
    source="Zhang et al. 2019 (arXiv 1907.04164); Wu et al. 2018 (arXiv 1803.02021)",
    # The best constant rate, 0.63, ends at 0.198.
    finding="Greedy selection at short intervals cuts the learning rate too early: the loss falls "
    "at once, as the noise in the steep directions dies, but the flat directions never arrive.",
    space=Space({"learning_rate": LogUniform(1e-4, 1.9)}),
    objective=Objective("loss", "min", targets=(0.25, 0.2), bound=0.0),
    iterations=1000,
    steps_per_iteration=1,
    start=start,
    framework="numpy",
    options={"batch_size": 1.0, "noise": 0.1},
)
