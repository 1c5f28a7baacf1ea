"""A run: one method on one problem, on one engine, with one seed. What engines execute and folders keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from pbtbench.problem import Card


@dataclass(frozen=True)
class Cluster:
    """Which machines a run's workers are on, and what of them each worker gets."""

    address: str | None = None
    """Of a Ray cluster that is there already: `auto` or `host:port`."""
    nodes: int | None = None
    """Nodes of a cluster that is started on this machine, to try things out; None for a plain Ray."""
    cpus_per_node: int | None = None
    """CPUs of each of these nodes; as many as the workers need by default."""
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0
    """May be a fraction: then workers share a GPU."""


@dataclass(frozen=True)
class Run:
    """One method on one problem, on one engine, with one seed."""

    id: str
    """Readable, and the run's folder: `toy.pbt_quadratic/pbt/inprocess/k4/s0`."""
    problem: str
    """Reference for `catalogue.problem`."""
    problem_name: str
    """Readable, with the label that tells sweeps apart: `synthetic.state_size@16MB`."""
    problem_options: Mapping[str, Any]
    method: str
    """The method's name in the study."""
    kind: str
    """The method itself."""
    method_options: Mapping[str, Any]
    interval: int | None
    synchronous: bool
    """Whether the method decides for all members together."""
    engine: str
    engine_label: str
    """The engine, with its transport where that is another than its usual one: `ray+disk`."""
    engine_options: Mapping[str, Any]
    transport: str
    """How a state travels from donor to member: one of the engine's transports."""
    cluster: Cluster
    seed: int
    population: int
    workers: int
    iterations: int
    targets: tuple[float, ...]
    limit_s: float
    card: Card
    """What a report needs to know of the problem."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The files whose code the run depends on, the problem's first -> their digests (`sources`). Empty
    in runs that were kept before there were digests."""

    def to_dict(self) -> dict[str, Any]:
        """As plain data, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Run:
        """What `to_dict` gave, also after a way through JSON; `ValueError` if a field is not of its type."""
        return _run_adapter().validate_python(dict(fields))

    def differences(self, other: Run) -> list[str]:
        """In what another run of this id means something else: files whose code has changed, and fields."""
        files = {**self.sources, **other.sources}
        changed = [f for f in files if self.sources.get(f) != other.sources.get(f)]
        differing = [
            f.name
            for f in fields(self)
            if f.name not in _BESIDE and _differ(getattr(self, f.name), getattr(other, f.name))
        ]
        card = ["card"] if _essence(self.card) != _essence(other.card) else []
        return [*sorted(changed), *differing, *card]

    def meaning(self) -> str:
        """As text, what it has in common with those that `differences` finds nothing in."""
        beside = dict.fromkeys(_BESIDE - {"sources"})
        known = {**vars(self), **beside, "card": _essence(self.card)}
        return json.dumps(known, default=vars, sort_keys=True)

    def at_seed(self, seed: int) -> Run:
        """The same with another seed."""
        return Run(**{**vars(self), "seed": seed, "id": f"{self.cell}/s{seed}"})

    @property
    def cell(self) -> str:
        """What the run has in common with those that differ by seed alone: its id without the seed."""
        return cell_name(self.problem_name, self.method, self.engine_label, self.interval)

    @property
    def label(self) -> str:
        """The method with its interval, as reports show it: `pbt k=4`."""
        return self.method if self.interval is None else f"{self.method} k={self.interval}"


_BESIDE = {"id", "seed", "sources", "targets", "limit_s", "card"}
"""Fields that don't change what a run means, or that are compared otherwise: targets are measured in its
record, and a limit is no part of what was done within it."""


def _essence(card: Card) -> tuple[object, ...]:
    """What of a card a run depends on: the rest describes it."""
    return card.objective.metric, card.objective.goal, dict(card.hyperparameters), card.dynamic


def _differ(one: Any, other: Any) -> bool:
    """Whether two values differ, also after a way through JSON."""
    return bool(one != other) and json.dumps(one, default=vars) != json.dumps(other, default=vars)


def cell_name(problem_name: str, method: str, engine_label: str, interval: int | None) -> str:
    """What the ids of runs begin with that differ by seed alone."""
    name = f"{problem_name}/{method.replace(':', '-')}/{engine_label}"
    return name if interval is None else f"{name}/k{interval}"


@dataclass(frozen=True)
class Provenance:
    """Where a run comes from."""

    version: str
    """pbtbench's."""
    commit: str
    """Of pbtbench's repository; empty where it is installed."""
    dirty: bool
    """Whether its files differed from the commit."""
    machine: str
    """Fingerprint of the machine, a key in `machine.json`."""
    problem: str
    """Digest of the problem: its code and its options."""
    started: str
    """When the run started: ISO 8601, UTC."""


@cache
def _run_adapter() -> TypeAdapter[Run]:
    return TypeAdapter(Run)
