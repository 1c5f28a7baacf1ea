"""Network morphisms: growing keeps the function, shrinking drops what matters least, and PBT may do both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbtbench import BadInput, Choice, LogUniform, Space, Study, engines
from pbtbench.adapters.keras import keras_population
from pbtbench.adapters.morphism import morphed
from pbtbench.problem import member_seed
from problems.vision import digits_mlp
from problems.vision.digits_morphism import PROBLEM as DIGITS

WIDTHS = (1, 2, 3, 5, 8, 13)


def dense(keras, units):
    return (6,), [
        keras.layers.Dense(units, "relu"),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(units, "tanh"),
    ]


def normalised(keras, units):
    layers = [keras.layers.Dense(units, use_bias=False), keras.layers.BatchNormalization()]
    return (6,), [*layers, keras.layers.ReLU()]


def convolved(keras, units):
    layers = [keras.layers.Conv2D(units, 3, activation="relu"), keras.layers.MaxPooling2D()]
    more = [
        keras.layers.Conv2D(2 * units, 2),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
    ]
    return (8, 8, 2), [*layers, *more]


def convolved_in_one(keras, units):
    return (9, 2), [keras.layers.Conv1D(units, 3), keras.layers.GlobalAveragePooling1D()]


def recurrent(kind):
    def layers(keras, units):
        embedded = keras.layers.Embedding(7, units)
        made = getattr(keras.layers, kind)
        return (5,), [embedded, made(units, return_sequences=True), made(2 * units)]

    return layers


KINDS = {
    "dense": dense,
    "batch normalisation": normalised,
    "convolution": convolved,
    "convolution in one dimension": convolved_in_one,
    **{kind: recurrent(kind) for kind in ("SimpleRNN", "GRU", "LSTM")},
}

SPACE = Space({"learning_rate": LogUniform(1e-3, 1e-1), "units": Choice(WIDTHS)})


def a_population(layers, units, rule="magnitude", optimizer="SGD", members=1):
    """Of a network whose width is `units`, on a few random examples."""
    whole = layers in [KINDS[k] for k in ("SimpleRNN", "GRU", "LSTM")]

    def build(hyper):
        import keras

        shape, made = layers(keras, hyper["units"])
        model = keras.Sequential([keras.Input(shape), *made, keras.layers.Dense(3)])
        rate = {"momentum": 0.9} if optimizer == "SGD" else {}
        chosen = getattr(keras.optimizers, optimizer)(hyper["learning_rate"], **rate)
        return model, chosen, keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def data():
        import keras

        shape, _ = layers(keras, 1)
        rng = np.random.default_rng(0)
        x = rng.integers(0, 7, (40, *shape)) if whole else rng.normal(size=(40, *shape))
        part = x, rng.integers(0, 3, 40)
        return {"train": part, "validation": part}

    start = keras_population(SPACE, build, data, batch_size=16, widths=("units",), rule=rule)
    seeds = [member_seed(0, m) for m in range(members)]
    return start([with_units(units)] * members, seeds)


def with_units(units):
    return {"learning_rate": 0.05, "units": units}


def predictions(population, state, units):
    """Of the network of that width with that state."""
    program = population.programs.of(with_units(units))
    values = [state[name] for name in program.variables]
    for variable, value in zip(program.variables.values(), values, strict=True):
        variable.value.assign(value)
    return program.model(program.data["validation"][0], training=False).numpy()


CACHE = {}


def trained(kind):
    """A population of five units that has made some steps, and its state: made once."""
    if kind not in CACHE:
        population = a_population(KINDS[kind], 5)
        population.train(12)
        CACHE[kind] = population, dict(population.state(0))
    return CACHE[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_growing_keeps_the_function_and_shrinking_back_the_state(kind):
    population, state = trained(kind)
    before = predictions(population, state, 5)
    for units in (8, 13):
        grown = population.morph(state, with_units(units))
        np.testing.assert_allclose(predictions(population, grown, units), before, atol=1e-5)
        # By truncation, as new units, which are fresh on their way in, may be the larger ones.
        program = population.programs.of(with_units(5))
        back = morphed(grown, program, "truncation")
        for name, array in state.items():
            np.testing.assert_array_equal(back[name], array)


@given(kind=st.sampled_from(sorted(KINDS)), units=st.sampled_from(WIDTHS))
@settings(max_examples=25)
def test_a_morphed_state_fits_and_trains_on(kind, units):
    population, state = trained(kind)
    assert population.morph(state, with_units(5)) is state
    population.adopt(0, state, with_units(units))
    population.train(1)
    found = population.state(0)
    assert np.isfinite(population.evaluate()["loss"]).all()
    assert int(found["step"]) == 13
    population.adopt(0, state, with_units(5))


@pytest.mark.parametrize("kind", ["dense", "GRU", "convolution"])
def test_new_units_learn_and_those_padded_both_ways_with_zeros_are_dead(kind):
    population, state = trained(kind)
    grown, dead = population.morph(state, with_units(8)), padded(population, state, 8)
    last = len(population.programs.of(with_units(8)).model.weights) - 2
    out = f"weights/{last}/kernel"
    units = ~old_ones(population, state, 8)[out].all(axis=1)

    def moved(start):
        population.adopt(0, start, with_units(8))
        population.train(4)
        return np.abs(population.state(0)[out][units]).max()

    assert np.abs(grown[out][units]).max() == 0
    assert moved(grown) > 1e-4
    assert moved(dead) == 0
    population.adopt(0, state, with_units(5))


def old_ones(population, state, units):
    """Where in a state grown to so many units the old numbers lie."""
    marked = {n: a if n == "step" else np.full(a.shape, 7.0) for n, a in state.items()}
    return {
        name: array == 7.0 for name, array in population.morph(marked, with_units(units)).items()
    }


def padded(population, state, units):
    """The state grown with nothing but zeros."""
    grown, old = population.morph(state, with_units(units)), old_ones(population, state, units)
    return {
        n: a if n == "step" else np.where(old[n], a, 0).astype(a.dtype) for n, a in grown.items()
    }


@pytest.mark.parametrize("kind", ["dense", "convolution", "GRU"])
def test_units_of_no_magnitude_go_without_a_trace(kind):
    population, state = trained(kind)
    dead = padded(population, state, 8)
    before = predictions(population, dead, 8)
    shrunk = morphed(dead, population.programs.of(with_units(5)), "magnitude")
    np.testing.assert_array_equal(
        predictions(population, shrunk, 5), predictions(population, state, 5)
    )
    np.testing.assert_allclose(predictions(population, state, 5), before, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_slots_follow_their_weights(optimizer):
    """A slot made equal to its weight is still equal to it, but for what is new, which is 0."""
    population = a_population(dense, 8, optimizer=optimizer)
    population.train(2)
    state = dict(population.state(0))
    slots = [n for n in state if n.startswith("optimizer/") and "kernel" in n]
    assert len(slots) >= 3
    weight_of = {s: "weights/" + "/".join(s.split("/")[1:3]) for s in slots}
    for slot, weight in weight_of.items():
        state[slot] = state[weight].copy()
    shrunk = population.morph(state, with_units(3))
    for slot, weight in weight_of.items():
        np.testing.assert_array_equal(shrunk[slot], shrunk[weight])
    grown = population.morph(state, with_units(13))
    for slot, weight in weight_of.items():
        new = np.ones(grown[weight].shape, bool)
        new[tuple(slice(0, n) for n in state[weight].shape)] = False
        np.testing.assert_array_equal(grown[slot][~new], grown[weight][~new])
        assert (grown[slot][new] == 0).all()


def digits(units, rule, seed, steps=400):
    hyper = {"learning_rate": 0.1, "momentum": 0.8, "l1": 1e-4, "dropout": 0.0, "units": units}
    population = DIGITS.population([hyper], [member_seed(seed, 0)], {"rule": rule})
    if steps:
        population.train(steps)
    return population, hyper


def test_magnitude_beats_truncation_on_a_trained_network():
    """The digits' perceptron taken from 64 units to 16, without training on; medians of five seeds."""
    after = {"magnitude": [], "truncation": []}
    for seed in range(5):
        population, hyper = digits(64, "magnitude", seed)
        state = population.state(0)
        program = population.programs.of({**hyper, "units": 16})
        for rule, scores in after.items():
            population.adopt(0, morphed(state, program, rule), {**hyper, "units": 16})
            scores.append(population.evaluate()["accuracy"][0])
    assert np.median(after["magnitude"]) > np.median(after["truncation"]) + 0.05


