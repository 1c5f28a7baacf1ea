"""What a function that builds a model may give: a compiled model, or a model, an optimizer and a loss."""

import keras
import pytest
import tensorflow as tf
from small_models import CLASSES, SPACE, X, dense, population, start

from pbtbench import BadInput
from pbtbench.adapters.keras import keras_population

L = keras.layers


def test_a_compiled_model_is_trained_and_judged_by_what_it_was_compiled_with():
    def build(hyper):
        model = dense(3, "softmax")()
        model.compile(
            keras.optimizers.Adam(hyper["rate"]),
            "sparse_categorical_crossentropy",
            metrics=["accuracy", "sparse_top_k_categorical_accuracy"],
        )
        return model

    part = (X, CLASSES)
    started = keras_population(SPACE, build, lambda: {"train": part, "validation": part})
    p = population(started)
    p.train(200)
    found = p.evaluate()
    assert set(found) == {"loss", "accuracy", "sparse_top_k_categorical_accuracy"}
    assert found["accuracy"][0] > 0.9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda m, o: m, "isn't compiled"),
        (lambda m, o: (m, o), r"2 values.*\(model, optimizer, loss\)"),
        (lambda m, o: (m, keras.optimizers.SGD, "mse"), "class SGD.*add \\(\\)"),
        (lambda m, o: (m, "sdg", "mse"), "no optimizer 'sdg'"),
        (lambda m, o: (m, o, "msee"), "no loss 'msee'"),
        (lambda m, o: (m, o, 3), "loss is a int"),
        (lambda m, o: (m, 0.1, "mse"), "optimizer is a float"),
        (lambda m, o: (m.layers, o, "mse"), "model is a list, not a keras.Model"),
        (lambda m, o: None, "gives a NoneType"),
        (lambda m, o: (keras.Sequential([keras.Input((4,)), L.Flatten()]), o, "mse"), "no weights to train"),
        (lambda m, o: (m, o, lambda y, p: y["a"]), "its loss can't take labels of shape"),
    ],
)  # fmt: skip
def test_what_build_gives_is_refused_in_its_own_words(given, message):
    def build(hyper):
        return given(dense(1)(), keras.optimizers.SGD(hyper["rate"]))

    part = (X, X[:, :1])
    started = keras_population(
        SPACE, build, lambda: {"train": part, "validation": part}, metrics=()
    )
    with pytest.raises(BadInput, match=message):
        population(started).evaluate()


def test_a_model_or_an_optimizer_that_is_made_once_is_refused():
    model, layer, optimizer = dense(1)(), L.Dense(1), keras.optimizers.SGD(0.1)
    part = (X, X[:, :1])
    for build in (
        lambda hyper: (model, keras.optimizers.SGD(hyper["rate"]), "mse"),
        lambda hyper: (
            keras.Sequential([keras.Input((4,)), layer]),
            keras.optimizers.SGD(hyper["rate"]),
            "mse",
        ),
    ):
        started = keras_population(SPACE, build, lambda: {"train": part, "validation": part})
        with pytest.raises(BadInput, match="make every layer inside build"):
            population(started)
    optimizer.build(model.trainable_variables)
    started = keras_population(
        SPACE,
        lambda hyper: (dense(1)(), optimizer, "mse"),
        lambda: {"train": part, "validation": part},
    )
    with pytest.raises(BadInput, match="optimizer was used before"):
        population(started)


def test_a_model_with_its_own_test_step_is_refused_by_name():
    class Tested(keras.Sequential):
        def test_step(self, data):
            return {"loss": 0.0}

    with pytest.raises(BadInput, match="Tested overrides test_step"):
        population(start(lambda: Tested([keras.Input((4,)), L.Dense(1)]), "mse", X[:, :1]))


def test_draws_that_no_seed_reaches_are_refused():
    noisy = lambda: keras.Sequential(  # noqa: E731
        [keras.Input((4,)), L.Lambda(lambda x: x + tf.random.normal(tf.shape(x))), L.Dense(1)]
    )
    p = population(start(noisy, "mse", X[:, :1], metrics=()))
    with pytest.raises(BadInput, match=r"RandomStandardNormal.*SeedGenerator"):
        p.train(1)


def test_state_that_a_model_keeps_unseen_is_refused():
    class Counting(L.Layer):
        def __init__(self):
            super().__init__()
            self.seen = [tf.Variable(0.0)]

        def call(self, x):
            self.seen[0].assign_add(1.0)
            return x * self.seen[0]

    counting = lambda: keras.Sequential([keras.Input((4,)), Counting(), L.Dense(1)])  # noqa: E731
    p = population(start(counting, "mse", X[:, :1], metrics=()))
    with pytest.raises(BadInput, match="training changes the variable"):
        p.train(1)
