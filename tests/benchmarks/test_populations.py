"""What members cost beside each other: toy populations are arrays, so that a thousand train much as ten do."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pbtbench import catalogue
from pbtbench.problem import member_seed, method_rng

TOYS = [name for name in catalogue.names() if name.startswith("toy.")]
ITERATIONS = 20


def seconds(name: str, size: int) -> float:
    """Of some iterations of a population, trained and evaluated."""
    problem, rng = catalogue.problem(name), method_rng(0)
    population = problem.population(
        [problem.space.sample(rng) for _ in range(size)], [member_seed(0, m) for m in range(size)]
    )
    start = time.perf_counter()
    for _ in range(ITERATIONS):
        population.train(problem.steps_per_iteration)
        population.evaluate()
    return time.perf_counter() - start


@pytest.mark.parametrize("name", TOYS)
def test_a_thousand_members_beside_ten(benchmark, name):
    benchmark.pedantic(seconds, (name, 1000), rounds=5, warmup_rounds=1)
    few = float(np.median([seconds(name, 10) for _ in range(5)]))
    benchmark.extra_info["times_as_long_as_ten"] = benchmark.stats.stats.median / few
