"""Laws that every catalogued problem keeps, and what is known of each one's optimum."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import BadInput, Objective, catalogue
from pbtbench.catalogue import problem
from pbtbench.population import state_bytes
from pbtbench.problem import member_seed, method_rng
from pbtbench.protocol import scores
from pbtbench.space.columns import rows

SIZE = 3


TRAINED_IN_NUMPY = [name for name in catalogue.names() if problem(name).framework == "numpy"]


@pytest.fixture(
    params=[
        name if name in TRAINED_IN_NUMPY else pytest.param(name, marks=pytest.mark.tensorflow)
        for name in catalogue.names()
    ]
)
def each(request):
    """Every problem in turn that runs here: those that need a package or a download have their own tests."""
    found = problem(request.param)
    for module in found.missing():
        pytest.skip(f"{module} is not installed: {found.requires[module]}")
    if found.download:
        pytest.skip(f"its data must be fetched first: {found.download}")
    return found


@cache
def draws(name, size=SIZE):
    rng = method_rng(1)
    return rows(problem(name).space.sample(rng, size))


def started(problem, members=range(SIZE), run_seed=5):
    """A population of those members, each with its own hyperparameters and seed."""
    hyperparameters = draws(problem.name)
    return problem.population(
        [hyperparameters[m] for m in members], [member_seed(run_seed, m) for m in members]
    )


def trained(problem, *steps, **about):
    population = started(problem, **about)
    for n in steps:
        population.train(n)
    return population


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name, strict=True)


def assert_same_populations(a, b):
    assert a.size == b.size
    for member in range(a.size):
        assert_same(a.state(member), b.state(member))
    assert_same(a.evaluate(), b.evaluate())


def test_the_same_seeds_give_the_same_bits(each):
    assert_same_populations(trained(each, 6), trained(each, 6))


def test_n_steps_then_m_are_n_plus_m(each):
    assert_same_populations(trained(each, 2, 4), trained(each, 6))


def test_evaluating_changes_nothing(each):
    watched = trained(each, 3)
    watched.evaluate()
    watched.train(3)
    assert_same_populations(watched, trained(each, 6))


def test_a_population_is_its_members_side_by_side(each):
    together = trained(each, 5)
    scores = together.evaluate()
    for member in range(SIZE):
        alone = trained(each, 5, members=[member])
        for name, value in alone.state(0).items():
            np.testing.assert_allclose(
                together.state(member)[name], value, rtol=1e-4, atol=1e-5, err_msg=name
            )
        for metric, value in alone.evaluate().items():
            assert scores[metric][member] == pytest.approx(value[0], rel=1e-3, abs=1e-2), metric


def test_a_state_that_is_adopted_and_read_again_is_the_same(each):
    population = trained(each, 4)
    donor = population.state(0)
    population.adopt(1, donor, draws(each.name)[0])
    assert_same(population.state(1), donor)
    scores = population.evaluate()[each.objective.metric]
    assert scores[0] == scores[1]


def test_adopting_no_state_changes_hyperparameters_alone(each):
    population = trained(each, 4)
    before = population.state(1)
    own, others = draws(each.name)[1], draws(each.name)[0]
    widths = {
        name: own[name] for name in getattr(each.start, "widths", ())
    }  # these shape the state
    population.adopt(1, None, {**others, **widths})
    assert_same(population.state(1), before)


def test_a_fork_leaves_the_other_members_alone(each):
    untouched, forked = trained(each, 4), trained(each, 4)
    forked.adopt(1, forked.state(0), draws(each.name)[2])
    untouched.train(2)
    forked.train(2)
    for member in (0, 2):
        assert_same(forked.state(member), untouched.state(member))


def test_a_snapshot_is_left_alone_by_later_training(each):
    population = trained(each, 2)
    snapshot = population.state(0)
    kept = {name: array.copy() for name, array in snapshot.items()}
    population.train(3)
    assert_same(snapshot, kept)
    after = population.state(0)
    assert any(not np.array_equal(after[name], kept[name]) for name in kept)


def test_a_state_is_arrays_alone(each):
    state = started(each).state(0)
    assert state_bytes(state) > 0
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())


def test_scores_have_a_value_for_each_member_and_never_beat_the_bound(each):
    population = trained(each, each.steps_per_iteration)
    for metric, values in population.evaluate().items():
        assert values.shape == (SIZE,), metric
    scores = population.evaluate()[each.objective.metric]
    assert np.isfinite(scores).all()
    if each.objective.bound is not None:
        assert (scores * each.objective.sign <= each.objective.bound * each.objective.sign).all()


def test_what_is_tested_is_declared_and_a_test_measures_what_an_evaluation_does(each):
    population = trained(each, each.steps_per_iteration)
    assert population.tested == bool(each.test)
    if not population.tested:
        return
    validation, test = population.evaluate(), population.test()
    assert test.keys() == validation.keys()
    for metric, values in test.items():
        assert values.shape == (SIZE,), metric
        assert np.isfinite(values).all(), metric
    found = test[each.objective.metric] * each.objective.sign
    assert (found <= each.objective.bound * each.objective.sign).all()


def test_testing_changes_nothing_and_is_the_same_again(each):
    tested, untested = trained(each, 3), trained(each, 3)
    if tested.tested:
        once, again = tested.test(), tested.test()
        assert_same(dict(once), dict(again))
    assert_same_populations(tested, untested)
    tested.train(3)
    untested.train(3)
    assert_same_populations(tested, untested)


def test_members_of_one_state_have_one_test_score_whoever_they_are(each):
    """What a test draws depends on no member, and not on how many steps it made."""
    population = trained(each, 4)
    population.adopt(1, population.state(0), draws(each.name)[0])
    if population.tested:
        assert np.ptp(population.test()[each.objective.metric][:2]) == 0


@pytest.mark.parametrize(
    "module",
    [
        *("vision.digits_mlp", "vision.digits_cnn", "tabular.breast_cancer", "tabular.diabetes"),
        *("tabular.wine", pytest.param("language.markov_chars", marks=pytest.mark.tensorflow)),
    ],
)
def test_no_example_of_the_test_is_one_of_training_or_validation(module):
    parts = import_module(f"problems.{module}").data()
    seen = {part: {row.tobytes() for row in inputs} for part, (inputs, _) in parts.items()}
    assert seen.keys() == {"train", "validation", "test"}
    assert not seen["test"] & (seen["train"] | seen["validation"])
    assert len(parts["test"][1]) >= 0.9 * len(parts["validation"][1])


def test_what_a_problem_declares_is_what_a_report_needs(each):
    assert each.title
    assert each.finding
    assert any(character.isdigit() for character in each.source), "a citation has a year"
    assert each.objective.targets
    assert each.space.dynamic


@pytest.mark.parametrize("name", catalogue.names())
@given(
    seed=st.integers(0, 2**32), moves=st.lists(st.sampled_from([0.5, 0.8, 1.2, 2.0]), max_size=9)
)
def test_perturbed_hyperparameters_stay_in_bounds(name, seed, moves):
    space = problem(name).space
    rng = np.random.default_rng(seed)
    members = space.sample(rng, 2)
    for factor in moves:
        factors = np.full(2, factor)
        moved = {n: space[n].perturb(members[n], factors, rng) for n in space.dynamic}
        members = {**members, **moved}
        assert all(map(space.contains, rows(members)))


# What is known of single problems.


def scores_after(name, iterations, **hyperparameters):
    found = problem(name)
    population = found.population([hyperparameters], [member_seed(0, 0)])
    best = []
    for _ in range(iterations):
        population.train(found.steps_per_iteration)
        best.append(float(population.evaluate()[found.objective.metric][0]))
    return best


@pytest.mark.parametrize(("h0", "h1"), [(1.0, 0.0), (0.0, 1.0)])
def test_neither_schedule_of_figure_2_gets_past_039_alone(h0, h1):
    assert max(scores_after("toy.pbt_quadratic", 200, h0=h0, h1=h1)) <= 0.39


def test_climbing_both_directions_at_once_first_passes_119_at_iteration_126():
    scores = scores_after("toy.pbt_quadratic", 200, h0=1.0, h1=1.0)
    assert int(np.argmax(np.array(scores) > 1.19)) + 1 == 126


def test_the_quadratics_optimum_is_where_theta_is_zero():
    population = started(problem("toy.pbt_quadratic"))
    population.adopt(0, {"theta": np.zeros(2)}, {"h0": 1.0, "h1": 1.0})
    assert population.evaluate()["Q"][0] == 1.2


def test_the_noisy_quadratics_loss_is_the_papers_closed_form():
    """One weight after t steps: m = (1 − αh)^t, v = α²c (1 − r^t) / (1 − r), r = (1 − αh)²."""
    rate, steps, batch_size, noise = 0.3, 17, 2.0, 0.5
    found = problem("toy.noisy_quadratic")
    population = found.population(
        [{"learning_rate": rate}], [member_seed(0, 0)], {"batch_size": batch_size, "noise": noise}
    )
    population.train(steps)
    h = 1 / np.arange(1, 1001)
    r = (1 - rate * h) ** 2
    m = (1 - rate * h) ** steps
    v = rate**2 * noise * h / batch_size * (1 - r**steps) / (1 - r)
    expected = 0.5 * np.sum(h * (m**2 + v))
    assert population.evaluate()["loss"][0] == pytest.approx(expected, rel=1e-9)


def test_a_constant_rate_reaches_the_noisy_quadratics_first_target_in_the_budget():
    found = problem("toy.noisy_quadratic")
    rates = [{"learning_rate": float(rate)} for rate in np.geomspace(0.01, 1.5, 30)]
    population = found.population(rates, [member_seed(0, m) for m in range(30)])
    population.train(found.iterations)
    assert found.objective.reached(population.evaluate()["loss"], found.objective.targets[0]).any()


def test_the_command_that_installs_what_a_problem_requires_is_right_however_pbtbench_came():
    """It names the package itself, as one of pbtbench's extras does."""
    extras = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    packages = extras["project"]["optional-dependencies"]
    commands = {f'pip install "{package}"' for extra in packages.values() for package in extra}
    for name in catalogue.names():
        assert set(problem(name).requires.values()) <= commands


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: replace(
                problem("toy.branin"), requires={"no_such_module": "pip install it"}
            ).check_installed(),
            "needs no_such_module, which is not installed: pip install it",
        ),
        (lambda: Objective("loss", "least"), "goal 'least': give 'max' or 'min'"),
        (lambda: Objective("Q", "max", (2.0,), 1.2), "target 2: no Q can reach it"),
        (lambda: problem("toy.noisy_quadratic").with_options({"batch": 1}), "'batch_size'?"),
    ],
)
def test_a_bad_declaration_is_refused(make, says):
    with pytest.raises(BadInput) as refused:
        make()
    assert says in str(refused.value)


@given(st.lists(st.floats(), min_size=1), st.floats(-1e9, 1e9))
def test_a_target_is_reached_on_the_side_of_the_goal_and_by_nan_never(scores, target):
    highest, lowest = Objective("a", "max"), Objective("a", "min")
    up = highest.reached(np.array(scores), target)
    down = lowest.reached(np.array(scores), target)
    assert up.tolist() == [score >= target for score in scores]
    assert down.tolist() == [score <= target for score in scores]


@given(st.integers(0, 2**32), st.integers(0, 1000), st.integers(0, 1000))
def test_members_draw_from_streams_of_their_own(run_seed, a, b):
    one, other = (np.random.default_rng(member_seed(run_seed, m)).random() for m in (a, b))
    assert (one == other) == (a == b)


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"loss": np.zeros(3)}, "not the objective 'accuracy'"),
        ({"accuracy": np.zeros((3, 1))}, r"'accuracy' with shape \(3, 1\)"),
        ({"accuracy": np.zeros(3), "loss": np.zeros(2)}, r"'loss' with shape \(2,\)"),
    ],
)
def test_a_population_that_breaks_the_protocol_is_told_how(metrics, says):
    with pytest.raises(ValueError, match=says):
        scores(metrics, "accuracy", 3)
