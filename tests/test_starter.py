"""`pbtbench ci init`: what it writes is run, as CI would; and the workflows of this project."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import pbtbench
from pbtbench.errors import BadInput, Failed
from pbtbench.regression import starter
from pbtbench.store import files

ROOT = Path(__file__).parents[1]
TEXTS = Path(starter.__file__).parent


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A fresh git repository, in which one stands."""
    root = tmp_path / "mine"
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    monkeypatch.chdir(root)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return root


def content(root):
    """What stands in a repository, but for git's own."""
    found = (path for path in root.rglob("*") if ".git" not in path.relative_to(root).parts)
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in found
    }


def ran(line, root, **variables):
    """A line of a workflow, run in a shell as CI runs it, but in this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        cwd=root, env={**os.environ, "PATH": path, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def lines_of(provider, root):
    """The lines that a workflow runs once all is installed."""
    if provider == "github":
        return job("benchmarks", root)
    workflow = yaml.safe_load((root / starter.WORKFLOWS[provider][0]).read_text())
    return workflow["pbtbench"]["script"]


@pytest.mark.parametrize("provider", starter.WORKFLOWS)
def test_what_is_written_runs_as_in_ci_and_notices_a_change(repository, provider):
    made = ran(f"python -m pbtbench ci init --provider {provider}", repository)
    assert made.returncode == 0, made.stdout + made.stderr
    written = {name for name, held in content(repository).items() if held is not None}
    workflow = starter.WORKFLOWS[provider][0]
    assert written == {workflow, starter.BENCHMARK, starter.GATE, starter.BASELINE}

    summary = repository / ("benchmarks.md" if provider == "gitlab" else "summary.md")
    lines = lines_of(provider, repository)
    for line in lines:
        done = ran(line, repository, GITHUB_STEP_SUMMARY=str(summary))
        assert done.returncode == 0, done.stdout + done.stderr
    assert "measures same." in summary.read_text()

    file = repository / starter.BASELINE
    baseline = json.loads(file.read_text())
    (entry,) = next(iter(baseline["benchmarks"].values())).values()
    entry["measures"]["forks"][0] -= 1
    file.write_text(json.dumps(baseline))
    codes = [ran(line, repository, GITHUB_STEP_SUMMARY=str(summary)).returncode for line in lines]
    assert codes == [0, 1]
    assert "| forks |" in summary.read_text()


def job(name, root):
    """The lines that a job of the workflow for GitHub runs once all is installed."""
    workflow = yaml.safe_load((root / starter.WORKFLOWS["github"][0]).read_text())
    return [
        s["run"] for s in workflow["jobs"][name]["steps"] if s.get("name", "Install") != "Install"
    ]


def test_a_night_begins_the_history_and_the_next_one_goes_on_and_revisions_take_turns(
    repository, tmp_path, monkeypatch
):
    starter.write(repository, "github", baseline=False, force=False)
    for line in (
        f"git init --quiet --bare {tmp_path}/origin.git",
        f"git remote add origin {tmp_path}/origin.git",
        "git config user.name somebody && git config user.email somebody@example.org",
        "printf 'benchmarks.json\\nhistory\\n' > .git/info/exclude",
        "git add -A && git commit --quiet -m benchmarks",
    ):
        assert ran(line, repository).returncode == 0
    summary = tmp_path / "summary.md"
    # pbtbench is as if installed: whether its own checkout differs from a commit is not the question here.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(pbtbench.__file__).parents[1]))
    for nights in (1, 2):
        for line in job("history", repository):
            done = ran(line, repository, GITHUB_STEP_SUMMARY=str(summary))
            assert done.returncode == 0, line + done.stdout + done.stderr
        kept = ran("git show origin/pbtbench-history:$(ls history)", repository)
        assert len(kept.stdout.splitlines()) == nights, kept.stderr
        ran("git worktree remove --force history; git commit --allow-empty -qm more", repository)

    (line,) = job("paired", repository)
    line = line.replace("--minutes 20", "--minutes 0.3")
    variables = {"BASE": "HEAD", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = ran(line, repository, GITHUB_STEP_SUMMARY=str(summary), **variables)
    assert "turn 1: HEAD" in done.stdout, done.stdout + done.stderr


def test_who_stands_in_a_folder_of_the_repository_gets_it_at_its_root(repository, monkeypatch):
    inner = repository / "src" / "deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert starter.repository() == repository


def test_out_of_a_repository_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="not in a git repository"):
        starter.repository()


def written(root, *, baseline=True, force=False):
    return starter.write(root, "github", baseline=baseline, force=force)


PLACES = [starter.WORKFLOWS["github"][0], starter.BENCHMARK, starter.BASELINE]


@pytest.mark.parametrize("place", PLACES)
def test_a_file_that_is_there_is_named_and_nothing_is_written(repository, place):
    (repository / place).parent.mkdir(parents=True)
    (repository / place).write_text("mine")
    before = content(repository)
    with pytest.raises(BadInput, match=rf"already there: {re.escape(place)}; --force") as error:
        written(repository)
    assert "\n" not in str(error.value)
    assert content(repository) == before
    written(repository, force=True)
    assert set(content(repository)) > set(PLACES[:2])


def test_a_baseline_that_is_not_made_stands_in_no_way(repository):
    file = repository / starter.BASELINE
    file.parent.mkdir()
    file.write_text("mine")
    written(repository, baseline=False)
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("place", "make"),
    [
        (".github", lambda path: path.write_text("mine")),
        ("benchmarks", lambda path: path.write_text("mine")),
        ("benchmarks", lambda path: path.symlink_to("elsewhere")),
        (starter.BENCHMARK, lambda path: path.mkdir(parents=True)),
    ],
)
def test_where_not_all_can_be_written_nothing_is(repository, place, make):
    make(repository / place)
    before = content(repository)
    with pytest.raises(BadInput):
        written(repository, force=True)
    assert content(repository) == before


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
@pytest.mark.parametrize("good", [0, 1])
def test_a_disk_that_takes_no_more_leaves_nothing(repository, monkeypatch, number, good):
    create, left = files._create, iter([True] * good)

    def failing(*arguments):
        if not next(left, False):
            raise OSError(number, os.strerror(number))
        create(*arguments)

    monkeypatch.setattr(files, "_create", failing)
    with pytest.raises((BadInput, Failed)) as error:
        written(repository)
    assert "\n" not in str(error.value)
    assert content(repository) == {}


def test_benchmarks_that_fail_make_no_baseline(repository):
    starter.write(repository, "github", baseline=True, force=False)
    (repository / starter.BENCHMARK).write_text("def test_it(pbt_benchmark): assert False")
    made = ran("python -m pbtbench ci init --force", repository)
    assert made.returncode == 0, "the benchmark that is written passes"
    (repository / "conftest.py").write_text("raise RuntimeError('out of luck')")
    made = ran("python -m pbtbench ci init --force", repository)
    assert made.returncode == 1
    assert "benchmarks/baseline.json: not made" in made.stderr.splitlines()[-1]


OWN = [*(ROOT / ".github" / "workflows").glob("*.yml"), TEXTS / "github.yml"]


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_a_workflow_has_few_rights_limits_and_pinned_actions(file):
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 120
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/checkout@v4"))
