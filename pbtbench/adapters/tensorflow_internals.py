"""What pbtbench uses of TensorFlow that isn't public: here alone, so that a new one is met in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Conversion = Callable[[Any], Any]
"""`conversion(given)`: the outputs of an operation for many members, from its inputs."""


def register_conversion(operation: str, conversion: Conversion) -> None:
    """Teach `vectorized_map` an operation, unless it knows it."""
    from tensorflow.python.ops.parallel_for import pfor

    if operation not in pfor._pfor_converter_registry:  # noqa: SLF001
        pfor.RegisterPFor(operation)(conversion)


def of_each_member(given: Any, place: int) -> list[Any]:
    """An input of an operation that is converted, for every member."""
    import tensorflow as tf

    tensor, stacked, _ = given.input(place)
    count = int(tf.get_static_value(given.pfor.loop_len_vector)[0])
    return list(tf.unstack(tensor, num=count)) if stacked else [tensor] * count


def of_all_members(given: Any, place: int) -> Any:
    """An input of an operation that is converted, which is one for all members."""
    return given.unstacked_input(place)


def attribute(given: Any, name: str) -> Any:
    """An attribute of an operation that is converted."""
    return given.get_attr(name)


def stacked(outputs: list[Any]) -> Any:
    """An output of an operation that is converted, from the one of each member."""
    import tensorflow as tf
    from tensorflow.python.ops.parallel_for import pfor

    return pfor.wrap(tf.stack(outputs), is_stacked=True)
