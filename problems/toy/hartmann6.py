"""Hartmann's function in six dimensions: a control without training."""

from __future__ import annotations

import numpy as np

from pbtbench.adapters.function import function_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import Space, Uniform

WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
SCALES = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(x: np.ndarray) -> np.ndarray:
    """Values at points of shape (n, 6); the minimum of −3.32237 is at (0.2017, 0.1500, 0.4769, 0.2753,
    0.3117, 0.6573)."""
    distance = (SCALES * (x[:, None, :] - CENTRES) ** 2).sum(axis=2)
    return np.asarray(-(np.exp(-distance) @ WEIGHTS))


PROBLEM = Problem(
    title="Hartmann's function of six hyperparameters, without training",
    source="Hartmann 1973, in Dixon and Szegö 1978, Towards Global Optimisation 2",
    finding="A static control: nothing is learned, so PBT can have no schedule's advantage here.",
    space=Space({f"x{place}": Uniform(0.0, 1.0) for place in range(6)}),
    objective=Objective("value", "min", targets=(-1.5, -2.5), optimum=-3.32237),
    iterations=20,
    steps_per_iteration=1,
    start=function_population(hartmann6),
    framework="numpy",
)
