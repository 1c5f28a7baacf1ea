"""A folder of results from a stranger is safe to open, whatever is in it: it is read, or the run left out by
name, or refused in one line that names the file. Nothing outside of it is touched, nothing imported or run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w
from fabricated import a_run, an_outcome, fork, note, score, started, timed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbtbench import BadInput
from pbtbench.errors import CONTROL
from pbtbench.measures import measure
from pbtbench.measures.summary import summary_csv
from pbtbench.run import Provenance
from pbtbench.statistics.cells import cells
from pbtbench.store import Store, files

FORMAT1 = Path(__file__).parent / "format1"
STUDY = 'name = "mine"\ntitle = "a title"\nproblems = ["toy.hand"]\nseeds = 2\n[options]\na = 1\n'
FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
LIMIT_S = 60


@dataclass
class World:
    """A stranger's folder, and what is beside it."""

    root: Path
    seen: set[str]
    """What was opened by the store."""

    @property
    def folder(self):
        return self.root / "in"

    @property
    def outside(self):
        return self.root / "outside"

    def fresh(self):
        """The folder as it was before anybody changed it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.root / "as_written", self.folder)
        return self.folder

    def unharmed(self):
        """Nothing outside has changed, been opened, imported or run."""
        assert {
            f.name: f.read_text() for f in self.outside.iterdir() if f.suffix != ".fifo"
        } == OUTSIDE
        strangers = [
            place
            for place in self.seen
            if not place.startswith(str(self.folder))
            and ".hypothesis" not in Path(place).parts  # which it writes when it meets new modules
        ]
        self.seen.clear()
        assert strangers == []
        assert not [name for name in sys.modules if name.startswith("evil")]


OUTSIDE = {
    "secret.txt": "the secret",
    "evil.py": "import pathlib; pathlib.Path(__file__).with_name('ran').write_text('')\nPROBLEM = 1\n",
    "summary.csv": "years of work",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    (root / "outside").mkdir()
    for name, text in OUTSIDE.items():
        (root / "outside" / name).write_text(text)
    store = Store(root / "as_written")
    store.folder.make()
    store.declare(STUDY)
    store.write_machine({"cpu": "one", "cores_usable": 2, "gpus": ["g"], "memcpy_s_per_gb": 0.1})
    store.note_cluster("local-2cpu", [{"id": "a", "clock_offset_s": 0.0}])
    came_from = Provenance("1", "abc", False, "m", "p", "2026-01-02T03:04:05+00:00")
    for seed in range(2):
        run = a_run(method="pbt", interval=1, seed=seed, targets=(0.6,), iterations=3)
        outcome = an_outcome(
            *(started(m, rate=0.1, kind="a", width=m) for m in range(2)),
            *(timed("train", t, 0.5, iteration=t + 1) for t in range(3)),
            *(score(t + 0.5, m, t + 1, 0.1 * t + m, loss=1.0) for t in range(3) for m in range(2)),
            *(timed("save", 1.5, 0.1, member=1, iteration=1, size=8),),
            fork(
                1.7,
                0,
                1,
                1,
                *({"rate": r, "kind": k, "width": 1} for r, k in ((0.1, "a"), (0.2, 3))),
            ),
            note("process", "7", member=0, worker=0),
            note("exploits_skipped", value=1.0),
        )
        store.write(run, outcome, measure(run, outcome), came_from)
    store.write_summary("run\n")
    store.write_report({"index.html": "page", "tables/a.csv": "1"})
    store.log().close()
    seen = set()
    real = os.open

    def watched(path, flags, mode=0o777, *, dir_fd=None):
        descriptor = real(path, flags, mode, dir_fd=dir_fd)
        seen.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        return descriptor

    patched = pytest.MonkeyPatch()
    patched.setattr(files.os, "open", watched)
    patched.syspath_prepend(str(root / "outside"))
    yield World(root, seen)
    patched.undo()


@contextmanager
def in_time():
    """A read that hangs fails."""

    def late(*arguments):
        raise TimeoutError(f"not done after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def read(folder):
    """All that a report reads of a folder; what was left out."""
    said = []
    with in_time():
        try:
            store = Store.open(folder)
            found = store.runs()
            said += store.left_out
            texts = [store.title(), *store.study_text().splitlines(), str(store.machine())]
            store.machines()
            kept = {k.run.id: k.run for k in store.all_kept()}
            for m in found:
                try:
                    record = store.record(m.run)
                    texts += record.notes.text.tolist()
                except BadInput as error:
                    said.append(str(error))
                assert kept[m.run.id] == m.run
            texts += summary_csv(found).splitlines()
            cells(found)
        except BadInput as error:
            said.append(str(error))
            texts = []
    for line in said:
        assert line.startswith(str(folder)), line
        assert ":" in line[len(str(folder)) :]
    for text in [*texts, *said]:
        assert not CONTROL.search(text)
        assert OUTSIDE["secret.txt"] not in text
    return said


def write(folder):
    """All that a run writes into a folder that is there already, but for runs."""
    store = Store(folder)
    said = []
    for step in (
        lambda: store.write_machine({"cpu": "two"}),
        lambda: store.write_summary("new"),
        lambda: store.write_report({"index.html": "new", "tables/a.csv": "new"}),
        lambda: store.log().close(),
        lambda: store.locked().__enter__(),
    ):
        try:
            step()
        except BadInput as error:
            said.append(str(error))
    assert all(line.startswith(str(folder)) for line in said)


def some_files(folder):
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*"))


NAMES = [
    "study.toml",
    "machine.json",
    "summary.csv",
    "report",
    "report/index.html",
    "log.txt",
    ".lock",
    ".part-summary.csv-77",
    ".part-scratch",
    "runs",
    "runs/toy.hand",
    *(
        f"runs/toy.hand/pbt/inprocess/k1/s0{name}"
        for name in (
            "",
            "/run.json",
            "/measures.json",
            "/timeline.parquet",
            "/scores.parquet",
            "/forks.parquet",
            "/notes.parquet",
        )
    ),
]


def _things(world):
    return {
        "a link to a file": lambda p: p.symlink_to(world.outside / "secret.txt"),
        "a link to a folder": lambda p: p.symlink_to(world.outside),
        "a link to nothing": lambda p: p.symlink_to(world.outside / "made"),
        "a link to itself": lambda p: p.symlink_to(p),
        "a link to a device": lambda p: p.symlink_to("/dev/zero"),
        "a pipe": os.mkfifo,
        "a folder": lambda p: (p.mkdir(), (p / "x").write_text("")),
        "a file": lambda p: p.write_text("x"),
        "a file of 100 GB": lambda p: (p.write_text(""), os.truncate(p, 10**11)),
        "nothing": lambda p: None,
    }


@pytest.mark.parametrize("name", NAMES)
def test_whatever_stands_in_the_place_of_a_file_is_not_followed_opened_or_waited_for(world, name):
    for what, make in _things(world).items():
        folder = world.fresh()
        place = folder / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        make(place)
        said = read(folder)
        if name.endswith(("run.json", "study.toml")) and what != "nothing":
            assert any(f"{name}: " in line for line in said), what
        world.unharmed()
        write(folder)
        world.unharmed()


@given(data=st.data())
@settings(FUZZ, max_examples=60)
def test_a_file_with_some_bytes_changed_is_read_or_named(world, data):
    folder = world.fresh()
    places = [
        f for f in some_files(folder) if (folder / f).is_file() and not f.startswith("report")
    ]
    file = folder / data.draw(st.sampled_from(places))
    text = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, max(len(text) - 1, 0)))
    match data.draw(st.sampled_from(["flip", "cut", "insert", "replace"])):
        case "flip" if text:
            text[at] ^= data.draw(st.integers(1, 255))
        case "cut":
            del text[at:]
        case "insert":
            text[at:at] = data.draw(st.binary(min_size=1, max_size=20))
        case "replace":
            text = data.draw(
                st.sampled_from([b"", b"{}", b"[" * 10**5, b"\xff\xfe", b"null", b"1" * 10**4])
            )
    file.write_bytes(text)
    if data.draw(st.booleans()):
        (file.parent / "measures.json").unlink(missing_ok=True)
    read(folder)
    world.unharmed()


VALUES = [
    None, True, 0, -1, 2, 2**63, -(2**70), 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "nan",
    "Infinity", "a\nb", "\x00", "\x1b[31m", "\x9b", "\ud800", "\u2028", "../../outside/secret.txt", "/dev/zero",
    "x" * 300, "x" * 10**5, "evil:PROBLEM", "[x] [/blue]", "=1+1", [], {}, [[]], [None], ["x"], {"x": 1},
    {"\ud800": 1}, json.loads("[" * 900 + "]" * 900), "1e999", "é" * 200, 10**12,
]  # fmt: skip


def paths(value, at=()):
    """The paths to all that stands in a JSON value."""
    yield at
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in inner:
        yield from paths(part, (*at, key))


def changed(value, path, new):
    """The value with another at a path in it; GONE takes it out."""
    if not path:
        return new
    copy = value.copy()
    if len(path) == 1 and new is GONE:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


GONE = object()
JSON = [
    "machine.json",
    *(f"runs/toy.hand/pbt/inprocess/k1/s0/{n}.json" for n in ("run", "measures")),
]


@given(data=st.data())
@settings(FUZZ, max_examples=100)
def test_a_field_with_another_value_is_read_or_named(world, data):
    folder = world.fresh()
    file = folder / data.draw(st.sampled_from(JSON))
    fields = json.loads(file.read_text())
    path = data.draw(st.sampled_from(list(paths(fields))[1:]))
    new = data.draw(st.sampled_from([*VALUES, GONE]))
    file.write_text(json.dumps(changed(fields, path, new)))
    if file.name == "run.json" and data.draw(st.booleans()):
        (file.parent / "measures.json").unlink()
    read(folder)
    world.unharmed()


@pytest.mark.parametrize("name", JSON[:2])
def test_each_field_of_a_kind_that_it_can_not_be_is_read_or_named(world, name):
    fields = json.loads((world.fresh() / name).read_text())
    for path in list(paths(fields))[1:]:
        folder = world.fresh()
        (folder / name).write_text(json.dumps(changed(fields, path, {"x": ["\x00"]})))
        assert read(folder)
    world.unharmed()


@given(data=st.data())
@settings(FUZZ, max_examples=30)
def test_a_key_of_the_study_with_another_value_is_read_or_named(world, data):
    folder = world.fresh()
    declared = tomllib.loads(STUDY)
    path = data.draw(st.sampled_from(list(paths(declared))[1:]))
    new = data.draw(st.sampled_from([v for v in VALUES if v is not None and v != [None]]))
    try:
        text = tomli_w.dumps(changed(declared, path, new))
    except (TypeError, ValueError, RecursionError):
        text = "a = " + repr(new)
    (folder / "study.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    read(folder)
    world.unharmed()


TABLES = [
    f"runs/toy.hand/pbt/inprocess/k1/s0/{n}.parquet"
    for n in ("timeline", "scores", "forks", "notes")
]
CELLS = [
    None, 0, 1, -1, -2, 2, 100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 0.5, 1e308,
    float("nan"), float("inf"), -float("inf"), True, "", "x", "a\nb", "\x00",
    "\x1b[31m", "crash", "memory", "null", "[", "[" * 5000,
    "1e999", "evil:PROBLEM", '{"a": [null, "\\ud800"]}', "1" * 5000, b"\xff", [1],
]  # fmt: skip


def noted(table):
    """Have a table's run say that it is the one that was written."""
    file = table.with_name("run.json")
    fields = json.loads(file.read_text())
    fields["tables"][table.name] = table.stat().st_size
    file.write_text(json.dumps(fields))


