"""Revisions of a git repository: what is built for them, what is measured of them, and what can't be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pbtbench
from pbtbench.errors import BadInput, Failed
from pbtbench.regression import revisions

BENCHMARK = """\
def test_plain(pbt_benchmark):
    pbt_benchmark(
        problem="toy.plain", method="pbt", interval={interval}, iterations=20, rounds=2, limit_s=600.0
    )
"""
SLEEPS = """\
import os, time
from pathlib import Path

def test_it(pbt_benchmark):
    Path({file!r}).write_text(str(os.getpid()))
    time.sleep(600)
"""
BACKEND = """\
import importlib.util, zipfile
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    assert importlib.util.find_spec("numpy") is None, "a build finds what it asks for, and no more"
    files = {
        "mine.py": Path("mine.py").read_text(),
        "mine-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: mine\\nVersion: 1\\n"
        "Requires-Dist: numpy\\n",
        "mine-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "mine-1.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(Path(folder) / "mine-1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "mine-1-py3-none-any.whl"
"""
BUILT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
EDITABLE = """\
import importlib.util, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "mine":
            return importlib.util.spec_from_file_location(name, {file!r})

sys.meta_path.insert(0, Finder())
"""
NO_TIMES = """\
[gate]
wall_s = false
checkpoint_overhead = false
"""


def git(root, *arguments):
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with a benchmark, in which `slow` decides twice as often as `main`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = tmp_path / "mine"
    found.mkdir()
    monkeypatch.chdir(found)
    git(found, "init", "--quiet", "--initial-branch=main")
    (found / "gate.toml").write_text(NO_TIMES)
    commit(found, interval=10)
    return found


def commit(root, text=BENCHMARK, **fields):
    (root / "test_speed.py").write_text(text.format(**fields))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=a change")


def compared(*arguments):
    """`pbtbench compare` of these arguments: its exit code, and what it says."""
    command = [sys.executable, "-m", "pbtbench", "compare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def turn(root, tmp_path, limit_s=60):
    """What `HEAD` comes to in a turn."""
    with revisions.cache() as cache:
        revision, _ = revisions.prepared(cache, root, "HEAD")
    (tmp_path / "scratch").mkdir()
    return revisions.run(revision, [], tmp_path / "scratch", limit_s)


def test_each_revision_runs_its_own_files(root):
    git(root, "checkout", "--quiet", "-b", "slow")
    commit(root, BENCHMARK.replace("iterations=20", "iterations=30"), interval=10)
    code, said = compared(
        "--paired", "main", "slow", "--thresholds", "gate.toml", "--markdown", "page.md"
    )
    assert code == 1, said
    assert "another benchmark" in said
    assert "2 pairs of turns" in said
    assert "another benchmark" in (root / "page.md").read_text()
    assert not (root / ".git" / "worktrees").exists()
    code, said = compared(
        "--paired", "main", "main", "--thresholds", "gate.toml", "--minutes", "0.001"
    )
    assert "its environment was there" in said
    assert code == 1, said
    assert "not a pair of turns" in said


def test_a_benchmark_that_fails_in_one_revision_only_is_named(root):
    git(root, "checkout", "--quiet", "-b", "broken")
    failing = BENCHMARK.replace("(pbt_benchmark)", "(pbt_benchmark, why)") + "    assert 1 == 2\n"
    marked = f"import pytest\n\n@pytest.mark.parametrize('why', ['a b'])\n{failing}"
    commit(root, marked, interval=10)
    (root / "test_speed.py").write_text("uncommitted")
    code, said = compared("--paired", "main", "broken", "--thresholds", "gate.toml")
    assert code == 1, said
    assert "changes that are not committed are not measured" in said
    assert "broken: test_speed.py::test_plain[a b] failed: " in said


def test_where_one_revision_has_no_benchmark_the_others_are_new_or_missing(root):
    git(root, "checkout", "--quiet", "-b", "empty")
    commit(root, "")
    code, said = compared("--paired", "empty", "main")
    assert code == 0, said
    assert "1 benchmark new." in said
    git(root, "rm", "--quiet", "test_speed.py")
    git(root, "commit", "--quiet", "--message=a change")
    code, said = compared("--paired", "main", "empty", "--benchmarks", "test_speed.py")
    assert code == 1, said
    assert "1 benchmark missing." in said
    code, said = compared("--paired", "empty", "empty", "--benchmarks", "test_sped.py")
    assert code == 2, said
    assert "no benchmark found in either revision" in said


def test_places_are_given_from_where_one_stands(root, monkeypatch):
    (root / "within").mkdir()
    monkeypatch.chdir(root / "within")
    given = ["../test_speed.py::test_plain", "test_more.py", str(root)]
    assert revisions.places(root, given) == [
        "test_speed.py::test_plain",
        "within/test_more.py",
        ".",
    ]
    with pytest.raises(BadInput, match="not in the repository"):
        revisions.places(root, ["../../test_speed.py"])


def test_a_revision_that_can_not_be_built_is_a_failure_that_says_where_its_log_is(root, tmp_path):
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "no_such_backend"\n'
    )
    commit(root, interval=10)
    code, said = compared("--paired", "HEAD~1", "HEAD")
    assert code == 1, said
    (line,) = [line for line in said.splitlines() if "can't be built" in line]
    assert "HEAD: can't be built: " in line
    assert Path(line.rpartition("; see ")[2]).is_file()


def test_why_a_build_failed_is_told(root):
    (root / "pyproject.toml").write_text(BUILT)
    (root / "backend.py").write_text("def build_wheel(*_): raise RuntimeError('no such luck')")
    commit(root, interval=10)
    with (
        revisions.cache() as cache,
        pytest.raises(Failed, match="RuntimeError: no such luck; see "),
    ):
        revisions.prepared(cache, root, "HEAD")


def test_a_revision_goes_before_what_is_installed_to_be_edited(root, tmp_path, monkeypatch):
    """It is built without what this interpreter has, and finds that afterwards."""
    shared = tmp_path / "site-packages"
    shared.mkdir()
    (tmp_path / "mine.py").write_text("VALUE = 'the working tree'")
    (shared / "mine_editable.py").write_text(EDITABLE.format(file=str(tmp_path / "mine.py")))
    (shared / "mine_editable.pth").write_text("import mine_editable")
    monkeypatch.setattr(sys, "path", [str(shared), *sys.path])
    for name, text in {
        "pyproject.toml": BUILT,
        "backend.py": BACKEND,
        "mine.py": "VALUE = 1",
    }.items():
        (root / name).write_text(text)
    commit(root, interval=10)
    with revisions.cache() as cache:
        revision, _ = revisions.prepared(cache, root, "HEAD")
    asked = "import mine, numpy, pbtbench; print(mine.VALUE, mine.__file__, pbtbench.__file__)"
    command = [str(revision.python), "-P", "-c", asked]
    own = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    said = subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout
    value, file, ours = said.split()
    assert value == "1"
    assert Path(file).is_relative_to(revision.python.parents[1])
    assert ours == pbtbench.__file__, "the pbtbench that runs, wherever it stands"


def test_a_project_file_that_is_there_for_tools_alone_builds_nothing(root):
    (root / "pyproject.toml").write_text("[tool.other]\n")
    for folder in ("one", "two"):
        (root / folder).mkdir()
        (root / folder / "__init__.py").touch()
    commit(root, interval=10)
    with revisions.cache() as cache:
        revision, _ = revisions.prepared(cache, root, "HEAD")
    assert not (revision.checkout.parent / "wheel").exists()


def test_asked_to_end_it_leaves_no_process(root, tmp_path):
    commit(root, SLEEPS, file=str(tmp_path / "pid"))
    with subprocess.Popen(
        [sys.executable, "-m", "pbtbench", "compare", "--paired", "HEAD", "HEAD"],
        stdout=subprocess.DEVNULL,
    ) as process:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mian", "HEAD"], "no such commit, branch or tag here; did you mean 'main'?"),
        (["--", "--upload-pack=touch x", "HEAD"], "no such commit"),
        (["main", "HEAD", "--update"], "leave out --update"),
        (["main", "HEAD", "--minutes", "0"], "--minutes"),
        (["main", "HEAD", "--minutes", "nan"], "give a number of minutes"),
        (["main", "HEAD", "--markdown", "nowhere/page.md"], "there is no folder nowhere"),
        (["main"], "Missing argument 'NEW'"),
    ],
)
def test_what_is_no_pair_of_revisions_is_refused_in_a_line(root, arguments, says):
    code, said = compared("--paired", *arguments)
    assert code == 2, said
    assert says in said
    assert not (root / "x").exists()


def test_flags_of_the_paired_mode_mean_nothing_without_it(root):
    code, said = compared("a.json", "b.json", "--minutes", "3")
    assert code == 2, said
    assert "are for --paired" in said


def test_benchmarks_without_the_fixture_are_refused_in_a_line(root, tmp_path):
    commit(root, "def test_it(benchmark):\n    benchmark(int)\n")
    with pytest.raises(
        BadInput, match=r"^HEAD: its benchmarks left no measures: no benchmark in it uses"
    ):
        turn(root, tmp_path)


def test_where_there_is_no_repository_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    code, said = compared("--paired", "main", "HEAD")
    assert code == 2, said
    assert "not in a git repository" in said


def test_two_at_once_would_spoil_each_others_figures(root):
    with (
        revisions.cache(),
        pytest.raises(BadInput, match="another comparison is measuring"),
        revisions.cache(),
    ):
        pass


def test_an_environment_that_was_half_built_is_built_anew(root):
    with revisions.cache() as cache:
        found, built = revisions.prepared(cache, root, "main")
        assert built
        (found.checkout.parent / "complete").unlink()
        (found.checkout / "test_speed.py").unlink()
        found, built = revisions.prepared(cache, root, "main")
        assert built
        assert (found.checkout / "test_speed.py").is_file()
        assert not revisions.prepared(cache, root, "main")[1]


def test_environments_that_were_used_longest_ago_are_deleted(root, tmp_path, monkeypatch):
    monkeypatch.setattr(revisions, "KEPT", 2)
    with revisions.cache() as cache:
        for age, name in enumerate(("used", "older")):
            (cache / name).mkdir()
            (cache / name / "complete").touch()
            os.utime(cache / name / "complete", (1000 - age, 1000 - age))
        revision, _ = revisions.prepared(cache, root, "main")
        kept = {path.name for path in cache.iterdir() if path.is_dir()}
    assert kept == {"used", revision.checkout.parent.name}


def test_a_turn_that_takes_too_long_is_killed_with_all_that_it_started(root, tmp_path):
    commit(root, SLEEPS, file=str(tmp_path / "pid"))
    assert turn(root, tmp_path, limit_s=15) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_file_that_pytest_can_not_load_is_a_failure(root, tmp_path):
    commit(root, "import nothing_of_that_name\n")
    with pytest.raises(
        Failed, match=r"HEAD: pytest can't run its benchmarks: .*nothing_of_that_name"
    ):
        turn(root, tmp_path)
