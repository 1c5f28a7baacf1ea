"""`pbt_benchmark`: a study's runs as a benchmark's rounds, and what is kept of them."""

from __future__ import annotations

import json
import os
import sys
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import scipy.stats  # noqa: F401 - before any project that is run in this process, which may import it once

from pbtbench import engines
from pbtbench.measures import measure
from pbtbench.study import Study

PLAIN = """
def test_plain(pbt_benchmark):
    result = pbt_benchmark(problem="toy.plain", method="pbt", interval=5, target=1.1, rounds=3)
    assert result.reached
"""


TWO = """

def test_two(pbt_benchmark):
    pbt_benchmark(problem="toy.plain", methods=["pbt", "random"], interval=5, rounds=2)
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Whoever runs these tests in several processes: the projects in them are run in one."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture
def benchmarked(pytester):
    """Runs benchmarks whose text is given, and gives pytest's result and what is stored of them."""

    def run(text, *flags):
        pytester.makepyfile(text)
        result = pytester.runpytest(
            "--benchmark", "--benchmark-json=out.json", "-W", "error", *flags
        )
        file = pytester.path / "out.json"
        stored = json.loads(file.read_text())["benchmarks"] if file.is_file() else []
        return result, {one["name"]: one for one in stored}

    return run


def refused(benchmarked, call):
    """The one line by which a benchmark's call is refused."""
    result, _ = benchmarked(f"import pytest\n{call}", "-W", "ignore")
    result.assert_outcomes(failed=1)
    lines = result.outlines
    (first,) = [place for place, line in enumerate(lines) if line.startswith("_____")]
    assert not any("Traceback" in line or line.startswith("E  ") for line in lines)
    return lines[first + 1]


def test_a_round_is_a_seed_and_its_measures_are_those_of_the_run(benchmarked):
    result, stored = benchmarked(PLAIN)
    result.assert_outcomes(passed=1)
    info = stored["test_plain"]["extra_info"]
    (entry,) = info["pbtbench"]["entries"].values()
    keys = {"problems": ["toy.plain"], "methods": ["pbt"], "intervals": [5], "targets": [1.1]}
    runs = Study.plan({**keys, "seeds": 3}).runs
    found = [measure(run, engines.execute(run)) for run in runs]
    assert entry["seeds"] == [0, 1, 2]
    assert entry["measures"]["forks"] == [m.overhead.forks for m in found]
    assert entry["measures"]["bytes_moved"] == [m.overhead.bytes_moved for m in found]
    assert entry["measures"]["final_score"] == [m.quality.final_score for m in found]
    reached = [m.attempts[0].iterations for m in found]
    assert entry["measures"]["iterations_to_target"] == reached
    assert info["iterations_to_target"] == sorted(reached)[1]
    assert (info["reached"], info["cause"]) == (True, "")


def test_a_benchmarks_time_is_what_its_runs_took(benchmarked):
    _, stored = benchmarked(
        """
        def test_two(pbt_benchmark):
            pbt_benchmark(problem="toy.plain", methods=["pbt", "random"], rounds=3)
        """
    )
    entries = stored["test_two"]["extra_info"]["pbtbench"]["entries"]
    assert set(entries) == {"pbt k=1", "random"}
    walls = [entry["measures"]["wall_s"] for entry in entries.values()]
    assert stored["test_two"]["stats"]["data"] == pytest.approx(
        [sum(of) for of in zip(*walls, strict=True)]
    )


def test_methods_are_compared_within_a_test(benchmarked):
    result, _ = benchmarked(
        """
        import numpy as np

        def test_two(pbt_benchmark):
            result = pbt_benchmark(
                problem="toy.plain", methods=["pbt", "random"], intervals=[1, 5], target=1.15, rounds=2
            )
            assert result.labels == ("pbt k=1", "pbt k=5", "random")
            pbt, random = result.of("pbt k=1"), result.of("random")
            assert (len(result.of("pbt").measures), len(random.measures)) == (4, 2)
            assert pbt.median("forks") > result.of("pbt k=5").median("forks") > 0
            assert np.array_equal(random["forks"], [0, 0])
        """
    )
    result.assert_outcomes(passed=1)


def test_a_missed_target_is_infinite_and_said_to_be_missed(benchmarked):
    result, stored = benchmarked(
        """
        import math

        def test_missed(pbt_benchmark):
            result = pbt_benchmark(problem="toy.plain", method="pbt", targets=[0.1, 1.19999], rounds=2)
            assert not result.reached
            assert math.isinf(result.at(1.19999).median("iterations_to_target"))
            assert result.at(0.1).reached
        """
    )
    result.assert_outcomes(passed=1)
    info = stored["test_missed"]["extra_info"]
    assert (info["reached"], info["cause"]) == (False, "budget")
    assert info["iterations_to_target[1.19999]"] is None
    (entry,) = info["pbtbench"]["entries"].values()
    assert entry["measures"]["iterations_to_target[1.19999]"] == [None, None]
    assert None not in entry["measures"]["iterations_to_target[0.1]"]


