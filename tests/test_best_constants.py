"""The best constant hyperparameters that are known: whose they are, and that they score what is said."""

import numpy as np
import pytest

from pbtbench import catalogue, studies
from pbtbench.problem import card, member_seed
from pbtbench.study import Study

MEASURED = [
    name
    for name in catalogue.names()
    if not name.startswith("synthetic.") and not catalogue.problem(name).download
]


@pytest.mark.parametrize("name", MEASURED)
def test_every_problem_that_needs_no_download_has_some_within_its_space(name):
    problem = catalogue.problem(name)
    best = problem.best_constant
    assert best is not None
    assert problem.space.contains(best.hyperparameters)
    objective = problem.objective
    if objective.bound is not None:
        assert best.score * objective.sign <= objective.bound * objective.sign
    assert card(problem).best_constant == best.score
    assert card(problem, as_it_is=False).best_constant is None


@pytest.mark.parametrize(
    "name",
    [
        *("toy.branin", "toy.hartmann6", "toy.noisy_quadratic", "toy.pbt_quadratic"),
        *("toy.plain", "toy.rosenbrock", "toy.time_linked"),
    ],
)
def test_where_nothing_is_drawn_the_score_is_what_they_end_at(name):
    problem = catalogue.problem(name)
    population = problem.population([problem.best_constant.hyperparameters], [member_seed(9, 9)])
    for _ in range(problem.iterations):
        population.train(problem.steps_per_iteration)
    score = population.evaluate()[problem.objective.metric][0]
    assert score == pytest.approx(problem.best_constant.score, rel=1e-9)


def final_scores(name, seeds):
    """What the best constants of a problem end at, with each of these seeds."""
    problem = catalogue.problem(name)
    population = problem.population([problem.best_constant.hyperparameters] * len(seeds), seeds)
    for _ in range(problem.iterations):
        population.train(problem.steps_per_iteration)
    return population.evaluate()[problem.objective.metric]


DRAWN = ["toy.triangle_lr", "toy.drifting_sphere", "toy.rastrigin_step"]


@pytest.mark.parametrize("name", DRAWN)
def test_where_something_is_drawn_it_is_the_median_over_the_seeds_of_the_search(name):
    scores = final_scores(name, [member_seed(200, m) for m in range(20)])
    assert np.median(scores) == pytest.approx(catalogue.problem(name).best_constant.score, rel=1e-9)


@pytest.mark.parametrize("name", DRAWN)
def test_where_something_is_drawn_it_is_their_median(name):
    """The median of 60 other seeds is the same, to within twice the standard error of their difference."""
    scores = final_scores(name, [member_seed(77, m) for m in range(60)])
    error = 1.25 * scores.std() * np.sqrt(1 / 60 + 1 / 20)
    assert abs(np.median(scores) - catalogue.problem(name).best_constant.score) < 2 * error


def test_the_suite_has_every_one_of_them():
    study = Study.load("suite")
    out = {text.split("'")[1] for text in study.left_out}
    assert {run.problem for run in study.runs} | out == set(MEASURED)
    assert "suite" in studies.shipped()
    quick = Study.load("suite", quick=True)
    assert len(quick.runs) < len(study.runs) / 3
    assert {run.seed for run in quick.runs} == {0}
