"""Noisy gradient steps towards an optimum that drifts, ever more slowly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.adapters.streams import Streams
from pbtbench.population import State
from pbtbench.problem import Objective, Problem
from pbtbench.space import Hyperparameters, LogUniform, Space

DIMENSIONS = 10
GRADIENT_NOISE = 1.0
DRIFT, FADING = 0.2, 0.99


def optimum(step: np.ndarray) -> np.ndarray:
    """Where the optimum is after some steps, along every axis: its steps shrink by a percent each."""
    return DRIFT * (1 - FADING**step) / (1 - FADING)


class DriftingSphere:
    """Members at x, shape (size, 10), step down ½|x − c|² with a noisy gradient, and shake by `noise`."""

    traces = 0

    def __init__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> None:
        self.size = len(hyperparameters)
        self.x = np.zeros((self.size, DIMENSIONS))
        self.step = np.zeros(self.size, np.int64)
        self.h = np.array([_pair(h) for h in hyperparameters])
        self.draws = Streams(seeds, lambda rng, n: rng.standard_normal((n, 2, DIMENSIONS)))

    def train(self, steps: int) -> None:
        for _ in range(steps):
            of_gradient, shake = np.moveaxis(self.draws.at(self.step), 1, 0)
            rate, noise = self.h.T[:, :, None]
            gradient = self.x - optimum(self.step)[:, None] + GRADIENT_NOISE * of_gradient
            self.x = self.x - rate * gradient + noise * shake
            self.step += 1

    def evaluate(self) -> Mapping[str, np.ndarray]:
        away = self.x - optimum(self.step)[:, None]
        return {"loss": 0.5 * (away**2).sum(axis=1)}

    def state(self, member: int) -> State:
        return {"x": self.x[member].copy(), "step": np.array(self.step[member])}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.x[member], self.step[member] = state["x"], state["step"]
        self.h[member] = _pair(hyperparameters)


def _pair(hyperparameters: Hyperparameters) -> tuple[float, float]:
    return float(hyperparameters["step_size"]), float(hyperparameters["noise"])


PROBLEM = Problem(
    title="noisy gradient steps towards an optimum that drifts, ever more slowly",
    source="this suite, 2026",
    finding="A long step follows the drift, a short one averages the noise away: as the drift fades, the "
    "step should shrink, and no constant one is as good. Noise of one's own never helps.",
    space=Space({"step_size": LogUniform(1e-3, 1.0), "noise": LogUniform(1e-3, 1.0)}),
    objective=Objective("loss", "min", targets=(0.5, 0.1), optimum=0.0),
    iterations=100,
    steps_per_iteration=10,
    start=DriftingSphere,
    framework="numpy",
)