def test_a_problem_may_be_an_object_of_the_tests_own_module(benchmarked):
    result, stored = benchmarked(
        """
        from dataclasses import replace
        from problems.toy.plain import PROBLEM

        MINE = replace(PROBLEM, title="mine", iterations=7)

        def test_mine(pbt_benchmark):
            result = pbt_benchmark(problem=MINE, method="random", rounds=1)
            assert (result["iterations_made"] == 7).all()
        """
    )
    result.assert_outcomes(passed=1)
    (entry,) = stored["test_mine"]["extra_info"]["pbtbench"]["entries"].values()
    assert entry["problem"].endswith(".MINE")


def test_a_study_file_gives_the_rounds_that_it_declares(benchmarked, pytester):
    pytester.path.joinpath("mine.toml").write_text(
        'problems = ["toy.plain"]\nmethods = ["random"]\nseeds = 4\niterations = 3\n'
    )
    result, stored = benchmarked(
        """
        def test_file(pbt_benchmark):
            pbt_benchmark("mine.toml", iterations=2)
        """
    )
    result.assert_outcomes(passed=1)
    (entry,) = stored["test_file"]["extra_info"]["pbtbench"]["entries"].values()
    assert (entry["seeds"], entry["settings"]["iterations"]) == ([0, 1, 2, 3], 2)


def test_a_users_own_options_of_a_benchmark_stay(benchmarked):
    _, stored = benchmarked(f"import pytest\n@pytest.mark.benchmark(group='mine'){PLAIN}")
    assert stored["test_plain"]["group"] == "mine"
    assert stored["test_plain"]["options"]["timer"] == "run_seconds"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            "problem='toy.plane'",
            "pbt_benchmark: unknown problem 'toy.plane': did you mean 'toy.plain'?",
        ),
        ("problem='toy.plain', metod='pbt'", "pbt_benchmark: unknown key 'metod'"),
        ("problem='toy.plain', rounds=0", "pbt_benchmark: seeds = 0"),
        ("problem='toy.plain', problems=['toy.plain']", "both problem and problems are given"),
        ("problem='toy.plain', rounds=2, seeds=2", "both rounds and seeds are given"),
        ("method='pbt'", "nothing to run: give a problem, or a study"),
        ("study='no.toml'", "study 'no.toml': No such file"),
        ("problem=object()", "no module has it under a name"),
        ("problem='toy.plain', engine='inproces'", "did you mean 'inprocess'?"),
        ("problem='toy.plain', method='pbt', interval=10**9", "nothing would ever be perturbed"),
    ],
)
def test_what_cannot_be_run_is_one_line(benchmarked, call, says):
    assert says in refused(benchmarked, f"def test_it(pbt_benchmark): pbt_benchmark({call})")


def test_a_run_that_crashes_fails_its_benchmark_by_its_cause(benchmarked):
    text = """
from pbtbench import *
class Dies:
    size, traces = 4, 0
    made = 0
    def train(self, steps):
        self.made += 1
        if self.made > 2: raise RuntimeError("out of luck")
    def evaluate(self): return {"score": __import__("numpy").ones(self.size)}
    def state(self, member): return {}
    def adopt(self, member, state, hyperparameters): pass
def start(hyperparameters, seeds):
    found = Dies()
    found.size = len(seeds)
    return found
PROBLEM = Problem("t", "s", "f", Space({"x": Uniform(0, 1)}), Objective("score", "max"), 5, 1, start)
def test_it(pbt_benchmark): pbt_benchmark(problem=PROBLEM, method="random", population=4, rounds=1)
"""
    line = refused(benchmarked, text)
    assert "random/inprocess/s0: crash: " in line
    assert "out of luck" in line


def test_an_ordinary_run_leaves_it_out(pytester):
    pytester.makepyfile(PLAIN)
    result = pytester.runpytest()
    result.assert_outcomes(deselected=1)
    result.stdout.fnmatch_lines(["1 benchmark left out: pytest --benchmark runs them"])


def test_beside_other_processes_it_is_refused(pytester):
    pytester.makepyfile(PLAIN)
    result = pytester.runpytest("--benchmark", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--benchmark measures*leave out -n*"])


def test_who_has_no_benchmark_is_told_how_to_write_one(pytester):
    pytester.makepyfile("def test_check(): pass")
    result = pytester.runpytest("--benchmark")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("def test_"))
    example = "\n".join(line.removeprefix("    ") for line in lines[start : start + 3])
    pytester.makepyfile(test_example=example)
    pytester.runpytest("--benchmark").assert_outcomes(passed=1, deselected=1)


def gated(pytester, *flags):
    return pytester.runpytest("--benchmark", "--benchmark-gate=base.json", *flags)


