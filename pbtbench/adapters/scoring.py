"""How a member is judged on a part of the data: its loss and metrics, in batches, in a graph.

What is a mean over examples, and Keras's own metric objects, run over the batches and need memory for
one; a function of all labels and predictions gets all of them at once. A metric object starts afresh at
every evaluation. A function that TensorFlow can't trace (of NumPy, of scikit-learn) runs outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from pbtbench.adapters.compiled import CompiledModel
from pbtbench.adapters.dynamic import refused
from pbtbench.adapters.examples import Examples
from pbtbench.adapters.keras_internals import is_mean_of_examples, mask_of, single_losses
from pbtbench.adapters.metrics import Outputs, resolve
from pbtbench.errors import BadInput

BATCH_BYTES = 4 * 2**20
"""What the largest tensor of an example may come to in a batch; the batch size in training at least."""

SOME = 64
"""Examples at most that a model predicts once, when it is made, so that metrics can be held against it."""


class Running(Protocol):
    """A score that is made batch by batch."""

    def first(self) -> list[Any]:
        """The tensors that it begins with."""
        ...

    def after(self, state: list[Any], batch: Examples, predictions: Any) -> list[Any]:
        """Those after one more batch."""
        ...

    def result(self, state: list[Any]) -> Any:
        """The score, a scalar."""
        ...


@dataclass(frozen=True)
class MeanOfBatches:
    """The mean of what a function gives for batches, each counting as often as it has examples (or places
    that aren't masked)."""

    value: Callable[[Examples, Any], Any]

    def first(self) -> list[Any]:
        import tensorflow as tf

        return [tf.constant(0.0), tf.constant(0.0)]

    def after(self, state: list[Any], batch: Examples, predictions: Any) -> list[Any]:
        import tensorflow as tf

        present, seen = state
        mask = mask_of(predictions)
        more = float(batch.size) if mask is None else tf.reduce_sum(tf.cast(mask, tf.float32))
        value = tf.cast(self.value(batch, predictions), tf.float32)
        # so that one batch's mean is its value, to the bit
        return [present + (value - present) * tf.math.divide_no_nan(more, seen + more), seen + more]

    def result(self, state: list[Any]) -> Any:
        return state[0]


@dataclass(frozen=True)
class MetricObject:
    """A metric of Keras's, without the state that it keeps itself."""

    metric: Any
    outputs: Outputs
    weighted: bool

    def first(self) -> list[Any]:
        return list(self.metric.stateless_reset_state())

    def after(self, state: list[Any], batch: Examples, predictions: Any) -> list[Any]:
        labels, found = self.outputs(batch.labels), self.outputs(predictions)
        weights = batch.weights if self.weighted else None
        updated = self.metric.stateless_update_state(state, labels, found, sample_weight=weights)
        return list(updated)

    def result(self, state: list[Any]) -> Any:
        import tensorflow as tf

        return tf.reshape(tf.cast(self.metric.stateless_result(state), tf.float32), [])


class Scores(NamedTuple):
    """Of one member on one part of the data."""

    values: Any
    """Shape (scores,); NaN where one is made outside of the graph."""
    finite: Any
    """Whether all predictions are finite."""
    predictions: Any
    """All of them, or () where nothing outside of the graph asks for them."""


class Scoring:
    """How members of a model are scored on one part of the data. `metrics`: as `keras_population` has them."""

    def __init__(
        self, compiled: CompiledModel, metrics: Any, part: Examples, batch_size: int
    ) -> None:
        self.part = part
        self._compiled, self._batch_size = compiled, batch_size
        few = part.map(lambda a: a[: min(SOME, batch_size)])
        self._some = compiled.model(few.inputs, training=False)
        self.metrics = resolve(metrics, compiled, part, self._some)
        self._check_loss(few)
        self.names = ["loss", *(metric.name for metric in self.metrics)]
        self.outside = [metric for metric in self.metrics if metric.outside]
        self._loss_is_mean = self._is_mean(few)
        self._at_once = part.size <= self._rows or (bool(self._whole) and self._masked)

    def _check_loss(self, few: Examples) -> None:
        """Refuse a loss that can't be computed, before anything is compiled."""
        import tensorflow as tf

        try:
            self._compiled.score(few, self._some)
        except Exception as error:
            if refusal := refused(error):
                raise refusal from None
            shapes = tf.nest.map_structure(lambda t: tuple(t.shape), (few.labels, self._some))
            raise BadInput(
                f"build(): its loss can't take labels of shape {shapes[0]} and predictions of shape "
                f"{shapes[1]}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            ) from None

    def _is_mean(self, few: Examples) -> bool:
        """Whether the loss over all examples is the mean of the loss over batches."""
        compiled = self._compiled
        if compiled.overrides("compute_loss") or not compiled.has_loss:
            return True  # as `evaluate` takes it
        if compiled.own_loss is not None:
            return False
        losses = single_losses(compiled.model, few.labels, self._some)
        return len(losses) == 1 and is_mean_of_examples(losses[0], few.labels, self._some)

    @cached_property
    def _whole(self) -> set[str]:
        """The scores that need the predictions for all examples together."""
        found = {m.name for m in self.metrics if m.object is None and not m.of_examples}
        return found if self._loss_is_mean else {*found, "loss"}

    @property
    def _masked(self) -> bool:
        import tensorflow as tf

        return any(mask_of(p) is not None for p in tf.nest.flatten(self._some))

    @cached_property
    def _rows(self) -> int:
        """Examples in a batch."""
        import tensorflow as tf

        tensors = tf.nest.flatten((self.part.inputs, self._some))
        sizes = [4 * math.prod(tensor.shape[1:]) for tensor in tensors]
        layers = getattr(self._compiled.model, "layers", ())
        shapes = [getattr(getattr(layer, "output", None), "shape", None) for layer in layers]
        sizes += [4 * math.prod(n or 1 for n in shape[1:]) for shape in shapes if shape]
        return max(self._batch_size, BATCH_BYTES // int(max(1, *sizes)))

    @cached_property
    def _running(self) -> dict[str, Running]:
        """The scores that are made batch by batch, if there are several batches."""
        found: dict[str, Running] = {"loss": MeanOfBatches(self._compiled.score)}
        for metric in self.metrics:
            if metric.object is not None:
                found[metric.name] = MetricObject(metric.object, metric.outputs, metric.weighted)
            elif not metric.outside:
                found[metric.name] = MeanOfBatches(metric.of)
        if not self._at_once:
            found = {name: score for name, score in found.items() if name not in self._whole}
        return found

    def __call__(self, predict: Callable[[Any], Any]) -> Scores:
        """The scores, in a graph, of a member that predicts so."""
        import tensorflow as tf

        part, found = self.part, {}
        if self._at_once:
            states, finite, predictions = self._after(predict, self._first(), part)
        else:
            states, finite, predictions = self._in_batches(predict)
            if "loss" not in self._running:
                loss = self._compiled.score(part, predictions)
                found["loss"] = tf.cast(loss, tf.float32)
            for metric in self.metrics:
                if metric.name not in self._running and not metric.outside:
                    found[metric.name] = tf.cast(metric.of(part, predictions), tf.float32)
        found |= {n: score.result(states[n]) for n, score in self._running.items()}
        values = tf.stack([found.get(name, tf.constant(math.nan)) for name in self.names])
        return Scores(values, finite, predictions if self.outside else ())

    def _first(self) -> dict[str, list[Any]]:
        return {name: score.first() for name, score in self._running.items()}

    def _after(
        self, predict: Callable[[Any], Any], states: dict[str, list[Any]], batch: Examples
    ) -> tuple[dict[str, list[Any]], Any, Any]:
        """The running scores after a batch, whether its predictions are finite, and these."""
        import tensorflow as tf

        predictions = predict(batch.inputs)
        real = [p for p in tf.nest.flatten(predictions) if p.dtype.is_floating]
        finite = [tf.reduce_all(tf.math.is_finite(p)) for p in real]
        after = {
            n: score.after(states[n], batch, predictions) for n, score in self._running.items()
        }
        return after, tf.reduce_all(finite), predictions

    def _in_batches(self, predict: Callable[[Any], Any]) -> tuple[dict[str, list[Any]], Any, Any]:
        """The same over all examples: whole batches in a loop, then what is left. The predictions are
        gathered where something needs them together."""
        import tensorflow as tf

        rows, (whole, rest) = self._rows, divmod(self.part.size, self._rows)
        leaves = tf.nest.flatten(self._some) if self._whole else []
        arrays = [
            tf.TensorArray(leaf.dtype, whole, element_shape=(rows, *leaf.shape[1:]))
            for leaf in leaves
        ]

        def step(i: Any, states: Any, finite: Any, arrays: Any) -> tuple[Any, Any, Any, Any]:
            batch = self.part.map(lambda a: _slice(a, i * rows, rows))
            states, sound, predictions = self._after(predict, states, batch)
            found = tf.nest.flatten(predictions) if leaves else []
            written = [a.write(i, p) for a, p in zip(arrays, found, strict=True)]
            return i + 1, states, tf.logical_and(finite, sound), written

        _, states, finite, arrays = tf.while_loop(
            lambda i, *_: i < whole,
            step,
            (tf.constant(0), self._first(), tf.constant(True), arrays),
            parallel_iterations=1,
        )
        found = [
            tf.reshape(a.concat(), (-1, *p.shape[1:])) for a, p in zip(arrays, leaves, strict=True)
        ]
        if rest:
            batch = self.part.map(lambda a: a[whole * rows :])
            states, sound, predictions = self._after(predict, states, batch)
            finite = tf.logical_and(finite, sound)
            last = tf.nest.flatten(predictions) if leaves else []
            found = [tf.concat([f, p], axis=0) for f, p in zip(found, last, strict=True)]
        return states, finite, tf.nest.pack_sequence_as(self._some, found) if leaves else ()

    def made_outside(self, predictions: Any) -> dict[str, float]:
        """The scores that are made of NumPy's arrays, of a member that predicted so."""
        import tensorflow as tf

        labels = tf.nest.map_structure(lambda a: a.numpy(), self.part.labels)
        batch = Examples(None, labels)
        arrays = tf.nest.map_structure(np.asarray, predictions)
        found = {}
        for metric in self.outside:
            value = np.asarray(metric.of(batch, arrays), float)
            if value.ndim and len(value) != self.part.size:
                raise BadInput(
                    f"metric {metric.name!r} gives numbers of shape {value.shape}; it must give one "
                    "number, or one for each example"
                )
            found[metric.name] = float(value.mean())
        return found


def _slice(array: Any, start: Any, rows: int) -> Any:
    """Rows of a tensor from a place that only the graph knows; the shape is known."""
    import tensorflow as tf

    begin = [start] + [0] * (array.shape.rank - 1)
    return tf.slice(array, begin, [rows, *array.shape[1:]])
