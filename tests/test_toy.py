"""What is known of the toy problems: their optima, and the effects that they exist to show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench.adapters.streams import BLOCK, Streams
from pbtbench.catalogue import names, problem
from pbtbench.problem import member_seed
from pbtbench.space.columns import rows
from problems.toy.branin import branin
from problems.toy.drifting_sphere import optimum
from problems.toy.hartmann6 import hartmann6
from problems.toy.plain import ITERATIONS, LOW
from problems.toy.rastrigin_step import rastrigin
from problems.toy.rosenbrock import rosenbrock
from problems.toy.triangle_lr import best_rate

TOYS = [name for name in names() if name.startswith("toy.")]
MANY = 10_000


def seeds(count, run_seed=0):
    return [member_seed(run_seed, member) for member in range(count)]


def ends(name, schedule, iterations=None, run_seed=0):
    """The objective at the end of a member whose hyperparameters follow `schedule(iteration)`."""
    found = problem(name)
    iterations = iterations or found.iterations
    population = found.population([schedule(0)], seeds(1, run_seed))
    for iteration in range(iterations):
        population.adopt(0, None, schedule(iteration))
        population.train(found.steps_per_iteration)
    return float(population.evaluate()[found.objective.metric][0])


@pytest.mark.parametrize("name", TOYS)
def test_none_of_ten_thousand_samples_beats_the_optimum(name):
    found = problem(name)
    rng = np.random.default_rng(0)
    population = found.population(rows(found.space.sample(rng, MANY)), seeds(MANY))
    population.train(found.steps_per_iteration)
    scores = population.evaluate()[found.objective.metric]
    assert scores.shape == (MANY,)
    assert np.isfinite(scores).all()
    if found.objective.bound is not None:
        sign = found.objective.sign
        assert (sign * scores).max() <= sign * found.objective.bound + 1e-9


@pytest.mark.parametrize(
    ("f", "at", "value"),
    [
        (branin, (np.pi, 2.275), 0.397887),
        (branin, (-np.pi, 12.275), 0.397887),
        (branin, (9.42478, 2.475), 0.397887),
        (rosenbrock, (1.0, 1.0), 0.0),
        (hartmann6, (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573), -3.32237),
        (rastrigin, (0.0, 0.0, 0.0, 0.0), 0.0),
    ],
)
def test_a_known_minimum_is_where_it_is_known_to_be(f, at, value):
    assert f(np.array([at]))[0] == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("name", ["toy.branin", "toy.rosenbrock", "toy.hartmann6"])
def test_a_control_scores_what_its_hyperparameters_are_whatever_came_before(name):
    found = problem(name)
    rng = np.random.default_rng(1)
    first, last = rows(found.space.sample(rng, 2))
    assert ends(name, lambda i: first if i < 10 else last, 20) == ends(name, lambda i: last, 1)


def test_the_plain_task_is_won_by_greed():
    h = np.linspace(LOW, 1.1, 12)
    constant = [ends("toy.plain", lambda i, v=v: {"h": float(v)}) for v in h]
    assert constant == sorted(constant, reverse=True)
    expected = 1.2 - (0.9 * (1 - 0.002 * (2 - LOW)) ** 1000) ** 2
    assert constant[0] == pytest.approx(expected, rel=1e-9)
    assert constant[0] > 1.199


def test_the_time_linked_task_punishes_greed():
    line = ends("toy.time_linked", lambda i: {"h": max(1 - i / ITERATIONS, LOW)})
    greedy = ends("toy.time_linked", lambda i: {"h": LOW})
    best = max(
        ends("toy.time_linked", lambda i, v=v: {"h": float(v)}) for v in np.linspace(LOW, 1.1, 23)
    )
    assert line > best >= greedy
    early = {
        name: ends("toy.time_linked", schedule, 3)
        for name, schedule in {
            "line": lambda i: {"h": 1 - i / ITERATIONS},
            "greedy": lambda i: {"h": LOW},
        }.items()
    }
    assert early["greedy"] > early["line"]


def test_whoever_follows_the_line_pays_no_penalty():
    """Without one, θ shrinks by 1 − 0.002 (1 + i/50) in each of the 20 steps of iteration i."""
    theta = 0.9 * np.prod([(1 - 0.002 * (1 + i / 50)) ** 20 for i in range(50)])
    line = ends("toy.time_linked", lambda i: {"h": 1 - i / ITERATIONS})
    assert line == pytest.approx(1.2 - theta**2, rel=1e-9)


@pytest.mark.parametrize(
    ("accuracy", "rate"), [(0, 0.001), (50, 0.005), (100, 0.01), (150, 0.005), (250, 0.001)]
)
def test_the_triangles_best_rate(accuracy, rate):
    assert best_rate(np.array([accuracy]))[0] == pytest.approx(rate)


def test_the_triangle_wants_a_rate_that_rises_and_falls():
    """A member that knows the best rate gets further than any constant one, in the median of seeds."""

    def reached(choose):
        found = problem("toy.triangle_lr")
        population = found.population([{"learning_rate": 0.001}] * 40, seeds(40))
        for _ in range(found.iterations):
            for member, accuracy in enumerate(population.evaluate()["accuracy"]):
                population.adopt(member, None, {"learning_rate": choose(accuracy)})
            population.train(1)
        return float(np.median(population.evaluate()["accuracy"]))

    knowing = reached(lambda accuracy: float(best_rate(np.array(accuracy))))
    assert knowing > max(reached(lambda _, r=rate: r) for rate in (0.001, 0.003, 0.005, 0.01))


def test_the_spheres_optimum_drifts_ever_more_slowly():
    places = optimum(np.arange(1000))
    assert places[0] == 0
    assert places[1] == pytest.approx(0.2)
    assert (np.diff(places, 2) < 0).all()
    assert places[-1] == pytest.approx(20, rel=1e-3)


def test_a_fading_step_follows_the_drift_best():
    constant = min(
        np.mean(
            [
                ends(
                    "toy.drifting_sphere",
                    lambda i, r=rate: {"step_size": r, "noise": 1e-3},
                    run_seed=s,
                )
                for s in range(8)
            ]
        )
        for rate in (0.03, 0.1, 0.3)
    )
    fading = np.mean(
        [
            ends(
                "toy.drifting_sphere",
                lambda i: {"step_size": max(0.3 * 0.93**i, 0.004), "noise": 1e-3},
                run_seed=s,
            )
            for s in range(8)
        ]
    )
    assert fading < constant


@given(st.integers(0, 3 * BLOCK), st.integers(0, 3 * BLOCK), st.integers(0, 4))
def test_a_members_numbers_are_its_own_whoever_is_beside_it_and_wherever(step, other, member):
    draw = lambda rng, n: rng.standard_normal((n, 2))  # noqa: E731
    together, alone = Streams(seeds(5), draw), Streams([member_seed(0, member)], draw)
    together.at(np.full(5, other))
    steps = np.full(5, other)
    steps[member] = step
    assert (together.at(steps)[member] == alone.at(np.array([step]))[0]).all()