def test_a_gate_trips_by_what_got_worse_and_a_baseline_moves(pytester):
    pytester.makepyfile(PLAIN)
    missing = gated(pytester)
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    missing.stderr.fnmatch_lines(["*base.json: no such file; --benchmark-gate-update makes it"])
    file = pytester.path / "base.json"
    made = gated(pytester, "--benchmark-gate-update")
    assert made.ret == 0
    made.stdout.fnmatch_lines(["base.json: the new baseline"])
    assert gated(pytester).ret == 0
    baseline = json.loads(file.read_text())
    (entry,) = next(iter(baseline["benchmarks"].values())).values()
    entry["measures"]["forks"][1] -= 1
    file.write_text(json.dumps(baseline))
    worse = gated(pytester)
    assert worse.ret == pytest.ExitCode.TESTS_FAILED
    worse.stdout.fnmatch_lines(["* forks *worse, in 1 of 3 seeds*", "*1 measure worse*"])
    assert gated(pytester, "--benchmark-gate-update").ret == 0
    assert gated(pytester).ret == 0


def test_a_benchmark_that_fails_moves_no_baseline(pytester):
    pytester.makepyfile(PLAIN)
    gated(pytester, "--benchmark-gate-update")
    before = (pytester.path / "base.json").read_bytes()
    pytester.makepyfile(PLAIN.replace("result.reached", "not result.reached"))
    result = gated(pytester, "--benchmark-gate-update")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["base.json: not moved, as a benchmark failed"])
    assert (pytester.path / "base.json").read_bytes() == before


@pytest.mark.parametrize(
    ("make", "flags", "says"),
    [
        (lambda file: file.write_text("{"), [], "*base.json: damaged (no JSON*"),
        (os.mkfifo, [], "*base.json: it is no file*"),
        (Path.mkdir, [], "*base.json*"),
        (Path.mkdir, ["--benchmark-gate-update"], "*base.json: a folder*"),
        (None, ["--benchmark-gate=none/b.json", "--benchmark-gate-update"], "*no folder none*"),
        (None, [f"--benchmark-gate={'x' * 300}"], "*name is too long*"),
        (None, ["--benchmark-gate-update", "--benchmark-disable"], "*leave one of them out*"),
    ],
)
def test_a_gate_that_cannot_be_is_one_line_before_anything_runs(pytester, make, flags, says):
    pytester.makepyfile("def test_it(pbt_benchmark): print('it ran')")
    if make:
        make(pytester.path / "base.json")
    result = gated(pytester, "-s", *flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert fnmatch(line, f"ERROR: {says}")
    assert "it ran" not in result.outlines


def test_what_would_move_no_baseline_says_so(pytester):
    result = pytester.runpytest("--benchmark", "--benchmark-gate-update")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--benchmark-gate-update moves a baseline: give *"])


def test_disabled_it_runs_one_round_as_pytest_benchmark_has_it(pytester):
    pytester.makepyfile(PLAIN + "    assert len(result.measures) == 1")
    pytester.runpytest("--benchmark", "--benchmark-disable").assert_outcomes(passed=1)


def test_benchmark_skip_and_only_mean_what_they_do_for_pytest_benchmark(pytester):
    pytester.makepyfile(PLAIN + "\n\ndef test_check(): pass")
    pytester.runpytest("--benchmark", "--benchmark-skip").assert_outcomes(skipped=1, deselected=1)
    pytester.runpytest("--benchmark-only").assert_outcomes(passed=1, skipped=1)


def test_saved_benchmarks_are_compared_by_pytest_benchmark_too(pytester):
    pytester.makepyfile(PLAIN)
    saved = pytester.runpytest("--benchmark", "--benchmark-autosave")
    assert saved.ret == 0
    assert len([*pytester.path.glob(".benchmarks/*/0001_*.json")]) == 1
    result = pytester.runpytest("--benchmark", "--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines_random(["test_plain (0001_*", "test_plain (NOW)*"])


def test_a_histogram_without_pygal_says_what_to_install(pytester, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygal", None)
    pytester.makepyfile(PLAIN)
    result = pytester.runpytest("--benchmark", "--benchmark-histogram")
    assert result.ret != 0
    assert "pytest-benchmark[histogram]" in result.stdout.str() + result.stderr.str()


def test_junit_has_each_measures_median(benchmarked, pytester):
    text = PLAIN + TWO
    _, stored = benchmarked(text, "--junitxml=out.xml")
    cases = ET.parse(pytester.path / "out.xml").getroot().iter("testcase")
    found = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in cases
    }
    plain = {k: v for k, v in stored["test_plain"]["extra_info"].items() if k != "pbtbench"}
    assert found["test_plain"] == {name: str(value) for name, value in plain.items()}
    two = stored["test_two"]["extra_info"]
    for label in ("pbt k=5", "random"):
        assert found["test_two"][f"{label}: final_score"] == str(two[label]["final_score"])


def test_a_benchmark_that_fails_is_missing_from_the_gate(pytester):
    pytester.makepyfile(PLAIN)
    gated(pytester, "--benchmark-gate-update")
    pytester.makepyfile(PLAIN.replace("toy.plain", "toy.plane"))
    result = gated(pytester)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*nothing was measured*"])
