"""The real problems that need no download: what is known of them and their data; nothing compiles twice."""

import sys
from collections import Counter
from functools import partial

import numpy as np
import pytest

from pbtbench import BadInput, catalogue
from pbtbench.problem import member_seed
from pbtbench.space.columns import rows
from problems.language import markov_chars
from problems.tabular import breast_cancer, diabetes, wine
from problems.vision import digits_cnn

KERAS = (
    "vision.digits_mlp",
    "vision.digits_cnn",
    "tabular.breast_cancer",
    "tabular.wine",
    "tabular.diabetes",
    "language.markov_chars",
)

GOOD = {
    "vision.digits_cnn": {"learning_rate": 0.01, "l2": 1e-5, "dropout": 0.1, "filters": 8},
    "tabular.breast_cancer": {
        "learning_rate": 0.2, "momentum": 0.3, "weight_decay": 1e-4, "units": 16,
    },
    "tabular.wine": {"learning_rate": 0.1, "momentum": 0.8, "weight_decay": 1e-6, "units": 16},
    "tabular.diabetes": {
        "learning_rate": 0.064, "momentum": 0.14, "weight_decay": 0.15, "units": 16,
    },
}  # fmt: skip


def trained(name, hyperparameters, members=1, **options):
    problem = catalogue.problem(name)
    seeds = [member_seed(0, m) for m in range(members)]
    return problem, problem.population([hyperparameters] * members, seeds, options)


@pytest.mark.parametrize("name", GOOD)
def test_good_constants_reach_the_first_target(name):
    problem, population = trained(name, GOOD[name], members=3)
    objective = problem.objective
    for _ in range(problem.iterations):
        population.train(problem.steps_per_iteration)
        scores = population.evaluate()[objective.metric]
        if objective.reached(scores, objective.targets[0]).any():
            return
    pytest.fail(f"best {scores} after {problem.iterations} iterations")


@pytest.mark.parametrize("name", KERAS)
def test_nothing_is_compiled_after_the_first_iteration(name):
    problem = catalogue.problem(name)
    rng = np.random.default_rng(0)
    hyperparameters = rows(problem.space.sample(rng, 3))
    population = problem.population(hyperparameters[:2], [member_seed(0, m) for m in range(2)])
    population.train(2)
    population.evaluate()
    traces = population.traces
    population.train(3)
    population.adopt(0, population.state(1), hyperparameters[2])
    population.train(2)
    population.evaluate()
    assert population.traces == traces == 2


@pytest.mark.parametrize(
    ("module", "sizes", "features"),
    [
        (breast_cancer, (341, 114, 114), 30),
        (wine, (106, 36, 36), 13),
        (diabetes, (265, 88, 89), 10),
    ],
)
def test_tables_are_split_once_and_for_all(module, sizes, features):
    parts = module.data()
    assert tuple(len(y) for _, y in parts.values()) == sizes
    for x, y in parts.values():
        assert x.shape == (len(y), features)
    np.testing.assert_allclose(parts["train"][0].mean(axis=0), 0, atol=1e-9)
    again = module.data()
    assert all((parts[part][0] == again[part][0]).all() for part in parts)
    if module is not diabetes:
        shares = [np.bincount(y) / len(y) for _, y in parts.values()]
        assert np.ptp(shares, axis=0).max() < 0.03


def test_r2_is_0_for_the_mean_and_1_for_the_truth():
    labels = np.random.default_rng(0).normal(2, 3, (50, 1)).astype(np.float32)
    assert float(diabetes.r2(labels, labels)) == 1
    assert float(diabetes.r2(labels, np.full_like(labels, labels.mean()))) == pytest.approx(0)


def test_the_cnns_digits_are_the_mlps():
    x, _ = digits_cnn.data()["train"]
    flat, _ = digits_cnn.digits_mlp.data()["train"]
    assert (x.reshape(len(x), -1) == flat).all()


