"""Intervals from what checkpoints cost alone: fits against the costs that runs were made with, intervals
against the closed forms, and short runs that measure."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fabricated import a_folder, a_run, an_outcome, fork, score, started, timed
from hypothesis import given
from hypothesis import strategies as st
from small_studies import PROBLEM

from pbtbench import BadInput
from pbtbench.measures import closed_forms, measure
from pbtbench.report import advise_by_cost as words
from pbtbench.statistics.cost_fit import CostAdvice, Shares, cost_fit, iteration_s, shares
from pbtbench.statistics.intervals import BUDGET

SAVE = 0.02, 3e-9
"""Fixed seconds of a save, and those of a byte."""
RESTORE = 0.05, 8e-9
RESTART_S = 1.5
SIZES = 1_000_000, 16_000_000, 64_000_000


def a_pair(size, seed=0, *, engine="tune", factor=1.0, save=SAVE, forks=2, cause=""):
    """A run with so many forks whose checkpoints take what is known, times `factor`."""
    run = a_run(
        f"lab@{size}", "pbt", 1, engine, seed, goal="max", iterations=4, population=2
    )  # fmt: skip
    rows = [started(0, rate=1), started(1, rate=2)]
    for i in range(1, 5):
        rows += [timed("train", i, 0.4, 0, 0, i), timed("evaluate", i + 0.5, 0.1, 0, 0, i)]
        rows += [score(i + 0.6, m, i, 0.5) for m in (0, 1)]
    for i in range(1, 1 + forks):
        rows += [
            timed("save", i, factor * (save[0] + save[1] * size), 0, 0, i, size),
            timed("restart", i, factor * RESTART_S, 0, 1, i),
            timed("restore", i, factor * (RESTORE[0] + RESTORE[1] * size), 0, 1, i, size),
            fork(i, 1, 0, i, old=2, new=1),
        ]
    return run, an_outcome(*rows, wall_s=30.0, cause=cause)


def measured(pairs):
    return [measure(run, outcome) for run, outcome in pairs]


def a_fit(asked=32e6, **fields):
    return cost_fit(measured(a_pair(size, **fields) for size in SIZES), "tune", asked)


def advice(state_bytes=32e6, iteration_s=10.0, parts=Shares(1.0, 1.0), fit=None):  # noqa: B008
    return CostAdvice(fit or a_fit(), state_bytes, iteration_s, parts)


class TestAFit:
    def test_finds_what_costs_were_made_of(self):
        fit = a_fit()
        for stage, (fixed_s, s_per_byte) in {
            "save": SAVE, "restore": RESTORE, "restart": (RESTART_S, 0),
            "persist": (0, 0), "transfer": (0, 0),
        }.items():  # fmt: skip
            line = fit.lines[stage]
            assert line.fixed_s == pytest.approx(fixed_s, abs=1e-9)
            assert line.s_per_byte == pytest.approx(s_per_byte, abs=1e-15)
        assert (fit.smallest, fit.largest, fit.runs) == (SIZES[0], SIZES[-1], 3)

    def test_that_is_exact_leaves_no_doubt(self):
        at = a_fit().lines["save"].at(32e6)
        assert at.value == pytest.approx(SAVE[0] + SAVE[1] * 32e6)
        assert at.low == pytest.approx(at.value, rel=1e-6)
        assert at.high == pytest.approx(at.value, rel=1e-6)

    def test_of_as_many_points_as_numbers_says_nothing_of_its_error(self):
        fit = cost_fit(measured(a_pair(size) for size in SIZES[:2]), "tune", 2e6)
        at = fit.lines["save"].at(2e6)
        assert at.value == pytest.approx(SAVE[0] + SAVE[1] * 2e6)
        assert (at.low, at.high) == (0, math.inf)
        assert advice(2e6, fit=fit).least_between[1] is None

    def test_holds_the_truth_about_as_often_as_it_says(self):
        rng = np.random.default_rng(0)
        truth, held = SAVE[0] + SAVE[1] * 32e6, 0
        for _ in range(100):
            pairs = [
                a_pair(size, seed, factor=rng.normal(1, 0.1)) for size in SIZES for seed in (0, 1)
            ]
            at = cost_fit(measured(pairs), "tune", 32e6).lines["save"].at(32e6)
            held += at.low <= truth <= at.high
        assert 88 <= held <= 100

    def test_of_costs_that_fall_with_the_size_is_constant(self):
        fit = a_fit(save=(1.0, -1e-9))
        assert fit.lines["save"].s_per_byte == 0
        assert 0.9 < fit.lines["save"].fixed_s < 1.0

    def test_of_costs_below_zero_at_nothing_goes_through_it(self):
        fit = a_fit(save=(-0.002, 5e-9))
        assert fit.lines["save"].fixed_s == 0
        assert fit.lines["save"].s_per_byte > 0

    def test_leaves_out_what_failed_and_what_never_forked(self):
        pairs = [a_pair(size) for size in SIZES]
        pairs += [a_pair(SIZES[0], 1, factor=9, cause="crash"), a_pair(SIZES[0], 2, forks=0)]
        assert cost_fit(measured(pairs), "tune", 32e6).runs == 3

    def test_of_one_size_is_good_for_that_one(self):
        runs = measured(a_pair(SIZES[0], seed) for seed in range(3))
        assert cost_fit(runs, "tune", SIZES[0]).lines["save"].at(SIZES[0]).value == pytest.approx(
            SAVE[0] + SAVE[1] * SIZES[0]
        )
        with pytest.raises(BadInput, match="give runs of several sizes"):
            cost_fit(runs, "tune", 2 * SIZES[0])

    def test_of_an_engine_that_was_not_run_names_those_that_were(self):
        with pytest.raises(BadInput, match="there are such runs on tune"):
            cost_fit(measured([a_pair(SIZES[0])]), "ray", 1e6)

    def test_iterations_are_timed_over_all_runs(self):
        """0.5 s of each of four rounds, which are two members' iterations each."""
        assert iteration_s(measured([a_pair(SIZES[0])])) == pytest.approx(0.25)


