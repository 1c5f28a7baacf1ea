"""What hyperparameters are: how each is sampled, laid as a grid and perturbed. Numbers with bounds are in
`bounded`.

First stage of the data's way; knows neither spaces, methods nor engines. Every draw comes from the
generator that is passed in. Values are drawn and moved for many members at once, as a column (see
`columns`); each is plain data: NumPy's numbers become Python's where they are declared or drawn.
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

from pbtbench.errors import CONTROL, BadInput
from pbtbench.space.columns import column, placed

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

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` draws from the prior, as a column."""
        ...

    def levels(self, count: int) -> list[Value]:
        """`count` grid levels: the midpoints of equally probable cells of the prior."""
        ...

    def perturb(
        self, values: np.ndarray, factors: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """A new column: each value moved by its factor (up if above 1), within bounds and on its step."""
        ...

    def contains(self, value: Value) -> bool:
        """Whether `value` is within bounds, and on the step where there is one."""
        ...


def plain(value: Any) -> Any:
    """A value as plain data: NumPy's numbers and arrays as Python's, in lists and dictionaries, too.

    Raises `BadInput` for what is no number, text, truth value, None, list or dictionary, and for text that
    can't be shown.
    """
    if isinstance(value, str) and CONTROL.search(value):
        raise BadInput(f"the text {value!r} holds a control character; leave it out")
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


def are_numbers(values: np.ndarray) -> np.ndarray:
    """A mask of the numbers in a column."""
    if values.dtype != object:
        return np.ones(len(values), np.bool_)
    return np.fromiter(map(is_number, values), np.bool_, len(values))


def same(one: Value, other: Value) -> bool:
    """Whether two values are equal; a tuple equals the list that JSON makes of it."""
    return one == other or json.dumps(one, default=str) == json.dumps(other, default=str)


def midpoints(count: int) -> np.ndarray:
    """The quantiles at the middle of so many equally probable cells."""
    return (np.arange(count) + 0.5) / count


def moved(old: np.ndarray, products: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Where perturbations on a grid end, counted in its steps: the products rounded, or, where one rounds to
    where it was, the next place that way."""
    before, after = np.rint(old), np.rint(products)
    up = (products > old) | ((products == old) & (factors > 1))
    stuck = (after == before) & (factors != 1)
    found: np.ndarray = np.where(stuck, before + np.where(up, 1, -1), after)
    return found


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

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return column(self.values)[rng.integers(len(self.values), size=size)]

    def levels(self, count: int) -> list[Value]:
        return [self.values[int(q * len(self.values))] for q in midpoints(count)]

    def perturb(
        self, values: np.ndarray, factors: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        moves, places = factors != 1, self._places(values)
        known, unknown = moves & (places >= 0), moves & (places < 0)
        changed = values.copy()
        if known.any():
            ladder = column(sorted(self.values, key=float))
            next_places = (places + np.where(factors > 1, 1, -1))[known]
            changed = placed(changed, known, ladder[np.clip(next_places, 0, len(ladder) - 1)])
        return placed(changed, unknown, self.sample(rng, int(unknown.sum())))

    def _places(self, values: np.ndarray) -> np.ndarray:
        """Where each value stands in the order of the choices; -1 where there is no order, or not it."""
        places = np.full(len(values), -1)
        if self.ordered:
            numbers = are_numbers(values)
            ladder, found = np.sort(np.array(self.values, float)), values[numbers].astype(float)
            at = np.minimum(np.searchsorted(ladder, found), len(ladder) - 1)
            places[numbers] = np.where(ladder[at] == found, at, -1)
        return places

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

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return column([self.value]).repeat(size)

    def levels(self, count: int) -> list[Value]:
        return [self.value] * count

    def perturb(
        self, values: np.ndarray, factors: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        return self.sample(rng, len(values))

    def contains(self, value: Value) -> bool:
        return same(value, self.value)


def _name_of(draw: Any) -> str:
    """The name of a function: of the innermost, where it is wrapped."""
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

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        try:
            drawn = [self.draw(rng) for _ in range(size)]
        except Exception as error:
            raise BadInput(
                f"a callable hyperparameter raised {type(error).__name__}: {error}; it is called "
                "with a numpy.random.Generator"
            ) from None
        return column([plain(value) for value in drawn])

    def levels(self, count: int) -> list[Value]:
        raise BadInput("a callable hyperparameter has no levels: give the grid explicit values")

    def perturb(
        self, values: np.ndarray, factors: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        numbers = are_numbers(values)
        kinds = [type(value) for value in values[numbers].tolist()]
        whole = np.fromiter((issubclass(kind, int) for kind in kinds), np.bool_, len(kinds))
        old, factors = values[numbers].astype(float), factors[numbers]
        step = np.where(whole, self.step or 1, self.step or math.nan)
        size = np.abs(old) / step
        steps = np.maximum(moved(size, size * factors, factors), size != 0)
        new = np.where(np.isnan(step), old * factors, np.copysign(steps * step, old)).tolist()
        kept = column([kind(value) for kind, value in zip(kinds, new, strict=True)])
        changed = placed(values.copy(), numbers, kept)
        return placed(changed, ~numbers, self.sample(rng, int((~numbers).sum())))

    def contains(self, value: Value) -> bool:
        return True

    def __repr__(self) -> str:
        step = f", step={self.step}" if self.step else ""
        return f"Sampler({_name_of(self.draw)}, dynamic={self.dynamic}{step})"


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
        return f"Derived({_name_of(self.draw)})"

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        raise BadInput("it is drawn from other hyperparameters, and has no prior of its own")

    def levels(self, count: int) -> list[Value]:
        raise BadInput(
            "a hyperparameter that is drawn from others has no levels: give the grid explicit values"
        )

    def perturb(
        self, values: np.ndarray, factors: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        return values.copy()

    def contains(self, value: Value) -> bool:
        return True
