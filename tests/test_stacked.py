"""Members side by side: what they score and hold is what they would alone, to within rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pbtbench import BadInput, LogUniform, Objective, Problem, Space, Study, catalogue, engines
from pbtbench.adapters import scoring
from pbtbench.adapters.keras import keras_population
from pbtbench.adapters.stacked import StackedPopulation, stacked
from pbtbench.problem import member_seed, method_rng
from pbtbench.space.columns import rows

SIZE = 4
CLOSE = {"rtol": 1e-4, "atol": 2e-5}


def looped(name="vision.digits_mlp", size=SIZE, run_seed=5):
    problem, rng = catalogue.problem(name), method_rng(1)
    hyperparameters = rows(problem.space.sample(rng, size))
    seeds = [member_seed(run_seed, m) for m in range(size)]
    return problem.population(hyperparameters, seeds), hyperparameters


def both(name="vision.digits_mlp", size=SIZE):
    one, hyperparameters = looped(name, size)
    return one, stacked(looped(name, size)[0], name), hyperparameters


def assert_close(one, other):
    for member in range(one.size):
        a, b = one.state(member), other.state(member)
        assert list(a) == list(b)
        for name in a:
            assert a[name].dtype == b[name].dtype
            np.testing.assert_allclose(a[name], b[name], err_msg=name, **CLOSE)
    scores, others = one.evaluate(), other.evaluate()
    for metric in scores:
        np.testing.assert_allclose(scores[metric], others[metric], rtol=1e-3, atol=4e-3)


@pytest.mark.parametrize("name", ["vision.digits_mlp", "tabular.wine", "tabular.diabetes"])
def test_scores_and_states_are_those_of_the_looped_members(name):
    one, other, hyperparameters = both(name)
    assert_close(one, other)
    for population in (one, other):
        population.train(5)
    assert_close(one, other)
    for population in (one, other):
        population.adopt(1, population.state(0), hyperparameters[2])
        population.adopt(3, population.state(2), hyperparameters[0])
        population.adopt(0, None, hyperparameters[1])
        population.train(4)
    assert_close(one, other)
    assert other.tested
    scores, others = one.test(), other.test()
    assert list(scores) == list(others)
    for metric in scores:
        np.testing.assert_allclose(scores[metric], others[metric], rtol=1e-3, atol=4e-3)


def test_states_go_both_ways():
    one, other, hyperparameters = both()
    other.train(3)
    one.adopt(0, other.state(2), hyperparameters[0])
    other.adopt(1, one.state(0), hyperparameters[0])
    for name, array in one.state(0).items():
        np.testing.assert_array_equal(array, other.state(1)[name])


def test_the_same_seeds_give_the_same_bits_and_n_steps_then_m_are_n_plus_m():
    _, one, _ = both()
    _, other, _ = both()
    one.train(5)
    other.train(2)
    other.evaluate()
    other.train(3)
    for member in range(SIZE):
        for name, array in one.state(member).items():
            np.testing.assert_array_equal(array, other.state(member)[name])


def test_a_snapshot_is_left_alone_and_so_are_the_others():
    _, population, hyperparameters = both()
    population.train(2)
    kept = {name: array.copy() for name, array in population.state(0).items()}
    snapshot, others = population.state(0), population.state(2)
    population.adopt(1, snapshot, hyperparameters[3])
    population.settle()
    for name, array in population.state(2).items():
        np.testing.assert_array_equal(array, others[name])
    population.train(2)
    for name, array in snapshot.items():
        np.testing.assert_array_equal(array, kept[name])
    assert int(population.state(1)["step"]) == 4


def test_adoptions_take_the_states_from_before_any_of_them():
    """Members 0 and 1 swap."""
    _, population, hyperparameters = both()
    population.train(1)
    first, second = population.state(0), population.state(1)
    population.adopt(0, second, hyperparameters[0])
    population.adopt(1, first, hyperparameters[1])
    for _ in range(2):  # before they are settled, and after
        for member, state in ((0, second), (1, first)):
            for name, array in population.state(member).items():
                np.testing.assert_array_equal(array, state[name])
        population.settle()


def test_nothing_is_compiled_after_the_first_iteration():
    _, population, hyperparameters = both()
    population.train(2)
    population.evaluate()
    assert population.traces == 2
    population.adopt(0, population.state(1), hyperparameters[2])
    population.train(3)
    population.evaluate()
    assert population.traces == 2


def executed(members, problem="vision.digits_mlp", **keys):
    (run,) = Study.plan(
        {
            "problems": [problem],
            "methods": ["pbt"],
            "population": 6,
            "iterations": 4,
            "seeds": 1,
            "engine": {"inprocess": {"members": members}},
            **keys,
        }
    ).runs
    return engines.execute(run)


def forks(outcome):
    """(member, donor, old, new hyperparameters) of each."""
    made = outcome.record.forks.at(~outcome.record.forks.starts)
    columns = made.member.tolist(), made.donor.tolist(), rows(made.old), rows(made.new)
    return list(zip(*columns, strict=True))


def test_a_run_makes_the_same_forks_looped_and_stacked():
    one, other = executed("looped"), executed("stacked")
    assert (one.cause, other.cause) == ("", "")
    assert forks(one) == forks(other) != []
    metric = catalogue.problem("vision.digits_mlp").objective.metric
    found, expected = (outcome.record.scores.metrics[metric] for outcome in (one, other))
    np.testing.assert_allclose(found, expected, atol=4e-3)
    restores = [len(outcome.record.timeline.rows("restore")) for outcome in (one, other)]
    assert restores == [len(forks(one))] * 2


def taken(outcome):
    """How members trained."""
    notes = outcome.record.notes
    (said,) = notes.text[notes.named("members")].tolist()
    return said


@pytest.mark.parametrize(("ratio", "expected"), [(0.0, "stacked"), (1e9, "looped")])
def test_a_trial_takes_what_is_clearly_faster_and_the_record_says_which(
    monkeypatch, ratio, expected
):
    monkeypatch.setattr("pbtbench.engines.inprocess.CLEARLY", ratio)
    engines.inprocess._trial.cache_clear()
    assert taken(executed("fastest", "tabular.wine")) == expected


def test_the_default_is_looped_and_arrays_are_stacked_already():
    assert taken(executed("looped")) == "looped"
    outcome = executed("stacked", "toy.pbt_quadratic")
    assert outcome.cause == ""


def a_problem(optimizer=None, layers=None, choice=False, metrics=None, network=None):
    space = {"learning_rate": LogUniform(1e-3, 1e-1)}
    if choice:
        space["activation"] = ["relu", "tanh"]

    def build(hyper):
        made = (
            layers(keras)
            if layers
            else [keras.layers.Dense(4, hyper["activation"] if choice else "relu")]
        )
        model = (network or keras.Sequential)(
            [keras.Input((6, 6, 1)), *made, keras.layers.Flatten(), keras.layers.Dense(2)]
        )
        chosen = (
            optimizer(keras, hyper) if optimizer else keras.optimizers.SGD(hyper["learning_rate"])
        )
        return model, chosen, keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def data():
        rng = np.random.default_rng(0)
        part = rng.normal(size=(20, 6, 6, 1)), rng.integers(0, 2, 20)
        return {"train": part, "validation": part}

    space = Space(space)
    start = keras_population(space, build, data, batch_size=8, metrics=metrics)
    return Problem(
        title="t", source="2026", finding="f", space=space, iterations=2, steps_per_iteration=2,
        objective=Objective("accuracy", "max"), start=start,
    )  # fmt: skip


def of(problem, size=2):
    rng = method_rng(0)
    hyperparameters = rows(problem.space.sample(rng, size))
    return problem.population(hyperparameters, [member_seed(0, m) for m in range(size)])


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda keras, h: keras.optimizers.SGD(h["learning_rate"]),
        lambda keras, h: keras.optimizers.SGD(h["learning_rate"], momentum=0.9),
        lambda keras, h: keras.optimizers.Adam(h["learning_rate"], beta_1=0.8),
        lambda keras, h: keras.optimizers.Adam(h["learning_rate"], clipnorm=0.1),
    ],
)
def test_optimizers_do_what_kerass_do(optimizer):
    problem = a_problem(optimizer)
    one, other = of(problem, 3), stacked(of(problem, 3), "t")
    assert isinstance(other, StackedPopulation)
    for population in (one, other):
        population.train(6)
    assert_close(one, other)


def test_batch_normalisation_keeps_each_members_statistics():
    problem = a_problem(
        layers=lambda k: [k.layers.Dense(3), k.layers.BatchNormalization(momentum=0.5)]
    )
    one, other = of(problem, 3), stacked(of(problem, 3), "t")
    for population in (one, other):
        population.train(5)
    assert_close(one, other)


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return {}


def largest(labels, predictions):
    return np.abs(labels[:, None] - predictions).max()


def test_metrics_in_batches_and_outside_the_graph_are_those_of_the_looped_members(monkeypatch):
    entropy = keras.metrics.SparseCategoricalCrossentropy("entropy", from_logits=True)
    problem = a_problem(metrics=("accuracy", entropy, largest))
    whole = of(problem, 3).evaluate()
    monkeypatch.setattr(scoring, "BATCH_BYTES", 1)
    problem = a_problem(metrics=("accuracy", entropy, largest))
    found = stacked(of(problem, 3), "t").evaluate()
    assert set(found) == {"loss", "accuracy", "entropy", "largest"}
    for name, scores in found.items():
        np.testing.assert_allclose(scores, whole[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (
            {"optimizer": lambda k, h: k.optimizers.RMSprop(h["learning_rate"])},
            "SGD with momentum and Adam, without weight decay and averages, not this RMSprop",
        ),
        (
            {"optimizer": lambda k, h: k.optimizers.Adam(h["learning_rate"], weight_decay=0.1)},
            "not this Adam",
        ),
        ({"layers": lambda k: [k.layers.Conv2D(2, 3)]}, "TensorFlow can't batch its Conv2D"),
        ({"network": OwnStep}, "its model has its own train_step"),
        ({"choice": True}, "its members differ in hyperparameters that shape the model"),
    ],
)
def test_what_cannot_be_stacked_says_why_and_what_to_do(made, says):
    with pytest.raises(BadInput) as refused:
        stacked(of(a_problem(**made), 8), "my problem").train(1)
    assert "my problem can't be stacked: " in str(refused.value)
    assert says in str(refused.value)
    assert str(refused.value).endswith('set members = "looped"')


def test_a_state_that_does_not_fit_is_refused_as_by_looped_members():
    one, other, hyperparameters = both()
    state = one.state(0)
    broken = {**state, "weights/0/kernel": np.zeros((3, 3), np.float32)}
    renamed = {("x" if name == "step" else name): array for name, array in state.items()}
    for population in (one, other):
        before = population.state(1)
        for wrong, says in (
            (broken, "'weights/0/kernel' has shape (3, 3), which must be"),
            (renamed, "a state doesn't fit the model: it "),
        ):
            with pytest.raises(BadInput) as refused:
                population.adopt(1, wrong, hyperparameters[0])
            assert says in str(refused.value)
        after = population.state(1)
        assert all((after[name] == array).all() for name, array in before.items())


def test_members_is_one_of_three():
    with pytest.raises(BadInput, match="did you mean 'stacked'"):
        executed("stackd")


def test_a_member_that_diverges_leaves_the_others_alone():
    _, population, hyperparameters = both()
    wild = {**hyperparameters[0], "learning_rate": 1.0, "momentum": 0.99, "l1": 1e-2}
    population.adopt(0, None, wild)
    broken = {
        n: np.full_like(a, np.nan) if "kernel" in n else a for n, a in population.state(0).items()
    }
    population.adopt(0, broken, wild)
    population.train(3)
    scores = population.evaluate()["accuracy"]
    assert np.isnan(scores[0])
    assert np.isfinite(scores[1:]).all()
    assert tf.executing_eagerly()
