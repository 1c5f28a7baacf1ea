"""Adds `--benchmark` to pytest: an ordinary run leaves benchmarks out, `pytest --benchmark` runs only them.

A benchmark is a test that uses pytest-benchmark's `benchmark` fixture, or that carries the marker
`pbtbench` (`benchmark` is pytest-benchmark's own marker, with options of its own). Running, timing
and storing stay pytest-benchmark's; asking for its `--benchmark-only` keeps benchmarks in as well.

Every pytest run of whoever installed pbtbench loads this file, so it imports pytest alone.
"""

from __future__ import annotations

import pytest

LEFT_OUT = pytest.StashKey[int]()
"""How many benchmarks an ordinary run left out."""


def is_benchmark(item: pytest.Item) -> bool:
    """Whether a collected test measures rather than checks."""
    marked = item.get_closest_marker("pbtbench") is not None
    return marked or "benchmark" in getattr(item, "fixturenames", ())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("pbtbench").addoption(
        "--benchmark",
        action="store_true",
        dest="pbtbench_benchmark",
        help="run the benchmarks, and nothing else (an ordinary run leaves them out)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "pbtbench: a benchmark, also without the `benchmark` fixture: see --benchmark"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = bool(config.getoption("pbtbench_benchmark"))
    if not wanted and config.getoption("benchmark_only", default=False):
        return
    others = [item for item in items if is_benchmark(item) != wanted]
    if not others:
        return
    items[:] = [item for item in items if is_benchmark(item) == wanted]
    config.stash[LEFT_OUT] = 0 if wanted else len(others)
    config.hook.pytest_deselected(items=others)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if left_out := config.stash.get(LEFT_OUT, 0):
        what = "benchmark" if left_out == 1 else "benchmarks"
        terminalreporter.write_line(f"{left_out} {what} left out: pytest --benchmark runs them")