@given(data=st.data())
@settings(FUZZ, max_examples=100)
def test_a_table_with_other_cells_or_columns_is_read_or_named(world, data):
    folder = world.fresh()
    file = folder / data.draw(st.sampled_from(TABLES))
    table = pq.read_table(file)
    name = data.draw(st.sampled_from(table.column_names))
    at = table.column_names.index(name)
    old = table.column(at).cast(pa.string()) if name == "kind" else table.column(at)
    cell = data.draw(st.sampled_from(CELLS))
    match data.draw(
        st.sampled_from(["one", "all", "drop", "rename", "add", "type", "no rows", "twice"])
    ):
        case "one" | "all" as how:
            values = old.to_pylist()
            row = data.draw(st.integers(0, len(values) - 1))
            values = (
                [cell] * len(values) if how == "all" else [*values[:row], cell, *values[row + 1 :]]
            )
            try:
                column = pa.array(values, old.type)
            except (pa.ArrowException, OverflowError, TypeError, ValueError):
                column = pa.array([cell] * len(values))
            table = table.set_column(at, name, column)
        case "drop":
            table = table.remove_column(at)
        case "rename":
            names = ["", "x", "metric.", "old.x", "new.\x00", "metric.loss", "member"]
            to = data.draw(st.sampled_from(names))
            table = table.rename_columns([to if n == name else n for n in table.column_names])
        case "add":
            table = table.append_column(f"metric.{cell}", pa.array([cell] * len(table)))
        case "type":
            kind = data.draw(
                st.sampled_from(
                    [pa.string(), pa.float32(), pa.int8(), pa.large_string(), pa.uint64()]
                )
            )
            try:
                table = table.set_column(at, name, old.cast(kind, safe=False))
            except pa.ArrowException:
                table = table.remove_column(at)
        case "no rows":
            table = table.slice(0, 0)
        case "twice":
            table = pa.concat_tables([table, table])
    pq.write_table(table, file)
    noted(file)
    read(folder)
    world.unharmed()