class TestIntervals:
    @given(
        state_bytes=st.floats(1e4, 1e10), pace=st.floats(1e-3, 1e4),
        save=st.floats(0.01, 1), restore=st.floats(0.01, 1),
    )  # fmt: skip
    def test_follow_by_the_closed_forms(self, state_bytes, pace, save, restore):
        found = advice(state_bytes, pace, Shares(save, restore))
        c_s = SAVE[0] + SAVE[1] * state_bytes
        c_r = RESTORE[0] + RESTORE[1] * state_bytes + RESTART_S
        for k in (1, 7):
            omega = closed_forms.asynchronous(save, c_s, restore, c_r, k, pace)
            assert found.overhead(k).value == pytest.approx(omega, rel=1e-6)
        least = found.least_interval
        assert closed_forms.share(found.overhead(least).value) <= BUDGET * (1 + 1e-9)
        if least > 1:
            assert closed_forms.share(found.overhead(least - 1).value) >= BUDGET * (1 - 1e-9)

    def test_of_the_table_go_on_until_checkpoints_are_next_to_nothing(self):
        rows = advice().intervals()
        intervals = [row.interval for row in rows]
        assert intervals[:3] == [1, 2, 4]
        assert intervals == sorted({1, 2, 5, 10, 20, 4})
        assert rows[-1].share <= BUDGET / 5

    def test_that_are_sure_of_nothing_say_so(self):
        fit = cost_fit(measured(a_pair(size) for size in SIZES[:2]), "tune", 2e6)
        first, *_ = words.sentences(advice(2e6, 1.0, fit=fit), 8, 2)
        assert "by so few runs" in first

    def test_of_sizes_that_were_not_measured_are_extrapolated(self):
        assert not any("extrapolated" in s for s in words.sentences(advice(), 8, 2))
        beyond = list(words.sentences(advice(640e6), 8, 2))
        assert any("640 MB is 10 times larger than what was measured" in s for s in beyond)
        below = list(words.sentences(advice(1e5), 8, 2))
        assert any("100 kB is 10 times smaller than what was measured" in s for s in below)

    def test_are_said_with_what_they_rest_on(self):
        found = list(words.sentences(advice(), 8, 2))
        assert found[0] == (
            "Set perturbation_interval to at least 4 (state of 32 MB, 10 s an iteration, tune): from there on "
            "checkpoints take 5% of the time or less."
        )
        assert "100% of 8 members on 2 workers save and 100% restore" in found[1]
        cheap = next(words.sentences(advice(iteration_s=1e5), 8, 2))
        assert cheap.startswith("Any perturbation_interval will do")


@pytest.mark.parametrize(
    ("engine", "population", "workers", "share"),
    [
        ("tune", 8, 2, 1.0),  # members wait for a worker, and are paused
        ("tune", 8, 8, 0.25),
        ("ray", 8, 2, 0.25),
        ("inprocess", 5, 1, 0.4),  # two of five, as many as Ray Tune takes
        ("inprocess", 2, 1, 0.5),
    ],
)
def test_who_saves_and_restores(engine, population, workers, share):
    assert shares(engine, population, workers, 0.25) == Shares(share, share)


