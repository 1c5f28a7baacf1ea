"""Keras models of a layer, the data that they learn, and populations that train and score them."""

import keras
import numpy as np

from pbtbench import LogUniform, Space
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import member_seed

L = keras.layers
SPACE = Space({"rate": LogUniform(0.01, 1.0)})
RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)).astype("float32")
SIDES = (X[:, 0] > 0.3).astype(int)
CLASSES = X[:, :3].argmax(axis=1)
WORDS = RNG.integers(0, 9, size=(50, 5))
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
PROBABLE = keras.losses.BinaryCrossentropy()
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def dense(outputs, activation=None):
    return lambda: keras.Sequential([keras.Input((4,)), L.Dense(outputs, activation)])


def words(**mask):
    return lambda: keras.Sequential([keras.Input((5,)), L.Embedding(9, 4, **mask), L.Dense(3)])


def start(make, loss, labels, inputs=X, **options):
    def build(hyper):
        return make(), keras.optimizers.SGD(hyper["rate"]), loss

    part = (inputs, *labels) if isinstance(labels, tuple) else (inputs, labels)
    return keras_population(SPACE, build, lambda: {"train": part, "validation": part}, **options)


def population(started, members=1):
    seeds = [member_seed(0, member) for member in range(members)]
    return started([{"rate": 0.1}] * members, seeds)


def scored(*arguments, **options):
    """The scores of a member that has trained for some steps, and its predictions."""
    p = population(start(*arguments, **options))
    p.train(5)
    found = {name: float(values[0]) for name, values in p.evaluate().items()}
    program = p.members[0].training_state.program
    values = p.members[0].training_state.values
    program._put(values, None)
    return found, program.model(program.data["validation"].inputs)
