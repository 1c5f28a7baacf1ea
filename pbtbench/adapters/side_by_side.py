"""How TensorFlow's `vectorized_map` treats random numbers: each member's from its own seed, in one graph.

TensorFlow itself knows no way to draw for many members at once, and falls back on a loop that is slower
than what it saves. Here each member's draw is an operation of its own, and these run in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def registered() -> bool:
    """Teach `vectorized_map` the stateless random operations that Keras's layers and batches are drawn
    with, once in a process."""
    import tensorflow as tf
    from tensorflow.python.ops.parallel_for import pfor

    raw = tf.raw_ops

    def register(name: str, drawn: Callable[..., Any]) -> None:
        if name not in pfor._pfor_converter_registry:  # noqa: SLF001
            pfor.RegisterPFor(name)(drawn)

    def each(given: Any, place: int) -> list[Any]:
        """An input of every member."""
        tensor, stacked, _ = given.input(place)
        count = int(tf.get_static_value(given.pfor.loop_len_vector)[0])
        return list(tf.unstack(tensor, num=count)) if stacked else [tensor] * count

    def keys(given: Any) -> Any:
        found = [raw.StatelessRandomGetKeyCounter(seed=seed) for seed in each(given, 0)]
        return [
            pfor.wrap(tf.stack([f.key for f in found]), is_stacked=True),
            pfor.wrap(tf.stack([f.counter for f in found]), is_stacked=True),
        ]

    def real(draw: Callable[..., Any]) -> Callable[[Any], Any]:
        def convert(given: Any) -> Any:
            shape, alg = given.unstacked_input(0), given.unstacked_input(3)
            dtype = given.get_attr("dtype")
            pairs = zip(each(given, 1), each(given, 2), strict=True)
            drawn = [draw(shape=shape, key=k, counter=c, alg=alg, dtype=dtype) for k, c in pairs]
            return pfor.wrap(tf.stack(drawn), is_stacked=True)

        return convert

    def whole(given: Any) -> Any:
        shape, alg = given.unstacked_input(0), given.unstacked_input(3)
        low, high = given.unstacked_input(4), given.unstacked_input(5)
        pairs = zip(each(given, 1), each(given, 2), strict=True)
        drawn = [
            raw.StatelessRandomUniformIntV2(
                shape=shape, key=k, counter=c, alg=alg, minval=low, maxval=high
            )
            for k, c in pairs
        ]
        return pfor.wrap(tf.stack(drawn), is_stacked=True)

    register("StatelessRandomGetKeyCounter", keys)
    register("StatelessRandomUniformV2", real(raw.StatelessRandomUniformV2))
    register("StatelessRandomNormalV2", real(raw.StatelessRandomNormalV2))
    register("StatelessTruncatedNormalV2", real(raw.StatelessTruncatedNormalV2))
    register("StatelessRandomUniformIntV2", whole)
    return True