def test_a_table_that_would_fill_the_memory_is_refused_unread(world):
    folder = world.fresh()
    file = folder / TABLES[1]
    nothing = pa.array(np.zeros(20_000_000, bool))
    table = pa.table({"metric.loss": nothing})
    with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        for _ in range(15):
            writer.write_table(table, row_group_size=len(nothing))
    assert file.stat().st_size < 10**6
    noted(file)
    (line,) = read(folder)
    assert line.startswith(f"{file}: damaged (300000000 rows; such a table has")


@pytest.mark.parametrize("limit", ["rows", "columns", "values", "bytes"])
def test_each_limit_of_a_table_is_said(world, monkeypatch, limit):
    folder = world.fresh()
    (folder / TABLES[0]).with_name("measures.json").unlink()
    sizes = {"bytes": (folder / TABLES[0]).stat().st_size}
    monkeypatch.setattr(f"pbtbench.store.tables.MOST_{limit.upper()}", sizes.get(limit, 2))
    assert f"{limit}; such a " in read(folder)[0]


HOSTILE = [
    "evil:PROBLEM",
    "{outside}/evil.py:PROBLEM",
    "../../outside/evil.py",
    "{outside}/secret.txt",
    "__import__('evil')",
    "file://{outside}/evil.py",
]


KEPT = {"id", "problem_name", "method", "engine_label", "cause", "started", "goal", "metric"}
"""Fields of a run that have to fit its place or its record."""


