"""Figure 2 of the PBT paper: two members that each climb half of a surrogate objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.population import State
from pbtbench.problem import Objective, Problem
from pbtbench.space import Hyperparameters, Space, Uniform

LEARNING_RATE = 0.01
START = 0.9


class PBTQuadratic:
    """Members descend h₀θ₀² + h₁θ₁² and are judged by θ₀² + θ₁²; θ and h have shape (size, 2)."""

    traces = 0

    def __init__(self, hyperparameters: Sequence[Hyperparameters]) -> None:
        self.size = len(hyperparameters)
        self.theta = np.full((self.size, 2), START)
        self.h = np.array([_weights(h) for h in hyperparameters])

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.theta -= 2 * LEARNING_RATE * self.h * self.theta

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return {
            "Q": 1.2 - (self.theta**2).sum(axis=1),
            "theta0": self.theta[:, 0].copy(),
            "theta1": self.theta[:, 1].copy(),
        }

    def state(self, member: int) -> State:
        return {"theta": self.theta[member].copy()}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.theta[member] = state["theta"]
        self.h[member] = _weights(hyperparameters)


def _weights(hyperparameters: Hyperparameters) -> tuple[float, float]:
    return float(hyperparameters["h0"]), float(hyperparameters["h1"])


def start(
    hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
) -> PBTQuadratic:
    """All members start at θ = (0.9, 0.9); there is no randomness, so the seeds are not used."""
    return PBTQuadratic(hyperparameters)


def add_noise(
    hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator
) -> Hyperparameters:
    """The figure's explore: h + N(0, 0.1), clipped to [0, 1]. For a study:
    `explore = "problems.toy.pbt_quadratic:add_noise"`."""
    return {
        name: min(max(float(value) + float(rng.normal(0, 0.1)), 0.0), 1.0)
        for name, value in hyperparameters.items()
    }


PROBLEM = Problem(
    title="ascent of a quadratic by a surrogate that sees each direction as much as h says",
    source="Jaderberg et al. 2017, Population Based Training of Neural Networks "
    "(arXiv 1711.09846), figure 2",
    finding="Members with h = (1, 0) and (0, 1) can't pass 0.39 each alone; exploiting one "
    "another's progress, they approach the optimum of 1.2.",
    space=Space({"h0": Uniform(0.0, 1.0), "h1": Uniform(0.0, 1.0)}),
    objective=Objective("Q", "max", targets=(0.4, 1.19), optimum=1.2),
    iterations=200,
    steps_per_iteration=1,
    start=start,
    framework="numpy",
    plane=("theta0", "theta1"),
)