@pytest.mark.parametrize(
    "engine",
    [
        "inprocess",
        pytest.param("ray", marks=pytest.mark.ray),
        pytest.param("tune", marks=pytest.mark.ray),
    ],
)
@pytest.mark.usefixtures("shared_ray")
def test_pbt_perturbs_a_width_on_every_engine(engine):
    (run,) = Study.plan(
        {
            "problems": ["vision.digits_morphism"],
            "methods": ["pbt"],
            "engines": [engine],
            "intervals": [1],
            "population": 4,
            "iterations": 4,
            "seeds": 1,
        }
    ).runs
    outcome = engines.execute(run)
    assert (outcome.cause, outcome.message) == ("", "")
    record = outcome.record
    made = record.forks.at(~record.forks.starts)
    assert len(made)
    assert (made.old["units"] != made.new["units"]).any()
    assert len(record.timeline.rows("morph"))
    assert not any(np.isnan(values).any() for values in record.scores.metrics.values())


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (
            lambda k, u: ((6,), [k.layers.Dense(u), k.layers.LayerNormalization()]),
            r"can't be morphed from 5 to 8 units: they go through LayerNormalization '",
        ),
        (
            lambda k, u: (
                (8, 8, 2),
                [k.layers.Conv2D(u, 3), k.layers.DepthwiseConv2D(3), k.layers.Flatten()],
            ),
            r"they go through DepthwiseConv2D '",
        ),
    ],
)
def test_a_layer_that_cannot_be_morphed_is_named(layers, says):
    population = a_population(layers, 5)
    with pytest.raises(BadInput, match=says):
        population.adopt(0, None, with_units(8))
    assert np.isfinite(population.evaluate()["loss"]).all()


