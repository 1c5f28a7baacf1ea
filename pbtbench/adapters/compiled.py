"""What a user's `build()` gives, checked, and compiled as Keras's `compile` does it: its loss and its step.

A step is the one that `fit` makes (`train_on_batch`), without the running means that `fit` prints. A
model that has a `train_step` or `compute_loss` of its own is trained by that.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pbtbench.adapters.examples import Examples
from pbtbench.adapters.keras_internals import CROSSENTROPY, data_loss
from pbtbench.errors import BadInput


@dataclass(frozen=True)
class CompiledModel:
    """A model with its optimizer and loss."""

    model: Any
    optimizer: Any
    own_loss: Callable[..., Any] | None = None
    """A function of all outputs of a model that has several; None: the loss is what the model was
    compiled with."""

    def overrides(self, method: str) -> bool:
        """Whether the model has a method of its own instead of `keras.Model`'s."""
        import keras

        return getattr(type(self.model), method) is not getattr(keras.Model, method)

    @property
    def has_loss(self) -> bool:
        """Whether it has a loss beside what its layers add."""
        return self.own_loss is not None or self.model.loss is not None

    def update(self, batch: Examples) -> None:
        """One step of training on a batch."""
        import tensorflow as tf

        model = self.model
        if self.overrides("train_step"):
            model.train_step(batch.packed)
            return
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            predictions = model(batch.inputs, training=True)
            loss = self.training_loss(batch, predictions)
            loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(loss, [v.value for v in variables])
        self.optimizer.apply(gradients, variables)

    def training_loss(self, batch: Examples, predictions: Any) -> Any:
        """What a step descends on, after the model was called: regularizers and added losses counted in."""
        if self.overrides("compute_loss"):
            return self._computed(batch, predictions, training=True)
        return with_added(self.loss(batch, predictions), self.model.losses)

    def score(self, batch: Examples, predictions: Any) -> Any:
        """The loss as a score: without regularizers, except where a model has its own `compute_loss`, or
        no loss but what its layers add."""
        if self.overrides("compute_loss"):
            return mean(self._computed(batch, predictions, training=False))
        loss = self.loss(batch, predictions)
        return with_added(None, self.model.losses) if loss is None else mean(loss)

    def loss(self, batch: Examples, predictions: Any) -> Any:
        """The loss of predictions, a scalar; None for a model that was compiled without one."""
        if self.own_loss is None:
            return data_loss(self.model, batch.labels, predictions, batch.weights)
        if batch.weights is None:
            return mean(self.own_loss(batch.labels, predictions))
        if len(inspect.signature(self.own_loss).parameters) < 3:
            raise BadInput(
                "the data has weights of the examples, but build()'s loss is a function of labels and "
                "predictions: let it take the weights as a third argument, or leave them out of data()"
            )
        return mean(self.own_loss(batch.labels, predictions, batch.weights))

    def _computed(self, batch: Examples, predictions: Any, training: bool) -> Any:
        compute = self.model.compute_loss
        more = {"training": training} if "training" in inspect.signature(compute).parameters else {}
        inputs, labels, weights = batch
        return compute(x=inputs, y=labels, y_pred=predictions, sample_weight=weights, **more)


def with_added(loss: Any, added: list[Any]) -> Any:
    """A loss with those that layers add."""
    import tensorflow as tf

    terms = [tf.cast(term, tf.float32) for term in added]
    terms = [tf.reduce_sum(term) if len(term.shape) else term for term in terms]
    return tf.add_n(terms if loss is None else [loss, *terms])


def mean(values: Any) -> Any:
    """A scalar from a scalar, or from a number for each example."""
    import tensorflow as tf

    return tf.reduce_mean(values) if len(values.shape) else values


def compiled(given: Any, *, several: bool) -> CompiledModel:
    """What `build()` gave, compiled: a compiled model, or a model, an optimizer and a loss.

    `several`: whether there are labels for several outputs: then a loss that is a function gets all of
    them. Raises `BadInput` for anything else.
    """
    import keras

    if isinstance(given, keras.Model):
        if not given.compiled:
            raise BadInput(
                "build() gives a model that isn't compiled: compile it, or return (model, optimizer, loss)"
            )
        return _checked(CompiledModel(given, given.optimizer))
    if not isinstance(given, tuple | list) or len(given) != 3:
        what = f"{len(given)} values" if isinstance(given, tuple | list) else f"a {_name(given)}"
        raise BadInput(
            f"build() gives {what}: return (model, optimizer, loss), or a compiled keras.Model"
        )
    model, optimizer, loss = given
    for what, part in (("model", model), ("optimizer", optimizer), ("loss", loss)):
        if inspect.isclass(part):
            raise BadInput(f"build(): its {what} is the class {part.__name__}; make one: add ()")
    if not isinstance(model, keras.Model):
        raise BadInput(
            f"build(): its model is a {_name(model)}, not a keras.Model of Keras {keras.__version__}"
        )
    if isinstance(optimizer, str):
        optimizer = _of_name("optimizer", keras.optimizers.get, optimizer)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise BadInput(
            f"build(): its optimizer is a {_name(optimizer)}: give one of keras.optimizers"
        )
    if isinstance(loss, str) and loss not in CROSSENTROPY:
        _of_name("loss", keras.losses.get, loss)
    elif not (loss is None or callable(loss) or isinstance(loss, str | Mapping | list | tuple)):
        raise BadInput(
            f"build(): its loss is a {_name(loss)}: give a keras.losses.Loss, its name, or a function "
            "(labels, predictions)"
        )
    own = loss if several and _is_own_function(loss) else None
    model.compile(optimizer=optimizer, loss=None if own else loss)
    return _checked(CompiledModel(model, model.optimizer, own))


def _checked(found: CompiledModel) -> CompiledModel:
    import keras

    model, optimizer = found.model, found.optimizer
    if optimizer is None:
        raise BadInput("build(): its model was compiled without an optimizer; give one to compile")
    if optimizer.built:
        raise BadInput(
            "build(): its optimizer was used before: make a new one, and a new model, at every call"
        )
    others = [
        name
        for name, value in vars(model).items()
        if isinstance(value, keras.optimizers.Optimizer) and value is not optimizer
    ]
    if others:
        raise BadInput(
            f"build(): its model holds other optimizers ({', '.join(others)}), whose state would be lost "
            "at a fork; write it with pbtbench.adapters.functional.functional_population"
        )
    if found.overrides("test_step"):
        raise BadInput(
            f"build(): {type(model).__name__} overrides test_step, which pbtbench doesn't call: give what "
            "it measures as metrics, or as compute_loss, and leave test_step out"
        )
    return found


def _is_own_function(loss: Any) -> bool:
    """Whether a loss is a function, but none of Keras's."""
    import keras

    known = isinstance(loss, keras.losses.Loss) or not callable(loss)
    return not known and not (getattr(loss, "__module__", "") or "").startswith("keras.")


def _of_name(what: str, get: Callable[[str], Any], name: str) -> Any:
    try:
        return get(name)
    except ValueError:
        raise BadInput(f"build(): Keras has no {what} {name!r}") from None


def _name(value: Any) -> str:
    return type(value).__name__
