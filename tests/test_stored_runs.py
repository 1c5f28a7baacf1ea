"""A run in a study's folder: whole or not at all, and what is damaged is left out by name."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from fabricated import a_run, an_outcome, fork, note, score, started, timed
from hypothesis import given
from hypothesis import strategies as st
from stored import CAME_FROM, new_store, outcome_of, write

from pbtbench import BadInput
from pbtbench.measures import measure, to_json
from pbtbench.record import KINDS
from pbtbench.recorder import Recorder

SCORED = score(1.0, 0, 1, 0.5)


def numbers(store):
    """All that is measured of the runs, with who they are."""
    return [(m.run, m.provenance, to_json(m)) for m in store.runs()]


def same(one, other):
    for field in one.__dataclass_fields__:
        mine, others = getattr(one, field), getattr(other, field)
        if isinstance(mine, dict):
            assert list(mine) == list(others)
            for name in mine:
                assert mine[name].dtype == others[name].dtype
                np.testing.assert_array_equal(mine[name], others[name])
        else:
            assert mine.dtype == others.dtype
            np.testing.assert_array_equal(mine, others)


@pytest.mark.parametrize("small_bytes", [0, 10**6])
def test_a_record_comes_back_as_it_was_written(store, monkeypatch, small_bytes):
    """Small or large: packed or as it is."""
    monkeypatch.setattr("pbtbench.store.tables.SMALL_BYTES", small_bytes)
    run = a_run(population=3, iterations=4)
    written = an_outcome(
        started(0, rate=0.1, kind="a", width=1),
        started(1, rate=0.2, kind=3, width=2),
        *(timed(kind, t, 0.5, iteration=1, size=t) for t, kind in enumerate(KINDS)),
        score(3.0, 0, 1, 0.5, loss=1.0),
        score(3.0, 1, 1, float("nan"), loss=float("inf"), age=1, done=True),
        fork(
            4.0,
            0,
            1,
            1,
            {"rate": 0.1, "kind": "a", "width": 1},
            {"rate": 0.3, "kind": [1, None, "é"], "width": 2},
            copied_iteration=1,
            out_of_bounds=True,
        ),
        note("process", "7", member=1),
        note("exploits_skipped", value=2.0),
    )
    write(store, run, written)
    found = store.record(run)
    for table in ("timeline", "scores", "forks", "notes"):
        assert len(getattr(found, table))
        same(getattr(written.record, table), getattr(found, table))


def test_an_empty_record_comes_back_empty(store):
    run = a_run()
    written = an_outcome(cause="crash")
    write(store, run, written)
    for table in ("timeline", "scores", "forks", "notes"):
        same(getattr(written.record, table), getattr(store.record(run), table))


def test_what_is_kept_of_a_run_stands_in_one_small_file(store):
    run = a_run()
    write(store, run, outcome_of(cause="crash"))
    for table in (store.path / "runs" / run.id).glob("*.parquet"):
        table.write_bytes(b"x" * table.stat().st_size)
    (kept,) = store.all_kept()
    assert (kept.run, kept.cause, kept.provenance) == (run, "crash", CAME_FROM)
    assert (kept.facts.wall_s, kept.facts.message) == (10.0, "it broke")


def test_measures_come_back_with_where_the_run_comes_from(store):
    run = a_run(targets=(0.4,))
    outcome = outcome_of()
    write(store, run, outcome)
    assert numbers(store) == [(run, CAME_FROM, to_json(measure(run, outcome)))]


def test_runs_are_listed_with_seeds_in_their_order(store):
    for seed in reversed(range(11)):
        write(store, a_run(seed=seed))
    assert [m.run.seed for m in store.runs()] == list(range(11))


def test_a_run_that_is_not_there_is_not_kept(store):
    assert store.all_kept() == []


def test_a_run_that_is_written_again_replaces_the_old_one(store):
    run = a_run()
    for value in (0.1, 0.9):
        write(store, run, outcome_of(value))
    assert store.record(run).scores.metrics["accuracy"] == [0.9]
    assert not list(store.path.glob(".part-*"))


@pytest.mark.parametrize("step", ["pyarrow.parquet.write_table", "os.rename"])
def test_a_crash_before_the_rename_leaves_no_run(store, monkeypatch, step):
    def crash(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(step, crash)
        with pytest.raises(KeyboardInterrupt):
            write(store, a_run())
    assert store.runs() == []
    assert store.all_kept() == []


def test_a_crash_between_the_renames_of_a_replacement_leaves_no_half_run(store, monkeypatch):
    run = a_run()
    write(store, run)
    real, done = os.rename, []

    def crash_at_the_second(*arguments, **options):
        if done:
            raise KeyboardInterrupt
        done.append(arguments)
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr("os.rename", crash_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            write(store, run)
    assert store.runs() == []
    with store.locked():
        write(store, run)
    assert [k.run for k in store.all_kept()] == [run]


@given(text=st.one_of(st.text(), st.sampled_from(["", "{}", "[]", "null", '{"run": {}}', "3"])))
def test_a_damaged_run_is_left_out_by_name_and_not_kept(tmp_path_factory, text):
    store = new_store(tmp_path_factory.mktemp("out"))
    for seed in range(2):
        write(store, a_run(seed=seed))
    (store.path / "runs" / a_run().id / "run.json").write_text(text, "utf-8", "surrogatepass")
    assert [m.run.seed for m in store.runs()] == [1]
    (line,) = store.left_out
    assert "s0/run.json: damaged (" in line
    assert "delete its folder and run again" in line
    assert [k.run.seed for k in store.all_kept()] == [1]


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("", "run", None),
        ("", "run", 3),
        ("", "outcome", None),
        ("", "provenance", None),
        ("", "tables", None),
        ("tables", "scores.parquet", -1),
        ("tables", "thesis.tex", 3),
        ("outcome", "wall_s", "long"),
        ("outcome", "wall_s", -1.0),
        ("outcome", "workers", None),
        ("outcome", "cause", "boredom"),
        ("outcome", "message", "two\nlines"),
        ("provenance", "started", "yesterday"),
        ("run", "id", "toy.hand/random/inprocess/s1"),
        ("run", "method", "pbt"),
        ("run", "seed", 1),
        ("run", "seed", 2**70),
        ("run", "population", 0),
        ("run", "population", 10**12),
        ("run", "targets", ["high"]),
        ("run", "problem_options", {"a": "\ud800"}),
        ("run", "problem_options", {"a": float("nan")}),
        ("run", "problem", ""),
    ],
)
def test_a_run_with_a_field_that_can_not_be_is_left_out_by_name(store, table, key, value):
    run = a_run()
    write(store, run)
    file = store.path / "runs" / run.id / "run.json"
    fields = json.loads(file.read_text())
    (fields[table] if table else fields)[key] = value
    file.write_text(json.dumps(fields))
    assert store.runs() == []
    assert [line.partition(": ")[0] for line in store.left_out] == [str(file)]


@pytest.mark.parametrize("text", [None, b"", b"PAR1", b"x" * 10**5])
def test_a_table_that_is_not_the_one_that_was_written_leaves_its_run_out_and_to_be_made_again(
    store, text
):
    run = a_run()
    write(store, run)
    file = store.path / "runs" / run.id / "scores.parquet"
    file.unlink() if text is None else file.write_bytes(text)
    assert store.runs() == []
    assert store.left_out[0].startswith(
        f"{file}: damaged (it is cut short, gone or of another run)"
    )
    assert store.all_kept() == []
    with pytest.raises(BadInput, match=r"scores\.parquet: damaged"):
        store.record(run)


@pytest.mark.parametrize(
    "damage",
    [
        lambda fields: fields | {"definitions": -1},
        lambda fields: fields | {"of": "another run"},
        lambda fields: fields | {"measures": {}},
        lambda fields: fields | {"measures": fields["measures"] | {"cause": "hang"}},
        lambda fields: fields | {"measures": fields["measures"] | {"attempts": []}},
        lambda fields: fields | {"measures": fields["measures"] | {"wall_s": "\x00"}},
        lambda fields: [],
    ],
)
def test_measures_that_are_stale_or_of_another_record_are_made_anew_and_kept(store, damage):
    run = a_run(targets=(0.4,))
    write(store, run)
    expected = numbers(store)
    file = store.path / "runs" / run.id / "measures.json"
    as_written = file.read_text()
    file.write_text(json.dumps(damage(json.loads(as_written))))
    assert numbers(store) == expected
    assert store.left_out == []
    assert file.read_text() == as_written


@pytest.mark.slow
def test_measures_of_many_runs_are_made_anew_by_several_processes(store, monkeypatch):
    monkeypatch.setattr("pbtbench.store.reading.MANY", 3)
    for seed in range(4):
        write(store, a_run(seed=seed))
    expected = numbers(store)
    for file in store.path.rglob("measures.json"):
        file.unlink()
    assert (numbers(store), store.left_out) == (expected, [])
    assert len(list(store.path.rglob("measures.json"))) == 4


def test_a_folder_that_can_not_be_written_is_read_all_the_same(store, monkeypatch):
    write(store, a_run())
    expected = numbers(store)
    (store.path / "runs" / a_run().id / "measures.json").unlink()

    def refused(*arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("pbtbench.store.files._new", refused)
    assert (numbers(store), store.left_out) == (expected, [])


def test_a_newer_format_is_refused_and_its_run_not_made_anew(store):
    run = a_run()
    write(store, run)
    file = store.path / "runs" / run.id / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 3}))
    for way in (store.runs, store.all_kept, lambda: store.record(run)):
        with pytest.raises(BadInput, match=r"run\.json: format 3; .*update pbtbench$"):
            way()


def test_a_name_that_no_table_holds_is_refused_when_it_is_written(store):
    recorder = Recorder()
    recorder.scored(np.array([0]), 1, {"accuracy": np.array([0.5]), 3: np.array([0.5])})
    outcome = replace(outcome_of(), record=recorder.record())
    with pytest.raises(BadInput, match=r"the name of a metric = 3: it should be a valid string"):
        write(store, a_run(), outcome)
    assert store.runs() == []


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ([score(1.0, 7, 1, 0.5)], "scores: member = 7"),
        ([score(1.0, 0, 1, 0.5, metric="loss")], "scores: without the objective, 'accuracy'"),
        ([], "nobody scored"),
        ([SCORED, timed("train", 0.0, -1.0)], "timeline: duration_s = -1.0"),
        ([SCORED, timed("train", float("nan"))], "timeline: t_start_s = nan"),
        ([SCORED, timed("train", 0.0, worker=-2)], "timeline: worker = -2"),
        ([SCORED, fork(1.0, 0, -1, 1, 0.1, 0.2)], "forks: one without a donor"),
        (
            [SCORED, started(0, rate=0.1), fork(1.0, 0, 1, 1, 0.1, 0.2)],
            "member 1 has no starting values",
        ),
        ([SCORED, note("boredom")], "notes: a name that is none of"),
    ],
)
def test_a_record_that_can_not_be_of_the_run_is_refused_when_it_is_written(store, wrong, what):
    outcome = an_outcome(*wrong)
    with pytest.raises(BadInput, match=what):
        store.write(a_run(), outcome, None, CAME_FROM)
    assert store.runs() == []


def test_text_of_a_failure_is_kept_on_one_line(store):
    outcome = replace(outcome_of(cause="crash"), message="a\x1b[31m\nb\ud800" + "c" * 5000)
    write(store, a_run(), outcome)
    (found,) = store.runs()
    assert found.message.startswith("a\\x1b[31m b\\ud800ccc")
    assert len(found.message) == 1500


def test_a_run_gets_other_targets_and_keeps_its_record(store):
    run = a_run(targets=(0.4,))
    write(store, run)
    more = replace(run, targets=(0.4, 0.6))
    store.retarget(more)
    (found,) = store.runs()
    assert [k.run for k in store.all_kept()] == [found.run] == [more]
    assert [(a.target, a.reached) for a in found.attempts] == [(0.4, True), (0.6, False)]
    assert found.provenance == CAME_FROM
    with pytest.raises(BadInput, match="targets"):
        store.retarget(replace(run, targets=(float("nan"),)))
    assert [k.run for k in store.all_kept()] == [more]


def test_all_that_is_kept_undamaged_is_listed_without_its_measures(store):
    for seed in range(3):
        write(store, a_run(seed=seed), outcome_of(cause="crash" if seed else ""))
    (store.path / "runs" / a_run(seed=1).id / "run.json").write_text("")
    assert [(k.run.seed, k.cause) for k in store.all_kept()] == [(0, ""), (2, "crash")]