def with_every_text(folder, hostile):
    """Put a text in the place of all that a folder's files have, where a text may stand."""
    for file in folder.rglob("*.json"):
        if file.name == "measures.json":
            file.unlink()
            continue
        fields = json.loads(file.read_text())
        for path in paths(fields):
            value = fields
            for key in path:
                value = value[key]
            if isinstance(value, str) and not KEPT.intersection(path):
                fields = changed(fields, path, hostile)
        for name in ("problem_options", "method_options", "engine_options", "sources"):
            if file.name == "run.json":
                fields["run"][name] = {hostile: hostile, "explore": hostile}
        file.write_text(json.dumps(fields))
    declared = {"name": hostile, "title": hostile, "problems": [hostile]}
    (folder / "study.toml").write_text(
        tomli_w.dumps({**declared, "method": {"x": {"is": hostile}}})
    )


def of_format(number, world):
    folder = world.fresh()
    if number == 1:
        shutil.rmtree(folder)
        shutil.copytree(FORMAT1, folder)
    return folder


@contextmanager
def audited():
    """What Python says of what is done meanwhile: (event, its texts)."""
    heard, on = [], True

    def hear(event, given):
        if on:
            code = [p.co_filename for p in given if isinstance(p, CodeType)]
            texts = [str(p) for p in given if isinstance(p, str | bytes | Path)]
            heard.append((event, code + texts))

    sys.addaudithook(hear)
    try:
        yield heard
    finally:
        on = False


def nothing_evil(heard, world):
    for event, texts in heard:
        if event in ("import", "exec", "compile", "subprocess.Popen", "os.system"):
            assert not any("evil" in text for text in texts), (event, texts)
        if event == "open":
            assert not any(str(world.outside) in text for text in texts), texts
    world.unharmed()


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("number", [1, 2])
def test_nothing_that_a_folder_names_is_imported_run_read_or_written(world, hostile, number):
    folder = of_format(number, world)
    with_every_text(folder, hostile.format(outside=world.outside))
    with audited() as heard:
        assert read(folder) == []
    nothing_evil(heard, world)


@pytest.mark.parametrize("number", [1, 2])
def test_a_report_shows_what_a_folder_names_as_text_and_stays_inside(world, number):
    from pbtbench import report

    folder = of_format(number, world)
    with_every_text(folder, "</script></pre><img src=evil:x onerror=evil()> ../../outside/evil.py")
    store = Store.open(folder)
    with audited() as heard:
        page = report.write(store, store.runs())
    assert store.left_out == []
    assert "<img src=evil" not in page.read_text("utf-8")
    nothing_evil(heard, world)
