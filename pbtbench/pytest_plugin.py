"""Adds `--benchmark` to pytest: an ordinary run leaves benchmarks out, `pytest --benchmark` runs only them.

A benchmark is a test with the marker `pbtbench` (`benchmark` is pytest-benchmark's own marker, with
options of its own). With the flag, tests that use pytest-benchmark's `benchmark` fixture count too;
without it they are left alone, since every pytest run of whoever installed pbtbench loads this file:
nobody's own benchmarks may vanish by that, and a project's own flag of that name stays the project's.
Running, timing and storing stay pytest-benchmark's.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

FLAG, OURS = "--benchmark", "--pbtbench"

FREE = pytest.StashKey[bool]()
"""Whether no project's own flag is called `--benchmark`."""
LEFT_OUT = pytest.StashKey[int]()
"""How many benchmarks an ordinary run left out."""


def _is_benchmark(item: pytest.Item, flag: bool) -> bool:
    marked = item.get_closest_marker("pbtbench") is not None
    return marked or (flag and "benchmark" in getattr(item, "fixturenames", ()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("pbtbench").addoption(
        OURS,
        action="store_true",
        dest="pbtbench_benchmark",
        default=False,
        help="run the benchmarks, and nothing else (an ordinary run leaves marked ones out); "
        "--benchmark means the same, unless the project has a flag of that name",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Take `--benchmark` if nobody has it, now that all are there who may."""
    result = yield
    early_config.stash[FREE] = _is_free(parser, args)
    if early_config.stash[FREE]:
        args[:] = [OURS if argument == FLAG else argument for argument in args]
    return result


def _is_free(parser: pytest.Parser, args: list[str]) -> bool:
    try:
        _, unknown = parser.parse_known_and_unknown_args([*args, FLAG])
    except pytest.UsageError:  # it wants a value
        return False
    return FLAG in unknown


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
        flag = FLAG if config.stash.get(FREE, False) else OURS
        terminalreporter.write_line(f"{left_out} {what} left out: pytest {flag} runs them")
