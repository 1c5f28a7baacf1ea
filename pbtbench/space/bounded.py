"""Numbers with bounds, and perhaps a step: uniform or log-uniform, real or whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.space.columns import placed
from pbtbench.space.hyperparameters import (
    Value,
    are_numbers,
    is_number,
    midpoints,
    moved,
    plain,
)

EXACT = 2**53
"""As far as every whole number is exactly a real one, too."""


def _apart(indices: np.ndarray, last: int) -> np.ndarray:
    """Indices in order, made to differ where 0, …, `last` has enough."""
    count = np.arange(len(indices))
    if len(indices) > last + 1:
        return indices
    raised = np.maximum.accumulate(indices - count) + count
    return np.minimum(raised, last - count[::-1])


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
        if whole and max(abs(self.low), abs(self.high), self.high - self.low) > EXACT:
            raise BadInput(
                f"{kind}: bounds must be within ±2**53, and at most 2**53 apart, as reals beyond skip some"
            )
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
        last: int = round((self.high - self.low) / self.step)
        return last

    def _steps(self, values: np.ndarray) -> np.ndarray:
        """How many steps values are above `low`."""
        steps: np.ndarray = (values - self.low) / self.step
        return steps

    def _values(self, steps: np.ndarray) -> np.ndarray:
        """The values nearest to so many steps above `low`; the nearest bound beyond them."""
        last = self._last
        indices = np.rint(np.clip(steps, 0, last)).astype(np.int64)
        values: np.ndarray = np.where(indices == last, self.high, self.low + indices * self.step)
        return values

    def nearest(self, numbers: np.ndarray | float) -> np.ndarray:
        """The values nearest to numbers, or to one, within bounds and on the step."""
        inside = np.minimum(np.maximum(np.asarray(numbers, float), self.low), self.high)
        return inside if self.step is None else self._values(self._steps(inside))

    def perturb(
        self, values: np.ndarray, factors: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """The products, within bounds; on a step at least one step away, unless a bound is in the way."""
        numbers = are_numbers(values)  # members may start outside
        if not numbers.all():
            changed = placed(values.copy(), ~numbers, self.sample(rng, int((~numbers).sum())))
            return placed(changed, numbers, self.perturb(values[numbers], factors[numbers], rng))
        old = values.astype(float)
        if self.step is None:
            return self.nearest(old * factors)
        return self._values(moved(self._steps(old), self._steps(old * factors), factors))

    def contains(self, value: Any) -> bool:
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-6)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class _Real(_Bounded):
    """A real number; subclasses say where the quantiles of its prior are."""

    low: float
    high: float
    dynamic: bool = True
    step: float | None = None

    def __post_init__(self) -> None:
        self._check()

    def _at(self, quantiles: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _values(self, steps: np.ndarray) -> np.ndarray:
        return super()._values(steps).astype(float)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return self.nearest(self._at(rng.random(size)))

    def levels(self, count: int) -> list[Value]:
        found = self._at(midpoints(count))
        if self.step is None:
            return list(self.nearest(found).tolist())
        indices = np.floor(self._steps(found) + 0.5)
        return list(self._values(_apart(indices, self._last)).tolist())


class Uniform(_Real):
    """A real number, uniform in [low, high]; with a `step`, rounded to the nearest one from `low`."""

    def _at(self, quantiles: np.ndarray) -> np.ndarray:
        return self.low + (self.high - self.low) * quantiles


class LogUniform(_Real):
    """A positive real number whose logarithm is uniform between those of `low` and `high`; with a
    `step`, rounded to the nearest one from `low`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise BadInput(
                f"LogUniform({self.low}, {self.high}): the lower bound must be above zero; "
                "use Uniform for a range that holds zero"
            )

    def _at(self, quantiles: np.ndarray) -> np.ndarray:
        low, high = math.log(self.low), math.log(self.high)
        return np.exp(low + quantiles * (high - low))


@dataclass(frozen=True, repr=False)
class IntUniform(_Bounded):
    """A whole number, uniform in {low, low + step, …, high}, both included."""

    low: int
    high: int
    dynamic: bool = True
    step: int = 1

    def __post_init__(self) -> None:
        self._check(whole=True)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return self._values(rng.integers(0, self._last, size, endpoint=True))

    def levels(self, count: int) -> list[Value]:
        return list(self._values(np.floor(midpoints(count) * (self._last + 1))).tolist())


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

    def _indices_at(self, quantiles: np.ndarray) -> np.ndarray:
        reach = math.log((self.high + self.step) / self.low)
        return np.floor((self.low * np.exp(quantiles * reach) - self.low) / self.step)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return self._values(self._indices_at(rng.random(size)))

    def levels(self, count: int) -> list[Value]:
        indices = _apart(self._indices_at(midpoints(count)), self._last)
        return list(self._values(indices).tolist())
