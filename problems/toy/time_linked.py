"""The pair of 'To Be Greedy, or Not to Be', second half: where the greedy choice is punished later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pbtbench.population import State
from pbtbench.problem import Objective, Problem
from pbtbench.space import Hyperparameters, Space
from problems.toy.plain import HIGH, ITERATIONS, LOW, RATE, START, STEPS, StartsHigh

PENALTY = 0.2


class TimeLinked:
    """Members descend from θ = 0.9 at a pace of 2 − h − 0.2 D, at least 0. D sums, over the iterations so
    far and the present one, how far h was from the line that falls from 1 to 0; it is inherited at a
    fork. All have shape (size,)."""

    traces = 0

    def __init__(self, hyperparameters: Sequence[Hyperparameters]) -> None:
        self.size = len(hyperparameters)
        self.theta = np.full(self.size, START)
        self.deviation = np.zeros(self.size)
        self.step = np.zeros(self.size, np.int64)
        self.h = np.array([float(h["h"]) for h in hyperparameters])

    def train(self, steps: int) -> None:
        for _ in range(steps):
            begins = self.step % STEPS == 0
            line = 1 - self.step // STEPS / ITERATIONS
            self.deviation += np.where(begins, abs(self.h - line), 0.0)
            pace = np.maximum(2 - self.h - PENALTY * self.deviation, 0.0)
            self.theta -= RATE * pace * self.theta
            self.step += 1

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return {"Q": 1.2 - self.theta**2}

    def state(self, member: int) -> State:
        return {
            "theta": np.array(self.theta[member]),
            "deviation": np.array(self.deviation[member]),
            "step": np.array(self.step[member]),
        }

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.theta[member] = state["theta"]
            self.deviation[member] = state["deviation"]
            self.step[member] = state["step"]
        self.h[member] = float(hyperparameters["h"])


def start(
    hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
) -> TimeLinked:
    """All members start at θ = 0.9; there is no randomness, so the seeds are not used."""
    return TimeLinked(hyperparameters)


PROBLEM = Problem(
    title="ascent of a parabola that punishes later whoever leaves a straight schedule",
    source="To Be Greedy, or Not to Be: That Is the Question for PBT (TMLR 2025), the time-linked task",
    finding="Taking h to 0 at once is rewarded at first and punished ever after, so greed loses; the "
    "best schedule falls from 1 to 0 in a straight line.",
    space=Space({"h": StartsHigh(LOW, HIGH)}),
    objective=Objective("Q", "max", targets=(1.0, 1.1), optimum=1.2),
    iterations=ITERATIONS,
    steps_per_iteration=STEPS,
    start=start,
    framework="numpy",
)
