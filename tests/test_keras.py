"""A Keras model as a population: the laws of populations, and what is special to dynamic values."""

import json
import pickle
import random
import subprocess
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from pbtbench import BadInput, Choice, LogUniform, Space, Uniform
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import member_seed

SPACE = Space(
    {
        "rate": LogUniform(1e-3, 1.0),
        "momentum": Uniform(0.0, 0.9),
        "l1": LogUniform(1e-6, 1e-2),
        "dropout": Uniform(0.0, 0.9),
        "units": Choice([4, 6], dynamic=False),
    }
)
USUAL = {"rate": 0.1, "momentum": 0.5, "l1": 1e-4, "dropout": 0.5, "units": 4}
OTHER = {"rate": 0.02, "momentum": 0.8, "l1": 1e-3, "dropout": 0.2, "units": 4}


def build(hyper):
    import keras

    def l1(kernel):
        return hyper["l1"] * keras.ops.sum(keras.ops.abs(kernel))

    layers = [
        keras.layers.Dense(hyper["units"], "relu", kernel_regularizer=l1),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(hyper["dropout"]),
        keras.layers.Dense(2),
    ]
    optimizer = keras.optimizers.SGD(hyper["rate"], momentum=hyper["momentum"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.Sequential([keras.Input((3,)), *layers]), optimizer, loss


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    y = (x @ [1, -1, 0.5] > 0).astype(int)
    return {"train": (x[:60], y[:60]), "validation": (x[60:90], y[60:90]), "test": (x[90:], y[90:])}


START = keras_population(SPACE, build, data, batch_size=16)


def population(*hyperparameters, seed=0, start=START):
    seeds = [member_seed(seed, member) for member in range(len(hyperparameters))]
    return start(hyperparameters, seeds)


def digest(state):
    return {name: array.tolist() for name, array in state.items()}


def assert_same(one, other):
    assert digest(one) == digest(other)


def weights(state):
    return {name: a.tolist() for name, a in state.items() if name.startswith("weights/")}


def test_a_seed_gives_the_same_bits_in_any_process():
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import test_keras as t\n"
        "p = t.population(t.USUAL); p.train(5); print(json.dumps(t.digest(p.state(0))))"
    )
    here = str(Path(__file__).parent)
    there = subprocess.run(
        [sys.executable, "-c", script, here], capture_output=True, text=True, check=True
    )
    again = population(USUAL)
    again.train(5)
    assert digest(again.state(0)) == json.loads(there.stdout.splitlines()[-1])


def test_members_start_from_different_weights():
    p = population(USUAL, USUAL)
    assert weights(p.state(0)) != weights(p.state(1))


def global_state():
    return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002


def test_global_random_state_is_neither_read_nor_set():
    random.seed(1)
    before = global_state()
    one = population(USUAL)
    one.train(2)
    assert global_state() == before
    random.seed(2)
    other = population(USUAL)
    other.train(2)
    assert_same(one.state(0), other.state(0))


def test_a_state_is_read_and_adopted_unchanged():
    p = population(USUAL, USUAL)
    p.train(3)
    p.adopt(1, p.state(0), USUAL)
    assert_same(p.state(1), p.state(0))


def test_a_fork_scores_as_its_donor():
    p = population(USUAL, OTHER)
    p.train(7)
    p.adopt(1, p.state(0), USUAL)
    for name, scores in p.evaluate().items():
        assert scores[0] == scores[1], name


def test_a_fork_goes_on_with_its_own_stream():
    p = population(USUAL, USUAL)
    p.train(3)
    p.adopt(1, p.state(0), USUAL)
    p.train(3)
    assert weights(p.state(0)) != weights(p.state(1))


def test_a_snapshot_and_what_adopted_it_are_left_alone():
    p = population(USUAL, USUAL)
    p.train(2)
    state = p.state(0)
    copies = {name: array.copy() for name, array in state.items()}
    before = digest(state)
    p.adopt(1, state, USUAL)
    p.train(2)
    assert digest(state) == before
    held = digest(p.state(1))
    for array in state.values():
        if array.flags.writeable:
            array[...] = 0
    assert digest(p.state(1)) == held
    p.adopt(1, copies, USUAL)
    for array in copies.values():
        array[...] = 0
    assert digest(p.state(1)) == before


def test_what_is_put_into_a_snapshot_is_what_is_adopted():
    p = population(USUAL, USUAL)
    state = p.state(0)
    state["weights/0/kernel"] = np.full((3, 4), 7.0, np.float32)
    p.adopt(1, state, USUAL)
    assert (p.state(1)["weights/0/kernel"] == 7.0).all()


def test_a_snapshot_reaches_another_process_as_a_plain_dictionary():
    state = population(USUAL).state(0)
    copy = pickle.loads(pickle.dumps(state))
    assert type(copy) is dict
    assert_same(copy, state)


def test_training_n_then_m_steps_is_training_their_sum():
    whole, parts = population(USUAL), population(USUAL)
    whole.train(9)
    parts.train(4)
    parts.evaluate()
    parts.train(5)
    assert_same(whole.state(0), parts.state(0))
    assert whole.state(0)["step"] == 9


def test_a_population_is_its_members_alone():
    members = [USUAL, OTHER, {**OTHER, "units": 6}]
    together = population(*members)
    together.train(4)
    scores = together.evaluate()
    for member, hyperparameters in enumerate(members):
        alone = START([hyperparameters], [member_seed(0, member)])
        alone.train(4)
        assert_same(alone.state(0), together.state(member))
        for name, score in alone.evaluate().items():
            assert score[0] == scores[name][member], name


def test_scores_have_the_members_shape_and_get_better():
    p = population(*[{**USUAL, "dropout": 0.0}] * 3)
    before = p.evaluate()
    p.train(150)
    after = p.evaluate()
    assert set(after) == {"loss", "accuracy"}
    assert all(scores.shape == (3,) and np.isfinite(scores).all() for scores in after.values())
    assert (after["loss"] < before["loss"]).all()
    assert (after["accuracy"] > 0.85).all()
    test = p.test()
    assert set(test) == {"loss", "accuracy"}
    assert (test["accuracy"] > 0.75).all()
    assert (test["loss"] != after["loss"]).all()


def test_a_test_is_keras_own_evaluation_of_the_test_part():
    p = population(USUAL, USUAL)
    p.train(20)
    found, (x, y) = p.test(), data()["test"]
    for member, at in enumerate(m.training_state for m in p.members):
        model = at.program.model
        model.set_weights([v.numpy() for v in at.values[: len(model.weights)]])
        logits = model.predict(x, verbose=0)
        assert found["accuracy"][member] == pytest.approx((logits.argmax(1) == y).mean())


def test_without_a_test_part_nothing_is_tested():
    parts = data()
    del parts["test"]
    start = keras_population(SPACE, build, lambda: parts, batch_size=32)
    assert not start([USUAL], [member_seed(0, 0)]).tested
    assert population(USUAL).tested


@pytest.mark.parametrize("name", [n for n in SPACE if n != "units"])
def test_a_changed_hyperparameter_takes_effect_without_a_retrace(name):
    p = START([USUAL, USUAL], [member_seed(0, 0)] * 2)
    p.train(3)
    assert_same(p.state(0), p.state(1))
    traces = p.traces
    p.adopt(1, None, {**USUAL, name: OTHER[name]})
    p.train(2)
    assert weights(p.state(0)) != weights(p.state(1))
    assert p.traces == traces


def test_with_a_rate_of_zero_the_trained_weights_stay():
    p = population(USUAL)
    p.train(2)
    p.adopt(0, None, {**USUAL, "rate": 0.0, "momentum": 0.0})
    before = p.state(0)
    p.train(3)
    after = p.state(0)
    moving = [n for n in weights(before) if "moving" not in n]
    assert all((before[n] == after[n]).all() for n in moving)
    assert after["step"] == before["step"] + 3


def test_an_update_is_that_of_the_formula():
    import keras

    space = Space({"rate": LogUniform(0.1, 1.0), "decay": Uniform(0.0, 1.0)})

    def linear(hyper):
        half = hyper["decay"] / 2  # arithmetic outside of a graph stays dynamic
        dense = keras.layers.Dense(
            1, use_bias=False, kernel_regularizer=lambda w: keras.ops.sum(half * w**2)
        )
        model = keras.Sequential([keras.Input((1,)), dense])
        return model, keras.optimizers.SGD(hyper["rate"]), keras.losses.MeanSquaredError()

    def zeros():
        part = np.zeros((4, 1)), np.zeros((4, 1))
        return {"train": part, "validation": part}

    p = population(
        {"rate": 0.5, "decay": 0.2}, start=keras_population(space, linear, zeros, metrics=())
    )
    first = p.state(0)["weights/0/kernel"].item()
    p.train(1)
    p.adopt(0, None, {"rate": 0.25, "decay": 0.8})
    p.train(1)
    now = p.state(0)["weights/0/kernel"].item()
    assert now == pytest.approx(first * (1 - 0.5 * 0.2) * (1 - 0.25 * 0.8), rel=1e-6)


def test_adam_takes_live_betas_and_weight_decay():
    import keras

    space = Space(
        {
            "rate": LogUniform(1e-3, 1.0),
            "beta": Uniform(0.5, 0.99),
            "decay": LogUniform(1e-4, 0.1),
        }
    )

    def adam(hyper):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        optimizer = keras.optimizers.AdamW(
            hyper["rate"], weight_decay=hyper["decay"], beta_1=hyper["beta"]
        )
        return model, optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    start = keras_population(space, adam, data)
    usual = {"rate": 0.1, "beta": 0.9, "decay": 0.01}
    ends = []
    for changed in ({}, {"rate": 0.01}, {"beta": 0.5}, {"decay": 0.1}):
        p = population(usual, start=start)
        p.train(2)
        p.adopt(0, None, {**usual, **changed})
        p.train(2)
        ends.append(p.state(0)["weights/0/kernel"].tobytes())
    assert len(set(ends)) == 4
    assert p.traces == 1


def test_a_hyperparameter_that_is_frozen_by_keras_is_refused():
    import keras

    space = Space({"rate": LogUniform(1e-3, 1.0), "l1": LogUniform(1e-6, 1e-2)})

    def frozen(hyper):
        layer = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L1(hyper["l1"]))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return (
            keras.Sequential([keras.Input((3,)), layer]),
            keras.optimizers.SGD(hyper["rate"]),
            loss,
        )

    with pytest.raises(BadInput, match=r"'l1': float\(\) in Keras's L1"):
        population({"rate": 0.1, "l1": 1e-3}, start=keras_population(space, frozen, data))


