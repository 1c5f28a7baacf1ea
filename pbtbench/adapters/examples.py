"""What a user's `data()` gives becomes tensors: arrays, data frames, lists, `tf.data.Dataset`s.

Each part of the data is checked once, in words of its own; what isn't rectangular is refused with the
way to make it so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pbtbench.errors import BadInput, unknown

PARTS = ("train", "validation", "test")

Data = Callable[[], Mapping[str, Any]]
"""`data()`: of "train", "validation" and perhaps "test" the inputs and labels, and perhaps weights of the
examples; first axis the examples. Each may be an array, a data frame, a list, or (inputs, labels) of
several by name; or a part is a batched `tf.data.Dataset` of them."""


class Examples(NamedTuple):
    """A part of the data, as tensors."""

    inputs: Any
    """A tensor, or several in a dictionary or tuple; first axis the examples."""
    labels: Any
    weights: Any = None
    """Of the examples in the loss, or None: all alike."""

    @property
    def size(self) -> int:
        """How many examples."""
        import tensorflow as tf

        return int(tf.nest.flatten(self.inputs)[0].shape[0])

    @property
    def packed(self) -> tuple[Any, ...]:
        """As Keras hands them to a step."""
        return (self.inputs, self.labels) if self.weights is None else tuple(self)

    def map(self, change: Callable[[Any], Any]) -> Examples:
        """The examples with every tensor changed."""
        import tensorflow as tf

        present = lambda a: None if a is None else change(a)  # noqa: E731
        return Examples(*(tf.nest.map_structure(present, field) for field in self))


def load(data: Data, class_weight: Mapping[int, float] | None = None) -> dict[str, Examples]:
    """The parts of the data, on the device; real numbers as float32, truth values of labels as whole numbers.

    `class_weight`: weights of the training examples by their label, as `fit` takes them. Raises
    `BadInput` for what `data` gives that can't be trained on.
    """
    given = data()
    if not isinstance(given, Mapping):
        raise BadInput(
            f"data() gives a {type(given).__name__}: give a dictionary "
            '{"train": (inputs, labels), "validation": (inputs, labels)}'
        )
    for name in given:
        if name not in PARTS:
            raise unknown("part of the data", str(name), PARTS)
    for name in ("train", "validation"):
        if name not in given:
            raise BadInput(f"the data has no {name!r}: give inputs and labels under that name")
    parts = {name: _part(name, part) for name, part in given.items()}
    if class_weight is not None:
        parts["train"] = _weighted(parts["train"], class_weight)
    return {name: part.map(_tensor) for name, part in parts.items()}


def _part(name: str, given: Any) -> Examples:
    where = f"the data's {name!r}"
    if hasattr(given, "element_spec"):
        given = _collected(where, given)
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise BadInput(
            f"{where} is {_described(given)}: give (inputs, labels), or (inputs, labels, weights)"
        )
    fields = dict(zip(("inputs", "labels", "weights"), given, strict=False))
    for field, value in fields.items():
        if value is None and field != "weights":
            raise BadInput(f"{where}: its {field} are None; give an array of them")
    present = {field: value for field, value in fields.items() if value is not None}
    count = _count(where, list(present.values()))
    part = Examples(
        **{
            field: _arrays(f"{where}: its {field}", value, count)
            for field, value in present.items()
        }
    )
    if any(np.shape(array)[:1] != (count,) for array in _leaves(part)):
        raise BadInput(f"{where}: {UNEQUAL}")
    if any(labels.dtype.kind in "SUT" for labels in _leaves(part.labels)):
        raise BadInput(
            f"{where}: its labels are text; number the classes (numpy.unique, return_inverse)"
        )
    return part._replace(labels=_whole(part.labels))


UNEQUAL = "inputs and labels must be arrays of equally many examples"


def _count(where: str, fields: Sequence[Any]) -> int:
    """How many examples: the length that all fields can have. A list may be the examples, or several
    inputs or outputs that each hold them."""
    common = set.intersection(*map(_lengths, fields))
    if not common:
        raise BadInput(f"{where}: {UNEQUAL}")
    if not (count := max(common)):
        raise BadInput(f"{where} has no examples; give at least one")
    return count


def _lengths(field: Any) -> set[int]:
    if isinstance(field, Mapping):
        return set.intersection(*map(_lengths, field.values())) if field else set()
    shape = getattr(field, "shape", None)
    if shape is not None:
        return {int(n) for n in list(shape)[:1] if n is not None}
    if not hasattr(field, "__len__") or isinstance(field, str):
        return set()
    several = isinstance(field, list | tuple) and len(field) and all(map(_sized, field))
    return {len(field), *(set.intersection(*map(_lengths, field)) if several else ())}


def _sized(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def _arrays(where: str, given: Any, count: int) -> Any:
    """Arrays of `count` examples, in the structure given."""
    if isinstance(given, Mapping):
        return {key: _arrays(f"{where}, {key!r},", value, count) for key, value in given.items()}
    several = isinstance(given, list | tuple) and len(given) != count
    if several and all(_sized(value) for value in given):
        return tuple(_arrays(where, value, count) for value in given)
    return _array(where, given)


def _array(where: str, given: Any) -> np.ndarray:
    """One rectangular array of numbers, truth values or text."""
    if hasattr(given, "to_ragged") or "Ragged" in type(given).__name__:
        raise BadInput(f"{where} are ragged: {PAD}")
    if hasattr(given, "toarray") or type(given).__name__ == "SparseTensor":
        raise BadInput(
            f"{where} are sparse: give dense arrays, as by .toarray() or tf.sparse.to_dense"
        )
    if hasattr(given, "dtypes") and hasattr(given, "columns"):
        return _frame(where, given)
    if hasattr(given, "to_numpy"):
        given = given.to_numpy()
    try:
        array = np.asarray(given)
    except ValueError:
        raise BadInput(f"{where} are ragged: {PAD}") from None
    except Exception as error:
        raise BadInput(
            f"{where} are {_described(given)}, of which NumPy makes no array ({error}): give arrays"
        ) from None
    if array.dtype.kind == "O":
        return _of_objects(where, array)
    if array.dtype.kind not in "biufSUT":
        raise BadInput(
            f"{where} are of type {array.dtype}: give real numbers, truth values or text"
        )
    return array


PAD = "pad them to one length (keras.utils.pad_sequences), and mask what is padded where it matters"


def _frame(where: str, frame: Any) -> np.ndarray:
    """A data frame of numbers and truth values, as float32."""
    odd = [str(n) for n in frame.columns if np.asarray(frame[n][:0]).dtype.kind not in "biuf"]
    odd = [n for n in odd if str(frame[n].dtype) not in NULLABLE]
    if odd:
        raise BadInput(
            f"{where}: column {odd[0]!r} holds no numbers; encode it (pandas.get_dummies) or leave it out"
        )
    return np.asarray(frame.to_numpy(dtype="float32", na_value=np.nan))


NULLABLE = {
    "boolean", "Float32", "Float64",
    *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
}  # fmt: skip
"""Types of pandas's columns that hold numbers, but tell NumPy that they are objects."""


