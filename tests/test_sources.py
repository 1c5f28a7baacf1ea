"""The code that a run depends on is noticed when it changes, and found wherever a command runs from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_studies import run

from pbtbench import BadInput, Study, catalogue
from pbtbench.running.code import Code
from pbtbench.store import Store
from pbtbench.user_code import sources

MINE = """
import numpy as np
from pbtbench import *
from helpers_of_mine import gain

class Climbers:
    traces = 0
    def __init__(self, hyperparameters, seeds):
        self.rate = np.array([h["rate"] for h in hyperparameters])
        self.place = np.zeros(len(self.rate))
    @property
    def size(self): return len(self.rate)
    def train(self, steps):
        from later_of_mine import factor
        self.place += gain(self.rate) * factor
    def evaluate(self): return {"place": self.place}
    def state(self, member): return {"place": self.place[member]}
    def adopt(self, member, state, hyperparameters):
        self.place[member] = state["place"]
        self.rate[member] = hyperparameters["rate"]

PROBLEM = Problem(
    "t", "s", "f", Space({"rate": Uniform(0, 1)}), Objective("place", "max"), 3, 1, Climbers
)
"""

EXPLORE = """
def explore(hyperparameters, space, rng):
    return dict(hyperparameters)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A problem's file, which imports modules beside it, one of them late."""
    folder = tmp_path / "theirs"
    (folder / "package_of_mine").mkdir(parents=True)
    (folder / "mine.py").write_text(MINE)
    (folder / "helpers_of_mine.py").write_text(
        "import json, numpy\nfrom package_of_mine import doubled\ndef gain(r): return doubled(r)\n"
    )
    (folder / "package_of_mine" / "__init__.py").write_text("from .deep import doubled\n")
    (folder / "package_of_mine" / "deep.py").write_text("def doubled(r): return 2 * r\n")
    (folder / "later_of_mine.py").write_text("factor = 1\n")
    (folder / "unrelated.py").touch()
    return folder / "mine.py"


@pytest.fixture(autouse=True)
def _fresh():
    """Nothing of one test's files is left for the next."""
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if "of_mine" in name:
            del sys.modules[name]


OWN = [
    "helpers_of_mine.py",
    "later_of_mine.py",
    "mine.py",
    "package_of_mine/__init__.py",
    "package_of_mine/deep.py",
]


def test_a_problems_sources_are_its_file_and_what_it_imports_of_the_users_own(mine):
    catalogue.problem(str(mine))
    assert sorted(catalogue.sources(str(mine), {})) == OWN


def test_a_methods_own_explore_belongs_to_them(mine, tmp_path):
    (tmp_path / "moves.py").write_text(EXPLORE)
    catalogue.problem(str(mine))
    found = catalogue.sources(str(mine), {"explore": f"{tmp_path / 'moves.py'}:explore"})
    assert sorted(found) == ["../moves.py", *OWN]


def test_the_sources_of_a_shipped_problem_are_its_file_and_its_siblings():
    assert set(catalogue.sources("toy.time_linked", {})) >= {"time_linked.py", "plain.py"}
    assert not [f for f in catalogue.sources("vision.digits_mlp", {}) if "pbtbench" in f]


def test_digests_follow_what_is_in_the_files(tmp_path):
    file = tmp_path / "one.py"
    file.write_text("x = 1\n")
    before = sources.digests([str(file)])
    file.touch()
    assert sources.digests([str(file)]) == before
    file.write_text("x = 2\n")
    assert sources.digests([str(file)]) != before


@pytest.mark.parametrize("edited", OWN)
def test_an_edited_problem_is_refused_until_its_runs_are_made_anew(mine, tmp_path, edited):
    """Keeping runs of old code in one table with those of new code would be wrong in silence."""
    out = tmp_path / "out"
    run([str(mine)], out, seeds=2)
    file = mine.parent / edited
    file.write_text(file.read_text() + "\n# edited\n")
    with pytest.raises(BadInput) as refused:
        run([str(mine)], out, seeds=2)
    for words in ("2 kept runs", edited, "mine/random/inprocess/s0", "--again"):
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    _, notes = run([str(mine)], out, seeds=2, again=True)
    assert (notes.kept, len(notes.causes)) == (0, 2)
    assert run([str(mine)], out, seeds=2)[1].kept == 2


def test_a_changed_card_is_refused_too(tmp_path):
    """As where a module that gives the objective is not the user's own."""
    out = tmp_path / "out"
    run(["toy.branin"], out)
    file = out / "runs/toy.branin/random/inprocess/s0/run.json"
    facts = json.loads(file.read_text())
    facts["run"]["card"]["objective"]["metric"] = "another"
    file.write_text(json.dumps(facts))
    with pytest.raises(BadInput, match=r"other code or settings than today's \(card\)"):
        run(["toy.branin"], out)