def test_an_unknown_hyperparameter_is_named_with_the_nearest():
    space = Space({"rate": LogUniform(1e-3, 1.0)})
    start = keras_population(space, lambda hyper: hyper["rates"], data)
    with pytest.raises(BadInput, match=r"'rates'.*did you mean 'rate'"):
        population({"rate": 0.1}, start=start)


def test_a_part_of_the_data_that_is_wrong_is_named():
    for parts, message in [
        ({"train": data()["train"]}, "no 'validation'"),
        ({**data(), "valid": data()["test"]}, "did you mean 'validation'"),
        ({**data(), "test": (np.zeros((3, 3)), np.zeros(2))}, "'test'.*equally many"),
    ]:
        start = keras_population(SPACE, build, lambda parts=parts: parts)
        with pytest.raises(BadInput, match=message):
            population(USUAL, start=start)


def test_a_member_that_is_not_a_number_scores_none_while_others_go_on():
    p = population(USUAL, USUAL, USUAL)
    p.train(1)
    broken = p.state(1)
    broken["weights/0/kernel"] = np.full_like(broken["weights/0/kernel"], np.nan)
    p.adopt(1, broken, USUAL)
    p.train(1)
    for scores in p.evaluate().values():
        assert np.isfinite(scores).tolist() == [True, False, True]


