"""A run: one method on one problem, on one engine, with one seed. What engines execute and folders keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from pbtbench.problem import Card


@dataclass(frozen=True)
class Run:
    """One method on one problem, on one engine, with one seed."""

    id: str
    """Readable, and the run's folder: `toy.pbt_quadratic/pbt/inprocess/k4/s0`."""
    problem: str
    """Reference for `catalogue.problem`."""
    problem_options: Mapping[str, Any]
    method: str
    """The method's name in the study."""
    kind: str
    """The method itself."""
    method_options: Mapping[str, Any]
    interval: int | None
    engine: str
    engine_options: Mapping[str, Any]
    seed: int
    population: int
    workers: int
    iterations: int
    targets: tuple[float, ...]
    limit_s: float
    card: Card
    """What a report needs to know of the problem."""

    def to_dict(self) -> dict[str, Any]:
        """As plain data, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Run:
        """What `to_dict` gave, also after a way through JSON; `ValueError` if a field is not of its type."""
        return _run_adapter().validate_python(dict(fields))

    @property
    def label(self) -> str:
        """The method with its interval, as reports show it: `pbt k=4`."""
        return self.method if self.interval is None else f"{self.method} k={self.interval}"


@cache
def _run_adapter() -> TypeAdapter[Run]:
    return TypeAdapter(Run)
