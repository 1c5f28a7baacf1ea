"""A study that is killed, interrupted, or whose run hangs leaves nothing behind that goes on, and resumes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest
from small_studies import PROBLEM, Notes, run
from started import alive, started_for

from pbtbench.store import Store
from pbtbench.study import Study


def _descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


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
    _kill(killed)
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
    ("engine", "moments"), [("tune", ["ray::Member"]), ("ray", ["gcs_server", "ray::Worker"])]
)
def test_nothing_of_ray_outlives_a_study_that_is_killed_and_the_study_resumes(
    tmp_path, engine, moments
):
    """Killed while it trains, or while Ray starts; or both, one after the other."""
    flags = ["--problems", "toy.pbt_quadratic", "--methods", "pbt", "--engines", engine]
    flags += ["--population", "2", "--iterations", "6", "--intervals", "3", "--seeds", "1"]
    command = [sys.executable, "-m", "pbtbench", "run", *flags]  # --out is a relative default
    for moment in moments:
        killed = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _kill_once_there_is(moment, killed)

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "results" / "study"
    assert [m.run.engine for m in Store.open(out).runs() if not m.cause] == [engine]
    assert not list(out.glob(".part-*"))


def _kill_once_there_is(name: str, process: subprocess.Popen) -> None:
    """Kill a process once one of that name descends from it."""
    _until(lambda: any(name in found for found in map(_name, _descendants(process.pid))))
    _kill(process)


def _kill(process: subprocess.Popen) -> None:
    """Kill a process, and wait until no descendant of it is left."""
    offspring = _descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _until(lambda: not any(map(alive, offspring)))


def test_nothing_of_ray_outlives_a_run_that_hangs(problem_that, tmp_path, monkeypatch):
    """So that nothing of it disturbs the next run."""
    monkeypatch.setenv("STARTED_FOR", str(tmp_path))  # what the run starts inherits it
    seen: set[str] = set()

    class Looks(Notes):
        def progressed(self, progress):
            seen.update(process.name() for process in started_for(tmp_path))

    hangs = problem_that("hangs", "threading.Event().wait()")
    keys = {"engines": ["ray"], "engine": {"ray": {"hang_s": 100.0}}, "limit_s": 5}
    _, notes = run([hangs], tmp_path / "out", Looks(), **keys)
    assert notes.causes == {"hangs/random/ray/s0": "hang"}
    assert seen >= {"raylet", "gcs_server"}
    assert not started_for(tmp_path)


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
    assert not any(map(alive, offspring))
    assert (tmp_path / "out" / "summary.csv").is_file()
    assert 1 <= len(Store.open(tmp_path / "out").runs()) < 12
    assert [f.name for f in (tmp_path / "out" / "runs").iterdir()] == ["slow"]


def test_a_call_to_a_worker_that_lasts_beyond_the_limit_is_no_hang_while_it_goes_on(
    shared_address, tmp_path
):
    """An interval is one call, here of 7 s: the driver hears of it while it lasts."""
    file = tmp_path / "steady.py"
    file.write_text(PROBLEM.format(train="threading.Event().wait(0.45)"))
    keys = {"methods": ["pbt"], "engines": ["ray"], "population": 4, "intervals": [8]}
    keys |= {"iterations": 9, "limit_s": 5, "address": shared_address}
    _, notes = run([str(file)], tmp_path / "out", **keys)
    assert notes.causes == {"steady/pbt/ray/k8/s0": ""}