def test_a_network_that_branches_is_told_so():
    def build(hyper):
        import keras

        x = keras.Input((4,))
        both = [keras.layers.Dense(hyper["units"])(x) for _ in range(2)]
        model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Add()(both)))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return model, keras.optimizers.SGD(hyper["learning_rate"]), loss

    def data():
        part = np.zeros((4, 4)), np.zeros(4, int)
        return {"train": part, "validation": part}

    start = keras_population(SPACE, build, data, widths=("units",))
    population = start([with_units(5)], [member_seed(0, 0)])
    with pytest.raises(BadInput, match="branches can't be morphed: layer 'add"):
        population.adopt(0, None, with_units(8))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda s: {n: a for n, a in s.items() if n != "weights/0/kernel"},
            "it has no 'weights/0/kernel'",
        ),
        (
            lambda s: {**s, "weights/0/kernel": np.zeros(5)},
            "it has 1 axes, not 2, for 'weights/0/kernel'",
        ),
        (lambda s: {**s, "weights/0/kernel": np.zeros((6, 4))}, "have room for 4 and 5 units"),
        (
            lambda s: {**s, "weights/0/kernel": np.zeros((9, 5))},
            "which is no matter of a layer's width",
        ),
    ],
)
def test_a_state_of_another_network_is_refused(change, says):
    population, state = trained("dense")
    with pytest.raises(BadInput) as refused:
        population.adopt(0, change(dict(state)), with_units(8))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    population.adopt(0, state, with_units(5))


def test_a_width_of_zero_and_unknown_words_are_refused():
    population, _ = trained("dense")
    with pytest.raises(BadInput, match="units = 0: a layer needs at least 1 unit"):
        population.adopt(0, None, with_units(0))
    with pytest.raises(BadInput, match="did you mean 'units'"):
        keras_population(SPACE, digits_mlp.build, digits_mlp.data, widths=("unit",))
    with pytest.raises(BadInput, match="did you mean 'magnitude'"):
        keras_population(SPACE, digits_mlp.build, digits_mlp.data, rule="magnitud")


def test_without_widths_another_shape_is_still_refused():
    start = keras_population(digits_mlp.SPACE, digits_mlp.build, digits_mlp.data)
    hyper = {"learning_rate": 0.1, "momentum": 0.8, "l1": 1e-4, "dropout": 0.0, "units": 32}
    population = start([hyper], [member_seed(0, 0)])
    with pytest.raises(BadInput, match="a state doesn't fit the model"):
        population.adopt(0, population.state(0), {**hyper, "units": 16})
