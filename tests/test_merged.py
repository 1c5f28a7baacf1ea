"""Folders that somebody put together by hand: nothing in them is lost or mixed, and each oddity is said in a
line that names it and the remedy."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace

import pytest
from fabricated import CAME_FROM, an_outcome, note, score

from pbtbench import BadInput, Study, cli
from pbtbench.measures import measure
from pbtbench.store import Store
from pbtbench.study.declaration import resolved
from pbtbench.study.growth import grown
from pbtbench.study.oddities import oddities

SMALL = {"problems": ["toy.pbt_quadratic"], "methods": ["random"], "seeds": 2}
CELL = "toy.pbt_quadratic/random/inprocess"
ONE = {"cpu": "one", "cores_usable": 2}


def keep(store, run, *more, came_from=CAME_FROM):
    outcome = an_outcome(score(1.0, 0, 1, 0.5, metric=run.card.objective.metric), *more)
    store.write(run, outcome, measure(run, outcome), came_from)


def folder(path, machine=ONE, **keys):
    """A study's folder with all of its runs."""
    study, store = Study.plan({**SMALL, **keys}), Store.claim(path)
    store.declare(study.to_toml())
    store.write_machine(machine)
    (name,) = store.machines()
    for run in study.runs:
        keep(store, run, came_from=replace(CAME_FROM, machine=name))
    return store


@pytest.fixture
def mine(tmp_path):
    return folder(tmp_path / "mine")


def merge(one, other):
    """Copy the runs of another folder into one, over what is there."""
    shutil.copytree(other.path / "runs", one.path / "runs", dirs_exist_ok=True)


def said(store):
    """What a report says of a folder beside its results, and the seeds that it reports."""
    found = store.runs()
    odd = oddities(store.declared(), store.machines(), found, str(store.path))
    return [*store.left_out, *odd], [m.run.seed for m in found]


def goes_on(store, *, again=False, **keys):
    before = resolved(store.declared(), f"{store.path}/study.toml")
    study = Study.plan({**SMALL, **keys})
    return grown(study, before, store.all_kept(), str(store.path), again=again)


def contents(store):
    return {file: file.read_bytes() for file in store.path.rglob("*") if file.is_file()}


def test_a_folder_that_nobody_touched_is_odd_in_nothing(mine):
    assert said(mine) == ([], [0, 1])


def test_runs_that_are_not_declared_are_named_and_reported_and_stay(mine, tmp_path):
    merge(mine, folder(tmp_path / "other", seeds=4))
    (line,), seeds = said(mine)
    assert seeds == [0, 1, 2, 3]
    assert line == (
        f"{mine.path}/study.toml: it declares no 2 kept runs ({CELL}/s2, {CELL}/s3); run the study that made "
        "them with this --out, too, or move their folders out of runs/ into a folder of their own"
    )
    growth = goes_on(mine)
    assert (growth.missing, growth.outdated, growth.others) == ((), (), 2)
    growth = goes_on(mine, seeds=4)
    assert (growth.missing, growth.declaration.seeds) == ((), 4)


def test_runs_of_other_settings_than_most_of_their_cell_are_left_out_by_name(mine, tmp_path):
    """Whatever was first: their medians would be of nothing."""
    other = folder(tmp_path / "other", seeds=5, population=4)
    for seed in range(2):
        shutil.rmtree(other.path / "runs" / CELL / f"s{seed}")
    merge(mine, other)
    before = contents(mine)
    lines, seeds = said(mine)
    assert seeds == [2, 3, 4]
    assert lines[0] == (
        f"{mine.path}/runs/{CELL}: s0, s1: of other code or settings (population) than 3 more of it, such as "
        "s2; move them into a folder of their own, or have --again make them anew"
    )
    with pytest.raises(
        BadInput, match=rf"3 kept runs are of other .*\(population\): {CELL}/s2, .*--again"
    ):
        goes_on(mine)
    assert contents(mine) == before
    assert [run.seed for run in goes_on(mine, again=True).missing] == [2, 3, 4]


def test_runs_of_other_code_than_most_of_their_cell_are_left_out_by_name(mine):
    run = Study.plan({**SMALL, "seeds": 3}).runs[2]
    file = next(iter(run.sources))
    keep(mine, replace(run, sources={**run.sources, file: "0" * 64}))
    lines, seeds = said(mine)
    assert seeds == [0, 1]
    assert f"/runs/{CELL}: s2: of other code or settings ({file}) than 2 more of it" in lines[0]


def test_kinds_of_one_cell_are_told_apart_by_all_that_they_are(mine):
    for seed, population in ((2, 3), (3, 4), (4, 4), (5, 4)):
        (run,) = Study.plan({**SMALL, "seeds": 1, "population": population}).runs
        keep(mine, run.at_seed(seed))
    lines, seeds = said(mine)
    assert seeds == [3, 4, 5]
    assert [line.split(": ")[1] for line in lines[:2]] == ["s0, s1", "s2"]


