"""The pair of 'To Be Greedy, or Not to Be', first half: where the greedy choice is the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.population import State
from pbtbench.problem import Objective, Problem
from pbtbench.space import Hyperparameters, Space, Uniform, Value

LOW, HIGH = 1e-4, 1.1
START = 0.9
RATE = 0.002
ITERATIONS, STEPS = 50, 20


class StartsHigh(Uniform):
    """A real number in [low, high] whose prior is uniform between 0.9 and `high` alone."""

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return Uniform(START, self.high).sample(rng, size)

    def levels(self, count: int) -> list[Value]:
        return Uniform(START, self.high).levels(count)


class Plain:
    """Members descend from θ = 0.9 at a pace of 2 − h; θ and h have shape (size,)."""

    traces = 0

    def __init__(self, hyperparameters: Sequence[Hyperparameters]) -> None:
        self.size = len(hyperparameters)
        self.theta = np.full(self.size, START)
        self.h = np.array([float(h["h"]) for h in hyperparameters])

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.theta -= RATE * (2 - self.h) * self.theta

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return {"Q": 1.2 - self.theta**2}

    def state(self, member: int) -> State:
        return {"theta": np.array(self.theta[member])}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.theta[member] = state["theta"]
        self.h[member] = float(hyperparameters["h"])


def start(
    hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
) -> Plain:
    """All members start at θ = 0.9; there is no randomness, so the seeds are not used."""
    return Plain(hyperparameters)


PROBLEM = Problem(
    title="ascent of a parabola, the faster the smaller h is",
    source="To Be Greedy, or Not to Be: That Is the Question for PBT (TMLR 2025), the plain task",
    finding="What looks best at once is best: a greedy method that takes h to 0 loses nothing.",
    space=Space({"h": StartsHigh(LOW, HIGH)}),
    objective=Objective("Q", "max", targets=(1.1, 1.18), optimum=1.2),
    iterations=ITERATIONS,
    steps_per_iteration=STEPS,
    start=start,
    framework="numpy",
)
