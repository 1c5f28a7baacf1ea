"""The history of benchmarks: what is kept of a sitting, and what is read back: all of it, or one line says why
not."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import fabricated
import pytest
from fabricated import a_folder, a_run, an_outcome, score, timed
from sittings import a_pytest_benchmark_file, a_sitting, an_entry

from pbtbench.errors import BadInput
from pbtbench.regression import history, sitting
from pbtbench.regression.sitting import Loaded

TIMES = [1.25, 1.0, 3.0]


def a_line(commit="c" * 40, date="2026-11-02T10:00:00Z", machine="m", **benchmarks):
    made = a_sitting(machine=machine, **benchmarks).model_copy(update={"commit": commit})
    return history.line(Loaded(Path("measured.json"), made, date=date))


def refused(call, *arguments):
    with pytest.raises(BadInput) as error:
        call(*arguments)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 2000
    return str(error.value)


def test_what_was_added_is_read_back_in_its_order(tmp_path):
    lines = [a_line(c * 40, one=an_entry({"wall_s": TIMES, "forks": [3, 4, 4]})) for c in "bac"]
    assert all(history.add(tmp_path / "history", line) for line in lines)
    assert history.load(tmp_path / "history") == {"m": lines}
    point = lines[0].benchmarks["one"]["pbt"]
    assert point.range("wall_s") == (1.25, 1.0, 3.0)
    assert (point.each("forks"), point.range("forks")) == ([3, 4, 4], (4, 3, 4))
    assert (point.each("saves"), point.range("save_s")) == ([0, 0, 0], (0, 0, 0)), "as none was"


def test_a_line_is_added_and_no_other_is_touched(tmp_path):
    one = an_entry({"wall_s": TIMES})
    history.add(tmp_path, a_line("a" * 40, one=one))
    before = (tmp_path / "m.jsonl").read_bytes()
    history.add(tmp_path, a_line("b" * 40, one=one))
    after = (tmp_path / "m.jsonl").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.jsonl"], (
        "nothing else for git to add"
    )


def test_a_file_without_a_last_line_break_is_added_to(tmp_path):
    history.add(tmp_path, a_line("a" * 40, one=an_entry({"wall_s": TIMES})))
    file = tmp_path / "m.jsonl"
    file.write_bytes(file.read_bytes().rstrip())
    history.add(tmp_path, a_line("b" * 40, one=an_entry({"wall_s": TIMES})))
    assert [line.commit[0] for line in history.load(tmp_path)["m"]] == ["a", "b"]


def test_the_same_sitting_is_not_added_twice(tmp_path):
    one = an_entry({"wall_s": TIMES})
    assert history.add(tmp_path, a_line(one=one))
    assert not history.add(tmp_path, a_line(one=one))
    assert not history.add(tmp_path, a_line(one=one, date="2026-11-03T10:00:00Z"))
    assert history.add(tmp_path, a_line(one=an_entry({"wall_s": [1.3, 1.0, 3.0]})))
    assert history.add(tmp_path, a_line(one=one, machine="n"))
    assert {machine: len(lines) for machine, lines in history.load(tmp_path).items()} == {
        "m": 2,
        "n": 1,
    }


def test_a_missed_target_comes_back_as_missed(tmp_path):
    entry = an_entry({"seconds_to_target": [1.0, None, None], "iterations_to_target": [5, 6, None]})
    history.add(tmp_path, a_line(one=entry))
    point = history.load(tmp_path)["m"][0].benchmarks["one"]["pbt"]
    assert point.range("seconds_to_target") == (float("inf"), 1.0, float("inf"))


@pytest.mark.parametrize(
    "change",
    [{"population": 9}, {"digest": "e"}, {"goal": "min"}, {"measures": {"wall_s": TIMES[:2]}}],
)
def test_another_benchmark_of_that_name_has_another_definition(change):
    given = {"measures": {"wall_s": TIMES}, **change}
    one, other = (
        a_line(one=an_entry(**about)).benchmarks["one"]["pbt"].definition
        for about in ({"measures": {"wall_s": TIMES}}, given)
    )
    assert one != other


def test_the_commit_is_that_of_the_project_around_the_tests(tmp_path):
    """pbtbench's own is known only where it is run from its repository."""
    file = tmp_path / "benchmark.json"
    one = an_entry({"wall_s": TIMES})
    file.write_text(json.dumps(a_pytest_benchmark_file(own_commit="d" * 12, one=one)))
    line = history.line(sitting.load(file))
    assert (line.commit, f"{line.date:%Y-%m-%d %H:%M}") == ("c" * 40, "2026-11-02 04:30")
    table = a_pytest_benchmark_file(commit="unversioned", own_commit="d" * 12, one=one)
    file.write_text(json.dumps(table))
    line = history.line(sitting.load(file))
    assert (line.commit, f"{line.date:%H:%M}") == ("d" * 12, "10:00"), "that of the measuring"


