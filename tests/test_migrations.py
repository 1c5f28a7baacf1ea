"""Folders that older versions wrote: read as if they were of today, whole, and not rewritten.

`format1/` is a study as it was kept when a run had one table; its `summary.csv` is what was measured then.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from pbtbench import BadInput
from pbtbench.measures.summary import summary_csv
from pbtbench.store import Store

FORMAT1 = Path(__file__).parent / "format1"


@pytest.fixture
def store(tmp_path):
    return Store.open(Path(shutil.copytree(FORMAT1, tmp_path / "format1")))


def test_runs_of_format_1_measure_as_they_did_then(store):
    found = pd.read_csv(io.StringIO(summary_csv(store.runs())))
    then = pd.read_csv(FORMAT1 / "summary.csv")
    assert store.left_out == []
    assert len(found) == len(then) == 6
    pd.testing.assert_frame_equal(found[then.columns], then, check_dtype=False, rtol=1e-6)


def test_a_record_of_format_1_has_all_that_its_rows_said(store):
    records = {m.run.engine: store.record(m.run) for m in store.runs()}
    for record in records.values():
        starts = record.forks.starts
        assert sorted(record.forks.member[starts]) == [0, 1, 2, 3]
        assert set(record.forks.new) == {"h0", "h1"}
        assert (~starts).sum() >= 1
        assert len(record.scores) >= 16
    assert (records["tune"].forks.copied_iteration[~records["tune"].forks.starts] == 2).all()
    assert len(records["tune"].notes.named("process")) == 2  # of two workers
    assert records["inprocess"].notes.text[records["inprocess"].notes.named("members")] == [
        "looped"
    ]


def test_what_was_measured_is_kept_and_nothing_else_is_written(store):
    before = {f: f.read_bytes() for f in store.path.rglob("*") if f.is_file()}
    first = summary_csv(store.runs())
    kept = {f for f in store.path.rglob("*") if f.is_file()} - set(before)
    assert {f.name for f in kept} == {"measures.json"}
    assert len(kept) == 3
    assert all(f.read_bytes() == text for f, text in before.items())
    assert summary_csv(store.runs()) == first


def test_a_run_of_format_1_says_by_fields_what_it_said_by_its_id(store):
    about = [
        (m.run.problem_name, m.run.engine_label, m.run.synchronous, m.provenance.started)
        for m in store.runs()
    ]
    assert about == [
        ("toy.pbt_quadratic", "inprocess", True, ""),
        ("toy.pbt_quadratic", "tune", True, ""),
        ("toy.pbt_quadratic", "ray", False, ""),
    ]


def test_the_machine_of_format_1_is_the_one_that_is_known(store):
    assert store.machine()["cores"] == 2
    assert list(store.machine()["clusters"]) == ["local-2cpu"]
    store.write_machine({"cpu": "another"})
    assert len(store.machines()) == 2


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ({"detail": ["{}", "{}"]}, "damaged"),
        ({"detail": ["[", "{}"]}, "damaged"),
        ({"kind": ["boredom", "score"]}, "damaged"),
        ({"detail": [json.dumps({"donor": 7, "old": {"h0": 1}, "new": {"h0": 1}})] * 2}, "damaged"),
        ({"detail": ["[" * 100_000] * 2}, "damaged"),
        ({"member": [0, 10**9]}, "damaged"),
    ],
)
def test_a_damaged_table_of_format_1_leaves_its_run_out_by_name(store, rows, what):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (file,) = store.path.glob("runs/*/*/inprocess/*/*/trace.parquet")
    fine = {
        "t_start_s": [0.0, 1.0],
        "duration_s": [0.0, 0.0],
        "worker": pa.array([0, 0], pa.int32()),
        "member": [0, 0],
        "iteration": [1, 1],
        "kind": ["fork", "score"],
        "bytes": [0, 0],
        "value": [0.0, 0.5],
        "detail": ["{}", None],
    }
    pq.write_table(pa.table({**fine, **rows}), file)
    assert len(store.runs()) == 2
    (line,) = store.left_out
    assert str(file.parent) in line
    assert what in line


def test_a_newer_folder_is_refused_in_one_line(store):
    file = next(store.path.rglob("run.json"))
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 7}))
    with pytest.raises(BadInput, match=r"run\.json: format 7; .* update pbtbench$"):
        store.runs()


def test_a_run_of_format_1_was_made_on_the_machine_that_its_folder_knew(store):
    (known,) = store.machines()
    for _ in range(2):
        assert {m.provenance.machine for m in store.runs()} == {known}
        store.write_machine({"cpu": "another"})
    assert store.machine()["cpu"] == "AMD EPYC"


def test_a_run_of_format_1_whose_machine_was_lost_is_not_taken_for_one_of_todays(store):
    (store.path / "machine.json").unlink()
    store.write_machine({"cpu": "another"})
    assert {m.provenance.machine for m in store.runs()} == {""}


def test_wherever_a_process_dies_an_old_folder_that_goes_on_is_whole(store, tmp_path, monkeypatch):
    """What stands on the disk before and after each step that changes it reads as all of it did."""
    moments = []

    def noted(step):
        def noting(*arguments, **options):
            for place in ("before", "after"):
                moments.append(tmp_path / f"{len(moments)} {place}")
                shutil.copytree(store.path, moments[-1])
                if place == "before":
                    done = step(*arguments, **options)
            return done

        return noting

    before = summary_csv(store.runs())
    for file in store.path.rglob("measures.json"):
        file.unlink()
    for step in ("os.rename", "os.unlink", "pbtbench.store.files._create"):
        module, _, name = step.rpartition(".")
        monkeypatch.setattr(step, noted(getattr(sys.modules[module], name)))
    store.write_machine({"cpu": "another"})
    for m in store.runs():
        store.retarget(m.run)
    store.declare(store.study_text())
    monkeypatch.undo()
    assert len(moments) == 5 * (1 + 3 + 3 + 1)
    for path in moments:
        found = Store.open(path)
        with found.locked():
            assert summary_csv(found.runs()) == before
            assert found.left_out == []
            assert {m.provenance.machine for m in found.runs()} == {next(iter(found.machines()))}
            assert not list(path.glob(".part-*"))
