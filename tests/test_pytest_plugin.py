"""`pytest` leaves benchmarks out; `pytest --benchmark` runs only them, beside pytest-benchmark's own flags."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with one check, one benchmark marked as ours and one that isn't."""
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
    pytester.runpytest("--help").stdout.fnmatch_lines(["*--benchmark  *run the benchmarks*"])
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.pbtbench: *"])


def test_loading_it_costs_a_user_no_heavy_import():
    program = "import pbtbench.pytest_plugin, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "tensorflow", "ray", "pandas", "pydantic"} & set(loaded)
