"""Fashion-MNIST, for whoever has the data or a network."""

from __future__ import annotations

from functools import partial

from pbtbench.adapters.datasets import fetched
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import Objective, Problem
from pbtbench.space import Constant, Space
from problems.vision import digits_cnn

SPACE = Space({**digits_cnn.SPACE, "filters": Constant(32)})

PROBLEM = Problem(
    title="a convolutional network on Fashion-MNIST, by Adam",
    source="Xiao et al. 2017, Fashion-MNIST (arXiv 1708.07747)",
    finding="Not measured yet: the data are not part of the suite.",
    space=SPACE,
    objective=Objective("accuracy", "max", targets=(0.9, 0.92), bound=1.0),
    iterations=40,
    steps_per_iteration=100,
    start=keras_population(
        SPACE,
        partial(digits_cnn.build, (28, 28, 1)),
        partial(fetched, "fashion_mnist"),
        batch_size=128,
    ),
    framework="tensorflow",
    test="its own test part, 10,000 images",
    download="30 MB, by keras.datasets.fashion_mnist",
)
