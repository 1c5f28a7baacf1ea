"""The space of hyperparameters: what may be tuned, how to draw whole configurations and lay a grid.

Knows neither methods nor engines; the kinds of hyperparameters are in `hyperparameters` and `bounded`, and
`columns` is how many members' values are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from pbtbench.errors import BadInput, unknown
from pbtbench.space.bounded import IntUniform, LogIntUniform, LogUniform, Uniform
from pbtbench.space.columns import Columns, column, placed, rows
from pbtbench.space.hyperparameters import (
    Choice,
    Constant,
    Derived,
    Hyperparameter,
    NotDrawn,
    Sampler,
    Value,
    named,
    plain,
)

__all__ = [
    "Choice",
    "Constant",
    "Derived",
    "Hyperparameter",
    "Hyperparameters",
    "IntUniform",
    "LogIntUniform",
    "LogUniform",
    "Sampler",
    "Space",
    "Uniform",
    "Value",
]

Hyperparameters = Mapping[str, Value]
"""One member's hyperparameters, by name."""

Declared = (
    Hyperparameter | Callable[[np.random.Generator], Value] | Sequence[Value] | np.ndarray | Value
)
"""What a space accepts for a hyperparameter: one of its kinds, a callable, a list, or a value."""


def _hyperparameter(name: str, declared: Declared) -> Hyperparameter:
    if isinstance(declared, Hyperparameter) and not isinstance(declared, type):
        return declared
    if callable(declared):
        return Sampler(declared)
    if isinstance(declared, np.ndarray):
        declared = declared.tolist()
    if isinstance(declared, list | tuple):
        if not declared:
            raise BadInput(f"hyperparameter {name!r}: an empty list; give at least one value")
        return Choice(declared)
    if declared is None or isinstance(declared, int | float | str | np.generic):
        return Constant(declared)
    raise BadInput(
        f"hyperparameter {name!r}: {declared!r} is no hyperparameter, list or callable; for a value "
        "that stays as it is, give Constant(…)"
    )


class Space(Mapping[str, Hyperparameter]):
    """Named hyperparameters, in the order given. A callable, a list or a value stand for themselves.

    >>> Space({"learning_rate": LogUniform(1e-4, 1.0), "units": [32, 64]})["units"]
    Choice(values=(32, 64), dynamic=True)
    """

    def __init__(
        self,
        hyperparameters: Mapping[str, Declared],
        starts: Mapping[str, Hyperparameter] | None = None,
    ) -> None:
        """`starts`: what members start with, for hyperparameters that start otherwise than they are
        drawn anew."""
        if not hyperparameters:
            raise BadInput("a space needs at least one hyperparameter")
        self._named = {name: _hyperparameter(name, h) for name, h in hyperparameters.items()}
        self._starts = {**self._named, **(starts or {})}

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

    def sample(
        self, rng: np.random.Generator, size: int, points: Sequence[Hyperparameters] = ()
    ) -> Columns:
        """`size` draws of all hyperparameters, as members start: from their priors, and of the first
        members, where `points` have a value, that one. What is derived from others is drawn last."""
        drawn: dict[str, np.ndarray] = {}
        for name, h in self._starts.items():
            if not isinstance(h, Derived):
                with named(name):
                    drawn[name] = h.sample(rng, size)
                places = [place for place, point in enumerate(points) if name in point]
                given = column([plain(points[place][name]) for place in places])
                drawn[name] = placed(drawn[name], places, given)
        if any(isinstance(h, Derived) for h in self._starts.values()):
            members = rows(drawn) if drawn else [{} for _ in range(size)]
            for place, member in enumerate(members):
                self._derive(member, points[place] if place < len(points) else {}, rng)
            return {name: column([member[name] for member in members]) for name in self}
        return {name: drawn[name] for name in self}

    def _derive(
        self, drawn: dict[str, Value], given: Hyperparameters, rng: np.random.Generator
    ) -> None:
        """Draw a member's hyperparameters that are drawn from others."""
        derived = {n: h for n, h in self._starts.items() if isinstance(h, Derived)}
        drawn |= {name: plain(given[name]) for name in derived if name in given}
        waiting = {name: h for name, h in derived.items() if name not in drawn}
        while waiting:
            before = set(waiting)
            for name, h in list(waiting.items()):
                with suppress(NotDrawn), named(name):
                    drawn[name] = plain(h.draw(drawn, rng))
                    del waiting[name]
            if set(waiting) == before:
                raise BadInput(
                    f"hyperparameters {', '.join(waiting)} are drawn from each other: one must be "
                    "drawn first"
                )

    def contains(self, hyperparameters: Hyperparameters) -> bool:
        """Whether every hyperparameter is there and within bounds."""
        return set(hyperparameters) == set(self) and all(
            h.contains(hyperparameters[name]) for name, h in self.items()
        )

    def grid(self, count: int, values: Mapping[str, Sequence[Value]] | None = None) -> Columns:
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
        levels = {}
        for name, h in self.items():
            with named(name):
                levels[name] = column(explicit.get(name) or h.levels(counts[name]))
        shape = [len(found) for found in levels.values()]
        places = np.unravel_index(np.arange(math.prod(shape)), shape)
        return {name: levels[name][place] for name, place in zip(self, places, strict=True)}

    def _explicit(self, values: Mapping[str, Sequence[Value]]) -> dict[str, list[Value]]:
        explicit: dict[str, list[Value]] = {name: plain(list(v)) for name, v in values.items()}
        for name, levels in explicit.items():
            if name not in self:
                raise unknown("hyperparameter", name, self)
            if not levels:
                raise BadInput(f"grid values of {name!r}: an empty list; give at least one value")
            for value in levels:
                if not self[name].contains(value):
                    raise BadInput(f"grid value {name} = {value!r} is out of bounds: {self[name]}")
        return explicit

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
