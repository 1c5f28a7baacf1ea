"""A study's folder: a run is in it whole or not at all, one writer at a time, and nothing else is touched."""

from __future__ import annotations

import ast
import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import a_run, an_outcome, fork, note, score, started, timed
from hypothesis import given
from hypothesis import strategies as st

import pbtbench
import problems
from pbtbench import BadInput
from pbtbench.errors import Failed
from pbtbench.measures import measure, to_json
from pbtbench.record import KINDS
from pbtbench.recorder import Recorder
from pbtbench.run import Provenance
from pbtbench.store import Store
from pbtbench.store.files import Folder

CAME_FROM = Provenance(
    "1.0", "abc", True, "a machine", "a problem", "2026-01-02T03:04:05.678+00:00"
)


SCORED = score(1.0, 0, 1, 0.5)


def new_store(path):
    store = Store.claim(path)
    store.declare('name = "mine"\n')
    return store


@pytest.fixture
def store(tmp_path):
    """A new study's folder."""
    return new_store(tmp_path / "out")


def outcome_of(value=0.5, cause=""):
    events = [timed("train", 0.0, 1.0, iteration=1), score(1.0, 0, 1, value)]
    return an_outcome(*events, cause=cause, message="it broke" if cause else "")


def write(store, run, outcome=None, came_from=CAME_FROM):
    outcome = outcome or outcome_of()
    store.write(run, outcome, measure(run, outcome), came_from)


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


def test_what_a_killed_writer_left_over_is_swept_away(store, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis.tex").write_text("years of work")
    (store.path / ".part-0123").mkdir()
    (store.path / ".part-0123" / "scores.parquet").write_bytes(b"half")
    (store.path / ".part-study.toml-77").write_text("name = ")
    (store.path / ".part-link").symlink_to(elsewhere)
    with store.locked():
        assert not list(store.path.glob(".part-*"))
    assert (elsewhere / "thesis.tex").read_text() == "years of work"


def test_the_same_study_resumes_in_its_folder(store):
    write(store, a_run())
    assert [k.run for k in Store.claim(store.path).all_kept()] == [a_run()]


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="not empty and no study's folder; give --out"):
        Store.claim(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / ".part-study.toml-77").write_text("half, of a writer whose disk was full")
    assert new_store(tmp_path) == Store.open(tmp_path)


def test_a_path_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "out"
    file.write_text("")
    with pytest.raises(BadInput, match="out: a file stands where a folder should be"):
        Store.claim(file)
    with pytest.raises(BadInput, match="out/in: a file or a link stands where a folder should be"):
        Store.claim(file / "in")


def test_a_folder_without_a_study_is_no_store(tmp_path):
    with pytest.raises(BadInput, match=r"no study\.toml in it; give the folder"):
        Store.open(tmp_path)
    with pytest.raises(BadInput, match="no such folder; give the folder"):
        Store.open(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="give the folder"):
        Store.open(tmp_path / ("x" * 300))


@pytest.mark.parametrize("text", ['name = "half', "a = " + "[" * 5000, "name = 3", "x = 1e999"])
def test_a_damaged_declaration_is_refused(store, text):
    (store.path / "study.toml").write_text(text)
    for way in (Store.open, Store.claim):
        with pytest.raises(
            BadInput, match=r"study\.toml: damaged .*restore it or use another --out"
        ):
            way(store.path)


def test_a_declaration_is_shown_without_what_a_terminal_or_a_page_would_act_on(store):
    (store.path / "study.toml").write_text('name = "mine"  # \x9b31m\u2028\ntitle = "a\\u0301"\n')
    assert store.study_text() == 'name = "mine"  # \\x9b31m\ntitle = "a\\u0301"\n'


