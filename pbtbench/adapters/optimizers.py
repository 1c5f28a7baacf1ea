"""Optimizers as pure functions of tensors: for populations whose members are tensors, one or many at once.

They compute what Keras's optimizers of the same name do. Gradients, weights and slots are lists that
belong together; hyperparameters are scalars, or, for members side by side, shaped to broadcast over the
weights from the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Tensors = Sequence[Any]


def sgd(
    weights: Tensors, gradients: Tensors, velocities: Tensors, rate: Any, momentum: Any
) -> tuple[list[Any], list[Any]]:
    """Weights and velocities after a step with classical momentum (Polyak 1964)."""
    after = [momentum * v - rate * g for v, g in zip(velocities, gradients, strict=True)]
    return [w + v for w, v in zip(weights, after, strict=True)], after


def adam(
    weights: Tensors,
    gradients: Tensors,
    means: Tensors,
    squares: Tensors,
    count: Any,
    rate: Any,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> tuple[list[Any], list[Any], list[Any]]:
    """Weights and both moments after a step (Kingma and Ba 2015, the efficient form of section 2).
    `count`: steps made before this one, as a float."""
    alpha = rate * (1 - beta_2 ** (count + 1)) ** 0.5 / (1 - beta_1 ** (count + 1))
    means = [m + (1 - beta_1) * (g - m) for m, g in zip(means, gradients, strict=True)]
    squares = [s + (1 - beta_2) * (g * g - s) for s, g in zip(squares, gradients, strict=True)]
    moved = [
        w - alpha * m / (s**0.5 + epsilon) for w, m, s in zip(weights, means, squares, strict=True)
    ]
    return moved, means, squares