def test_a_rate_that_diverges_scores_nan():
    p = population({**USUAL, "rate": 1e30})
    p.train(20)
    assert np.isnan(p.evaluate()["accuracy"]).all()


def test_a_state_that_does_not_fit_is_refused_by_name():
    p = population(USUAL)
    state = p.state(0)
    with pytest.raises(BadInput, match=r"'weights/0/kernel' has shape \(3, 4\).*\(3, 6\)"):
        p.adopt(0, state, {**USUAL, "units": 6})
    with pytest.raises(BadInput, match="lacks 'weights/0/kernel'"):
        p.adopt(0, {n: a for n, a in state.items() if n != "weights/0/kernel"}, USUAL)
    with pytest.raises(BadInput, match="no place for 'strange'"):
        p.adopt(0, {**state, "strange": np.zeros(1)}, USUAL)
    assert_same(p.state(0), state)


def test_a_fork_to_other_static_hyperparameters_moves_to_their_program():
    six = {**USUAL, "units": 6}
    p = population(USUAL, six)
    p.train(2)
    p.adopt(0, p.state(1), six)
    p.train(2)
    assert p.state(0)["weights/0/kernel"].shape == (3, 6)


def test_the_next_population_compiles_nothing():
    population(USUAL).train(1)
    p = population(OTHER, seed=3)
    traces = p.traces
    p.train(1)
    assert p.traces == traces


