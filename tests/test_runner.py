"""Runs that hang, die or raise are recorded with their cause; the study goes on; nothing is lost."""

from __future__ import annotations

import subprocess
import sys

import pytest
from small_studies import PROBLEM, run

from pbtbench.errors import BadInput


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


def test_a_worker_spares_runs_the_search_for_garbage_in_what_stays():
    """In the process that makes the runs, what was there before them is no more looked through."""
    script = (
        "import gc, pbtbench.running.worker as worker\n"
        "worker._spare_what_stays()\n"
        "print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    frozen, left = map(int, done.stdout.split())
    assert frozen > 10_000
    assert left < frozen / 10
