"""Rosenbrock's function: a control without training, along a bent valley."""

from __future__ import annotations

import numpy as np

from pbtbench.adapters.function import function_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import Space, Uniform


def rosenbrock(x: np.ndarray) -> np.ndarray:
    """Values at points of shape (n, 2); the minimum of 0 is at (1, 1)."""
    u, v = x.T
    return np.asarray(100 * (v - u**2) ** 2 + (1 - u) ** 2)


PROBLEM = Problem(
    title="Rosenbrock's function of two hyperparameters, without training",
    source="Rosenbrock 1960, An Automatic Method for Finding the Greatest or Least Value of a Function",
    finding="A static control: nothing is learned, so PBT can have no schedule's advantage here.",
    space=Space({"x": Uniform(-5.0, 10.0), "y": Uniform(-5.0, 10.0)}),
    objective=Objective("value", "min", targets=(100.0, 10.0), optimum=0.0),
    iterations=20,
    steps_per_iteration=1,
    start=function_population(rosenbrock),
    framework="numpy",
)