@pytest.mark.slow
def test_a_second_writer_is_refused_while_the_first_one_writes_and_readers_are_not(store):
    write(store, a_run())
    program = (
        "import sys; from pathlib import Path; from pbtbench.store import Store\n"
        "store = Store(Path(sys.argv[1])); print(len(store.runs()))\n"
        "with store.locked(): pass"
    )
    second = [sys.executable, "-c", program, str(store.path)]
    with store.locked():
        refused = subprocess.run(second, capture_output=True, text=True, check=False)
    assert refused.stdout == "1\n"
    assert refused.returncode != 0
    assert "another pbtbench is writing here; wait for it or" in refused.stderr
    subprocess.run(second, check=True)


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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(store, monkeypatch, number):
    def full(*arguments, **options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("pyarrow.parquet.write_table", full)
        with pytest.raises(Failed, match=r"toy\.hand/random/inprocess/s0/timeline\.parquet: "):
            write(store, a_run())
    assert not list(store.path.glob(".part-*"))
    write(store, a_run())
    assert [k.run for k in store.all_kept()] == [a_run()]


def test_a_full_disk_leaves_no_folder_that_belongs_to_nobody(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.rename", full)
        with pytest.raises(Failed, match=r"study\.toml: no space left on the disk; make room"):
            new_store(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert new_store(tmp_path / "out").title() == "mine"


def test_of_a_study_that_was_never_declared_nothing_is_left(tmp_path):
    store = Store.claim(tmp_path / "out")
    with store.locked():
        store.write_machine(MACHINE)
        store.log().close()
    assert list(tmp_path.iterdir()) == []


def test_of_a_study_that_was_declared_all_is_left_and_so_is_what_was_there_before(tmp_path):
    with Store.claim(tmp_path / "out").locked():
        new_store(tmp_path / "out")
    with Store.claim(tmp_path / "out").locked():
        pass
    assert Store.open(tmp_path / "out").title() == "mine"


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


def test_a_report_is_written_whole_and_inside_the_folder(store, tmp_path):
    page = store.write_report({"index.html": "old", "tables/a.csv": "1"})
    assert store.write_report({"index.html": "new"}) == page
    assert [p.name for p in page.iterdir()] == ["index.html"]
    for name in ("../index.html", "/tmp/index.html", "a/../../b", ""):
        with pytest.raises(BadInput):
            store.write_report({name: "x"})
    assert (page / "index.html").read_text() == "new"


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


MACHINE = {"cpu": "one", "cores_usable": 2, "memory_bytes": 2**33, "memcpy_s_per_gb": 0.1}


def test_machine_json_keeps_what_is_known_of_clusters(store):
    node = {"id": "a", "cpus": 2.0, "clock_offset_s": 0.5, "clock_uncertainty_s": 1e-4}
    store.write_machine(MACHINE)
    store.note_cluster("ray-1x2cpu", [node])
    store.note_cluster("ray-2x2cpu", [node, {**node, "id": "b"}])
    store.write_machine({**MACHINE, "memcpy_s_per_gb": 0.2})
    found = store.machine()
    assert found["memcpy_s_per_gb"] == 0.2
    assert [len(nodes) for nodes in found["clusters"].values()] == [1, 2]
    assert found["clusters"]["ray-1x2cpu"] == [node]


def test_machines_that_differ_in_what_matters_are_told_apart(store):
    store.write_machine(MACHINE)
    store.write_machine({**MACHINE, "memory_bytes": 2**33 - 4096, "memcpy_s_per_gb": 0.2})
    assert len(store.machines()) == 1
    for key, value in (("cpu", "another"), ("memory_bytes", 2**34), ("gpus", ["one"])):
        store.write_machine({**MACHINE, key: value})
    assert len(store.machines()) == 4
    assert store.machine()["cpu"] == "one"


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"cores": "two"}', '{"format": 2, "machines": {"a": {"gpus": 3}}}']
)
def test_a_damaged_machine_json_is_said_and_written_anew(store, damage):
    (store.path / "machine.json").write_text(damage)
    assert store.runs() == []
    assert "machine.json: damaged (" in store.left_out[0]
    assert store.machine() == {}
    store.write_machine(MACHINE)
    assert store.machine() == MACHINE


def test_a_machine_json_of_a_newer_format_is_left_alone(store):
    (store.path / "machine.json").write_text('{"format": 9}')
    with pytest.raises(BadInput, match=r"machine\.json: format 9; .*update pbtbench"):
        store.write_machine(MACHINE)
    assert (store.path / "machine.json").read_text() == '{"format": 9}'


def test_a_pipe_a_device_or_a_link_is_never_opened(tmp_path):
    folder = Folder(tmp_path / "in")
    folder.make()
    secret = tmp_path / "secret"
    secret.write_text("mine")
    os.mkfifo(folder.path / "pipe")
    (folder.path / "folder").mkdir()
    (folder.path / "link").symlink_to(secret)
    (folder.path / "way").symlink_to(tmp_path)
    (folder.path / "endless").symlink_to("/dev/zero")
    for name in (
        "pipe",
        "folder",
        "link",
        "way/secret",
        "endless",
        "../secret",
        "folder/../../secret",
    ):
        with pytest.raises(BadInput, match=r"^/"):
            folder.read(name, 100)
        with pytest.raises(BadInput, match=r"^/"):
            folder.appending(name)
    for name in ("link", "pipe", "endless"):
        folder.write(name, b"new")  # in its place, not through it
        assert folder.read(name, 100) == b"new"
    with pytest.raises(BadInput):
        folder.write("way/secret", b"new")
    os.link(secret, folder.path / "log")
    with pytest.raises(BadInput, match="the same file stands elsewhere"):
        folder.appending("log")
    assert secret.read_text() == "mine"


def test_a_file_that_is_larger_than_it_may_be_is_not_read(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(BadInput, match="large: 11 bytes; such a file has 10 at most"):
        Folder(tmp_path).read("large", 10)
