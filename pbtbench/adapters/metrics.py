"""What a user gives as metrics of a Keras model: names, Keras's objects, functions. Each becomes a `Metric`.

Names and objects mean what they mean in `compile`, but for "accuracy", which looks at the shapes, the
labels' values and whether the loss takes logits, and refuses what it doesn't know.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pbtbench.adapters.accuracy import accuracy, shape_of
from pbtbench.adapters.compiled import CompiledModel, mean
from pbtbench.adapters.examples import Examples
from pbtbench.adapters.keras_internals import (
    compiled_metrics,
    from_logits,
    lasting_name,
    options_of,
)
from pbtbench.errors import BadInput, unknown

DeclaredMetrics = Any
"""A name, a `keras.metrics.Metric`, or a function (labels, predictions); or a dictionary of such, or of
lists of them, by the name of an output."""

ACCURACY = ("accuracy", "acc")

OF_PROBABILITIES = (
    *(
        "AUC",
        "Precision",
        "Recall",
        "PrecisionAtRecall",
        "RecallAtPrecision",
        "F1Score",
        "FBetaScore",
    ),
    *(
        "SensitivityAtSpecificity",
        "SpecificityAtSensitivity",
        "BinaryAccuracy",
        "BinaryCrossentropy",
    ),
    *("CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryIoU"),
    *("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"),
)
"""Keras's metrics that take probabilities, unless they are told of logits or of another threshold."""


@dataclass(frozen=True)
class Outputs:
    """One of a model's outputs, or all of them."""

    name: str | None = None
    place: int = 0

    def __call__(self, structure: Any) -> Any:
        """That output, of labels or predictions."""
        if self.name is None:
            return structure
        if isinstance(structure, Mapping):
            return structure[self.name]
        return structure[self.place] if isinstance(structure, tuple | list) else structure


@dataclass(frozen=True)
class Metric:
    """One metric. Either `object` or `function` is there."""

    name: str
    outputs: Outputs = Outputs()
    object: Any = None
    """A `keras.metrics.Metric`."""
    weighted: bool = False
    """Whether the examples' weights count in it."""
    function: Callable[[Any, Any], Any] | None = None
    """`function(labels, predictions)`: a number, or one for each example, of all examples at once."""
    of_examples: bool = False
    """Whether its mean over batches is its value over all."""
    outside: bool = False
    """Whether it takes NumPy's arrays, outside the graph."""

    def of(self, batch: Examples, predictions: Any) -> Any:
        """The function's value, a scalar."""
        assert self.function is not None
        found = self.function(self.outputs(batch.labels), self.outputs(predictions))
        return found if self.outside else mean(found)


def resolve(
    given: DeclaredMetrics | None, compiled: CompiledModel, part: Examples, predictions: Any
) -> list[Metric]:
    """The metrics of a compiled model. `given`: None for those that it was compiled with, or else accuracy.
    `part`: what they will be of. `predictions`: what the model gives for some first examples of it.

    Raises `BadInput` for one that can't be computed, or whose value isn't one number.
    """
    own, weighted = compiled_metrics(compiled.model)
    resolver = _Resolver(compiled, part, predictions)
    if given is not None:
        found = list(resolver.each(given))
    elif own or weighted:
        found = [*resolver.compiled_with(own), *resolver.compiled_with(weighted, weighted=True)]
    else:
        found = list(resolver.each(("accuracy",)))
    names = ["loss", *(metric.name for metric in found)]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(
                f"metrics: two scores are called {name!r}; give one of them another name"
            )
    return found


