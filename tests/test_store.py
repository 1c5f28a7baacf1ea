"""A study's folder: a run is in it whole or not at all, one writer at a time, and nothing else is touched."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pbtbench
import problems
from pbtbench import BadInput, Study
from pbtbench.record import Outcome, Recorder
from pbtbench.store import Store

KEYS = {
    "problems": ["toy.pbt_quadratic"],
    "methods": ["pbt", "random"],
    "population": 4,
    "seeds": 2,
}


@pytest.fixture
def study():
    return Study.plan(KEYS)


@pytest.fixture
def store(study, tmp_path):
    """A new study's folder."""
    return Store.claim(tmp_path / "out", study)


def outcome_of(run, score=0.5, cause=""):
    recorder = Recorder()
    recorder.add("train", 0.0, 1.0, iteration=1)
    recorder.add("score", 1.0, member=0, iteration=1, value=score)
    return Outcome(
        trace=recorder.trace(run.id),
        wall_s=2.0,
        workers=1,
        transport="memory",
        cluster="local-1cpu",
        cause=cause,
        message="it broke" if cause else "",
    )


def test_a_run_comes_back_as_it_was_written(study, store):
    run = study.runs[0]
    written = outcome_of(run, cause="crash")
    store.write(run, written)
    again, outcome = store.read(run.id)
    assert again == run
    assert (outcome.wall_s, outcome.cause, outcome.message) == (2.0, "crash", "it broke")
    assert outcome.trace.run == run.id
    assert outcome.trace.value[outcome.trace.rows("score")] == [0.5]


def test_runs_are_listed_with_seeds_in_their_order(tmp_path):
    study = Study.plan({**KEYS, "methods": ["random"], "seeds": 11})
    store = Store.claim(tmp_path / "out", study)
    for run in reversed(study.runs):
        store.write(run, outcome_of(run))
    assert [run.seed for run, _ in store.runs()] == list(range(11))


def test_only_a_run_that_came_through_is_completed(study, store):
    done, failed, missing = study.runs[:3]
    store.write(done, outcome_of(done))
    store.write(failed, outcome_of(failed, cause="hang"))
    assert [store.completed(run) for run in (done, failed, missing)] == [True, False, False]


def test_a_run_that_is_written_again_replaces_the_old_one(study, store):
    run = study.runs[0]
    for score in (0.1, 0.9):
        store.write(run, outcome_of(run, score))
    assert np.nanmax(store.read(run.id)[1].trace.value) == 0.9
    with store.locked():
        assert not list(store.path.glob(".part-*"))


