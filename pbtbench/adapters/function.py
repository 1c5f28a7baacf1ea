"""A function of the hyperparameters becomes a population that learns nothing: a control without
training, where no schedule can be better than its last value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.population import Population, State
from pbtbench.problem import Start
from pbtbench.space import Hyperparameters

Function = Callable[[np.ndarray], np.ndarray]
"""`f(x)`: from points, shape (members, dimensions), to values, shape (members,)."""


def function_population(f: Function, metric: str = "value") -> Start:
    """A problem's `start` for a function; the point's coordinates are the hyperparameters in their order."""

    def start(
        hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
    ) -> Population:
        points = np.array([_point(h) for h in hyperparameters])
        return Points(f, metric, points, np.zeros(len(points), np.int64))

    return start


@dataclass
class Points:
    """Members that stand where their hyperparameters put them. Only their steps are counted."""

    f: Function
    metric: str
    points: np.ndarray
    """Shape (members, dimensions)."""
    step: np.ndarray
    traces = 0

    @property
    def size(self) -> int:
        return len(self.points)

    def train(self, steps: int) -> None:
        self.step += steps

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return {self.metric: self.f(self.points)}

    def state(self, member: int) -> State:
        return {"step": np.array(self.step[member])}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        if state is not None:
            self.step[member] = state["step"]
        self.points[member] = _point(hyperparameters)


def _point(hyperparameters: Hyperparameters) -> list[float]:
    return [float(value) for value in hyperparameters.values()]
