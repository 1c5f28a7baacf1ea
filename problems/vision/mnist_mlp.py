"""MNIST, for whoever has the data or a network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pbtbench.adapters.datasets import fetched
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import Constant, LogUniform, Space, Uniform

SPACE = Space(
    {
        "learning_rate": LogUniform(1e-3, 1.0),
        "momentum": Uniform(0.0, 0.99),
        "dropout": Uniform(0.0, 0.8),
        "units": Constant(128),
    }
)


def build(hyper: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Two hidden layers of `units`, each followed by dropout."""
    import keras

    def hidden() -> list[Any]:
        return [keras.layers.Dense(hyper["units"], "relu"), keras.layers.Dropout(hyper["dropout"])]

    layers = [keras.layers.Flatten(), *hidden(), *hidden(), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    optimizer = keras.optimizers.SGD(hyper["learning_rate"], momentum=hyper["momentum"])
    return model, optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


PROBLEM = Problem(
    title="a multilayer perceptron on MNIST, by SGD with momentum",
    source="LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition",
    finding="Not measured yet: the data are not part of the suite.",
    space=SPACE,
    objective=Objective("accuracy", "max", targets=(0.97, 0.98), bound=1.0),
    iterations=40,
    steps_per_iteration=100,
    start=keras_population(SPACE, build, partial(fetched, "mnist"), batch_size=128),
    framework="tensorflow",
    test="its own test part, 10,000 images",
    download="11 MB, by keras.datasets.mnist",
)