@pytest.mark.parametrize("step", ["pbtbench.record.Trace.write", "pathlib.Path.write_text"])
def test_a_crash_before_the_rename_leaves_no_run(study, store, monkeypatch, step):
    run = study.runs[0]

    def crash(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(step, crash)
        with pytest.raises(KeyboardInterrupt):
            store.write(run, outcome_of(run))
    assert store.runs() == []
    assert not store.completed(run)


def test_a_crash_between_the_renames_of_a_replacement_leaves_no_half_run(study, store, monkeypatch):
    run = study.runs[0]
    store.write(run, outcome_of(run))
    real, done = Path.rename, []

    def crash_at_the_second(self, target):
        if done:
            raise KeyboardInterrupt
        done.append(target)
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", crash_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            store.write(run, outcome_of(run))
    assert store.runs() == []
    with store.locked():
        store.write(run, outcome_of(run))
    assert store.completed(run)


def test_what_a_killed_writer_left_over_is_swept_away(study, store):
    leftover = store.path / ".part-0123"
    leftover.mkdir()
    (leftover / "trace.parquet").write_bytes(b"half")
    with store.locked():
        assert not leftover.exists()


def test_the_same_study_resumes_in_its_folder(study, store):
    run = study.runs[0]
    store.write(run, outcome_of(run))
    assert Store.claim(store.path, Study.plan(KEYS)).completed(run)


@pytest.mark.parametrize(
    ("key", "value"),
    [("population", 8), ("seeds", 3), ("methods", ["pbt"]), ("limit_s", 5.0), ("targets", [1.0])],
)
def test_another_study_is_refused_with_the_key_in_which_it_differs(store, key, value):
    before = (store.path / "study.toml").read_text()
    with pytest.raises(BadInput, match=rf"another study \(it differs in {key}\); give another"):
        Store.claim(store.path, Study.plan({**KEYS, key: value}))
    assert (store.path / "study.toml").read_text() == before


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(study, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="not empty and no study's folder; give --out"):
        Store.claim(tmp_path, study)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_taken(study, tmp_path):
    assert Store.claim(tmp_path, study) == Store.open(tmp_path)


def test_a_path_that_is_a_file_is_refused(study, tmp_path):
    file = tmp_path / "out"
    file.write_text("")
    with pytest.raises(BadInput, match="give --out a folder that can be written"):
        Store.claim(file, study)


def test_a_damaged_declaration_is_refused(study, store):
    (store.path / "study.toml").write_text('name = "half')
    with pytest.raises(BadInput, match=r"study\.toml: damaged"):
        Store.claim(store.path, study)


def test_a_folder_without_a_study_is_no_store(tmp_path):
    with pytest.raises(BadInput, match=r"no study\.toml in it; give the folder"):
        Store.open(tmp_path)
    with pytest.raises(BadInput, match="no such folder; give the folder"):
        Store.open(tmp_path / "nowhere")


def test_a_second_writer_is_refused_while_the_first_one_writes(store):
    program = (
        "import sys; from pathlib import Path; from pbtbench.store import Store\n"
        "with Store(Path(sys.argv[1])).locked(): pass"
    )
    second = [sys.executable, "-c", program, str(store.path)]
    with store.locked():
        refused = subprocess.run(second, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "another pbtbench is writing here; wait for it or" in refused.stderr
    subprocess.run(second, check=True)


@given(text=st.one_of(st.text(), st.sampled_from(["", "{}", "[]", "null", '{"run": {}}', "3"])))
def test_a_damaged_run_is_bad_input_and_not_completed(tmp_path_factory, text):
    study = Study.plan(KEYS)
    run = study.runs[0]
    store = Store.claim(tmp_path_factory.mktemp("out"), study)
    store.write(run, outcome_of(run))
    (store.path / "runs" / run.id / "run.json").write_text(text, "utf-8", "surrogatepass")
    with pytest.raises(BadInput, match=r"run\.json: damaged .*delete its folder and run again"):
        store.read(run.id)
    assert not store.completed(run)


@pytest.mark.parametrize(
    ("key", "value"), [("run", None), ("run", 3), ("wall_s", "long"), ("workers", None)]
)
def test_a_run_with_a_field_of_the_wrong_kind_is_bad_input(study, store, key, value):
    run = study.runs[0]
    store.write(run, outcome_of(run))
    file = store.path / "runs" / run.id / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(BadInput, match=r"run\.json: damaged"):
        store.read(run.id)


def test_a_truncated_trace_is_bad_input_and_not_completed(study, store):
    run = study.runs[0]
    store.write(run, outcome_of(run))
    (store.path / "runs" / run.id / "trace.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match=r"trace\.parquet: damaged"):
        store.read(run.id)
    assert not store.completed(run)


def test_nothing_that_reads_files_can_unpickle():
    sources = [
        file
        for package in (pbtbench, problems)
        for file in Path(package.__file__).parent.rglob("*.py")
    ]
    found = {
        (file.name, name)
        for file in sources
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in _imported_or_named(node)
        if name.split(".")[0] in {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
        or name in {"allow_pickle", "read_pickle"}
    }
    assert not found


def _imported_or_named(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    if isinstance(node, ast.keyword):
        refused = isinstance(node.value, ast.Constant) and node.value.value is False
        return [] if refused else [node.arg or ""]
    return [node.attr] if isinstance(node, ast.Attribute) else []


def test_machine_json_keeps_what_is_known_of_clusters(store):
    node = {"id": "a", "cpus": 2.0, "clock_offset_s": 0.5, "clock_uncertainty_s": 1e-4}
    store.write_machine({"cpu": "one"})
    store.note_cluster("ray-1x2cpu", [node])
    store.note_cluster("ray-2x2cpu", [node, {**node, "id": "b"}])
    store.write_machine({"cpu": "another"})
    found = store.machine()
    assert found["cpu"] == "another"
    assert [len(nodes) for nodes in found["clusters"].values()] == [1, 2]
    assert found["clusters"]["ray-1x2cpu"] == [node]


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_a_damaged_machine_json_is_written_anew(store, damage):
    (store.path / "machine.json").write_text(damage)
    store.write_machine({"cores": 2})
    assert store.machine() == {"cores": 2}
