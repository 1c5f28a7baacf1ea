"""The space of hyperparameters: what may be tuned, and how to sample, lay a grid and perturb.

First stage of the data's way; knows neither methods nor engines. A value is a number, a string or
a truth value. Every draw comes from the generator that is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol, runtime_checkable

import numpy as np

from pbtbench.errors import BadInput, unknown

Value = float | int | str | bool
"""One hyperparameter's value."""

Hyperparameters = Mapping[str, Value]
"""One member's hyperparameters, by name."""


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
        """`value` moved by `factor` (up if above 1), kept within bounds."""
        ...

    def contains(self, value: Value) -> bool:
        """Whether `value` is within bounds."""
        ...


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_bounds(kind: str, low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BadInput(f"{kind}({low}, {high}): bounds must be finite numbers")
    if low >= high:
        raise BadInput(f"{kind}({low}, {high}): the lower bound comes first and must be smaller")


def _midpoints(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


@dataclass(frozen=True)
class Uniform:
    """A real number, uniform in [low, high]."""

    low: float
    high: float
    dynamic: bool = True
    most_levels = None

    def __post_init__(self) -> None:
        _check_bounds("Uniform", self.low, self.high)

    def sample(self, rng: np.random.Generator) -> float:
        return float(rng.uniform(self.low, self.high))

    def levels(self, count: int) -> list[Value]:
        return [float(self.low + (self.high - self.low) * q) for q in _midpoints(count)]

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> float:
        return min(max(float(value) * factor, self.low), self.high)

    def contains(self, value: Value) -> bool:
        return _number(value) and self.low <= float(value) <= self.high


@dataclass(frozen=True)
class LogUniform:
    """A positive real number whose logarithm is uniform between those of `low` and `high`."""

    low: float
    high: float
    dynamic: bool = True
    most_levels = None

    def __post_init__(self) -> None:
        _check_bounds("LogUniform", self.low, self.high)
        if self.low <= 0:
            raise BadInput(
                f"LogUniform({self.low}, {self.high}): the lower bound must be above zero; "
                "use Uniform for a range that holds zero"
            )

    def _at(self, quantile: float) -> float:
        value = math.exp(math.log(self.low) + quantile * (math.log(self.high) - math.log(self.low)))
        return min(max(value, self.low), self.high)

    def sample(self, rng: np.random.Generator) -> float:
        return self._at(float(rng.random()))

    def levels(self, count: int) -> list[Value]:
        return [self._at(float(q)) for q in _midpoints(count)]

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> float:
        return min(max(float(value) * factor, self.low), self.high)

    def contains(self, value: Value) -> bool:
        return _number(value) and self.low <= float(value) <= self.high


@dataclass(frozen=True)
class IntUniform:
    """A whole number, uniform in {low, …, high}, both included."""

    low: int
    high: int
    dynamic: bool = True

    def __post_init__(self) -> None:
        if not all(isinstance(b, int) and not isinstance(b, bool) for b in (self.low, self.high)):
            raise BadInput(f"IntUniform({self.low}, {self.high}): bounds must be whole numbers")
        _check_bounds("IntUniform", self.low, self.high)

    @property
    def most_levels(self) -> int:
        return self.high - self.low + 1

    def sample(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.low, self.high, endpoint=True))

    def levels(self, count: int) -> list[Value]:
        return [self.low + int(q * self.most_levels) for q in _midpoints(count)]

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> int:
        """The rounded product, at least one step away unless a bound is in the way."""
        old = int(value)
        new = round(old * factor)
        if new == old and factor != 1:
            new += 1 if factor > 1 else -1
        return min(max(new, self.low), self.high)

    def contains(self, value: Value) -> bool:
        return _number(value) and int(value) == value and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of `values`. Numbers have an order: perturbing moves to a neighbour. Others are drawn anew."""

    values: tuple[Value, ...]
    dynamic: bool = True

    def __init__(self, values: Sequence[Value], dynamic: bool = True) -> None:
        if isinstance(values, str) or not len(values):
            raise BadInput(f"Choice({values!r}): give a list of at least one value")
        object.__setattr__(self, "values", tuple(values))
        object.__setattr__(self, "dynamic", dynamic)

    @property
    def most_levels(self) -> int:
        return len(self.values)

    def sample(self, rng: np.random.Generator) -> Value:
        return self.values[int(rng.integers(len(self.values)))]

    def levels(self, count: int) -> list[Value]:
        return [self.values[int(q * len(self.values))] for q in _midpoints(count)]

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        if factor == 1:
            return value
        if not all(_number(v) for v in self.values):
            return self.sample(rng)
        ordered = sorted(self.values, key=float)
        place = ordered.index(value) + (1 if factor > 1 else -1)
        return ordered[min(max(place, 0), len(ordered) - 1)]

    def contains(self, value: Value) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Constant:
    """Always `value`."""

    value: Value
    dynamic = False
    most_levels = 1

    def sample(self, rng: np.random.Generator) -> Value:
        return self.value

    def levels(self, count: int) -> list[Value]:
        return [self.value] * count

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        return self.value

    def contains(self, value: Value) -> bool:
        return value == self.value


@dataclass(frozen=True)
class Sampler:
    """Whatever `draw(rng)` returns, as Ray Tune's callables. It has no known bounds."""

    draw: Callable[[np.random.Generator], Value]
    dynamic: bool = True
    most_levels = None

    def sample(self, rng: np.random.Generator) -> Value:
        try:
            return self.draw(rng)
        except Exception as error:
            raise BadInput(
                f"a callable hyperparameter raised {type(error).__name__}: {error}; it is called "
                "with a numpy.random.Generator"
            ) from None

    def levels(self, count: int) -> list[Value]:
        raise BadInput("a callable hyperparameter has no levels: give the grid explicit values")

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        if not _number(value):
            return self.sample(rng)
        return round(value * factor) if isinstance(value, int) else float(value) * factor

    def contains(self, value: Value) -> bool:
        return True


Declared = Hyperparameter | Callable[[np.random.Generator], Value] | Sequence[Value] | Value
"""What a space accepts for a hyperparameter: one of this module's, a callable, a list, or a value."""


def _hyperparameter(name: str, declared: Declared) -> Hyperparameter:
    if isinstance(declared, Hyperparameter) and not isinstance(declared, type):
        return declared
    if callable(declared):
        return Sampler(declared)
    if isinstance(declared, list | tuple):
        if not declared:
            raise BadInput(f"hyperparameter {name!r}: an empty list; give at least one value")
        return Choice(declared)
    if isinstance(declared, int | float | str):
        return Constant(declared)
    raise BadInput(f"hyperparameter {name!r}: {declared!r} is no hyperparameter, list or callable")


class Space(Mapping[str, Hyperparameter]):
    """Named hyperparameters, in the order given. A callable, a list or a value stand for themselves.

    >>> Space({"learning_rate": LogUniform(1e-4, 1.0), "units": [32, 64]})["units"]
    Choice(values=(32, 64), dynamic=True)
    """

    def __init__(self, hyperparameters: Mapping[str, Declared]) -> None:
        if not hyperparameters:
            raise BadInput("a space needs at least one hyperparameter")
        self._named = {name: _hyperparameter(name, h) for name, h in hyperparameters.items()}

    def __getitem__(self, name: str) -> Hyperparameter:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def __repr__(self) -> str:
        return f"Space({self._named!r})"

    @property
    def dynamic(self) -> tuple[str, ...]:
        """Names of the hyperparameters that may change while training."""
        return tuple(name for name, h in self.items() if h.dynamic)

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """One draw of all hyperparameters from their priors."""
        return {name: h.sample(rng) for name, h in self.items()}

    def contains(self, hyperparameters: Hyperparameters) -> bool:
        """Whether every hyperparameter is there and within bounds."""
        return set(hyperparameters) == set(self) and all(
            h.contains(hyperparameters[name]) for name, h in self.items()
        )

    def grid(
        self, count: int, values: Mapping[str, Sequence[Value]] | None = None
    ) -> list[dict[str, Value]]:
        """At most `count` points: a full factorial, the last hyperparameter varying fastest.

        `values` gives explicit levels for some hyperparameters, which multiply out; the others
        get levels of their own such that numbers of levels differ by one at most and the product
        is the largest within `count`. Where levels can't all be equal, earlier ones get more.

        Raises `BadInput` for explicit values that are empty, unknown, or multiply to over `count`.
        """
        if count < 1:
            raise BadInput(f"a grid of {count} points: give at least 1")
        explicit = self._explicit(values or {})
        fixed = math.prod(len(v) for v in explicit.values())
        if fixed > count:
            raise BadInput(
                f"the grid's values multiply to {fixed} points, more than the population of {count}"
            )
        counts = self._balanced([n for n in self if n not in explicit], count // fixed)
        levels = [explicit.get(n) or h.levels(counts[n]) for n, h in self.items()]
        return [dict(zip(self, point, strict=True)) for point in product(*levels)]

    def _explicit(self, values: Mapping[str, Sequence[Value]]) -> dict[str, list[Value]]:
        for name, levels in values.items():
            if name not in self:
                raise unknown("hyperparameter", name, self)
            if not levels:
                raise BadInput(f"grid values of {name!r}: an empty list; give at least one value")
            for value in levels:
                if not self[name].contains(value):
                    raise BadInput(f"grid value {name} = {value!r} is out of bounds: {self[name]}")
        return {name: list(levels) for name, levels in values.items()}

    def _balanced(self, names: Sequence[str], count: int) -> dict[str, int]:
        levels = dict.fromkeys(names, 1)
        open_ = [n for n in names if self[n].most_levels != 1]
        while open_:
            for name in list(open_):
                bigger = math.prod(levels.values()) // levels[name] * (levels[name] + 1)
                if bigger > count:
                    return levels
                levels[name] += 1
                if levels[name] == self[name].most_levels:
                    open_.remove(name)
        return levels