@dataclass(frozen=True)
class _Resolver:
    compiled: CompiledModel
    part: Examples
    predictions: Any

    @cached_property
    def few(self) -> Examples:
        """The examples that there are predictions for."""
        import tensorflow as tf

        count = tf.nest.flatten(self.predictions)[0].shape[0]
        return self.part.map(lambda a: a[:count])

    @cached_property
    def output_names(self) -> list[str]:
        """Names of the outputs of a model that has several; empty for one that has one."""
        if isinstance(self.predictions, Mapping):
            return list(self.predictions)
        if not isinstance(self.predictions, tuple | list):
            return []
        known = getattr(self.compiled.model, "output_names", None)
        return list(known or map(str, range(len(self.predictions))))

    def each(self, given: DeclaredMetrics, *, weighted: bool = False) -> Iterator[Metric]:
        """The metrics of one that is given, of a list, or of a dictionary by output."""
        if isinstance(given, Mapping):
            for name, some in given.items():
                if name not in self.output_names:
                    raise unknown("output in metrics", str(name), self.output_names)
                outputs = Outputs(name, self.output_names.index(name))
                yield from self._of_output(outputs, some, weighted)
        elif isinstance(given, list | tuple):
            for some in given:
                yield from self.each(some, weighted=weighted)
        elif given is not None:
            yield self._metric(Outputs(), given, weighted)

    def compiled_with(self, given: DeclaredMetrics, *, weighted: bool = False) -> Iterator[Metric]:
        """The same for what `compile` got: there a list as long as the outputs is one for each."""
        names = self.output_names
        if isinstance(given, list | tuple) and names and len(given) == len(names):
            for place, some in enumerate(given):
                yield from self._of_output(Outputs(names[place], place), some, weighted)
        else:
            yield from self.each(given, weighted=weighted)

    def _of_output(
        self, outputs: Outputs, given: DeclaredMetrics, weighted: bool
    ) -> Iterator[Metric]:
        if given is None:
            return
        for some in given if isinstance(given, list | tuple) else [given]:
            yield self._metric(outputs, some, weighted)

    def _metric(self, outputs: Outputs, given: DeclaredMetrics, weighted: bool) -> Metric:
        import keras

        prefix = "" if outputs.name is None else f"{outputs.name}_"
        if inspect.isclass(given):
            given = given()
        own = callable(given) and not isinstance(given, keras.metrics.Metric)
        if own and not (getattr(given, "__module__", "") or "").startswith("keras."):
            return self._function(Metric(prefix + name_of(given), outputs, function=given))
        if outputs.name is None and self.output_names:
            raise BadInput(
                f"metrics: the model has the outputs {', '.join(self.output_names)}: say which one "
                f"{given if isinstance(given, str) else name_of(given)!r} is of, as {{output: metric}}"
            )
        if isinstance(given, str) and given in ACCURACY:
            return Metric(
                prefix + given, outputs, function=self._accuracy(outputs), of_examples=True
            )
        if isinstance(given, str):
            name, metric = given, self._named(outputs, given)
        elif own:
            name, metric = name_of(given), keras.metrics.MeanMetricWrapper(given, given.__name__)
        elif isinstance(given, keras.metrics.Metric):
            name, metric = lasting_name(given), given
        else:
            raise BadInput(
                f"metrics: {given!r} is no metric: give a name such as 'auc', an object of "
                "keras.metrics, or a function (labels, predictions)"
            )
        return self._object(Metric(prefix + name, outputs, object=metric, weighted=weighted))

    def _named(self, outputs: Outputs, name: str) -> Any:
        """Keras's metric of a name, told of logits where it can be."""
        import keras

        try:
            found = keras.metrics.get(name)
        except ValueError:
            raise unknown("metric", name, _known_names()) from None
        if not isinstance(found, keras.metrics.Metric):
            return keras.metrics.MeanMetricWrapper(found, name)
        cls = type(found)
        if self._logits(outputs) and "from_logits" in inspect.signature(cls).parameters:
            return cls(from_logits=True)
        return found

    def _logits(self, outputs: Outputs) -> bool | None:
        """Whether an output's loss takes logits."""
        loss = self.compiled.model.loss
        if isinstance(loss, Mapping):
            loss = loss.get(outputs.name)
        elif isinstance(loss, list | tuple) and outputs.place < len(loss):
            loss = loss[outputs.place]
        return from_logits(loss)

    def _object(self, metric: Metric) -> Metric:
        """The metric, once it has taken some labels and predictions."""
        kind, keras_metric = type(metric.object).__name__, metric.object
        if (
            self._logits(metric.outputs)
            and kind in OF_PROBABILITIES
            and not _takes_logits(keras_metric)
        ):
            raise BadInput(
                f"metric {metric.name!r} takes probabilities, but the loss says that the model gives "
                f"logits: {_remedy(keras_metric)}"
            )
        labels, found = metric.outputs(self.few.labels), metric.outputs(self.predictions)
        self._check_classes(metric.name, kind, labels, found)
        try:
            keras_metric.update_state(labels, found, sample_weight=None)
            result = np.asarray(keras_metric.result())
            keras_metric.reset_state()
        except Exception as error:
            raise BadInput(
                f"metric {metric.name!r} can't take labels of shape {shape_of(labels)} and predictions of "
                f"shape {shape_of(found)}: {_line(error)}"
            ) from None
        if result.size != 1:
            raise BadInput(
                f"metric {metric.name!r} gives {result.size} numbers; a score is one (average='macro')"
            )
        return metric

    def _check_classes(self, name: str, kind: str, labels: Any, found: Any) -> None:
        """Refuse labels in a form that one of Keras's metrics of classes takes without a word."""
        one_hot = labels.shape == found.shape
        if kind.startswith(("Categorical", "TopKCategorical")) and not one_hot:
            hint = f"Sparse{kind}"
        elif kind.startswith("Sparse") and one_hot and found.shape[-1] != 1:
            hint = kind.removeprefix("Sparse")
        else:
            return
        raise BadInput(
            f"metric {name!r} doesn't fit labels of shape {shape_of(labels)} and predictions of shape "
            f"{shape_of(found)}; there is keras.metrics.{hint}"
        )

    def _function(self, metric: Metric) -> Metric:
        """The metric of a function, in the graph where TensorFlow can trace it."""
        import tensorflow as tf

        labels, found = metric.outputs(self.few.labels), metric.outputs(self.predictions)
        specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, (labels, found))
        try:
            traced = tf.function(metric.function, autograph=False).get_concrete_function(*specs)
        except Exception:
            return Metric(metric.name, metric.outputs, function=metric.function, outside=True)
        shape: Any = getattr(traced.structured_outputs, "shape", ())
        if len(shape) and shape[0] != self.few.size:
            raise BadInput(
                f"metric {metric.name!r} gives numbers of shape {tuple(shape)} for {self.few.size} "
                "examples; it must give one number, or one for each example"
            )
        return metric

    def _accuracy(self, outputs: Outputs) -> Callable[[Any, Any], Any]:
        values = np.asarray(outputs(self.part.labels))
        labels, found = outputs(self.few.labels), outputs(self.predictions)
        return accuracy(labels, found, values, self._logits(outputs))


