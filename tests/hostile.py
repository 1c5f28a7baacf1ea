"""A stranger's folder of results, and all that a report reads and a run writes in it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fabricated import a_run, an_outcome, fork, note, score, started, timed

from pbtbench import BadInput
from pbtbench.errors import CONTROL
from pbtbench.measures import measure
from pbtbench.measures.summary import summary_csv
from pbtbench.runs import Provenance
from pbtbench.statistics.cells import cells
from pbtbench.store import Store, files

STUDY = 'name = "mine"\ntitle = "a title"\nproblems = ["toy.hand"]\nseeds = 2\n[options]\na = 1\n'
LIMIT_S = 60
GONE = object()


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


@contextmanager
def a_world(root):
    """Make a stranger's folder in an empty one; what the store opens meanwhile is watched."""
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
    try:
        yield World(root, seen)
    finally:
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