def _of_objects(where: str, array: np.ndarray) -> np.ndarray:
    """Numbers or text that came as objects."""
    values = array.ravel().tolist()
    if all(isinstance(v, str | bytes) for v in values):
        return array.astype(str if isinstance(values[0], str) else bytes)
    if any(hasattr(v, "__len__") for v in values):
        raise BadInput(f"{where} are ragged: {PAD}")
    try:
        return array.astype("float32")
    except (TypeError, ValueError):
        odd = next(v for v in values if not isinstance(v, int | float))
        raise BadInput(f"{where} hold {odd!r}: give numbers, truth values or text") from None


def _collected(where: str, dataset: Any) -> tuple[Any, ...]:
    """All examples of a batched dataset, in an order that doesn't depend on how it shuffles."""
    import tensorflow as tf

    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise BadInput(f"{where}: its dataset's elements are {spec}: give (inputs, labels)")
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise BadInput(f"{where} is a dataset without end: leave out repeat(), or add take(…)")
    if any(isinstance(s, tf.RaggedTensorSpec | tf.SparseTensorSpec) for s in tf.nest.flatten(spec)):
        raise BadInput(f"{where} is a dataset of ragged or sparse tensors: {PAD}")
    if any(s.shape.rank == 0 for s in tf.nest.flatten(spec)):
        raise BadInput(f"{where} is a dataset of single examples: add batch(…), as for fit")
    batches = list(dataset.as_numpy_iterator())
    if not batches:
        raise BadInput(f"{where} has no examples; give at least one")
    try:
        joined = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)
    except ValueError:
        raise BadInput(f"{where} is a dataset whose batches differ in shape: {PAD}") from None
    leaves = tf.nest.flatten(joined)
    if len({len(leaf) for leaf in leaves}) > 1:
        return tuple(joined)  # which the caller refuses
    digests = [hashlib.blake2b(digest_size=16) for _ in range(len(leaves[0]))]
    for leaf in leaves:
        for digest, row in zip(digests, leaf, strict=True):
            digest.update(
                np.asarray(row).tobytes() if np.asarray(row).dtype != "O" else repr(row).encode()
            )
    order = np.argsort([d.digest() for d in digests], kind="stable")
    return tuple(tf.nest.map_structure(lambda leaf: leaf[order], joined))


def _weighted(part: Examples, class_weight: Mapping[int, float]) -> Examples:
    """The examples weighted by their labels."""
    if part.weights is not None:
        raise BadInput("class_weight: the training data has weights already; give one of both")
    labels = part.labels
    if not isinstance(labels, np.ndarray):
        raise BadInput(
            "class_weight: the model has several outputs; give weights of the examples in data()"
        )
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    if labels.size != len(labels):
        raise BadInput(
            f"class_weight: labels of shape {labels.shape} aren't one class for each example"
        )
    classes, places = np.unique(labels.ravel(), return_inverse=True)
    weights = np.array([class_weight.get(int(c), 1.0) for c in classes], np.float32)
    return part._replace(weights=weights[places])


def _whole(labels: Any) -> Any:
    """Labels that are truth values, as whole numbers."""
    if isinstance(labels, Mapping):
        return {key: _whole(value) for key, value in labels.items()}
    if isinstance(labels, tuple):
        return tuple(_whole(value) for value in labels)
    return labels.astype(np.int64) if labels.dtype.kind == "b" else labels


def _leaves(structure: Any) -> list[np.ndarray]:
    if isinstance(structure, Mapping):
        return [leaf for value in structure.values() for leaf in _leaves(value)]
    if isinstance(structure, tuple):
        return [leaf for value in structure if value is not None for leaf in _leaves(value)]
    return [structure]


def _tensor(array: np.ndarray) -> Any:
    import tensorflow as tf

    return tf.constant(array.astype("float32") if array.dtype.kind == "f" else array)


def _described(given: Any) -> str:
    if isinstance(given, Sequence) and not isinstance(given, str):
        return f"a {type(given).__name__} of {len(given)}"
    return f"a {type(given).__name__}"
