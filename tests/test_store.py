"""A study's folder: one writer at a time, a disk that may be full, and nothing else is touched."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fabricated import a_run
from stored import new_store, write

import pbtbench
import problems
from pbtbench import BadInput
from pbtbench.errors import Failed
from pbtbench.store import Store
from pbtbench.store.files import Folder


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
