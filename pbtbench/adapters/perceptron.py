"""Multilayer perceptrons as dictionaries of tensors: kernels and biases by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from pbtbench.adapters.functional import Seed, Tensors, folded


def perceptron(prefix: str, sizes: Sequence[int], seed: Seed) -> Tensors:
    """The weights of layers of these sizes, the inputs first: kernels uniform after Glorot and Bengio 2010,
    biases of zero."""
    import tensorflow as tf

    found = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        limit = (6 / (fan_in + fan_out)) ** 0.5
        shape = (fan_in, fan_out)
        draw = tf.random.stateless_uniform(shape, folded(seed, layer), -limit, limit)
        found[f"{prefix}/{layer}/kernel"] = draw
        found[f"{prefix}/{layer}/bias"] = tf.zeros(fan_out)
    return found


def outputs(
    weights: Tensors, prefix: str, layers: int, x: Any, activation: Callable[[Any], Any]
) -> Any:
    """Of a perceptron of so many layers, the last of them linear; `x` has shape (…, inputs)."""
    for layer in range(layers):
        x = x @ weights[f"{prefix}/{layer}/kernel"] + weights[f"{prefix}/{layer}/bias"]
        if layer < layers - 1:
            x = activation(x)
    return x


def zeros_like(weights: Tensors, prefix: str) -> Tensors:
    """A slot of an optimizer for each weight, of zeros."""
    import tensorflow as tf

    return {f"{prefix}/{name}": tf.zeros_like(weight) for name, weight in weights.items()}
