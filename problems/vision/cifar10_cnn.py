"""CIFAR-10, for whoever has the data or a network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pbtbench.adapters.keras import keras_population
from pbtbench.datasets import fetched
from pbtbench.problem import Objective, Problem
from pbtbench.space import Constant, LogUniform, Space, Uniform

SPACE = Space(
    {
        "learning_rate": LogUniform(1e-4, 1e-1),
        "l2": LogUniform(1e-6, 1e-2),
        "dropout": Uniform(0.0, 0.8),
        "filters": Constant(32),
    }
)


def build(hyper: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Two convolutions of `filters` and twice as many, each normalised by batch and pooled, then dropout;
    l2 on all kernels."""
    import keras

    def l2(kernel: Any) -> Any:
        return hyper["l2"] * keras.ops.sum(keras.ops.square(kernel))

    def convolved(filters: int) -> list[Any]:
        return [
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_regularizer=l2),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]

    filters = hyper["filters"]
    layers = [*convolved(filters), *convolved(2 * filters), keras.layers.Flatten()]
    ends = [keras.layers.Dropout(hyper["dropout"]), keras.layers.Dense(10, kernel_regularizer=l2)]
    model = keras.Sequential([keras.Input((32, 32, 3)), *layers, *ends])
    optimizer = keras.optimizers.Adam(hyper["learning_rate"])
    return model, optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


PROBLEM = Problem(
    title="a convolutional network on CIFAR-10, by Adam",
    source="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    finding="Not measured yet: the data are not part of the suite.",
    space=SPACE,
    objective=Objective("accuracy", "max", targets=(0.7, 0.75), bound=1.0),
    iterations=40,
    steps_per_iteration=100,
    start=keras_population(SPACE, build, partial(fetched, "cifar10"), batch_size=128),
    framework="tensorflow",
    download="163 MB, by keras.datasets.cifar10",
)
