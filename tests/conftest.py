"""What several test modules share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from pbtbench.run import Run
from pbtbench.study import Study

pytest_plugins = ["pytester"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

# A shared machine stalls now and then, which is no fault of the code under test.
settings.register_profile("pbtbench", deadline=None, max_examples=50)
settings.load_profile("pbtbench")


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[None]:
    """Ray is left to the next test that asks for the same, and ends with the session."""
    yield
    from pbtbench.engines import cluster

    cluster.stop()


@pytest.fixture(scope="session")
def planned() -> Callable[..., tuple[Run, ...]]:
    """The runs of a study with the given keys: in one process, with no more than was asked for."""

    def runs(**keys: Any) -> tuple[Run, ...]:
        small = {"methods": ["pbt"], "population": 4, "seeds": 1}
        return Study.plan({"problems": ["toy.pbt_quadratic"], **small, **keys}).runs

    return runs
