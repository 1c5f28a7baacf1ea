"""What hyperparameters are: how each is sampled, laid as a grid and perturbed. Numbers with bounds are in
`bounded`.

First stage of the data's way; knows neither spaces, methods nor engines. Every draw comes from the
generator that is passed in. Values are plain data: NumPy's numbers become Python's where they are
declared or drawn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pbtbench.errors import BadInput

Value = Any
"""One hyperparameter's value: a number, text, truth value, None, or a list or dictionary of these. To use
one as a key, go by its JSON text."""


@runtime_checkable
class Hyperparameter(Protocol):
    """One hyperparameter: its prior and its bounds."""

    @property
    def dynamic(self) -> bool:
        """Whether it may change while a member trains."""
        ...

    @property
    def most_levels(self) -> int | None:
        """How many grid levels it has at most; None for as many as asked for."""
        ...

    def sample(self, rng: np.random.Generator) -> Value:
        """A draw from the prior."""
        ...

    def levels(self, count: int) -> list[Value]:
        """`count` grid levels: the midpoints of equally probable cells of the prior."""
        ...

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        """`value` moved by `factor` (up if above 1), kept within bounds and on its step."""
        ...

    def contains(self, value: Value) -> bool:
        """Whether `value` is within bounds, and on the step where there is one."""
        ...


def plain(value: Any) -> Any:
    """A value as plain data: NumPy's numbers and arrays as Python's, in lists and dictionaries, too.

    Raises `BadInput` for what is no number, text, truth value, None, list or dictionary.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(inner) for inner in value)
    raise BadInput(
        f"{' '.join(repr(value).split())[:80]} is no number, text, truth value, None, list or "
        "dictionary of these"
    )


@contextmanager
def named(name: str) -> Iterator[None]:
    """Within it, a refusal names the hyperparameter."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"hyperparameter {name!r}: {error}") from None


def is_number(value: object) -> bool:
    """Whether a value is a number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: Value, other: Value) -> bool:
    """Whether two values are equal; a tuple equals the list that JSON makes of it."""
    return one == other or json.dumps(one, default=str) == json.dumps(other, default=str)


def midpoints(count: int) -> np.ndarray:
    """The quantiles at the middle of so many equally probable cells."""
    return (np.arange(count) + 0.5) / count


def moved(index: int, product: float, old: float, factor: float) -> int:
    """Where a perturbation on a grid ends: `product` rounded, or, where it rounds to the old `index`,
    the next one that way."""
    new = round(product)
    if new != index or factor == 1:
        return new
    up = product > old or (product == old and factor > 1)
    return index + (1 if up else -1)


@dataclass(frozen=True)
class Choice:
    """One of `values`. Numbers have an order: perturbing moves to a neighbour. Others are drawn anew."""

    values: tuple[Value, ...]
    dynamic: bool = True

    def __init__(self, values: Sequence[Value], dynamic: bool = True) -> None:
        if isinstance(values, str) or not len(values):
            raise BadInput(f"Choice({values!r}): give a list of at least one value")
        object.__setattr__(self, "values", tuple(plain(value) for value in values))
        object.__setattr__(self, "dynamic", dynamic)

    @property
    def most_levels(self) -> int:
        return len(self.values)

    @property
    def ordered(self) -> bool:
        """Whether all values are numbers."""
        return all(map(is_number, self.values))

    def sample(self, rng: np.random.Generator) -> Value:
        return self.values[int(rng.integers(len(self.values)))]

    def levels(self, count: int) -> list[Value]:
        return [self.values[int(q * len(self.values))] for q in midpoints(count)]

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        if factor == 1:
            return value
        if not (self.ordered and value in self.values):
            return self.sample(rng)
        ladder = sorted(self.values, key=float)
        place = ladder.index(value) + (1 if factor > 1 else -1)
        return ladder[min(max(place, 0), len(ladder) - 1)]

    def contains(self, value: Value) -> bool:
        return any(same(value, one) for one in self.values)


@dataclass(frozen=True)
class Constant:
    """Always `value`."""

    value: Value
    dynamic = False
    most_levels = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", plain(self.value))

    def sample(self, rng: np.random.Generator) -> Value:
        return self.value

    def levels(self, count: int) -> list[Value]:
        return [self.value] * count

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        return self.value

    def contains(self, value: Value) -> bool:
        return same(value, self.value)


def _told(draw: Any) -> str:
    """What a function is called: the innermost, where it is wrapped."""
    while isinstance(draw, partial):
        draw = draw.args[0] if draw.args and callable(draw.args[0]) else draw.func
    return str(getattr(draw, "__qualname__", type(draw).__qualname__))


@dataclass(frozen=True, repr=False)
class Sampler:
    """Whatever `draw(rng)` returns, as Ray Tune's callables. It has no known bounds.

    A number is perturbed by the factor, in whole `step`s (of 1 for whole numbers): at least by one, and
    never to zero or beyond it.
    """

    draw: Callable[[np.random.Generator], Any]
    dynamic: bool = True
    step: float | None = None
    most_levels = None

    def sample(self, rng: np.random.Generator) -> Value:
        try:
            drawn = self.draw(rng)
        except Exception as error:
            raise BadInput(
                f"a callable hyperparameter raised {type(error).__name__}: {error}; it is called "
                "with a numpy.random.Generator"
            ) from None
        value: Value = plain(drawn)
        return value

    def levels(self, count: int) -> list[Value]:
        raise BadInput("a callable hyperparameter has no levels: give the grid explicit values")

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return self.sample(rng)
        step = self.step or (1 if isinstance(value, int) else None)
        if step is None:
            return float(value) * factor
        size = abs(value) / step
        steps = max(moved(round(size), size * factor, size, factor), 0 if size == 0 else 1)
        return type(value)(math.copysign(steps * step, value))

    def contains(self, value: Value) -> bool:
        return True

    def __repr__(self) -> str:
        step = f", step={self.step}" if self.step else ""
        return f"Sampler({_told(self.draw)}, dynamic={self.dynamic}{step})"


class NotDrawn(Exception):
    """A derived hyperparameter asked for another that isn't drawn yet: its name."""


@dataclass(frozen=True, repr=False)
class Derived:
    """Drawn from the other hyperparameters' values, by `draw(others, rng)`, once they are known. It stays
    as it is while a member trains.

    `draw` gets those drawn so far, and raises `NotDrawn` for one that it needs and that isn't there yet.
    """

    draw: Callable[[Mapping[str, Value], np.random.Generator], Any]
    dynamic = False
    most_levels = None

    def __repr__(self) -> str:
        return f"Derived({_told(self.draw)})"

    def sample(self, rng: np.random.Generator) -> Value:
        raise BadInput("it is drawn from other hyperparameters, and has no prior of its own")

    def levels(self, count: int) -> list[Value]:
        raise BadInput(
            "a hyperparameter that is drawn from others has no levels: give the grid explicit values"
        )

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        return value

    def contains(self, value: Value) -> bool:
        return True