def name_of(metric: Any) -> str:
    """A metric's name as a score."""
    name = getattr(metric, "name", None) or getattr(getattr(metric, "func", metric), "__name__", "")
    if not isinstance(name, str) or not name.isidentifier():
        raise BadInput(
            f"metrics: {metric!r} has no name to score under: give a function with a name, made by def"
        )
    return name


def _takes_logits(metric: Any) -> bool:
    options = {**options_of(metric), **metric.get_config()}
    thresholds = options.get("threshold", options.get("thresholds"))
    below = thresholds is not None and all(t <= 0 for t in np.ravel(thresholds))
    return bool(options.get("from_logits")) or below


def _remedy(metric: Any) -> str:
    kind = type(metric).__name__
    if "from_logits" in inspect.signature(type(metric)).parameters:
        return f"give keras.metrics.{kind}(from_logits=True)"
    if kind == "BinaryAccuracy":
        return "give keras.metrics.BinaryAccuracy(threshold=0), or 'accuracy'"
    return "end the model with a sigmoid or softmax, and take from_logits out of the loss"


def _known_names() -> list[str]:
    import keras

    found = vars(keras.metrics).items()
    classes = [n for n, v in found if inspect.isclass(v) and issubclass(v, keras.metrics.Metric)]
    return ["accuracy", "auc", "mae", "mse", *classes]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
