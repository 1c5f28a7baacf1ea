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


def member_writer() -> Any:
    """A writer for `tf.summary` that writes to the log of one member after another, also from a compiled
    function that they share: whose log it is shows when the function is called, not when it is traced.

    `turn_to(run, log)`: from now on it is that one, of that run; logs of runs before are closed. `step`: the
    variable that is the default step. A log has a file once something is written to it.
    """
    import tensorflow as tf

    class MemberWriter(tf.summary.SummaryWriter):  # type: ignore[misc]
        def __init__(self) -> None:
            with tf.init_scope(), tf.device("cpu:0"):
                self.step = tf.Variable(0, trainable=False, dtype=tf.int64)
            self._run, self._log = "", ""
            self._open: dict[str, Any] = {}

        def turn_to(self, run: str, log: str) -> None:
            if run != self._run:
                self.close()
            self._run, self._log = run, log

        def init(self) -> None: ...

        def flush(self) -> None:
            for writer in self._open.values():
                writer.flush()

        def close(self) -> None:
            for writer in self._open.values():
                writer.close()
            self._open.clear()

        def _handle(self) -> Any:
            """Of the present member's own writer."""
            if self._log not in self._open:
                with tf.init_scope():
                    self._open[self._log] = tf.summary.create_file_writer(self._log)
            return self._open[self._log]._resource  # noqa: SLF001

        @property
        def _resource(self) -> Any:
            """What `tf.summary` writes to."""
            if tf.executing_eagerly():
                return self._handle()
            graph = tf.compat.v1.get_default_graph()
            while hasattr(graph.outer_graph, "capture_call_time_value"):
                graph = graph.outer_graph
            return graph.capture_call_time_value(
                self._handle, tf.TensorSpec([], tf.resource), key=self
            )

    return MemberWriter()
