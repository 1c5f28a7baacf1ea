"""Hyperparameters as a Keras model's `build` gets them: live numbers, and plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from pbtbench.errors import unknown
from pbtbench.space import Hyperparameter


class Live(float):
    """A dynamic hyperparameter: to Python a number within its range, in a graph its present value.

    As the number is the same for all members, what Keras decides by it (`if momentum != 0`) holds
    for all. Arithmetic gives a tensor in a graph and another `Live` outside of one. An optimizer
    takes it as a learning rate because it is callable.
    """

    read: Callable[[], Any]

    def __new__(cls, number: float, read: Callable[[], Any]) -> Self:
        live = super().__new__(cls, number)
        live.read = read
        return live

    def __call__(self) -> Any:
        return self.read()

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        import tensorflow as tf

        return self.read() if dtype is None else tf.cast(self.read(), dtype)


def _operator(name: str) -> Callable[..., Any]:
    def operate(live: Live, *others: Any) -> Any:
        import tensorflow as tf

        def present() -> Any:
            return getattr(live.read(), name)(*others)

        number = getattr(float, name)(live, *others)
        if number is NotImplemented or not tf.executing_eagerly():
            return present()
        return Live(number, present)

    return operate


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Live, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(Live, f"__r{_name}__", _operator(f"__r{_name}__"))
Live.__neg__ = _operator("__neg__")  # type: ignore[method-assign]


def within(hyperparameter: Hyperparameter) -> float | None:
    """A number inside the hyperparameter's range, not 0; None if its values aren't numbers."""
    rng = np.random.default_rng(0)
    draws = [hyperparameter.sample(rng) for _ in range(99)]
    if any(isinstance(v, bool | str) for v in draws):
        return None
    numbers = sorted(float(v) for v in draws if v) or [0.0]
    return numbers[len(numbers) // 2]


class Given(dict[str, Any]):
    """What `build` gets; asking for a hyperparameter that the space lacks is `BadInput`."""

    def __missing__(self, name: str) -> Any:
        raise unknown("hyperparameter", name, self)
