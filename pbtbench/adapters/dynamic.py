"""Hyperparameters as a Keras model's `build` gets them: dynamic numbers, and plain values."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from pbtbench.errors import BadInput, unknown
from pbtbench.space import Hyperparameter

FRAMEWORKS = ("keras", "tensorflow")
"""Packages whose own comparisons are answered: they tell a rate of zero from another, and check ranges."""


class DynamicNumber:
    """A dynamic hyperparameter: in a graph its present value, to Keras's checks a number of its range.

    `isinstance(number, float)` holds, as Keras asks for it, and what Keras decides by the number
    (`if momentum != 0`) holds for all members. Arithmetic gives a tensor in a graph and another
    `DynamicNumber` outside of one. An optimizer takes it as a learning rate because it is callable.

    Whatever would take one value for all members and all steps (`float()`, `int()`, `max()`, a
    comparison in a user's own code) raises `BadInput`.
    """

    dtype = "float32"

    def __init__(self, name: str, number: float, read: Callable[[], Any]) -> None:
        self.name, self.number, self.read = name, number, read

    @property
    def __class__(
        self,
    ) -> type:  # what `isinstance` believes; C code that takes a double asks `__float__`
        return float

    @__class__.setter
    def __class__(self, cls: type) -> None:
        raise TypeError("a dynamic hyperparameter stays one")

    def __call__(self) -> Any:
        return self.read()

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        import tensorflow as tf

        return self.read() if dtype is None else tf.cast(self.read(), dtype)

    def __repr__(self) -> str:
        return f"<dynamic hyperparameter {self.name!r}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __deepcopy__(self, memo: object) -> DynamicNumber:
        return self

    def __hash__(self) -> int:
        return id(self)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> DynamicNumber:
        """NumPy's functions of numbers, dynamic as long as Keras has one of that name."""
        import keras

        operation = getattr(keras.ops, ufunc.__name__, None)
        if method != "__call__" or options or operation is None:
            refuse(self.name, f"numpy.{ufunc.__name__}")
        number = ufunc(*(i.number if type(i) is DynamicNumber else i for i in inputs))
        if np.ndim(number) or not isinstance(number, float | np.floating):
            refuse(self.name, f"numpy.{ufunc.__name__}")
        return DynamicNumber(
            self.name,
            float(number),
            lambda: operation(*(i.read() if type(i) is DynamicNumber else i for i in inputs)),
        )


def refuse(name: str, what: str) -> NoReturn:
    """Raise `BadInput` for what would freeze a dynamic hyperparameter."""
    raise BadInput(
        f"dynamic hyperparameter {name!r}: {what} would take one value of it for all members and steps; "
        "compute with keras.ops inside a layer, loss or regularizer, or declare it with dynamic=False"
    )


def refused(error: BaseException | None) -> BadInput | None:
    """The refusal that an exception stands for, or that Keras wrapped into its own; None for another."""
    found = None
    while error is not None:
        found = error if isinstance(error, BadInput) else found
        error = error.__cause__ or error.__context__
    return found


@contextmanager
def named_refusals() -> Iterator[None]:
    """What Keras makes of a refusal is the refusal again; and where it has something against a dynamic number,
    the hyperparameter is named with what to do."""
    try:
        yield
    except Exception as error:
        if refusal := refused(error):
            raise refusal from None
        if name := re.search(r"<dynamic hyperparameter '(.+?)'>", str(error)):
            raise BadInput(
                f"dynamic hyperparameter {name[1]!r}: {type(error).__name__}: "
                f"{' '.join(str(error).split())[:300]}: what needs a plain number can't be dynamic; declare "
                "it with dynamic=False, or as whole numbers"
            ) from None
        raise


def _operator(name: str) -> Callable[..., Any]:
    def operate(own: DynamicNumber, *others: Any) -> Any:
        import keras
        import tensorflow as tf

        if any(isinstance(other, keras.KerasTensor) for other in others):
            return NotImplemented  # of a functional model: its own operator keeps what is dynamic

        def present() -> Any:
            read = (other.read() if type(other) is DynamicNumber else other for other in others)
            return getattr(own.read(), name)(*read)

        numbers = (other.number if type(other) is DynamicNumber else other for other in others)
        number = getattr(own.number, name)(*numbers)
        if number is NotImplemented or not tf.executing_eagerly():
            return present()
        return DynamicNumber(own.name, number, present)

    return operate


def _comparison(name: str) -> Callable[..., Any]:
    def compare(own: DynamicNumber, *others: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001
        if caller.partition(".")[0] not in FRAMEWORKS:
            refuse(own.name, "a comparison (if, max, min, sorted, ==)")
        numbers = (other.number if type(other) is DynamicNumber else other for other in others)
        return getattr(own.number, name)(*numbers)

    return compare


def _conversion(name: str) -> Callable[..., Any]:
    def convert(own: DynamicNumber, *others: Any) -> NoReturn:
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001
        hint = ""
        if caller.endswith("regularizers"):
            hint = (
                f" in Keras's L1 and L2 (take lambda w: hyper[{own.name!r}] * keras.ops.sum(w**2))"
            )
        refuse(own.name, f"{name.strip('_')}(){hint}")

    return convert


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(DynamicNumber, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(DynamicNumber, f"__r{_name}__", _operator(f"__r{_name}__"))
for _name in ("__neg__", "__abs__"):
    setattr(DynamicNumber, _name, _operator(_name))
for _name in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__", "__bool__"):
    setattr(DynamicNumber, _name, _comparison(_name))
for _name in ("float", "int", "index", "complex", "round", "trunc", "floor", "ceil"):
    setattr(DynamicNumber, f"__{_name}__", _conversion(f"__{_name}__"))


def within(hyperparameter: Hyperparameter) -> float | None:
    """A number inside the range of a hyperparameter of real numbers, not 0; None if its values are whole
    numbers, names, or anything else that shapes a model."""
    rng = np.random.default_rng(0)
    draws = hyperparameter.sample(rng, 99).tolist()
    real = all(isinstance(v, int | float) and not isinstance(v, bool) for v in draws)
    if not real or all(isinstance(v, int) for v in draws):
        return None
    numbers = sorted(float(v) for v in draws if v) or [0.0]
    return numbers[len(numbers) // 2]


class HyperparametersInGraph(Mapping[str, Any]):
    """What `build` gets. It notes what is asked for; what the space lacks is `BadInput`, with `get`, too."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise unknown("hyperparameter", name, self._values)
        self.asked.add(name)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
