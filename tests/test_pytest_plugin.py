"""`pytest` leaves benchmarks out; `pytest --benchmark` runs only them, beside pytest-benchmark's own flags."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Whoever runs these tests in several processes: the projects in them are run in one."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with one check, one benchmark marked as ours and one that isn't. It runs by itself, also
    where these tests run beside others."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(
        """
        import pytest

        def test_check():
            assert 1 + 1 == 2

        @pytest.mark.pbtbench
        def test_marked(benchmark):
            assert benchmark(sum, [1, 2]) == 3

        def test_unmarked(benchmark):
            assert benchmark(sum, [1, 2]) == 3
        """
    )
    return pytester


def run(suite: pytest.Pytester, *flags: str) -> pytest.RunResult:
    return suite.runpytest("--strict-markers", "--benchmark-max-time=0.01", *flags)


def test_an_ordinary_run_leaves_marked_benchmarks_out_and_says_so(suite):
    result = run(suite, "-v")
    result.assert_outcomes(passed=2, deselected=1)
    result.stdout.fnmatch_lines(["*::test_check PASSED*", "1 benchmark left out: *--benchmark*"])


def test_a_users_unmarked_benchmarks_run_as_they_always_did(suite):
    run(suite, "-v").stdout.fnmatch_lines(["*::test_unmarked PASSED*"])


def test_benchmark_runs_all_benchmarks_and_nothing_else(suite):
    result = run(suite, "--benchmark", "-v")
    result.assert_outcomes(passed=2, deselected=1)
    result.stdout.fnmatch_lines(["*::test_marked PASSED*", "*::test_unmarked PASSED*"])
    result.stdout.no_fnmatch_line("*left out*")


def test_benchmark_stores_through_pytest_benchmark(suite):
    run(suite, "--benchmark", "--benchmark-json=times.json").assert_outcomes(passed=2, deselected=1)
    stored = json.loads((suite.path / "times.json").read_text())
    assert [b["name"] for b in stored["benchmarks"]] == ["test_marked", "test_unmarked"]


def test_benchmark_only_still_means_what_pytest_benchmark_says(suite):
    run(suite, "--benchmark-only").assert_outcomes(passed=2, skipped=1)


def test_benchmark_may_be_given_with_benchmark_only(suite):
    run(suite, "--benchmark", "--benchmark-only").assert_outcomes(passed=2, deselected=1)


def test_a_benchmark_named_by_its_id_waits_for_the_flag_too(suite):
    named = "test_a_benchmark_named_by_its_id_waits_for_the_flag_too.py::test_marked"
    run(suite, named).assert_outcomes(deselected=1)
    run(suite, "--benchmark", named).assert_outcomes(passed=1)


def test_without_benchmarks_nothing_is_said(pytester):
    pytester.makepyfile("def test_check(): pass")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*left out*")


def test_the_flag_and_the_marker_are_documented(pytester):
    lines = ["*--pbtbench  *run the benchmarks*", "*--benchmark means the same*"]
    pytester.runpytest("--help").stdout.fnmatch_lines(lines)
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.pbtbench: *"])


OWN_FLAG = """
def pytest_addoption(parser):
    parser.addoption("--benchmark", {how}, help="this project's own flag")
"""

ASKS = """
def test_own_flag(request):
    assert request.config.getoption("--benchmark") == {value!r}
"""


@pytest.mark.parametrize(
    ("how", "flags", "value"),
    [
        ("action='store_true'", [], False),
        ("action='store_true'", ["--benchmark"], True),
        ("default='none'", ["--benchmark=this"], "this"),
        ("default='none'", ["--benchmark", "that"], "that"),
        ("action='append'", ["--benchmark", "that"], ["that"]),
    ],
)
@pytest.mark.parametrize("place", ["conftest", "plugin"])
def test_a_projects_own_flag_of_that_name_keeps_working(suite, place, how, flags, value):
    suite.makepyfile(**{place: OWN_FLAG.format(how=how), "test_own": ASKS.format(value=value)})
    flags = [*flags, *(["-p", "plugin"] if place == "plugin" else [])]
    suite.syspathinsert()
    result = run(suite, *flags, "-v")
    result.assert_outcomes(passed=3, deselected=1)
    result.stdout.fnmatch_lines(
        ["*::test_own_flag PASSED*", "1 benchmark left out: pytest --pbtbench runs them"]
    )
    run(suite, *flags, "--pbtbench").assert_outcomes(passed=2, deselected=2)


def test_a_flag_of_that_name_that_comes_late_disturbs_nobody(suite):
    """In a folder whose conftest pytest finds only while it collects."""
    deep = suite.mkdir("deep")
    (deep / "conftest.py").write_text(OWN_FLAG.format(how="action='store_true'"))
    (deep / "test_deep.py").write_text("def test_deep(): pass")
    run(suite).assert_outcomes(passed=3, deselected=1)


HEAVY = {"numpy", "pandas", "pyarrow", "pydantic", "ray", "rich", "scipy", "tensorflow"}


@pytest.mark.parametrize("flags", [[], ["--benchmark"]])
def test_nothing_heavy_is_imported_until_a_benchmark_runs(pytester, monkeypatch, flags):
    """Neither where benchmarks are left out, nor where one waits for another test."""
    pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure():
            print("imported:", *sys.modules)
        """
    )
    pytester.makepyfile(
        """
        import pytest

        def test_check(): pass

        @pytest.mark.skip
        def test_skipped(pbt_benchmark): pass

        @pytest.mark.pbtbench
        def test_marked(): pass
        """
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = ["-p", "pytest_benchmark.plugin", "-p", "pbtbench.pytest_plugin"]
    result = pytester.runpytest_subprocess(*plugins, *flags)
    assert result.ret == 0
    (line,) = [line for line in result.outlines if line.startswith("imported:")]
    imported = set(line.split())
    assert "pbtbench.pytest_plugin" in imported
    assert not HEAVY & imported
