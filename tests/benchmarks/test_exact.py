"""What repeats exactly: who forks when, from whom, what is copied, and how good it gets, for each toy problem.

`results/baselines/exact.json` is what they are compared with; `tox -e exact` does it.
"""

from __future__ import annotations

import pytest

from pbtbench import catalogue

TOYS = [name for name in catalogue.names() if name.startswith("toy.")]


@pytest.mark.parametrize("problem", TOYS)
def test_toy(pbt_benchmark, problem):
    """In process: two intervals of PBT, random search and grid search."""
    result = pbt_benchmark(
        problem=problem,
        methods=["pbt", "random", "grid"],
        intervals=[1, 5],
        iterations=40,
        rounds=3,
    )
    assert len(result.measures) == 12


def test_toys_on_ray(pbt_benchmark):
    """On two actors, where all decide together."""
    pbt_benchmark(problems=TOYS, method="pbt", interval=5, engine="ray", iterations=20, rounds=2)


def test_asynchronous_toy(pbt_benchmark):
    """In process members decide one after another in an order that the seed gives."""
    pbt_benchmark(
        problem="toy.pbt_quadratic",
        methods=["pbt"],
        interval=2,
        iterations=40,
        rounds=3,
        method={"pbt": {"synchronous": False}},
    )
