"""Branin's function: a control without training, in two dimensions."""

from __future__ import annotations

import numpy as np

from pbtbench.adapters.function import function_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import Space, Uniform


def branin(x: np.ndarray) -> np.ndarray:
    """Values at points of shape (n, 2); three minima of 0.397887, one of them at (π, 2.275)."""
    u, v = x.T
    bend = v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6
    return np.asarray(bend**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(u) + 10)


PROBLEM = Problem(
    title="Branin's function of two hyperparameters, without training",
    source="Dixon and Szegö 1978, Towards Global Optimisation 2",
    finding="A static control: nothing is learned, so PBT can have no schedule's advantage here.",
    space=Space({"x": Uniform(-5.0, 10.0), "y": Uniform(0.0, 15.0)}),
    objective=Objective("value", "min", targets=(1.0, 0.5), optimum=0.397887),
    iterations=20,
    steps_per_iteration=1,
    start=function_population(branin),
    framework="numpy",
)
