"""From a name, a path or `package.module:NAME` to a problem, and a clear line where there is none."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys

import pytest

import pbtbench
from pbtbench import BadInput, Problem, catalogue
from pbtbench.catalogue import problem

COPY = "from problems.toy.pbt_quadratic import PROBLEM\n"


def python(program: str, cwd) -> subprocess.CompletedProcess[str]:
    """A new interpreter in `cwd`, where modules of that folder come first, as in a user's shell."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
        env={**os.environ, "PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", catalogue.names())
def test_a_name_is_the_problems_place(name):
    found = problem(name)
    assert isinstance(found, Problem)
    assert found.name == name
    assert problem(f"problems.{name}:PROBLEM").space is found.space


def test_the_names_are_sorted_and_hold_modules_only():
    assert catalogue.names() == sorted(catalogue.names())
    assert {"toy.noisy_quadratic", "toy.pbt_quadratic", "vision.digits_mlp"} <= {*catalogue.names()}
    assert "toy" not in catalogue.names()


def test_listing_problems_loads_no_framework(tmp_path):
    program = (
        "import sys; from pbtbench import catalogue; "
        "[catalogue.problem(n) for n in catalogue.names()]; print(*sys.modules)"
    )
    loaded = python(program, tmp_path).stdout.split()
    assert "pbtbench.catalogue" in loaded
    assert not {"tensorflow", "keras", "sklearn", "ray"} & set(loaded)


def test_a_problem_of_ones_own_is_found_by_path(tmp_path):
    (tmp_path / "mine.py").write_text(COPY)
    assert problem(str(tmp_path / "mine.py")).name == "mine"


def test_a_problem_of_a_package_is_found_by_module_and_name(tmp_path, monkeypatch):
    (tmp_path / "some_package_of_mine.py").write_text(COPY + "HARD = PROBLEM\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert problem("some_package_of_mine:HARD").name == "some_package_of_mine.HARD"


def test_another_package_adds_problems_by_an_entry_point(tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").touch()
    (tmp_path / "theirs" / "hard.py").write_text(COPY)
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pbtbench.problems]\ntheirs = theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "hard" in catalogue.names()
    assert problem("hard").name == "hard"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import no_such_module", "does not import: ModuleNotFoundError: No module named"),
        ("PROBLEM = (", "does not import: SyntaxError: "),
        (
            "1 / 0",
            "does not import: ZeroDivisionError: division by zero (mine.py:1); mend its file",
        ),
        ("raise ValueError('two\\nlines')", "does not import: ValueError: two lines"),
        ("problem = 3", "has no PROBLEM; define PROBLEM = pbtbench.Problem(…)"),
        pytest.param(
            "from ray import tune\nclass Mine(tune.Trainable): pass",
            "mine.py:Mine, or define PROBLEM =",
            marks=pytest.mark.ray,
        ),
        ("PROBLEM = 3", "has a int, not a Problem, as PROBLEM; define PROBLEM ="),
        ("import pbtbench\npbtbench.Uniform(1, 0)", "Uniform(1, 0): the lower bound comes first"),
    ],
)
def test_a_file_that_gives_no_problem_is_refused_in_one_line(tmp_path, text, says):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(BadInput) as refused:
        problem(str(file))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("toy.pbt_quadratc", "did you mean 'toy.pbt_quadratic'?"),
        ("", "unknown problem ''"),
        ("./nowhere.py", "problem './nowhere.py': no such file ("),
        ("no_such_package:PROBLEM", "does not import: ModuleNotFoundError"),
        (":PROBLEM", "problem ':PROBLEM'"),
        ("math:pi", "it has a float, not a Problem, as pi"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_in_one_line(reference, says):
    with pytest.raises(BadInput) as refused:
        problem(reference)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("stray", ["problems.py", "problems/__init__.py"])
def test_a_stray_problems_in_the_way_is_named(tmp_path, stray):
    file = tmp_path / stray
    file.parent.mkdir(exist_ok=True)
    file.touch()
    program = "import sys; sys.path.insert(0, ''); from pbtbench import catalogue; "
    last = python(program + "catalogue.names()", tmp_path).stderr.splitlines()[-1]
    assert f"{file} hides pbtbench's own package `problems`: rename it, or run from" in last


def test_no_public_name_is_hidden_by_a_module_of_the_same_name():
    modules = {module.name for module in pkgutil.iter_modules(pbtbench.__path__)}
    assert not modules & set(pbtbench.__all__)
    assert all(hasattr(pbtbench, name) for name in pbtbench.__all__)
