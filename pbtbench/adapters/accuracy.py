"""The share of right answers, told by the shapes of labels and predictions and by the labels' values: what
isn't known is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pbtbench.adapters.keras_internals import mask_of
from pbtbench.errors import BadInput


def accuracy(
    labels: Any, found: Any, values: np.ndarray, logits: bool | None
) -> Callable[[Any, Any], Any]:
    """A function (labels, predictions) that gives the share of right answers, a scalar tensor.

    `labels`, `found`: some labels, and predictions for them, whose shapes decide. `values`: all labels.
    `logits`: whether the predictions are logits, as the loss says; None if it can't say. Raises
    `BadInput` for what isn't known.
    """
    where = f"labels of shape {shape_of(labels)} and predictions of shape {shape_of(found)}"
    if values.dtype.kind not in "biuf":
        raise BadInput(f"'accuracy' takes labels that are numbers; these are {values.dtype}")
    if len(found.shape) == 1 or found.shape[-1] == 1:
        if _places(labels.shape) != _places(found.shape):
            raise BadInput(f"'accuracy' doesn't know {where}: give one label for each prediction")
        if not np.isin(values, (0, 1)).all():
            raise BadInput(
                "'accuracy' of one output takes labels 0 and 1, and these are not "
                f"({_some(values)}); for a regression give metrics=() or ('mae',), for classes an "
                "output each"
            )
        return partial(_right_sides, threshold=_threshold(logits, found))
    classes = found.shape[-1]
    if labels.shape == found.shape:
        if not (np.isin(values, (0, 1)).all() and (values.sum(axis=-1) == 1).all()):
            raise BadInput(
                f"'accuracy' of {where} takes one-hot labels, and these are not; for several labels "
                "at once give keras.metrics.BinaryAccuracy()"
            )
        return _right_places
    if _places(labels.shape) == tuple(found.shape[:-1]):
        if not (np.isin(values, np.arange(classes)).all()):
            raise BadInput(
                f"'accuracy' takes labels 0 to {classes - 1}, one for each of the model's {classes} "
                f"outputs, and these are not ({_some(values)})"
            )
        return _right_classes
    raise BadInput(
        f"'accuracy' doesn't know {where}: labels are (examples,) or (examples, 1), with more axes for "
        "more places, or one-hot as the predictions; else give a metric of your own"
    )


def _threshold(logits: bool | None, found: Any) -> float:
    """Above which one output says yes."""
    if logits is None:
        values = np.asarray(found)
        if values.min() < 0 or values.max() > 1:
            raise BadInput(
                "'accuracy' of one output: with a loss of your own it can't be known whether these are "
                "logits; give keras.metrics.BinaryAccuracy(threshold=0) for logits, or =0.5"
            )
    return 0.0 if logits else 0.5


def _right_sides(labels: Any, found: Any, threshold: float) -> Any:
    import tensorflow as tf

    labels = tf.reshape(tf.cast(labels, tf.float32), tf.shape(found))
    return _share((found > threshold) == (labels > 0.5), found, of_places=False)


def _right_places(labels: Any, found: Any) -> Any:
    import tensorflow as tf

    return _share(tf.argmax(found, axis=-1) == tf.argmax(labels, axis=-1), found)


def _right_classes(labels: Any, found: Any) -> Any:
    import tensorflow as tf

    answers = tf.argmax(found, axis=-1)
    return _share(answers == tf.cast(tf.reshape(labels, tf.shape(answers)), tf.int64), found)


def _share(hits: Any, found: Any, *, of_places: bool = True) -> Any:
    """The share of hits, among the places of the predictions that aren't masked."""
    import tensorflow as tf

    hits = tf.cast(hits, tf.float32)
    mask = mask_of(found)
    if mask is None:
        return tf.reduce_mean(hits)
    mask = tf.cast(mask if of_places else tf.reshape(mask, tf.shape(hits)), tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(hits * mask), tf.reduce_sum(mask))


def _places(shape: Any) -> tuple[int, ...]:
    """The shape without a last axis of one."""
    return tuple(shape[:-1]) if len(shape) > 1 and shape[-1] == 1 else tuple(shape)


def _some(values: np.ndarray) -> str:
    distinct = np.unique(values)
    shown = ", ".join(f"{v:g}" for v in distinct[:4])
    return shown + (f", … {distinct[-1]:g}" if len(distinct) > 4 else "")


def shape_of(tensor: Any) -> str:
    """The shape of a tensor as text, or what else it is: `lists`."""
    shape = getattr(tensor, "shape", None)
    return str(tuple(shape)) if shape is not None else f"{type(tensor).__name__}s"