def test_state_names_do_not_depend_on_what_was_built_before():
    fresh = keras_population(SPACE, build, data)
    assert list(population(USUAL, start=fresh).state(0)) == list(population(USUAL).state(0))


def test_dropout_is_keyed_by_member_and_step():
    """With no updates, only the layers' draws differ: batch normalisation sees them."""
    import keras

    space = Space({"dropout": Uniform(0.0, 0.9)})

    def noisy(hyper):
        layers = [keras.layers.Dropout(hyper["dropout"]), keras.layers.BatchNormalization()]
        model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return model, keras.optimizers.SGD(0.0), loss

    def ones():
        part = np.ones((8, 3)), np.zeros(8, int)
        return {"train": part, "validation": part}

    def mean_after_step(p, member, step):
        state = {**first, "step": np.array(step)}
        p.adopt(member, state, {"dropout": 0.5})
        p.train(1)
        return p.state(member)["weights/2/moving_mean"].tobytes()

    start = keras_population(space, noisy, ones)
    p = population(*[{"dropout": 0.5}] * 2, start=start)
    first = p.state(0)
    assert mean_after_step(p, 0, 0) == mean_after_step(p, 0, 0)
    seen = {mean_after_step(p, member, step) for member in (0, 1) for step in (0, 1, 2)}
    assert len(seen) == 6


def test_a_model_without_declared_inputs_is_built_on_the_data():
    import keras

    space = Space({"rate": LogUniform(1e-3, 1.0)})

    def undeclared(hyper):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model = keras.Sequential([keras.layers.Dense(2)])
        return model, keras.optimizers.SGD(hyper["rate"]), loss

    start = keras_population(space, undeclared, data)
    p, again = population(*[{"rate": 0.1}] * 2, start=start), population({"rate": 0.1}, start=start)
    assert p.state(0)["weights/0/kernel"].shape == (3, 2)
    assert_same(p.state(0), again.state(0))
    assert weights(p.state(0)) != weights(p.state(1))


def test_a_choice_of_names_gets_a_program_for_each():
    import keras

    space = Space({"rate": LogUniform(1e-3, 1.0), "optimizer": Choice(["SGD", "Adam"])})

    def named(hyper):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        optimizer = getattr(keras.optimizers, hyper["optimizer"])(hyper["rate"])
        return model, optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    members = [{"rate": 0.1, "optimizer": name} for name in ("SGD", "Adam")]
    p = population(*members, start=keras_population(space, named, data))
    p.train(1)
    assert "optimizer/0/kernel/velocity" in p.state(1)
    assert "optimizer/0/kernel/velocity" not in p.state(0)


def test_a_problem_travels_between_processes():
    population(USUAL).train(1)
    start = cloudpickle.loads(cloudpickle.dumps(START))
    one, other = population(USUAL), population(USUAL, start=start)
    assert_same(one.state(0), other.state(0))
