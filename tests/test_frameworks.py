"""The protocol needs no TensorFlow: one problem in PyTorch and one in JAX, on every engine.

PyTorch is not installed by the project's own files, as it is large: without it these tests skip.
"""

import numpy as np
import pytest

from pbtbench import BadInput, Study, catalogue, engines
from pbtbench.problem import member_seed

pytestmark = pytest.mark.usefixtures("shared_ray")

NAMES = ("vision.digits_torch", "vision.digits_jax")
GOOD = {"learning_rate": 0.1, "momentum": 0.8, "l1": 1e-5, "dropout": 0.05}


@pytest.fixture(params=NAMES)
def problem(request):
    found = catalogue.problem(request.param)
    for module in found.missing():
        pytest.skip(f"{module} is not installed: {found.requires[module]}")
    return found


def test_good_constants_reach_the_digits_targets(problem):
    population = problem.population([GOOD] * 2, [member_seed(0, m) for m in range(2)])
    for _ in range(problem.iterations):
        population.train(problem.steps_per_iteration)
        scores = population.evaluate()["accuracy"]
        if scores.max() >= max(problem.objective.targets):
            return
    pytest.fail(f"accuracies {scores} after {problem.iterations} iterations")


def test_nothing_is_compiled_after_the_first_iteration(problem):
    population = problem.population([GOOD] * 3, [member_seed(0, m) for m in range(3)])
    population.train(2)
    population.evaluate()
    traces = population.traces
    population.train(3)
    population.adopt(0, population.state(1), {**GOOD, "learning_rate": 0.2})
    population.train(2)
    population.evaluate()
    assert population.traces == traces


def test_a_fork_takes_the_optimizers_state_along(problem):
    """Whoever forks trains on exactly as the donor, but for what it draws: without draws, to the bit."""
    seed = member_seed(0, 0)
    population = problem.population([GOOD] * 2, [seed, seed])
    population.train(4)
    population.adopt(1, population.state(0), GOOD)
    velocity = {n: a for n, a in population.state(1).items() if n.startswith("momentum/")}
    assert velocity
    assert any(np.abs(a).max() > 0 for a in velocity.values())
    population.train(3)
    one, other = population.state(0), population.state(1)
    assert all((one[name] == other[name]).all() for name in one)


def test_hyperparameters_take_effect_at_once(problem):
    population = problem.population([GOOD] * 2, [member_seed(0, 0)] * 2)
    population.train(2)
    population.adopt(1, None, {**GOOD, "learning_rate": 0.0, "momentum": 0.0})
    before = population.state(1)
    population.train(1)
    after = population.state(1)
    for name in before:
        if name.startswith("weights/"):
            assert (after[name] == before[name]).all()
    moved = population.state(0)["weights/0/kernel"] != before["weights/0/kernel"]
    assert moved.any()


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_a_study_runs_on_every_engine(problem, engine):
    (run,) = Study.plan(
        {
            "problems": [problem.name],
            "methods": ["pbt"],
            "engines": [engine],
            "population": 2,
            "iterations": 3,
            "intervals": [2],
            "seeds": 1,
        }
    ).runs
    outcome = engines.execute(run)
    assert (outcome.cause, outcome.message) == ("", "")
    scores = outcome.record.scores.metrics["accuracy"]
    assert len(scores) == 6
    assert np.nanmax(scores) > 0.5
    notes = outcome.record.notes
    tests = notes.value[notes.named("test")]
    assert len(tests) == 2
    assert np.abs(tests - scores[outcome.record.scores.iteration == 3]).max() < 0.1


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr("pbtbench.problem.find_spec", lambda module: None)
    for name in NAMES:
        with pytest.raises(BadInput, match=r'not installed: pip install "(jax|torch)>='):
            Study.plan({"problems": [name], "methods": ["random"]})
