"""Runs that hang, die or raise are recorded with their cause; the study goes on; nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from pbtbench.errors import BadInput
from pbtbench.run import Run
from pbtbench.running.runner import run_study
from pbtbench.running.time_left import TimeLeft
from pbtbench.store import Store
from pbtbench.study import Study
from pbtbench.study.growth import Growth

PROBLEM = """
import os, signal, threading
import numpy as np
from pbtbench import Objective, Problem, Space, Uniform

class One:
    size, traces = 1, 0
    def __init__(self, x): self.x, self.step = x, 0
    def train(self, steps):
        self.step += 1
        {train}
    def evaluate(self): return {{"score": np.array([self.x])}}
    def state(self, member): return {{"x": np.array(self.x)}}
    def adopt(self, member, state, hyperparameters): self.x = hyperparameters["x"]

def start(hyperparameters, seeds):
    from pbtbench import LoopedPopulation
    return LoopedPopulation([One(h["x"]) for h in hyperparameters])

PROBLEM = Problem("t", "s", "f", Space({{"x": Uniform(0, 1)}}), Objective("score", "max"), 5, 1, start)
"""


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.kept = 0
        self.causes: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        self.progress: list[dict[str, Any]] = []
        self.checked: list[str] = []

    def reading(self, ids: Sequence[str]) -> Iterable[str]:
        return ids

    def planned(self, growth: Growth, left: TimeLeft) -> None:
        self.kept = growth.runs - len(growth.missing)

    def checking(self, run: Run) -> None:
        self.checked.append(run.problem)

    def started(self, run: Run) -> None: ...

    def progressed(self, progress: dict[str, Any]) -> None:
        self.progress.append(progress)

    def ended(self, run: Run, done: dict[str, Any]) -> None:
        self.causes[run.id] = done["cause"]
        self.messages[run.id] = done["message"]


@pytest.fixture
def problem_that(tmp_path: Path):
    """Make a problem file whose third training call does what the given statement says."""

    def make(name: str, train: str) -> str:
        file = tmp_path / f"{name}.py"
        file.write_text(PROBLEM.format(train=f"if self.step == 3: {train}"))
        return str(file)

    return make


def run(
    problems: list[str], folder: Path, *, again: bool = False, **keys: Any
) -> tuple[Store, Notes]:
    study = Study.plan({"problems": problems, "methods": ["random"], "seeds": 1, **keys})
    store, notes = Store.claim(folder), Notes()
    run_study(study, store, notes, again=again)
    return store, notes


def test_a_study_goes_on_after_runs_that_raise_die_and_hang(problem_that, tmp_path):
    problems = [
        problem_that("raises", "raise ValueError('no\\nluck')"),
        problem_that("dies", "os.kill(os.getpid(), signal.SIGKILL)"),
        problem_that("hangs", "threading.Event().wait()"),
        problem_that("fine", "pass"),
    ]
    store, notes = run(problems, tmp_path / "out", limit_s=2)
    assert notes.causes == {
        "raises/random/inprocess/s0": "crash",
        "dies/random/inprocess/s0": "crash",
        "hangs/random/inprocess/s0": "hang",
        "fine/random/inprocess/s0": "",
    }
    assert notes.messages["raises/random/inprocess/s0"] == "ValueError: no luck (raises.py:11)"
    assert "SIGKILL" in notes.messages["dies/random/inprocess/s0"]
    assert "limit of 2 s" in notes.messages["hangs/random/inprocess/s0"]
    assert {m.run.id: m.cause for m in store.runs()} == notes.causes
    assert store.left_out == []


def test_what_a_hanging_run_recorded_before_is_kept(problem_that, tmp_path):
    hangs = problem_that("hangs", "threading.Event().wait()")
    store, _ = run([hangs], tmp_path / "out", limit_s=1, population=2)
    (hung,) = store.runs()
    record = store.record(hung.run)
    assert record.scores.iteration.tolist() == [1, 1, 2, 2]
    assert len(record.timeline.rows("error")) == 1
    assert record.notes.text[record.notes.named("hang")].tolist() == [hung.message]
    assert hung.made == {2: 2}


def test_finished_runs_are_kept_and_failed_ones_tried_again(problem_that, tmp_path):
    flag = tmp_path / "mended"
    mends = problem_that("mends", f"assert os.path.exists({str(flag)!r})")
    fine = problem_that("fine", "pass")
    _, first = run([mends, fine], tmp_path / "out")
    flag.touch()
    _, second = run([mends, fine], tmp_path / "out")
    assert first.causes["mends/random/inprocess/s0"] == "crash"
    assert second.causes == {"mends/random/inprocess/s0": ""}
    assert second.kept == 1
    assert not list((tmp_path / "out").glob(".part-*"))


def test_bad_input_in_a_run_fails_the_run_and_not_the_study(problem_that, tmp_path):
    raises = problem_that("bad", "from pbtbench import BadInput; raise BadInput('use y')")
    _, notes = run([raises, problem_that("fine", "pass")], tmp_path / "out")
    assert notes.causes == {"bad/random/inprocess/s0": "crash", "fine/random/inprocess/s0": ""}
    assert notes.messages["bad/random/inprocess/s0"] == "use y (bad.py:11)"


def test_a_problem_that_can_not_be_run_is_refused_before_any_run(problem_that, tmp_path):
    """In its first step, with one line; what fails otherwise is left to the runs."""
    file = tmp_path / "bad.py"
    file.write_text(PROBLEM.format(train="from pbtbench import BadInput; raise BadInput('use y')"))
    with pytest.raises(BadInput, match=r"bad\.py': use y \(bad\.py:11\)"):
        run([problem_that("fine", "pass"), str(file)], tmp_path / "out")
    assert not list((tmp_path / "out").rglob("run.json"))
    file.write_text(PROBLEM.format(train="os._exit(0)"))
    with pytest.raises(BadInput, match=r"bad\.py'.*its process died \(exit code 0\)"):
        run([str(file)], tmp_path / "other")


LEAVES = {
    "SystemExit: 0": "raise SystemExit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "Odd: (1, 2)": "raise type('Odd', (Exception,), {'__init__': lambda s, a, b: None})(1, 2)",
}


@pytest.mark.parametrize("line", LEAVES)
def test_whatever_a_problem_leaves_by_fails_its_run_with_its_place(problem_that, tmp_path, line):
    _, notes = run([problem_that("leaves", LEAVES[line])], tmp_path / "out", seeds=2)
    assert set(notes.causes.values()) == {"crash"}
    assert set(notes.messages.values()) == {f"{line} (leaves.py:11)"}


def test_the_log_has_the_whole_traceback(tmp_path):
    file = tmp_path / "deep.py"
    text = "\ndef deeper(): import json; json.loads('{')\n"
    file.write_text(PROBLEM.format(train="if self.step == 3: deeper()") + text)
    _, notes = run([str(file)], tmp_path / "out")
    (message,) = notes.messages.values()
    assert message.startswith("JSONDecodeError: ")
    assert message.endswith(f"(deep.py:{file.read_text().splitlines().index(text.strip()) + 1})")
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "deep/random/inprocess/s0: crash: JSONDecodeError" in log
    for words in (f'File "{file}", line 11, in train', "in deeper", "in raw_decode"):
        assert words in log


def test_a_run_that_goes_on_is_not_ended_by_its_limit(tmp_path):
    """Neither while an iteration of all its members lasts longer, nor all iterations together."""
    file = tmp_path / "steady.py"
    file.write_text(PROBLEM.format(train="threading.Event().wait(0.3)"))
    _, notes = run([str(file)], tmp_path / "out", population=8, iterations=3, limit_s=1.5)
    assert notes.causes == {"steady/random/inprocess/s0": ""}


def test_a_call_to_a_worker_that_lasts_beyond_the_limit_is_no_hang_while_it_goes_on(tmp_path):
    """An interval is one call: the driver hears of it while it lasts."""
    file = tmp_path / "steady.py"
    file.write_text(PROBLEM.format(train="threading.Event().wait(0.3)"))
    keys = {"methods": ["pbt"], "engines": ["ray"], "population": 4, "intervals": [8]}
    _, notes = run([str(file)], tmp_path / "out", **keys, iterations=9, limit_s=2.5)
    assert notes.causes == {"steady/pbt/ray/k8/s0": ""}


def _descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _until(condition, limit_s: float = 60.0) -> None:
    tick = __import__("threading").Event()
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        tick.wait(0.02)


@pytest.mark.parametrize("kept", [0, 1, 7])
def test_a_study_resumes_after_sigkill_as_if_nothing_had_happened(tmp_path, kept):
    flags = ["--problems", "toy.noisy_quadratic", "--methods", "pbt", "--intervals", "1,10"]
    flags += ["--seeds", "8", "--population", "16"]
    command = [sys.executable, "-m", "pbtbench", "run", *flags, "--out", str(tmp_path / "out")]
    stored = lambda: list((tmp_path / "out").glob("runs/**/run.json"))  # noqa: E731

    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _until(lambda: len(stored()) >= kept and _descendants(killed.pid))
    offspring = _descendants(killed.pid)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    _until(lambda: not any(map(_alive, offspring)))
    before = {file: file.stat().st_mtime_ns for file in stored()}
    assert kept <= len(before) < 16

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of them kept" in done.stdout or not before
    assert {f: f.stat().st_mtime_ns for f in before} == before

    whole = Study.load(
        None,
        {
            "problems": ["toy.noisy_quadratic"],
            "methods": ["pbt"],
            "intervals": [1, 10],
            "seeds": 8,
            "population": 16,
        },
    )
    resumed = Store.open(tmp_path / "out")
    planned = [r.id for r in whole.runs]
    assert planned == sorted((m.run.id for m in resumed.runs()), key=planned.index)
    from pbtbench import engines

    for run_ in whole.runs[:2]:
        again, stored = engines.execute(run_).record, resumed.record(run_)
        for metric, values in again.scores.metrics.items():
            assert stored.scores.metrics[metric].tolist() == values.tolist()


@pytest.mark.parametrize(
    ("engine", "until"), [("tune", "ray::Member"), ("ray", "ray::Worker"), ("ray", "gcs_server")]
)
def test_nothing_of_ray_outlives_a_study_that_is_killed_and_the_study_resumes(
    tmp_path, engine, until
):
    """Killed while it trains, or while Ray starts."""
    flags = ["--problems", "toy.pbt_quadratic", "--methods", "pbt", "--engines", engine]
    flags += ["--population", "2", "--iterations", "6", "--intervals", "3", "--seeds", "1"]
    command = [sys.executable, "-m", "pbtbench", "run", *flags]  # --out is a relative default
    killed = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _until(lambda: any(until in name for name in map(_name, _descendants(killed.pid))))
    offspring = _descendants(killed.pid)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    _until(lambda: not any(map(_alive, offspring)))

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "results" / "study"
    assert [m.run.engine for m in Store.open(out).runs() if not m.cause] == [engine]
    assert not list(out.glob(".part-*"))


def test_nothing_of_ray_outlives_a_run_that_hangs(problem_that, tmp_path):
    """So that nothing of it disturbs the next run."""
    hangs = problem_that("hangs", "threading.Event().wait()")
    before = _of_ray()
    keys = {"engines": ["ray"], "engine": {"ray": {"hang_s": 100.0}}, "limit_s": 5}
    _, notes = run([hangs], tmp_path / "out", **keys)
    assert notes.causes == {"hangs/random/ray/s0": "hang"}
    assert _of_ray() <= before


def _of_ray() -> set[int]:
    """Ray's servers and workers that are alive."""
    started = ("raylet", "gcs_server")
    return {
        process.pid
        for process in psutil.process_iter(["name"])
        if (process.info["name"] in started or _name(process).startswith("ray::"))
        and _alive(process)
    }


def test_ctrl_c_stops_cleanly_and_says_how_to_resume(tmp_path):
    file = tmp_path / "slow.py"
    file.write_text(PROBLEM.format(train="threading.Event().wait(0.5)"))
    command = [
        sys.executable,
        "-m",
        "pbtbench",
        "run",
        "--problems",
        str(file),
        "--methods",
        "random",
        "--seeds",
        "12",
        "--population",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    _until(lambda: list((tmp_path / "out").glob("runs/**/run.json")))
    offspring = _descendants(process.pid)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1].endswith("the same command resumes")
    assert "Traceback" not in said
    assert offspring
    assert not any(map(_alive, offspring))
    assert (tmp_path / "out" / "summary.csv").is_file()
    assert 1 <= len(Store.open(tmp_path / "out").runs()) < 12
    assert [f.name for f in (tmp_path / "out" / "runs").iterdir()] == ["slow"]