def test_a_study_is_dated_by_its_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(fabricated, "CAME_FROM", replace(fabricated.CAME_FROM, dirty=False))
    runs = [
        (a_run(seed=seed), an_outcome(timed("train", 0, 1), score(1, 0, 1, 0.5))) for seed in (0, 1)
    ]
    line = history.line(sitting.load(a_folder(tmp_path / "out", *runs).path))
    assert (line.commit, line.machine, f"{line.date:%Y-%m-%d}") == ("abc", "here", "2026-01-02")
    ((point,),) = (labels.values() for labels in line.benchmarks.values())
    assert (point.rounds, point.each("final_score")) == (2, [0.5, 0.5])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dirty": True}, "made of files that differ from their commit"),
        ({"commit": "unknown"}, "of no commit that is known"),
        ({"machine": ""}, "of several machines"),
        ({"machine": "../m"}, "machine"),
        ({"machine": "a/b"}, "machine"),
        ({"commit": "c d"}, "commit"),
    ],
)
def test_a_sitting_that_belongs_nowhere_is_refused(tmp_path, change, says):
    file = tmp_path / "benchmark.json"
    table = a_pytest_benchmark_file(one=an_entry({"wall_s": TIMES}), **change)
    file.write_text(json.dumps(table))
    assert says in refused(lambda: history.line(sitting.load(file)))


def test_a_date_that_is_none_is_refused(tmp_path):
    file = tmp_path / "benchmark.json"
    table = a_pytest_benchmark_file(one=an_entry({"wall_s": TIMES}))
    table["commit_info"]["time"] = "yesterday"
    file.write_text(json.dumps(table))
    assert "no date" in refused(lambda: history.line(sitting.load(file)))


LINE = a_line(one=an_entry({"wall_s": TIMES, "forks": [3, 4, 4]})).model_dump_json()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LINE[:80], "no JSON, or cut off"),
        ("", "no JSON, or cut off"),
        ("<<<<<<< HEAD", "no JSON, or cut off"),
        ("[" * 100_000, "no JSON, or cut off"),
        ("[]", "it should be an object"),
        ("\udcff", "no JSON, or cut off"),
        (LINE.replace('"format":1', '"format":2'), "by a newer pbtbench than this one"),
        (LINE.replace('"format":1', '"format":0'), "format"),
        (LINE.replace('"machine":"m"', '"machine":"n"'), "of another machine, n"),
        (LINE.replace('"wall_s"', '"<script>"'), "script"),
        (LINE.replace('"one"', '"o\\u001bne"'), r"o\x1bne"),
        (LINE.replace('"one"', '"o\\u2028ne"'), "benchmarks"),
        (LINE.replace("1.25", "NaN"), "spread"),
        (LINE.replace("1.25", "1e999"), "spread"),
        (LINE.replace('"rounds":3', '"rounds":4'), "give each round a value of forks"),
        (LINE.replace('"version"', '"version":"1","more"'), "unknown key 'more'"),
        (LINE.replace('"commit":"cc', '"commit":"../'), "commit"),
        (LINE.replace("2026", "yesterday"), "date"),
    ],
    ids=range(18),
)
def test_a_bad_line_is_named(tmp_path, text, says):
    data = f"{LINE}\n{text}\n".encode(errors="surrogateescape")
    (tmp_path / "m.jsonl").write_bytes(data)
    found = refused(history.load, tmp_path)
    assert says in found
    assert "m.jsonl: line 2" in found


def test_nothing_is_added_to_a_file_with_a_bad_line(tmp_path):
    (tmp_path / "m.jsonl").write_text(LINE[:80])
    assert "line 1" in refused(history.add, tmp_path, a_line(one=an_entry({"wall_s": TIMES})))
    assert (tmp_path / "m.jsonl").read_text() == LINE[:80]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: file.symlink_to("/etc/passwd"), "a link stands there"),
        (lambda file: file.symlink_to(file.parent / "nothing"), "a link stands there"),
        (os.mkfifo, "it is no file"),
        (lambda file: file.mkdir(), "it is no file"),
    ],
)
def test_what_is_no_file_is_neither_read_nor_written(tmp_path, make, says):
    make(tmp_path / "m.jsonl")
    assert says in refused(history.load, tmp_path)
    assert says in refused(history.add, tmp_path, a_line(one=an_entry({"wall_s": TIMES})))
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.jsonl"]


def test_a_folder_that_holds_no_history_is_refused(tmp_path):
    assert "no such folder; --add FILE makes it" in refused(history.load, tmp_path / "none")
    (tmp_path / "README.md").write_text("ours")
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    assert "no sitting in it" in refused(history.load, tmp_path)
    assert "a folder should be" in refused(history.load, tmp_path / "README.md")


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    history.add(tmp_path, a_line("a", one=an_entry({"wall_s": TIMES})))
    monkeypatch.setattr(history, "LARGEST", (tmp_path / "m.jsonl").stat().st_size)
    assert "full" in refused(history.add, tmp_path, a_line("b", one=an_entry({"wall_s": TIMES})))
    monkeypatch.setattr(history, "LARGEST", 10)
    assert "has 10 at most" in refused(history.load, tmp_path)
