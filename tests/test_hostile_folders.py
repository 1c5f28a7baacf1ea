"""A folder of results from a stranger is safe to open, whatever is in it: it is read, or the run left out by
name, or refused in one line that names the file. Nothing outside of it is touched, nothing imported or run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

import pytest
import tomli_w
from hostile import changed, paths, read, write

from pbtbench.store import Store

FORMAT1 = Path(__file__).parent / "format1"


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