def test_runs_that_were_kept_without_digests_are_reported_but_not_resumed(tmp_path):
    out = tmp_path / "out"
    run(["toy.branin"], out)
    file = out / "runs/toy.branin/random/inprocess/s0/run.json"
    facts = json.loads(file.read_text())
    del facts["run"]["sources"]
    file.write_text(json.dumps(facts))
    assert len(Store.open(out).runs()) == 1
    with pytest.raises(BadInput, match="their files were not noted"):
        run(["toy.branin"], out)


def test_failed_runs_of_old_code_never_stand_beside_new_ones(mine, tmp_path):
    out = tmp_path / "out"
    working = mine.read_text()
    mine.write_text(working.replace("def evaluate(self):", "def evaluate(self): 1 / 0;"))
    _, notes = run([str(mine)], out, seeds=2)
    assert set(notes.causes.values()) == {"crash"}
    mine.write_text(working)
    _, notes = run([str(mine)], out, seeds=2)
    assert (notes.kept, set(notes.causes.values())) == (0, {""})


def test_a_problem_that_is_edited_while_the_study_runs_ends_it(mine, tmp_path):
    touches = f"open({str(mine)!r}, 'a').write('# edited') if self.place[0] else 0;"
    mine.write_text(MINE.replace("def evaluate(self):", f"def evaluate(self): {touches}"))
    with pytest.raises(BadInput, match=r"mine\.py changed while the study runs.*--again"):
        run([str(mine)], tmp_path / "out", seeds=3)
    assert len(Store.open(tmp_path / "out").runs()) <= 1


def test_modules_beside_a_file_are_found_from_anywhere(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, notes = run(["theirs/mine.py"], tmp_path / "out")
    assert set(notes.causes.values()) == {""}


def test_modules_beside_a_methods_explore_are_found_too(mine, tmp_path):
    (mine.parent / "moves.py").write_text(f"import helpers_of_mine\n{EXPLORE}")
    method = {"pbt": {"explore": f"{mine.parent / 'moves.py'}:explore"}}
    _, notes = run(["toy.pbt_quadratic"], tmp_path / "out", methods=["pbt"], method=method)
    assert set(notes.causes.values()) == {""}


def test_two_modules_of_one_name_are_refused_naming_both(mine, tmp_path):
    other = tmp_path / "others"
    other.mkdir()
    (other / "another.py").write_text("import helpers_of_mine\n" + MINE)
    (other / "helpers_of_mine.py").write_text("def gain(r): return -r\n")
    with pytest.raises(BadInput) as refused:
        Study.plan({"problems": [str(mine), str(other / "another.py")]})
    for file in (mine.with_name("helpers_of_mine.py"), other / "helpers_of_mine.py"):
        assert str(file) in str(refused.value)


COLONS = ["a:b/x.py", "a:b/x.py:PROBLEM", "c:x.py", "./a:b:c/d:e/x.py:HARD"]


@pytest.mark.parametrize("reference", COLONS)
def test_a_path_may_have_colons(reference, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = Path(reference[: reference.index(".py") + 3])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("from problems.toy.branin import PROBLEM\nHARD = PROBLEM\n")
    found = catalogue.problem(reference)
    named = ".HARD" if "HARD" in reference else ""
    assert found.name == file.stem + named
    monkeypatch.chdir("/")
    assert catalogue.problem(str(tmp_path / reference)).name == found.name


def test_a_thread_that_a_problem_leaves_behind_keeps_no_command_from_ending(mine, tmp_path):
    waits = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    mine.write_text(waits + mine.read_text())
    flags = ["--methods", "random", "--seeds", "1", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "pbtbench", "run", "--problems", str(mine), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = [sys.executable, "-m", "pbtbench", "show", str(mine)]
    assert subprocess.run(shown, capture_output=True, check=False, timeout=60).returncode == 0


def test_the_pages_of_a_study_need_none_of_its_code(mine, tmp_path):
    run([str(mine)], tmp_path / "out")
    mine.unlink()
    assert len(Store.open(tmp_path / "out").runs()) == 1


def test_files_are_digested_again_only_when_they_were_written(mine, monkeypatch):
    (run,) = Study.plan({"problems": [str(mine)], "methods": ["random"], "seeds": 1}).runs
    asked = []
    digest = catalogue.sources
    monkeypatch.setattr(
        "pbtbench.catalogue.sources", lambda *of: asked.append(of[0]) or digest(*of)
    )
    code = Code()
    for seed in range(3):
        code.check_unchanged(run.at_seed(seed))
    assert len(asked) == 1
    mine.touch()
    code.check_unchanged(run)
    assert len(asked) == 2
    mine.write_text(mine.read_text() + "\n")
    with pytest.raises(BadInput, match=r"mine\.py changed while the study runs"):
        code.check_unchanged(run)
