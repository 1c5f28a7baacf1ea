"""What trains is what `fit` would train: a step of the adapter is Keras's own `train_on_batch`.

The steps are compared outside of a graph, where a model and an optimizer take milliseconds; that a
population in its graph makes the same steps is held for each model with one optimizer.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pbtbench import LogUniform, Space
from pbtbench.adapters.compiled import compiled
from pbtbench.adapters.examples import load
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import member_seed

L = keras.layers
RNG = np.random.default_rng(0)
FLAT = RNG.normal(size=(24, 6))
IMAGES = RNG.normal(size=(24, 6, 6, 2))
WORDS = RNG.integers(0, 9, size=(24, 5))
CLASSES = RNG.integers(0, 3, size=24)
ONE_HOT = np.eye(3)[CLASSES]
SIDES = RNG.integers(0, 2, size=(24, 1))
SIZES = RNG.normal(size=(24, 1))
WEIGHTS = RNG.uniform(0.1, 3.0, size=24)
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def chain(*layers, shape=(6,), outputs=3, **kw):
    return keras.Sequential([keras.Input(shape, **kw), *layers, L.Dense(outputs)])


def two_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    return keras.Model({"a": a, "b": b}, L.Dense(3)(L.Concatenate()([a, b])))


def two_outputs():
    inputs = keras.Input((6,))
    hidden = L.Dense(5, "tanh")(inputs)
    return keras.Model(inputs, {"kind": L.Dense(3)(hidden), "size": L.Dense(1)(hidden)})


def listed_outputs():
    inputs = keras.Input((6,))
    return keras.Model(inputs, [L.Dense(1, name="one")(inputs), L.Dense(1, name="two")(inputs)])


def shared_layer():
    inputs, layer = keras.Input((6,)), L.Dense(6, "tanh")
    return keras.Model(inputs, L.Dense(3)(layer(layer(inputs))))


def frozen():
    base = keras.Sequential([keras.Input((6,)), L.Dense(6, "relu"), L.BatchNormalization()])
    base.trainable = False
    inputs = keras.Input((6,))
    return keras.Model(inputs, L.Dense(3)(base(inputs, training=False)))


class Added(L.Layer):
    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(x**2))
        return x


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.one, self.two = L.Dense(5, "relu", kernel_regularizer="l2"), L.Dense(3)

    def call(self, x):
        return self.two(self.one(x))


class OwnLoss(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return 3.0 * super().compute_loss(x, y, y_pred, sample_weight)


class OwnStep(keras.Sequential):
    def train_step(self, data):
        x, y = data[
            :2
        ]  # `train_on_batch` hands on the weights, too, `fit` only where there are some
        with tf.GradientTape() as tape:
            loss = 0.5 * self.compute_loss(x, y, self(2.0 * x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def absolute(labels, found):
    return keras.ops.mean(keras.ops.abs(labels - found), axis=-1)


def half(units, activation=None):
    return L.Dense(units, activation, dtype="mixed_float16")


MODELS = {
    "one layer": (chain, LOGITS, (FLAT, CLASSES)),
    "one-hot labels": (
        chain,
        keras.losses.CategoricalCrossentropy(from_logits=True),
        (FLAT, ONE_HOT),
    ),
    "loss by name": (lambda: chain(outputs=1), "mse", (FLAT, SIZES)),
    "function of Keras's": (lambda: chain(outputs=1), keras.losses.huber, (FLAT, SIZES)),
    "function of one's own": (lambda: chain(outputs=1), absolute, (FLAT, SIZES)),
    "sum over the batch": (
        lambda: chain(outputs=1),
        keras.losses.MeanSquaredError("sum"),
        (FLAT, SIZES),
    ),
    "a loss for each example": (
        lambda: chain(outputs=1),
        keras.losses.MeanSquaredError("none"),
        (FLAT, SIZES),
    ),
    "regularizers": (
        lambda: chain(L.Dense(4, "relu", kernel_regularizer="l1", activity_regularizer="l2")),
        LOGITS,
        (FLAT, CLASSES),
    ),
    "batch normalisation": (
        lambda: chain(L.Dense(4), L.BatchNormalization()),
        LOGITS,
        (FLAT, CLASSES),
    ),
    "dropout": (
        lambda: chain(L.Dense(8), L.Dropout(0.5), L.GaussianNoise(0.1)),
        LOGITS,
        (FLAT, CLASSES),
    ),
    "convolutions": (
        lambda: chain(
            L.Conv2D(3, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), shape=(6, 6, 2)
        ),
        LOGITS,
        (IMAGES, CLASSES),
    ),
    "layer normalisation": (
        lambda: chain(L.LayerNormalization(), L.Dense(4, "gelu")),
        LOGITS,
        (FLAT, CLASSES),
    ),
    "masked words": (
        lambda: chain(L.Embedding(9, 4, mask_zero=True), L.GRU(3), shape=(5,)),
        LOGITS,
        (WORDS, CLASSES),
    ),
    "a label for each place": (
        lambda: chain(L.Embedding(9, 4, mask_zero=True), shape=(5,)),
        LOGITS,
        (WORDS, WORDS % 3),
    ),
    "two inputs": (two_inputs, LOGITS, ({"a": FLAT[:, :4], "b": FLAT[:, 4:]}, CLASSES)),
    "two outputs": (
        two_outputs,
        {"kind": LOGITS, "size": "mse"},
        (FLAT, {"kind": CLASSES, "size": SIZES}),
    ),
    "a list of outputs": (listed_outputs, "mse", (FLAT, [SIZES, 2 * SIZES])),
    "weights of examples": (chain, LOGITS, (FLAT, CLASSES, WEIGHTS)),
    "weights and a mean by them": (
        lambda: chain(outputs=1),
        keras.losses.MeanSquaredError("mean_with_sample_weight"),
        (FLAT, SIZES, WEIGHTS),
    ),
    "a shared layer": (shared_layer, LOGITS, (FLAT, CLASSES)),
    "frozen layers": (frozen, LOGITS, (FLAT, CLASSES)),
    "a layer's own loss": (lambda: chain(L.Dense(4), Added()), LOGITS, (FLAT, CLASSES)),
    "a subclass": (Subclassed, LOGITS, (FLAT, CLASSES)),
    "constraints": (
        lambda: chain(L.Dense(4, kernel_constraint="max_norm")),
        LOGITS,
        (FLAT, CLASSES),
    ),
    "mixed precision": (
        lambda: keras.Sequential([keras.Input((6,)), half(4, "relu"), L.Dense(3)]),
        LOGITS,
        (FLAT, CLASSES),
    ),
    "its own compute_loss": (
        lambda: OwnLoss([keras.Input((6,)), L.Dense(3)]),
        LOGITS,
        (FLAT, CLASSES),
    ),
    "its own train_step": (
        lambda: OwnStep([keras.Input((6,)), L.Dense(3)]),
        LOGITS,
        (FLAT, CLASSES),
    ),
}

K = keras.optimizers
OPTIMIZERS = {
    "SGD": lambda: K.SGD(0.1),
    "SGD with all options": lambda: K.SGD(
        0.1, 0.9, nesterov=True, weight_decay=0.01, global_clipnorm=0.5
    ),
    "Adam": lambda: K.Adam(0.01, amsgrad=True, clipnorm=0.5),
    "AdamW, averaged": lambda: K.AdamW(0.01, use_ema=True, ema_overwrite_frequency=2),
    "Adam, accumulating": lambda: K.Adam(0.01, gradient_accumulation_steps=2),
    "Adamax": lambda: K.Adamax(0.01),
    "Nadam": lambda: K.Nadam(0.01),
    "RMSprop": lambda: K.RMSprop(0.01, momentum=0.5, centered=True),
    "Adagrad": lambda: K.Adagrad(0.1),
    "Adadelta": lambda: K.Adadelta(1.0),
    "Adafactor": lambda: K.Adafactor(0.01),
    "Ftrl": lambda: K.Ftrl(0.1),
    "Lion": lambda: K.Lion(0.001),
    "Lamb": lambda: K.Lamb(0.01, clipvalue=0.1),
    "Muon": lambda: K.Muon(0.01),
    "ScheduleFreeAdamW": lambda: K.ScheduleFreeAdamW(0.01),
    "two at once": lambda: K.MultiOptimizer(K.OptimizerMap(K.SGD(0.1), {".*kernel": K.Adam(0.01)})),
    "scaled loss": lambda: K.LossScaleOptimizer(K.SGD(0.1), dynamic_growth_steps=2),
}


def test_every_optimizer_of_keras_is_among_them():
    known = {type(make()).__name__ for make in OPTIMIZERS.values()}
    made = {n for n, c in vars(K).items() if isinstance(c, type) and issubclass(c, K.Optimizer)}
    assert made - {"Optimizer"} == known


def values(variables):
    return [v.numpy() for v in variables]


def assign(variables, numbers):
    for variable, number in zip(variables, numbers, strict=True):
        variable.assign(number)


def assert_close(mine, theirs):
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_a_step_is_keras_own_with_every_optimizer(kind):
    make, loss, given = MODELS[kind]
    batch = load(lambda: {"train": given, "validation": given})["train"]
    several = isinstance(batch.labels, dict | tuple)
    mine, theirs = make(), make()
    for model in (mine, theirs):
        model(batch.inputs)
    start = values(mine.variables)
    for name, optimizer in OPTIMIZERS.items():
        adapter = compiled((mine, optimizer(), loss), several=several)
        theirs.compile(optimizer(), loss, run_eagerly=True)
        assign(mine.variables, start)
        assign(theirs.variables, start)
        adapter.optimizer.build(mine.trainable_variables)
        for _ in range(2):
            try:
                theirs.train_on_batch(*batch)
            except (
                tf.errors.InvalidArgumentError
            ) as error:  # RMSprop's, with the gradients of embeddings
                with pytest.raises(type(error)):
                    adapter.update(batch)
                break
            adapter.update(batch)
        else:
            moved = [
                np.abs(a - b).max() for a, b in zip(values(mine.variables), start, strict=True)
            ]
            assert max(moved) > 1e-7, name
        assert_close(values(mine.variables), values(theirs.variables))


@pytest.mark.parametrize("kind", MODELS)
def test_a_population_makes_the_steps_that_keras_makes(kind):
    make, loss, given = MODELS[kind]
    space = Space({"rate": LogUniform(0.01, 1.0)})

    def build(hyper):
        return make(), K.SGD(hyper["rate"], momentum=0.9), loss

    start = keras_population(
        space, build, lambda: {"train": given, "validation": given}, metrics=(), batch_size=8
    )
    hyperparameters = {"rate": 0.1}
    p = start([hyperparameters], [member_seed(0, 0)])
    program, keys = p.members[0].training_state.program, p.members[0].keys
    model = make()
    model(program.data["train"].inputs)
    first = p.state(0)
    assign(model.weights, [first[f"weights/{i}/{w.name}"] for i, w in enumerate(model.weights)])
    model.compile(K.SGD(0.1, momentum=0.9), loss, run_eagerly=True)
    own = {id(w) for w in model.weights}
    generators = [v for v in model.variables if id(v) not in own]
    for step in range(3):
        inputs, labels, (weights, states) = program.batch(keys, tf.constant(step, tf.int64))
        assign(generators, states)
        model.train_on_batch(inputs, labels, weights)
    p.train(3)
    mine = p.state(0)
    assert_close(
        [mine[f"weights/{i}/{w.name}"] for i, w in enumerate(model.weights)], values(model.weights)
    )


def test_slots_that_begin_with_the_weights_are_each_member_s_own():
    space = Space({"rate": LogUniform(0.01, 1.0)})
    start = keras_population(
        space,
        lambda hyper: (chain(), K.ScheduleFreeAdamW(hyper["rate"]), LOGITS),
        lambda: {"train": (FLAT, CLASSES), "validation": (FLAT, CLASSES)},
    )
    p = start([{"rate": 0.1}] * 2, [member_seed(0, member) for member in (0, 1)])
    for state in map(p.state, (0, 1)):
        assert (state["optimizer/0/kernel/momentum"] == state["weights/0/kernel"]).all()


def test_weights_of_classes_count_as_in_keras():
    weights = {0: 1.0, 1: 5.0, 2: 0.5}
    given = {"train": (FLAT, CLASSES), "validation": (FLAT, CLASSES)}
    batch = load(lambda: given, weights)["train"]
    mine, theirs = chain(), chain()
    theirs.set_weights(mine.get_weights())
    adapter = compiled((mine, K.SGD(0.1), LOGITS), several=False)
    adapter.optimizer.build(mine.trainable_variables)
    theirs.compile(K.SGD(0.1), LOGITS)
    adapter.update(batch)
    theirs.train_on_batch(FLAT, CLASSES, class_weight=weights)
    assert_close(values(mine.weights), values(theirs.weights))