def test_runs_that_were_copied_over_those_that_are_declared_are_named(mine, tmp_path):
    """All of a cell's: they agree with one another, not with `study.toml`."""
    merge(mine, folder(tmp_path / "other", population=4, iterations=7))
    (line,), seeds = said(mine)
    assert seeds == [0, 1]
    assert line.startswith(
        f"{mine.path}/study.toml: it declares other settings (population) of 2 kept runs ({CELL}/s0, "
    )
    with pytest.raises(BadInput, match="2 kept runs are of other code or settings"):
        goes_on(mine)


def test_runs_of_other_machines_are_said_and_so_are_machines_that_nobody_described(mine, tmp_path):
    other = folder(tmp_path / "other", machine={"cpu": "two"}, problems=["toy.branin"])
    merge(mine, other)
    (name,), (theirs,) = mine.machines(), other.machines()
    _, unknown, apart = said(mine)[0]
    assert unknown.startswith(
        f"{mine.path}/machine.json: it does not know the machine ({theirs}) of 2 kept runs (toy.branin/"
    )
    assert apart == (
        f"{mine.path}: kept runs are of 2 machines, which are compared apart: 2 on {theirs}, 2 on {name}"
    )
    mine.write_machine({"cpu": "two"})
    assert len(said(mine)[0]) == 2


@pytest.mark.parametrize("there", [False, True])
def test_a_run_in_the_place_of_another_is_named_and_never_written_over(mine, there):
    if there:
        shutil.rmtree(mine.path / "runs" / CELL / "s1")
    (mine.path / "runs" / CELL / "s0").rename(mine.path / "runs" / CELL / ("s1" if there else "s7"))
    place = "s1" if there else "s7"
    what = (
        f"{mine.path}/runs/{CELL}/{place}/run.json: it is the run {CELL}/s0, in the place of {CELL}/{place}; "
        f"rename its folder to runs/{CELL}/s0, or delete it"
    )
    lines, seeds = said(mine)
    assert lines == [what]
    assert seeds == ([] if there else [1])
    with pytest.raises(BadInput) as refused:
        goes_on(mine, seeds=8)
    assert str(refused.value) == what


def test_a_table_that_a_run_did_not_write_is_none_of_it(tmp_path):
    """Such as notes of another run of that id, which copying left beside it."""
    mine, other = folder(tmp_path / "mine", seeds=1), folder(tmp_path / "other", seeds=1)
    (run,) = Study.plan({**SMALL, "seeds": 1}).runs
    keep(other, run, note("stopped"))
    assert len(other.record(run).notes) == 1
    shutil.copy2(*(s.path / "runs" / run.id / "notes.parquet" for s in (other, mine)))
    assert len(mine.record(run).notes) == 0
    assert said(mine) == ([], [0])


def test_a_folder_whose_study_is_no_declaration_says_so(mine):
    mine.declare('name = "mine"\nproblems = ["toy.pbt_quadratic"]\nmethods = ["pbtt"]\n')
    (line,), seeds = said(mine)
    assert line.startswith(f"{mine.path}/study.toml: unknown method 'pbtt'")
    assert seeds == [0, 1]


def test_nothing_that_an_odd_folder_declares_is_imported(mine, tmp_path):
    mark = tmp_path / "imported"
    (tmp_path / "theirs.py").write_text(f"open({str(mark)!r}, 'w')\n")
    mine.declare(f'problems = ["{tmp_path}/theirs.py", "theirs:PROBLEM"]\n')
    lines, _ = said(mine)
    assert "it declares no 2 kept runs" in lines[0]
    assert not mark.exists()


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command: its exit code, and the lines of its output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pbtbench", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code, said.out.splitlines(), said.err.splitlines()

    return run


RUN = ["run", "--problems", "toy.pbt_quadratic", "--methods", "random", "--seeds", "2"]


def test_two_folders_in_one_are_reported_with_what_is_odd_and_refused_where_runs_would_be_lost(
    mine, tmp_path, command
):
    other = folder(tmp_path / "other", seeds=4, population=4)
    theirs = other.path / "runs" / CELL
    shutil.copytree(theirs / "s1", mine.path / "runs" / CELL / "s5")
    shutil.copytree(theirs / "s3", mine.path / "runs" / CELL / "s3")
    before = contents(mine)
    code, out, err = command("report", "mine")
    assert (code, err) == (0, [])
    left_out = [line for line in out if line.startswith("left out: ")]
    assert f"mine/runs/{CELL}/s5/run.json: it is the run {CELL}/s1" in left_out[0]
    assert f"mine/runs/{CELL}: s3: of other code or settings (population)" in left_out[1]
    code, _, (line,) = command(*RUN, "--out", "mine")
    assert (code, f"rename its folder to runs/{CELL}/s1" in line) == (2, True)
    shutil.rmtree(mine.path / "runs" / CELL / "s5")
    code, _, (line,) = command(*RUN, "--out", "mine")
    assert (code, "--again makes them anew" in line) == (2, True)
    kept = {file: text for file, text in before.items() if file.exists() and "runs" in file.parts}
    assert len(kept) == 3 * 5
    assert kept.items() <= contents(mine).items()
