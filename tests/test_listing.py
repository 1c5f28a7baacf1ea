"""What there is to choose from, on terminals of any width and where no terminal is."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pbtbench import catalogue
from pbtbench.cli import cli


def said(*arguments, columns=None):
    env = {"COLUMNS": str(columns) if columns else None}
    done = CliRunner().invoke(cli, arguments, env=env, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 160, 240])
def test_the_table_fits_the_terminal_and_cuts_no_name(columns):
    lines = said("list", "problems", columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    listed = {word for line in lines for word in line.split()[:1]}
    assert set(catalogue.names()) <= listed


def test_without_a_terminal_a_problem_is_a_line():
    lines = said("list", "problems").splitlines()
    for name in catalogue.names():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        problem = catalogue.problem(name)
        assert problem.title in line
        assert problem.source in line
        for h in problem.space:
            assert (f"{h}*" in line) == problem.space[h].dynamic
            assert h in line


def test_the_wider_the_terminal_the_more_columns():
    headers = [said("list", "problems", columns=c).splitlines()[1].split() for c in (60, 100, 240)]
    assert set(headers[0]) < set(headers[1]) < set(headers[2])
    assert headers[2][-1] == "source"


@pytest.mark.parametrize("name", catalogue.names())
def test_a_card_has_all_that_a_problem_declares(name):
    problem = catalogue.problem(name)
    text = " ".join(said("show", name, columns=200).split())
    for shown in (name, problem.title, problem.framework, problem.source, problem.objective.metric):
        assert " ".join(shown.split()) in text
    for h in problem.space:
        assert h in text
    assert f"{problem.iterations} iterations of {problem.steps_per_iteration} step" in text
    assert f"pbtbench run --problems {name} " in text
    for command in problem.requires.values():
        assert command in text
    if problem.download:
        assert f"downloads {problem.download}" in text


def test_a_problem_of_ones_own_has_a_card(tmp_path):
    mine = tmp_path / "my own.py"
    mine.write_text("from problems.toy.pbt_quadratic import PROBLEM\n")
    text = said("show", str(mine), columns=300)
    assert f"--problems '{mine}'" in text
    assert catalogue.problem("toy.pbt_quadratic").title in text


def test_a_keras_model_of_ones_own_is_tensorflows():
    example = Path(__file__).parents[1] / "examples" / "my_problem.py"
    assert re.search(r"framework +tensorflow", said("show", str(example), columns=200))


@pytest.mark.ray
def test_a_class_of_ones_own_has_no_framework_that_is_known():
    examples = Path(__file__).parents[1] / "examples"
    digits = said("show", f"{examples / 'my_trainable.py'}:Digits", columns=200)
    assert "framework" not in digits
    assert re.search(r'trainable +Digits of Ray Tune, METRIC = "accuracy", MODE = "max"', digits)
    assert re.search(r"learning_rate .*; dynamic", digits)
    assert re.search(r"alpha .*; static", digits)
    assert "pbtbench_file" not in digits


def test_nothing_is_said_of_a_framework_that_nobody_names(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from dataclasses import replace\n"
        "from problems.toy.pbt_quadratic import PROBLEM as SHIPPED\n"
        'PROBLEM = replace(SHIPPED, framework="")\n'
    )
    assert "framework" not in said("show", str(mine), columns=200)
