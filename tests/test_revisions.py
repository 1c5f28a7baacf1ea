"""Revisions of a git repository: what is built for them, what is measured of them, and what can't be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    commit(root, BENCHMARK + "    assert 1 == 2, 'no'\n", interval=10)
    (root / "test_speed.py").write_text("uncommitted")
    code, said = compared("--paired", "main", "broken", "--thresholds", "gate.toml")
    assert code == 1, said
    assert "changes that are not committed are not measured" in said
    assert "broken: test_speed.py::test_plain failed: " in said


def test_a_revision_without_a_benchmark_is_refused(root):
    git(root, "checkout", "--quiet", "-b", "empty")
    commit(root, "")
    code, said = compared("--paired", "empty", "main")
    assert code == 2, said
    assert "empty: no benchmark found" in said


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
    with revisions.cache() as cache:
        revision, _ = revisions.prepared(cache, root, "HEAD")
    (tmp_path / "scratch").mkdir()
    with pytest.raises(
        BadInput, match=r"^HEAD: its benchmarks left no measures: no benchmark in it uses"
    ):
        revisions.run(revision, [], tmp_path / "scratch", 60)


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


def test_a_turn_that_takes_too_long_is_killed_with_all_that_it_started(root, tmp_path):
    commit(root, SLEEPS, file=str(tmp_path / "pid"))
    with revisions.cache() as cache:
        revision, _ = revisions.prepared(cache, root, "HEAD")
    (tmp_path / "scratch").mkdir()
    assert revisions.run(revision, [], tmp_path / "scratch", 15) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_file_that_pytest_can_not_load_is_a_failure(root, tmp_path):
    commit(root, "import nothing_of_that_name\n")
    with revisions.cache() as cache:
        revision, _ = revisions.prepared(cache, root, "HEAD")
    (tmp_path / "scratch").mkdir()
    with pytest.raises(
        Failed, match=r"HEAD: pytest can't run its benchmarks: .*nothing_of_that_name"
    ):
        revisions.run(revision, [], tmp_path / "scratch", 60)
