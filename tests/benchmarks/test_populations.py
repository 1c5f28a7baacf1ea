"""What members cost beside each other: as arrays, looped and stacked."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pbtbench import catalogue
from pbtbench.adapters.stacked import stacked
from pbtbench.population import Population
from pbtbench.problem import member_seed, method_rng
from pbtbench.space.columns import rows

DIGITS = "vision.digits_mlp"
TOYS = [name for name in catalogue.names() if name.startswith("toy.")]
ITERATIONS = 20


def started(name: str, size: int) -> Population:
    problem, rng = catalogue.problem(name), method_rng(0)
    return problem.population(
        rows(problem.space.sample(rng, size)), [member_seed(0, m) for m in range(size)]
    )


def seconds(name: str, population: Population, iterations: int = 1) -> float:
    """Of some iterations, trained and evaluated."""
    steps = catalogue.problem(name).steps_per_iteration
    start = time.perf_counter()
    for _ in range(iterations):
        population.train(steps)
        population.evaluate()
    return time.perf_counter() - start


@pytest.mark.parametrize("name", TOYS)
def test_a_thousand_members_beside_ten(benchmark, name):
    many, few = started(name, 1000), started(name, 10)
    benchmark.pedantic(seconds, (name, many, ITERATIONS), rounds=5, warmup_rounds=1)
    ten_s = float(np.median([seconds(name, few, ITERATIONS) for _ in range(5)]))
    benchmark.extra_info["times_as_long_as_ten"] = benchmark.stats.stats.median / ten_s


@pytest.mark.parametrize("size", [4, 16, 64, 256])
def test_stacked_members_beside_looped_ones(benchmark, size):
    """The digits' perceptron: iterations of both in turn, once both have compiled."""
    one, other = started(DIGITS, size), stacked(started(DIGITS, size), DIGITS)
    for population in (one, other):
        seconds(DIGITS, population)
    ratios: list[float] = []

    def pair() -> None:
        looped_s = seconds(DIGITS, one)
        ratios.append(looped_s / seconds(DIGITS, other))

    benchmark.pedantic(pair, rounds=9, warmup_rounds=1)
    benchmark.extra_info["looped_over_stacked"] = float(np.median(ratios))
    benchmark.extra_info["least_most"] = [min(ratios), max(ratios)]


@pytest.mark.parametrize("size", [8, 64])
@pytest.mark.parametrize("name", [DIGITS, "vision.digits_torch", "vision.digits_jax"])
def test_frameworks(benchmark, name, size):
    for module in catalogue.problem(name).missing():
        pytest.skip(f"{module} is not installed")
    population = started(name, size)
    seconds(name, population)
    benchmark.pedantic(seconds, (name, population), rounds=5, warmup_rounds=1)
    benchmark.extra_info["member_iterations_per_s"] = size / benchmark.stats.stats.median
