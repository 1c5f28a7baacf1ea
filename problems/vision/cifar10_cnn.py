"""CIFAR-10, for whoever has the data or a network."""

from __future__ import annotations

from functools import partial

from pbtbench.adapters.datasets import fetched
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import Constant, Space
from problems.vision import digits_cnn

SPACE = Space({**digits_cnn.SPACE, "filters": Constant(32)})

PROBLEM = Problem(
    title="a convolutional network on CIFAR-10, by Adam",
    source="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    finding="Not measured yet: the data are not part of the suite.",
    space=SPACE,
    objective=Objective("accuracy", "max", targets=(0.7, 0.75), bound=1.0),
    iterations=40,
    steps_per_iteration=100,
    start=keras_population(
        SPACE, partial(digits_cnn.build, (32, 32, 3)), partial(fetched, "cifar10"), batch_size=128
    ),
    framework="tensorflow",
    test="its own test part, 10,000 images",
    download="163 MB, by keras.datasets.cifar10",
)
