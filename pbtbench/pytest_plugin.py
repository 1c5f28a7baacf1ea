"""Adds `--benchmark` to pytest: an ordinary run leaves benchmarks out, `pytest --benchmark` runs only them.

A benchmark is a test with the fixture `pbt_benchmark`, or with the marker `pbtbench` (`benchmark` is
pytest-benchmark's own marker, with options of its own). With the flag, tests that use pytest-benchmark's
`benchmark` fixture count too; without it they are left alone, since every pytest run of whoever installed
pbtbench loads this file: nobody's own benchmarks may vanish by that, and a project's own flag of that name
stays the project's. Running, timing and storing stay pytest-benchmark's.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pbtbench.regression import FIXTURE
from pbtbench.regression.clock import run_seconds

if TYPE_CHECKING:
    from pbtbench.regression.benchmark import PbtBenchmark

FLAG, OURS = "--benchmark", "--pbtbench"

EXAMPLE = """\
no benchmark found. One is a test with the fixture pbt_benchmark, such as

    def test_plain(pbt_benchmark):
        result = pbt_benchmark(problem="toy.plain", method="pbt", interval=5, target=1.1)
        assert result.reached

`pbtbench ci init` writes one, with a baseline and a workflow for CI.
"""

FREE = pytest.StashKey[bool]()
"""Whether no project's own flag is called `--benchmark`."""
LEFT_OUT = pytest.StashKey[int]()
"""How many benchmarks an ordinary run left out."""
FOUND = pytest.StashKey[int]()
"""How many benchmarks `--benchmark` found."""
MADE = pytest.StashKey[dict[str, Any]]()
"""Name of a benchmark -> what it measured, as plain data."""
GATE = pytest.StashKey[Any]()
"""The gate that `--benchmark-gate` asks for."""


@pytest.fixture
def pbt_benchmark(
    benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[PbtBenchmark]:
    """Run PBT, or what is compared with it, as a benchmark: `pbt_benchmark(problem=…, method=…, interval=…,
    target=…)` takes the keys of a study, makes a round of each seed, and returns what was measured."""
    from pbtbench.regression.benchmark import PbtBenchmark

    yield PbtBenchmark(benchmark, request.module, tmp_path / "runs")
    if info := benchmark.extra_info.get("pbtbench"):
        request.config.stash[MADE][request.node.nodeid] = info
        request.node.user_properties += _properties(benchmark.extra_info)


def _properties(info: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What `--junitxml` says of a benchmark: each measure's median; of several methods, by their labels."""
    for name, value in info.items():
        if isinstance(value, dict) and name != "pbtbench":
            yield from ((f"{name}: {measure}", median) for measure, median in value.items())
        elif name != "pbtbench":
            yield name, value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a benchmark can't run is said in its own words, without the way through this package."""
    report = yield
    if call.excinfo is not None and FIXTURE in getattr(item, "fixturenames", ()):
        from pbtbench.errors import BadInput, RunsFailed

        if isinstance(call.excinfo.value, BadInput | RunsFailed):
            report.longrepr = str(call.excinfo.value)
    return report


def _is_benchmark(item: pytest.Item, flag: bool) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    ours = FIXTURE in fixtures or item.get_closest_marker("pbtbench") is not None
    return ours or (flag and "benchmark" in fixtures)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pbtbench")
    group.addoption(
        OURS,
        action="store_true",
        dest="pbtbench_benchmark",
        default=False,
        help="run the benchmarks, and nothing else (an ordinary run leaves marked ones out); "
        "--benchmark means the same, unless the project has a flag of that name",
    )
    group.addoption(
        "--benchmark-gate",
        metavar="BASELINE",
        type=Path,
        help="compare the benchmarks with a baseline's file, or a study's folder, and fail if one got worse",
    )
    group.addoption(
        "--benchmark-gate-update",
        action="store_true",
        help="write what is measured to BASELINE, in the place of what it was compared with",
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
    if _wanted(config) and config.getoption("numprocesses", default=None):
        raise pytest.UsageError(
            f"{FLAG} measures, and processes beside each other would spoil that: leave out -n, or "
            "give -n 0"
        )

    config.stash[MADE] = {}
    baseline = config.getoption("benchmark_gate")
    if baseline is None and config.getoption("benchmark_gate_update"):
        raise pytest.UsageError("--benchmark-gate-update moves a baseline: give --benchmark-gate")
    if baseline is not None and config.getoption("benchmark_disable", default=False):
        raise pytest.UsageError(
            "--benchmark-gate compares what is measured, and --benchmark-disable measures nothing: leave one "
            "of them out"
        )
    if baseline is not None:
        from pbtbench.errors import BadInput
        from pbtbench.regression.in_pytest import Gate

        try:
            config.stash[GATE] = Gate(
                baseline, config.rootpath, update=config.getoption("benchmark_gate_update")
            )
        except BadInput as error:
            raise pytest.UsageError(str(error)) from None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Compare with the baseline, if one is given: what got worse fails the session."""
    gate = session.config.stash.get(GATE, None)
    if gate is not None and session.exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
    ):
        session.exitstatus = gate.closed(session.config.stash[MADE], session.exitstatus)


def _wanted(config: pytest.Config) -> bool:
    return bool(config.getoption("pbtbench_benchmark"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = _wanted(config)
    for item in items:
        if FIXTURE in getattr(item, "fixturenames", ()):
            own = item.get_closest_marker("benchmark")
            options = {"timer": run_seconds, **(own.kwargs if own else {})}
            item.add_marker(pytest.mark.benchmark(**options), append=False)
    if not wanted and config.getoption("benchmark_only", default=False):
        return
    others = [item for item in items if _is_benchmark(item, wanted) != wanted]
    config.stash[FOUND] = len(items) - len(others)
    if not others:
        return
    items[:] = [item for item in items if _is_benchmark(item, wanted) == wanted]
    config.stash[LEFT_OUT] = 0 if wanted else len(others)
    config.hook.pytest_deselected(items=others)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if (gate := config.stash.get(GATE, None)) is not None:
        terminalreporter.section("pbtbench: gate")
        for line in gate.text:
            terminalreporter.write_line(line)
    if _wanted(config) and not config.stash.get(FOUND, 0):
        terminalreporter.write_line(EXAMPLE)
    if left_out := config.stash.get(LEFT_OUT, 0):
        what = "benchmark" if left_out == 1 else "benchmarks"
        flag = FLAG if config.stash.get(FREE, False) else OURS
        terminalreporter.write_line(f"{left_out} {what} left out: pytest {flag} runs them")