class TestMarkovSource:
    def test_its_distributions_are_some(self):
        p = markov_chars.source()
        assert p.shape == (8, 8, 8)
        np.testing.assert_allclose(p.sum(axis=2), 1)

    def test_the_stationary_distribution_stays(self):
        pi = markov_chars.stationary()
        np.testing.assert_allclose(
            np.einsum("ab,abc->bc", pi, markov_chars.source()), pi, atol=1e-12
        )

    def test_the_entropy_rate_is_what_a_long_text_needs(self):
        """By the law of large numbers for the true model's code length."""
        text = markov_chars.text(200_000, seed=7)
        p = markov_chars.source()[text[:-2], text[1:-1], text[2:]]
        assert markov_chars.entropy_rate() == pytest.approx(-np.log2(p).mean(), abs=0.01)

    def test_a_text_has_the_sources_frequencies(self):
        text = markov_chars.text(100_000, seed=3)
        pairs = np.zeros((8, 8))
        np.add.at(pairs, (text[:-1], text[1:]), 1 / (len(text) - 1))
        np.testing.assert_allclose(pairs, markov_chars.stationary(), atol=0.01)

    def test_the_true_model_scores_the_optimum_and_no_other_beats_it(self):
        _, true = markov_chars.data()["validation"]
        optimum = markov_chars.entropy_rate()
        logits = np.log(np.maximum(true, 1e-30))
        assert float(markov_chars.bits(true, logits)) == pytest.approx(optimum, abs=1e-5)
        rng = np.random.default_rng(0)
        for scale in (1e-3, 0.1, 1.0):
            other = logits + scale * rng.standard_normal(logits.shape).astype(np.float32)
            assert float(markov_chars.bits(true, other)) >= optimum
        assert float(markov_chars.bits(true, np.zeros_like(logits))) > optimum + 0.5

    @pytest.mark.parametrize("model", ["gru", "transformer"])
    def test_a_model_learns_and_does_not_look_ahead(self, model):
        _, population = trained(
            "language.markov_chars", {"learning_rate": 0.003, "dropout": 0.0}, model=model
        )
        population.train(1)
        before = population.evaluate()["bits"][0]
        population.train(60)
        assert markov_chars.entropy_rate() < population.evaluate()["bits"][0] < before - 0.05

        program = population.members[0].training_state.program
        layers = {type(layer).__name__ for layer in program.model.layers}
        assert ("GRU" in layers) == (model == "gru")
        x = markov_chars.data()["validation"][0][:1]
        changed = x.copy()
        changed[0, 20:] = (changed[0, 20:] + 1) % 8
        one, other = (program.model(rows, training=False).numpy() for rows in (x, changed))
        np.testing.assert_allclose(one[0, :19], other[0, :19], atol=1e-5)
        assert np.abs(one[0, 19:] - other[0, 19:]).max() > 1e-3

    def test_another_model_is_refused_by_name(self):
        with pytest.raises(BadInput, match="'gru'"):
            trained("language.markov_chars", {"learning_rate": 0.01, "dropout": 0.0}, model="gur")


FUNCTIONAL = ("control.cartpole", "control.acrobot", "generative.ring_gan")


@pytest.mark.parametrize("name", KERAS + FUNCTIONAL)
def test_an_iteration_is_spent_in_compiled_code(name, monkeypatch):
    """However many steps it has, it is one call of what is compiled for training and one for evaluating, and
    no Python beside them that grows with the steps."""
    problem = catalogue.problem(name)
    (hyperparameters,) = rows(problem.space.sample(np.random.default_rng(0), 1))
    population = problem.population([hyperparameters], [member_seed(0, 0)])
    compiled = (
        population.compiled if name in FUNCTIONAL else population.members[0].training_state.program
    )
    calls = Counter()

    def counted(what):
        function = getattr(compiled, what)

        def call(*arguments):
            calls[what] += 1
            return function(*arguments)

        return call

    def iteration(steps):
        population.train(steps)
        population.evaluate()

    iteration(2)
    iteration(2)
    few, many = (lines_run(partial(iteration, steps)) for steps in (2, 20))
    for what in ("train", "evaluate"):
        monkeypatch.setattr(compiled, what, counted(what))
    iteration(problem.steps_per_iteration)
    assert calls == {"train": 1, "evaluate": 1}
    assert many == few


def lines_run(call):
    """How many lines of pbtbench's and the problems' Python run in a call."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if not frame.f_globals.get("__name__", "").startswith(("pbtbench.", "problems.")):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
