"""Adds `--benchmark` to pytest: an ordinary run leaves benchmarks out, `pytest --benchmark` runs only them.

A benchmark is a test with the marker `pbtbench` (`benchmark` is pytest-benchmark's own marker, with
options of its own). With the flag, tests that use pytest-benchmark's `benchmark` fixture count too;
without it they are left alone, since every pytest run of whoever installed pbtbench loads this file:
nobody's own benchmarks may vanish by that. Running, timing and storing stay pytest-benchmark's.
"""

from __future__ import annotations

import pytest

LEFT_OUT = pytest.StashKey[int]()
"""How many benchmarks an ordinary run left out."""


def _is_benchmark(item: pytest.Item, flag: bool) -> bool:
    marked = item.get_closest_marker("pbtbench") is not None
    return marked or (flag and "benchmark" in getattr(item, "fixturenames", ()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("pbtbench").addoption(
        "--benchmark",
        action="store_true",
        dest="pbtbench_benchmark",
        help="run the benchmarks, and nothing else (an ordinary run leaves marked ones out)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "pbtbench: a benchmark: an ordinary run leaves it out, --benchmark runs it"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = bool(config.getoption("pbtbench_benchmark"))
    if not wanted and config.getoption("benchmark_only", default=False):
        return
    others = [item for item in items if _is_benchmark(item, wanted) != wanted]
    if not others:
        return
    items[:] = [item for item in items if _is_benchmark(item, wanted) == wanted]
    config.stash[LEFT_OUT] = 0 if wanted else len(others)
    config.hook.pytest_deselected(items=others)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if left_out := config.stash.get(LEFT_OUT, 0):
        what = "benchmark" if left_out == 1 else "benchmarks"
        terminalreporter.write_line(f"{left_out} {what} left out: pytest --benchmark runs them")
