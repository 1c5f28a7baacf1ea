"""What pbtbench uses of Keras that isn't public: here alone, so that a new Keras is met in one place."""

from __future__ import annotations

import re
from typing import Any


def data_loss(model: Any, labels: Any, predictions: Any, weights: Any) -> Any:
    """The loss that a model was compiled with, without regularizers and other added losses; a scalar, or
    None where it was compiled without one."""
    import keras

    if model._compile_loss is None:  # noqa: SLF001
        return None
    with (
        keras.StatelessScope()
    ):  # of several outputs it would keep running means, which nobody reads
        return model._compile_loss(labels, predictions, weights)  # noqa: SLF001


def single_losses(model: Any, labels: Any, predictions: Any) -> list[Any]:
    """The `keras.Loss` objects that the loss of a compiled model comes to, one for each output or more."""
    if not model._compile_loss.built:  # noqa: SLF001
        model._compile_loss(labels, predictions)  # noqa: SLF001
    return [single.loss for single in model._compile_loss._flat_losses]  # noqa: SLF001


def compiled_metrics(model: Any) -> tuple[Any, Any]:
    """The metrics, and the weighted metrics, that a model was compiled with, as they were given."""
    metrics = model._compile_metrics  # noqa: SLF001
    if metrics is None:
        return None, None
    return metrics._user_metrics, metrics._user_weighted_metrics  # noqa: SLF001


def lasting_name(metric: Any) -> str:
    """A metric object's name, without the number that Keras gives to the second one of a kind."""
    from keras.src.utils.naming import to_snake_case

    kind = to_snake_case(type(metric).__name__)
    return kind if re.fullmatch(rf"{kind}_\d+", metric.name) else str(metric.name)


def clipped(optimizer: Any, gradients: Any) -> Any:
    """The gradients, clipped as the optimizer is told to."""
    return optimizer._clip_gradients(gradients)  # noqa: SLF001


def takes_from(layer: Any) -> int:
    """How many layers of a functional model a layer takes from."""
    nodes = layer._inbound_nodes  # noqa: SLF001
    return len({id(parent.operation) for node in nodes for parent in node.parent_nodes})


def options_of(made: Any) -> dict[str, Any]:
    """What a loss or metric object was made with, as far as it wraps a function."""
    return dict(getattr(made, "_fn_kwargs", {}))


def mask_of(predictions: Any) -> Any:
    """Which places of the predictions count, as Keras's layers pass it on; None: all."""
    return getattr(predictions, "_keras_mask", None)


def from_logits(loss: Any) -> bool | None:
    """Whether a loss takes logits, or margins as they are; None if that can't be known."""
    import keras

    if isinstance(loss, str):
        loss = None if loss in CROSSENTROPY else keras.losses.get(loss)
    options = {**options_of(loss), **getattr(loss, "__dict__", {})}
    if "from_logits" in options:
        return bool(options["from_logits"])
    if loss is not None and not _of_keras(loss):
        return None
    return getattr(getattr(loss, "fn", loss), "__name__", "") in ("hinge", "squared_hinge")


CROSSENTROPY = ("crossentropy", "ce")
"""Names of a loss that `compile` takes, and chooses by the shapes."""


def _of_keras(loss: Any) -> bool:
    function = getattr(loss, "fn", None) or loss
    where = getattr(function, "__module__", None) or type(function).__module__
    return where.partition(".")[0] == "keras"


def is_mean_of_examples(loss: Any, labels: Any, predictions: Any) -> bool:
    """Whether a `keras.Loss` is the mean of a number for each example, so that batches' means make its
    mean over all; False where that can't be known."""
    if not _of_keras(loss) or loss.reduction not in ("sum_over_batch_size", "mean"):
        return False
    shape = loss.call(labels, predictions).shape
    return bool(len(shape)) and shape[0] == predictions.shape[0]
