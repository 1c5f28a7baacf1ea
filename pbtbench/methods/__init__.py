"""Methods: pure decisions. One file (or package) here is one method, its `METHOD` class;
`tune:<name>` stands for what Ray Tune has of its own (`tuned`).

A method proposes starting hyperparameters and then, every `interval` iterations, decides which members
fork from which donors, and with which hyperparameters they go on. It touches no clock, disk, engine or
global random state.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Protocol

import numpy as np
from pydantic import TypeAdapter, ValidationError

from pbtbench.errors import BadInput, invalid, unknown
from pbtbench.methods.forks import Forks
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.space import Space
from pbtbench.space.columns import Columns, rows, taken

__all__ = [
    "Forks",
    "Leaderboard",
    "Method",
    "build",
    "check_exploits",
    "keep_on",
    "kinds",
    "known",
    "method_class",
    "only_on",
    "uses_interval",
    "with_points",
]


class Method(Protocol):
    """What every method offers. Concrete ones are frozen dataclasses: their fields are the options."""

    @property
    def interval(self) -> int | None:
        """Iterations between decisions; None for a method that never decides."""
        ...

    @property
    def synchronous(self) -> bool:
        """Whether all members decide together, on the same scores."""
        ...

    @property
    def history(self) -> int:
        """How many of a member's latest scores it looks at."""
        ...

    def check(self, population: int, iterations: int) -> None:
        """Raise `BadInput` if, with so many members and iterations, the method can't do what it is for."""
        ...

    def propose(self, space: Space, size: int, rng: np.random.Generator) -> Columns:
        """Starting hyperparameters of at most `size` members."""
        ...

    def decide(
        self, members: np.ndarray, board: Leaderboard, space: Space, rng: np.random.Generator
    ) -> Forks:
        """Which of the members that are due fork; the board stays as it is.

        Synchronous: all on the same scores. Otherwise one after another, in an order that the method
        draws, each seeing the forks before it.
        """
        ...


def kinds() -> list[str]:
    """The names of all methods, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if _has_method(m.name))


def method_class(kind: str) -> type[Any]:
    """The class of a method; `BadInput` for an unknown name."""
    if kind not in kinds():
        raise unknown("method", kind, kinds())
    found: type[Any] = importlib.import_module(f"{__name__}.{kind}").METHOD
    return found


TUNED = "tune:"
"""What the names of Ray Tune's own schedulers and searchers begin with (`tuned.py`)."""


def known(kind: str) -> bool:
    """Whether there is a method of that name; Ray Tune alone knows what `tune:<name>` there is."""
    return kind.startswith(TUNED) or kind in kinds()


def only_on(kind: str) -> str | None:
    """The one engine that a method runs on; None for one that runs on any."""
    return "tune" if kind.startswith(TUNED) else None


def uses_interval(kind: str) -> bool:
    """Whether the method decides at perturbation intervals."""
    if kind.startswith(TUNED):
        from pbtbench.methods import tuned

        return kind.removeprefix(TUNED) in tuned.INTERVALS
    return any(f.name == "interval" for f in fields(method_class(kind)))


def build(kind: str, interval: int | None, options: Mapping[str, Any]) -> Method:
    """The method `kind` with a study's options; `BadInput` for one that it doesn't have."""
    if kind.startswith(TUNED):
        from pbtbench.methods.tuned import Tuned

        return Tuned(kind.removeprefix(TUNED), dict(options), interval)
    cls = method_class(kind)
    names = [f.name for f in fields(cls) if f.name != "interval"]
    for key in options:
        if key not in names:
            raise unknown(f"option of method {kind!r}", key, names)
    given = dict(options) if interval is None else {**options, "interval": interval}
    try:
        method: Method = _adapter(kind).validate_python(given)
    except ValidationError as found:
        raise invalid(f"method {kind!r}", found) from None
    return method


@cache
def _adapter(kind: str) -> TypeAdapter[Method]:
    return TypeAdapter(method_class(kind))


def check_exploits(
    interval: int, population: int, iterations: int, *, burn_in: int = 0, scores: int = 1
) -> None:
    """Raise `BadInput` for a method that exploits every `interval` iterations, and that so never could.

    `burn_in`: iterations before a member's first decision. `scores`: how many it needs to decide.
    """
    if population < 2:
        raise BadInput(
            f"a population of {population}: nobody is there to copy from, and nothing would ever be "
            "perturbed; give at least 2 members"
        )
    last = (iterations - 1) // interval * interval
    if last < 1:
        raise BadInput(
            f"interval {interval} in a budget of {iterations} iterations: nothing would ever be perturbed, "
            f"as members decide between iterations; give {max(1, iterations - 1)} at most"
            if iterations > 1
            else "a budget of 1 iteration: nothing would ever be perturbed; give more iterations"
        )
    if last < burn_in:
        raise BadInput(
            f"burn_in_period {burn_in}: the last decision of {iterations} iterations is after iteration "
            f"{last}, so that nothing would ever be perturbed"
        )
    if last < scores:
        raise BadInput(
            f"exploit 'welch' needs {scores} scores of a member, and the last decision of {iterations} "
            f"iterations is after iteration {last}: nothing would ever be perturbed"
        )


def _has_method(module: str) -> bool:
    return hasattr(importlib.import_module(f"{__name__}.{module}"), "METHOD")


def keep_on(board: Leaderboard) -> Forks:
    """The decision that nobody forks."""
    nobody = np.zeros(0, np.int64)
    return Forks(nobody, nobody, taken(board.hyperparameters, nobody))


def with_points(
    points: Sequence[Mapping[str, Any]], space: Space, size: int, rng: np.random.Generator
) -> Columns:
    """`size` starting hyperparameters: the given points first, then draws from the prior."""
    for point in points:
        for name in point:
            if name not in space:
                raise unknown("hyperparameter", name, space)
    if len(points) > size:
        raise BadInput(f"{len(points)} points for a population of {size}: raise the population")
    proposed = space.sample(rng, size, points)
    for point in rows(taken(proposed, slice(len(points)))):
        if not space.contains(point):
            raise BadInput(f"starting point {point} is out of bounds: {space}")
    return proposed
