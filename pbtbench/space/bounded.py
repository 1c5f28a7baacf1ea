"""Numbers with bounds, and perhaps a step: uniform or log-uniform, real or whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.space.hyperparameters import Value, is_number, midpoints, moved, plain


def _apart(indices: Sequence[int], last: int) -> list[int]:
    """Indices in order, made to differ where 0, …, `last` has enough."""
    if len(indices) > last + 1:
        return list(indices)
    places = list(indices)
    for place in range(1, len(places)):
        places[place] = max(places[place], places[place - 1] + 1)
    top = last
    for place in reversed(range(len(places))):
        places[place] = top = min(places[place], top)
        top -= 1
    return places


class _Bounded:
    """What numbers with bounds have in common; `step` is the distance of the values that they may have,
    counted from `low`."""

    low: Any
    high: Any
    dynamic: bool
    step: Any

    def __repr__(self) -> str:
        step = f", step={self.step}" if self.step not in (None, 1) else ""
        own = f"low={self.low}, high={self.high}, dynamic={self.dynamic}{step}"
        return f"{type(self).__name__}({own})"

    def _check(self, whole: bool = False) -> None:
        kind = f"{type(self).__name__}({self.low}, {self.high})"
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        if not (is_number(self.low) and is_number(self.high)):
            raise BadInput(f"{kind}: bounds must be numbers")
        if whole and not all(type(n) is int for n in (self.low, self.high, self.step)):
            raise BadInput(f"{kind}: bounds must be whole numbers, and a step, too")
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise BadInput(f"{kind}: bounds must be finite numbers")
        if self.low >= self.high:
            raise BadInput(f"{kind}: the lower bound comes first and must be smaller")
        if self.step is None:
            return
        if not (is_number(self.step) and 0 < self.step < math.inf):
            raise BadInput(f"{kind}: step {self.step!r}: give a number above zero, or leave it out")
        steps = (self.high - self.low) / self.step
        if not math.isclose(steps, round(steps), abs_tol=1e-9) or round(steps) < 1:
            raise BadInput(
                f"{kind}: step {self.step} doesn't lead from {self.low} to {self.high}: give bounds "
                "that are a whole number of steps apart"
            )

    @property
    def most_levels(self) -> int | None:
        return None if self.step is None else self._last + 1

    @property
    def _last(self) -> int:
        """The index of the highest value."""
        return round(self._steps(self.high))

    def _steps(self, value: float) -> float:
        """How many steps a value is above `low`."""
        steps: float = (value - self.low) / self.step
        return steps

    def _value(self, index: int) -> Any:
        """The value of an index; the nearest bound beyond them."""
        if index <= 0:
            return self.low
        return self.high if index >= self._last else self.low + index * self.step

    def nearest(self, value: float) -> Any:
        """The value nearest to a number, within bounds and on the step."""
        inside = min(max(value, self.low), self.high)
        return float(inside) if self.step is None else self._value(round(self._steps(inside)))

    def perturb(self, value: Any, factor: float, rng: np.random.Generator) -> Any:
        """The product, within bounds; on a step at least one step away, unless a bound is in the way."""
        if not is_number(value):  # members may start outside
            return self.sample(rng)
        if self.step is None:
            return self.nearest(value * factor)
        old, new = self._steps(value), self._steps(value * factor)
        return self._value(moved(round(old), new, old, factor))

    def contains(self, value: Any) -> bool:
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = self._steps(value)
        return math.isclose(steps, round(steps), abs_tol=1e-6)

    def sample(self, rng: np.random.Generator) -> Any:
        raise NotImplementedError


class _Real(_Bounded):
    """A real number; subclasses say where the quantiles of its prior are."""

    def _at(self, quantile: float) -> float:
        raise NotImplementedError

    def _value(self, index: int) -> float:
        return float(super()._value(index))

    def levels(self, count: int) -> list[Value]:
        found = [float(self._at(float(q))) for q in midpoints(count)]
        if self.step is None:
            return [*found]
        indices = [math.floor(self._steps(value) + 0.5) for value in found]
        return [self._value(index) for index in _apart(indices, self._last)]


@dataclass(frozen=True, repr=False)
class Uniform(_Real):
    """A real number, uniform in [low, high]; with a `step`, rounded to the nearest one from `low`."""

    low: float
    high: float
    dynamic: bool = True
    step: float | None = None

    def __post_init__(self) -> None:
        self._check()

    def _at(self, quantile: float) -> float:
        return self.low + (self.high - self.low) * quantile

    def sample(self, rng: np.random.Generator) -> float:
        return float(self.nearest(float(rng.uniform(self.low, self.high))))


@dataclass(frozen=True, repr=False)
class LogUniform(_Real):
    """A positive real number whose logarithm is uniform between those of `low` and `high`; with a
    `step`, rounded to the nearest one from `low`."""

    low: float
    high: float
    dynamic: bool = True
    step: float | None = None

    def __post_init__(self) -> None:
        self._check()
        if self.low <= 0:
            raise BadInput(
                f"LogUniform({self.low}, {self.high}): the lower bound must be above zero; "
                "use Uniform for a range that holds zero"
            )

    def _at(self, quantile: float) -> float:
        value = math.exp(math.log(self.low) + quantile * (math.log(self.high) - math.log(self.low)))
        return min(max(value, self.low), self.high)

    def sample(self, rng: np.random.Generator) -> float:
        return float(self.nearest(self._at(float(rng.random()))))


@dataclass(frozen=True, repr=False)
class IntUniform(_Bounded):
    """A whole number, uniform in {low, low + step, …, high}, both included."""

    low: int
    high: int
    dynamic: bool = True
    step: int = 1

    def __post_init__(self) -> None:
        self._check(whole=True)

    def sample(self, rng: np.random.Generator) -> int:
        return int(self._value(int(rng.integers(0, self._last, endpoint=True))))

    def levels(self, count: int) -> list[Value]:
        return [self._value(int(q * (self._last + 1))) for q in midpoints(count)]


@dataclass(frozen=True, repr=False)
class LogIntUniform(IntUniform):
    """A positive whole number, log-uniform in {low, low + step, …, high}: a value v is as probable as
    log((v + step) / v)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise BadInput(
                f"LogIntUniform({self.low}, {self.high}): the lower bound must be above zero; "
                "use IntUniform for a range that holds zero"
            )

    def _index_at(self, quantile: float) -> int:
        reach = math.log((self.high + self.step) / self.low)
        return min(int((self.low * math.exp(quantile * reach) - self.low) / self.step), self._last)

    def sample(self, rng: np.random.Generator) -> int:
        return int(self._value(self._index_at(float(rng.random()))))

    def levels(self, count: int) -> list[Value]:
        indices = [self._index_at(float(q)) for q in midpoints(count)]
        return [self._value(index) for index in _apart(indices, self._last)]
