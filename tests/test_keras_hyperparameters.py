"""No hyperparameter of a Keras problem without effect, and none that is frozen without a word."""

import math

import keras
import numpy as np
import pytest

from pbtbench import BadInput, Choice, Constant, IntUniform, LogUniform, Sampler, Space, Uniform
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import member_seed
from pbtbench.space.columns import rows

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
Y = X[:, :3].argmax(axis=1)
PART = {"train": (X, Y), "validation": (X, Y)}
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
RATE = LogUniform(0.01, 1.0)


def dense(*layers):
    return keras.Sequential([keras.Input((4,)), *layers, L.Dense(3)])


def started(space, build, **options):
    return keras_population(Space(space), build, lambda: PART, metrics=(), batch_size=8, **options)


def weights_after(start, hyperparameters, steps=3):
    p = start([hyperparameters], [member_seed(0, 0)])
    p.train(steps)
    return np.concatenate([a.ravel() for n, a in sorted(p.state(0).items()) if "weights/" in n])


def places(x):
    """Where users put a tuned number: layers, a rate, and a loss, with x in one of them."""
    loss = keras.losses.CategoricalFocalCrossentropy
    return {
        "dropout": ([L.Dropout(x)], 0.1),
        "noise": ([L.GaussianNoise(x)], 0.1),
        "temperature": ([L.Lambda(lambda t: t / x)], 0.1),
        "functional arithmetic": ([L.Lambda(lambda t: x * t + x)], 0.1),
        "a rate that is halved": ([], x / 2),
        "a power of ten": ([], 10 ** (-x)),
        "what is left of one": ([], 1 - x),
        "an absolute value": ([], abs(x)),
        "two at once": ([], x * x),
        "NumPy's exponential": ([], np.exp(-x) * 0.1),
        "NumPy's maximum": ([], np.maximum(x, 0.2)),
        "a NumPy number": ([], np.float64(0.5) * x),
        "a schedule": ([], keras.optimizers.schedules.ExponentialDecay(x, 10, 0.5)),
        "the loss": (
            [],
            0.1,
            lambda y, p: loss(gamma=x)(keras.ops.one_hot(y, 3), keras.ops.softmax(p)),
        ),
    }


@pytest.mark.parametrize("place", list(places(0.5)))
def test_a_tuned_number_takes_effect_where_it_is_put(place):
    def build(hyper):
        layers, rate, *loss = places(hyper["x"])[place]
        return dense(*layers), keras.optimizers.SGD(rate), *(loss or [SPARSE])

    start = started({"x": Uniform(0.1, 0.4)}, build)
    low, high = (weights_after(start, {"x": x}) for x in (0.11, 0.39))
    assert not np.array_equal(low, high)
    assert np.array_equal(low, weights_after(start, {"x": 0.11}))


FREEZING = {
    "max": lambda x: max(x, 0.2),
    "min": lambda x: min(x, 0.2),
    "sorted": lambda x: sorted([0.1, 0.3, x])[1],
    "if": lambda x: 0.1 if x else 0.2,
    "above": lambda x: 0.1 if x > 0.2 else 0.2,
    "equal": lambda x: 0.1 if x == 0.2 else 0.2,
    "int": lambda x: int(10 * x) / 10,
    "float": float,
    "round": lambda x: round(x, 2),
    "range": lambda x: len(range(x)),
    "math": lambda x: math.exp(-x),
    "floor": math.floor,
    "text": lambda x: float(f"{x:.3f}"),
    "array": lambda x: float(np.array([1.0, 2.0]) @ np.array([x, x])),
    "comparison of NumPy": lambda x: 0.1 if np.greater(x, 0.2) else 0.2,
    "vector": lambda x: (np.ones(3) * x)[0],
    "units": lambda x: L.Dense(x) and 0.1,
    "momentum of a normalisation": lambda x: L.BatchNormalization(momentum=x) and 0.1,
}


@pytest.mark.parametrize("what", FREEZING)
def test_what_would_freeze_a_live_number_is_refused_by_name(what):
    def build(hyper):
        rate = FREEZING[what](hyper["x"])
        # read elsewhere, so that it is not merely found unread
        return dense(L.Dropout(hyper["x"])), keras.optimizers.SGD(rate), SPARSE

    with pytest.raises(BadInput, match=r"'x'.*dynamic=False") as refusal:
        weights_after(started({"x": Uniform(0.1, 0.4)}, build), {"x": 0.3})
    assert "\n" not in str(refusal.value)


def test_a_static_number_may_be_compared():
    def build(hyper):
        return dense(), keras.optimizers.SGD(max(hyper["x"], 0.2)), SPARSE

    start = started({"x": Uniform(0.1, 0.4, dynamic=False)}, build)
    assert np.array_equal(*(weights_after(start, {"x": x}) for x in (0.1, 0.2)))


@pytest.mark.parametrize(
    "unread",
    [
        Uniform(0.0, 1.0), Uniform(0.0, 1.0, dynamic=False), IntUniform(1, 4), Choice(["a", "b"]),
        Choice([1, 2], dynamic=False), Constant("relu"), Sampler(lambda rng: float(rng.random())),
    ],
)  # fmt: skip
def test_a_hyperparameter_that_nothing_asks_for_is_refused(unread):
    build = lambda hyper: (dense(), keras.optimizers.SGD(hyper["rate"]), SPARSE)  # noqa: E731
    space = {"rate": RATE, "unread": unread}
    start = started(space, build)
    with pytest.raises(BadInput, match=r"'unread': build\(\) never asks for it"):
        start.check()
    (drawn,) = rows(Space(space).sample(np.random.default_rng(0), 1))
    with pytest.raises(BadInput, match=r"'unread': build\(\) never asks for it"):
        weights_after(start, drawn)