def command(*arguments, cwd, **environment):
    program = [Path(sys.executable).with_name("pbtbench"), "advise", *map(str, arguments)]
    return subprocess.run(
        program, capture_output=True, text=True, check=False, cwd=cwd,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_costs_come_from_a_study(tmp_path):
    a_folder(tmp_path / "costs", *(a_pair(size) for size in SIZES))
    asked = ["--state-mb", 32, "--iteration-s", 10, "--costs", "costs"]
    done = command(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Set perturbation_interval to at least 4 (state of 32 MB")
    assert "how many iterations a target takes" in done.stdout
    done = command(*asked, "--workers", 8, cwd=tmp_path)
    assert done.stdout.startswith("Any perturbation_interval will do")


BAD = {
    "nothing": ([], "give a study's folder"),
    "no pace": (["--state-mb", 1], "--iteration-s is missing"),
    "no size": (["--iteration-s", 1], "--state-mb is missing"),
    "no number": (["--state-mb", "nan", "--iteration-s", 1], "finite"),
    "nothing to save": (["--state-mb", 0, "--iteration-s", 1], "greater than 0"),
    "a size below zero": (["--state-mb", -1, "--iteration-s", 1], "greater than 0"),
    "a size beyond reason": (["--state-mb", 1e300, "--iteration-s", 1], "less than or equal"),
    "no time": (["--state-mb", 1, "--iteration-s", 0], "greater than 0"),
    "an endless time": (["--state-mb", 1, "--iteration-s", "inf"], "finite"),
    "one member": (["--state-mb", 1, "--iteration-s", 1, "--population", 1], "--population = 1"),
    "no workers": (["--state-mb", 1, "--iteration-s", 1, "--workers", 0], "--workers = 0"),
    "all replaced": (
        ["--state-mb", 1, "--iteration-s", 1, "--quantile-fraction", 0.6],
        "--quantile-fraction = 0.6",
    ),
    "an unknown engine": (["--state-mb", 1, "--iteration-s", 1, "--engine", "tun"], "'tune'"),
    "no folder of costs": (["--state-mb", 1, "--iteration-s", 1, "--costs", "no"], "no"),
    "a target of costs": (["--state-mb", 1, "--iteration-s", 1, "--target", 1], "--target"),
    "a size of a study": (["out", "--state-mb", 1], "--state-mb"),
    "a problem without --probe": (["mine.py:Mine"], "add --probe"),
    "a probe of nothing": (["--probe"], "give the problem"),
    "a probe of no file": (["mine.py:Mine", "--probe"], "no such file"),
    "a probe of no problem": (["toy.bran", "--probe"], "did you mean"),
    "a probe with costs": (["toy.branin", "--probe", "--costs", "x"], "--costs"),
    "a probe of no time": (["toy.branin", "--probe", "--minutes", 0], "--minutes = 0"),
    "a probe of a week": (["toy.branin", "--probe", "--minutes", 1e5], "--minutes = 1"),
    "a folder that is none": (["nowhere"], "nowhere"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_with_the_remedy(what, tmp_path):
    arguments, told = BAD[what]
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("pbtbench: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


class TestAProbe:
    def test_measures_a_users_problem(self, tmp_path):
        (tmp_path / "mine.py").write_text(
            PROBLEM.format(train="import time; time.sleep(0.02 * (self.step < 9))")
        )
        (tmp_path / "tmp").mkdir()
        done = command(
            *("mine.py", "--probe", "--engine", "inprocess"), cwd=tmp_path,
            TMPDIR=str(tmp_path / "tmp"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        advised = next(line for line in done.stdout.splitlines() if "perturbation_interval" in line)
        assert "state of 8 bytes" in advised
        assert "an iteration, inprocess" in advised
        assert "how many iterations a target takes" in done.stdout
        assert not list((tmp_path / "tmp").glob("pbtbench-advise-*"))

    @pytest.mark.parametrize("engine", ["inprocess", "tune"])
    def test_takes_a_trainable(self, engine, tmp_path):
        example = Path(__file__).parents[1] / "examples" / "my_trainable.py"
        asked = (f"{example}:Digits", "--probe", "--engine", engine, "--minutes", 10)
        done = command(*asked, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert re.search(r"\(state of 5\.\d+ kB, .* an iteration, " + engine, done.stdout)

    @pytest.mark.parametrize("step", [0, 2])
    def test_says_in_one_line_what_fails(self, step, tmp_path):
        (tmp_path / "failing.py").write_text(
            PROBLEM.format(train=f"if self.step > {step}: raise RuntimeError('no luck')")
        )
        done = command("failing.py", "--probe", "--engine", "inprocess", cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.strip() == (
            "pbtbench: failing on inprocess: crash: RuntimeError: no luck (failing.py:11)"
        )

    def test_ends_in_time(self, tmp_path):
        (tmp_path / "slow.py").write_text(
            PROBLEM.format(train="import time; time.sleep(0.1 + 60 * (self.step > 2))")
        )
        asked = ("slow.py", "--probe", "--engine", "inprocess", "--minutes", 0.1)
        done = command(*asked, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.strip() == (
            "pbtbench: slow: no run ended within 0.1 minutes; give --minutes more"
        )
