"""How TensorFlow's `vectorized_map` treats random numbers: each member's from its own seed, in one graph.

TensorFlow itself knows no way to draw for many members at once, and falls back on a loop that is slower
than what it saves. Here each member's draw is an operation of its own, and these run in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pbtbench.adapters.tensorflow_internals import (
    attribute,
    of_all_members,
    of_each_member,
    register_conversion,
    stacked,
)


@cache
def registered() -> bool:
    """Teach `vectorized_map` the stateless random operations that Keras's layers and batches are drawn
    with, once in a process."""
    import tensorflow as tf

    raw = tf.raw_ops

    def keys(given: Any) -> Any:
        found = [raw.StatelessRandomGetKeyCounter(seed=seed) for seed in of_each_member(given, 0)]
        return [stacked([f.key for f in found]), stacked([f.counter for f in found])]

    def real(draw: Callable[..., Any]) -> Callable[[Any], Any]:
        def convert(given: Any) -> Any:
            shape, alg = of_all_members(given, 0), of_all_members(given, 3)
            dtype = attribute(given, "dtype")
            pairs = zip(of_each_member(given, 1), of_each_member(given, 2), strict=True)
            return stacked(
                [draw(shape=shape, key=k, counter=c, alg=alg, dtype=dtype) for k, c in pairs]
            )

        return convert

    def whole(given: Any) -> Any:
        shape, alg = of_all_members(given, 0), of_all_members(given, 3)
        low, high = of_all_members(given, 4), of_all_members(given, 5)
        pairs = zip(of_each_member(given, 1), of_each_member(given, 2), strict=True)
        drawn = [
            raw.StatelessRandomUniformIntV2(
                shape=shape, key=k, counter=c, alg=alg, minval=low, maxval=high
            )
            for k, c in pairs
        ]
        return stacked(drawn)

    register_conversion("StatelessRandomGetKeyCounter", keys)
    register_conversion("StatelessRandomUniformV2", real(raw.StatelessRandomUniformV2))
    register_conversion("StatelessRandomNormalV2", real(raw.StatelessRandomNormalV2))
    register_conversion("StatelessTruncatedNormalV2", real(raw.StatelessTruncatedNormalV2))
    register_conversion("StatelessRandomUniformIntV2", whole)
    return True
