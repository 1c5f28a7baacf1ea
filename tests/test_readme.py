"""What the README shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pbtbench.study import Study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_is_the_file_that_the_tests_run():
    assert (ROOT / "examples" / "my_problem.py").read_text("utf-8") in blocks("python")


def test_the_study_is_valid(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text("def explore(hyperparameters, space, rng): ...")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.toml").write_text(blocks("toml")[0])
    runs = Study.load(str(tmp_path / "mine.toml")).runs
    assert {run.method for run in runs} == {"pbt", "tournament", "random", "grid"}
    assert {run.method for run in runs if run.engine == "tune"} == {"pbt", "random"}


@pytest.mark.parametrize("file", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_to_a_file(file):
    assert (ROOT / file).exists()
