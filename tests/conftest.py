"""What several test modules share, and what `pytest --quick` leaves out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import World, a_world
from hypothesis import settings
from small_studies import PROBLEM
from stored import new_store

from pbtbench import engines
from pbtbench.runs import Run
from pbtbench.store import Store
from pbtbench.study import Study

pytest_plugins = ["pytester"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_preallocate_plasma_memory", "0")  # for states of a few bytes

# A shared machine stalls now and then, which is no fault of the code under test.
settings.register_profile("pbtbench", deadline=None, max_examples=50)
settings.load_profile("pbtbench")

HEAVY = {"ray": "ray", "tensorflow": "tensorflow", "browser": "selenium"}
"""Marker -> the package that a test with it may import."""

MODULES = {
    "ray": (
        *("address", "bad_input", "brought", "frameworks", "ray", "summaries", "trainable"),
        *("interruptions", "param_space", "ray_internals", "tune", "tune_failures", "tune_methods"),
    ),
    "tensorflow": (
        *("control", "datasets", "internals", "keras", "keras_build", "keras_data"),
        *("keras_hyperparameters", "keras_problems", "keras_scores", "memory", "morphism"),
        *("real_problems", "ring_gan", "stacked", "state_size", "step_law", "transport"),
    ),
    "slow": (
        "api",
        "benchmark_fixture",
        "cli",
        "damaged_folders",
        "hostile_folders",
        "notebook",
        "output",
        "pages",
        "process",
        "reading",
        "revisions",
        "runner",
        "side_by_side",
        "sources",
        "starter",
        "tensorboard_shown",
        "watch",
    ),
}
"""Marker -> the modules whose tests all have it; other tests have theirs beside them. These run first, by
marker: they take the longest, and none should be left for the end where processes share the modules."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick",
        action="store_true",
        help="the tests that need neither Ray, TensorFlow, a browser nor much time",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker, package in HEAVY.items():
        config.addinivalue_line("markers", f"{marker}: imports {package}; --quick leaves it out")
    config.addinivalue_line(
        "markers", "slow: starts processes or takes long; --quick leaves it out"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker, modules in MODULES.items():
            if _module(item.path) in modules:
                item.add_marker(marker)
    items.sort(key=lambda item: [_module(item.path) not in found for found in MODULES.values()])
    if config.getoption("quick"):
        slow = [item for item in items if {*HEAVY, "slow"} & {m.name for m in item.iter_markers()}]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Not even import a module that is left out as a whole."""
    left_out = {name for modules in MODULES.values() for name in modules}
    return True if config.getoption("quick") and _module(collection_path) in left_out else None


def _module(path: Path) -> str:
    """A test module's name, as `MODULES` has it."""
    return path.stem.removeprefix("test_")


@pytest.fixture(autouse=True)
def _quick_tests_import_nothing_heavy(request: pytest.FixtureRequest) -> Iterator[None]:
    before = set(sys.modules)
    yield
    if request.config.getoption("quick"):
        found = {package for package in HEAVY.values() if package in sys.modules}
        assert not found - before, (
            f"this test imports {', '.join(found - before)}: give it the marker of that name"
        )


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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new study's folder."""
    return new_store(tmp_path / "out")


@pytest.fixture
def problem_that(tmp_path: Path) -> Callable[[str, str], str]:
    """Make a problem file whose third training call does what the given statement says."""

    def make(name: str, train: str) -> str:
        file = tmp_path / f"{name}.py"
        file.write_text(PROBLEM.format(train=f"if self.step == 3: {train}"))
        return str(file)

    return make


@pytest.fixture
def shared_address(shared_ray: None, planned: Callable[..., tuple[Run, ...]]) -> str:
    """Where the process of a study finds the Ray that tests share, so that it starts none of its own."""
    import ray

    (run,) = planned(engines=["ray"])
    engines.engine(run.engine).open(run)
    return str(ray.get_runtime_context().gcs_address)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stranger's folder, and what is beside it."""
    with a_world(tmp_path_factory.mktemp("world")) as made:
        yield made