def test_a_misspelt_get_is_refused_with_the_nearest_name():
    build = lambda hyper: (dense(), keras.optimizers.SGD(hyper.get("rat", 0.1)), SPARSE)  # noqa: E731
    with pytest.raises(BadInput, match="'rat': did you mean 'rate'"):
        started({"rate": RATE}, build).check()


def test_a_hyperparameter_that_only_some_models_ask_for_is_taken():
    def build(hyper):
        more = {"momentum": hyper["momentum"]} if hyper["optimizer"] == "SGD" else {}
        return dense(), getattr(keras.optimizers, hyper["optimizer"])(hyper["rate"], **more), SPARSE

    names = Choice(["Adam", "SGD"], dynamic=False)
    start = started({"rate": RATE, "optimizer": names, "momentum": Uniform(0.1, 0.9)}, build)
    start.check()
    for name in names.values:
        weights_after(start, {"rate": 0.1, "optimizer": name, "momentum": 0.5})


@pytest.mark.parametrize("dynamic", [True, False])
def test_the_batch_size_may_be_a_hyperparameter(dynamic):
    seen = {}

    class Looking(L.Layer):
        def call(self, x):
            seen.setdefault("sizes", set()).add(x.shape[0])
            return x

    build = lambda hyper: (dense(Looking()), keras.optimizers.SGD(hyper["rate"]), SPARSE)  # noqa: E731
    sizes = Choice([4, 16], dynamic=dynamic)
    start = started({"rate": RATE, "batch_size": sizes}, build)
    start.check()
    p = start([{"rate": 0.1, "batch_size": 4}], [member_seed(0, 0)])
    p.train(2)
    assert 4 in seen["sizes"]
    assert 16 not in seen["sizes"]
    p.adopt(0, None, {"rate": 0.1, "batch_size": 16})
    p.train(2)
    assert 16 in seen["sizes"]


CHANGING = {
    "units": IntUniform(4, 32),
    "depth": IntUniform(1, 3),
    "optimizer": Choice(["SGD", "Adam"]),
    "drawn": lambda rng: int(rng.integers(4, 32)),
    "list": [8, 16, 32],
}


@pytest.mark.parametrize("what", CHANGING)
def test_what_changes_the_network_while_training_is_refused_before_anything_trains(what):
    def build(hyper):
        x = hyper[what]
        layers = [L.Dense(4) for _ in range(x)] if what == "depth" else []
        layers += [L.Dense(x, "relu")] if what in ("units", "drawn", "list") else []
        kind = x if what == "optimizer" else "SGD"
        return dense(*layers), getattr(keras.optimizers, kind)(hyper["rate"]), SPARSE

    start = started({"rate": RATE, what: CHANGING[what]}, build)
    with pytest.raises(BadInput, match=f"'{what}'.*dynamic=False") as refusal:
        start.check()
    assert ("widths" in str(refusal.value)) == (what != "optimizer")
    if what == "units":
        started({"rate": RATE, what: CHANGING[what]}, build, widths=(what,)).check()


def test_a_choice_that_keeps_the_weights_may_change_while_training():
    build = lambda hyper: (  # noqa: E731
        dense(L.Dense(4, hyper["activation"])), keras.optimizers.SGD(hyper["rate"]), SPARSE
    )  # fmt: skip
    start = started({"rate": RATE, "activation": ["relu", "tanh"]}, build)
    start.check()
    p = start([{"rate": 0.1, "activation": "relu"}], [member_seed(0, 0)])
    p.train(1)
    p.adopt(0, p.state(0), {"rate": 0.1, "activation": "tanh"})
    p.train(1)


def test_values_that_are_lists_or_nothing_shape_models():
    def build(hyper):
        layers = [L.Dense(n, "relu") for n in hyper["hidden"] or ()]
        return dense(*layers), keras.optimizers.SGD(hyper["rate"]), SPARSE

    hidden = Choice([[4], [8, 4], None], dynamic=False)
    start = started({"rate": RATE, "hidden": hidden}, build)
    start.check()
    sizes = [weights_after(start, {"rate": 0.1, "hidden": h}).size for h in hidden.values]
    assert len(set(sizes)) == 3


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "64", None])
def test_a_batch_size_is_a_whole_number(size):
    with pytest.raises(BadInput, match="batch_size"):
        keras_population(Space({"rate": RATE}), lambda hyper: None, lambda: PART, batch_size=size)


@pytest.mark.parametrize(
    "sizes", [Uniform(4, 16), Uniform(4, 16, dynamic=False), IntUniform(-2, 0)]
)
def test_a_batch_size_to_tune_has_whole_numbers(sizes):
    build = lambda hyper: (dense(), keras.optimizers.SGD(hyper["rate"]), SPARSE)  # noqa: E731
    with pytest.raises(BadInput, match=r"'batch_size'.*whole numbers"):
        started({"rate": RATE, "batch_size": sizes}, build).check()
