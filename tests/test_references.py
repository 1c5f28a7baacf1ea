"""The reference results of this repository are what the commands beside them plan, so that the same commands
resume them, or let them grow."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import click
import pytest

from pbtbench import Study, cli
from pbtbench.study.cells import cells
from pbtbench.study.declaration import parsed, resolved

ROOT = Path(__file__).parents[1]
COMMANDS = re.findall(
    r"^\| `reference/.*?\| `pbtbench run (.*?)`",
    (ROOT / "results/README.md").read_text(),
    re.MULTILINE,
)
FOLDERS = sorted(file.parent for file in ROOT.glob("results/reference/*/study.toml"))


def arguments(command: str) -> dict[str, object]:
    """What the command line understands by a command."""
    context: click.Context = cli.run.make_context("run", shlex.split(command))
    return context.params


def planned(command: str) -> tuple[Path, Study]:
    """The folder that a command writes to, and its study, on a machine that may lack some packages."""
    flags = arguments(command)
    study, out, quick = (flags.pop(key) for key in ("study", "out", "quick"))
    del flags["again"], flags["tensorboard"]
    return ROOT / out, Study.load(study, {**flags, "where_installed": True}, quick=quick)


def test_every_folder_has_its_command():
    assert sorted(ROOT / arguments(command)["out"] for command in COMMANDS) == FOLDERS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_plans_the_runs_that_are_kept(command, monkeypatch):
    """By ids and settings; those of problems that are not installed here, too."""
    monkeypatch.chdir(ROOT)
    folder, study = planned(command)
    with (folder / "summary.csv").open(newline="") as file:
        kept = {row["run"]: row for row in csv.DictReader(file)}
    ids = {f"{name}/s{seed}" for name, cell in study.cells.items() for seed in range(cell.seeds)}
    assert ids == kept.keys()
    for run in study.runs:
        row = kept[run.id]
        assert (row["transport"], row["engine"], row["seed"]) == (
            run.transport,
            run.engine,
            str(run.seed),
        )
        assert int(row["iterations"]) == run.iterations
        assert int(row["population"]) <= run.population, "a grid may have fewer points"


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_declared_in_a_folder_is_what_its_command_declares(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    folder, study = planned(command)
    text = (folder / "study.toml").read_text()
    declared = resolved(parsed(text, "study.toml"), "study.toml")
    before = cells(declared, "study.toml")
    assert before.keys() == study.cells.keys()
    for name, cell in study.cells.items():
        was = before[name]
        assert (was.seeds, was.targets) == (cell.seeds, cell.targets)
        for key in ("population", "workers", "iterations", "budget", "options", "label"):
            assert getattr(was.sweep, key) == getattr(cell.sweep, key), key
    used = {cell.method for cell in before.values()}
    assert {name: declared.method.get(name) for name in used} == {
        name: study.declaration.method.get(name) for name in used
    }
