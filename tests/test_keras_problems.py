"""The Keras problems that ship, and the example of the README."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pbtbench import Study
from pbtbench.engines import execute
from pbtbench.problem import member_seed

EXAMPLE = str(Path(__file__).parents[1] / "examples" / "my_problem.py")


def test_declaring_problems_imports_no_framework():
    script = (
        "import sys; from pbtbench import catalogue\n"
        "catalogue.problem('vision.digits_mlp'); catalogue.problem(sys.argv[1])\n"
        "print({'tensorflow', 'keras', 'sklearn', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, EXAMPLE], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("problem", ["vision.digits_mlp", EXAMPLE])
def test_a_study_runs(problem):
    study = Study.plan(
        {
            "problems": [problem],
            "methods": ["pbt"],
            "population": 4,
            "iterations": 3,
            "seeds": 1,
            "targets": [0.5],
        }
    )
    done = execute(study.runs[0])
    assert done.cause == "", done.message
    scores = done.record.scores.metrics["accuracy"]
    assert len(scores) == 12
    assert np.nanmax(scores) > 0.5


def test_the_digits_are_split_once_and_for_all_and_evenly():
    from problems.vision import digits_mlp

    parts = digits_mlp.data()
    assert {name: len(y) for name, (_, y) in parts.items()} == {
        "train": 1078,
        "validation": 359,
        "test": 360,
    }
    for x, y in parts.values():
        assert (x.min(), x.max()) == (0, 1)
        assert x.shape[1:] == (64,)
        assert np.ptp(np.bincount(y) / len(y)) < 0.03
    again = digits_mlp.data()
    assert all((parts[name][0] == again[name][0]).all() for name in parts)


def test_good_constant_hyperparameters_reach_the_digits_targets():
    from problems.vision.digits_mlp import PROBLEM

    good = {"learning_rate": 0.2, "momentum": 0.8, "l1": 1e-5, "dropout": 0.05, "units": 32}
    p = PROBLEM.population([good], [member_seed(0, 0)])
    best = 0.0
    for _ in range(PROBLEM.iterations):
        p.train(PROBLEM.steps_per_iteration)
        best = max(best, p.evaluate()["accuracy"][0])
    assert best >= max(PROBLEM.objective.targets)
