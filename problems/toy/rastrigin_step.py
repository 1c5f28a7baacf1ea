"""Gradient steps on Rastrigin's function, with noise to get out of its many minima."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.adapters.streams import Streams
from pbtbench.population import State
from pbtbench.problem import Objective, Problem
from pbtbench.space import Hyperparameters, LogUniform, Space

DIMENSIONS = 4
REACH = 5.12
"""No coordinate leaves [−5.12, 5.12], the function's usual domain."""


def rastrigin(x: np.ndarray) -> np.ndarray:
    """Values at points of shape (n, dimensions); the minimum of 0 is at the origin."""
    return np.asarray((x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum(axis=1))


class RastriginStep:
    """Members at x, shape (size, 4), step down Rastrigin's function, and shake by `noise`."""

    traces = 0

    def __init__(
        self, hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> None:
        self.size = len(hyperparameters)
        self.step = np.zeros(self.size, np.int64)
        self.h = np.array([_pair(h) for h in hyperparameters])
        self.draws = Streams(seeds, lambda rng, n: rng.standard_normal((n, DIMENSIONS)))
        self.x = self.draws.first(lambda rng: rng.uniform(-REACH, REACH, DIMENSIONS))

    def train(self, steps: int) -> None:
        for _ in range(steps):
            rate, noise = self.h.T[:, :, None]
            gradient = 2 * self.x + 20 * np.pi * np.sin(2 * np.pi * self.x)
            moved = self.x - rate * gradient + noise * self.draws.at(self.step)
            self.x = np.clip(moved, -REACH, REACH)
            self.step += 1

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return {"value": rastrigin(self.x)}

    def state(self, member: int) -> State:
        return {"x": self.x[member].copy(), "step": np.array(self.step[member])}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.x[member], self.step[member] = state["x"], state["step"]
        self.h[member] = _pair(hyperparameters)


def _pair(hyperparameters: Hyperparameters) -> tuple[float, float]:
    return float(hyperparameters["step_size"]), float(hyperparameters["noise"])


PROBLEM = Problem(
    title="gradient steps on Rastrigin's function, with noise to get out of its minima",
    source="Rastrigin 1974; Mühlenbein et al. 1991, The Parallel Genetic Algorithm as Function Optimizer",
    finding="Noise gets a member out of a minimum and keeps it from settling in one: it should be large "
    "first and small later, which no constant can be.",
    space=Space({"step_size": LogUniform(1e-4, 1e-1), "noise": LogUniform(1e-3, 1.0)}),
    objective=Objective("value", "min", targets=(15.0, 5.0), optimum=0.0),
    iterations=100,
    steps_per_iteration=10,
    start=RastriginStep,
    framework="numpy",
)
