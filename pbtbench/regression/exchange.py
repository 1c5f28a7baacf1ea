"""What a benchmark's runs measured, as plain data: what pytest-benchmark stores as `extra_info`, and what
baselines and histories are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pbtbench.machine import fingerprint
from pbtbench.measures import Measures
from pbtbench.regression.kinds import KINDS, TO_TARGET, exact
from pbtbench.regression.result import Result

FORMAT: Literal[1] = 1
"""A number that grows with every change of what is stored: others are migrated or refused."""

SETTINGS = (
    *("kind", "method_options", "interval", "engine", "engine_options", "transport"),
    *("problem_options", "population", "workers", "iterations", "targets"),
)
"""The fields of a run that say what was benchmarked, beside its problem."""

Values = list[float | None]


class Entry(BaseModel):
    """What one method of a benchmark measured, a value for each round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    problem: str
    """Its readable name."""
    problem_digest: str
    """Of its code and its options."""
    goal: Literal["max", "min"]
    settings: dict[str, Any]
    """`SETTINGS`."""
    exact: list[str]
    """The measures that repeat exactly."""
    seeds: Annotated[list[int], Field(min_length=1)]
    measures: dict[str, Values]
    """Measure -> a value for each seed; None for a target that was missed, or for what doesn't apply."""

    def rounds(self, measure: str) -> np.ndarray:
        """A measure's value in each round, shape (seeds,): infinite for a missed target, 0 for a stage that
        never was."""
        values = self.measures.get(measure, [0.0] * len(self.seeds))
        return np.array([math.inf if value is None else value for value in values])

    def median(self, measure: str) -> float | None:
        """A measure's median over the rounds; None for a target that was missed in most, as in `measures`."""
        (found,) = _plain(np.array([np.median(self.rounds(measure))]))
        return found

    @model_validator(mode="after")
    def _of_each_seed(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise PydanticCustomError("seeds", "a seed stands there twice")
        for name, values in self.measures.items():
            if len(values) != len(self.seeds):
                raise PydanticCustomError(
                    "values", "it should give each seed a value of {name}", {"name": name}
                )
        return self


class Info(BaseModel):
    """What is stored of a benchmark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    version: str
    """pbtbench's."""
    commit: str
    dirty: bool
    machine: str
    """Its fingerprint."""
    cpu: str
    entries: Annotated[dict[str, Entry], Field(min_length=1)]
    """Label, such as `pbt k=5` -> what was measured."""


def extra_info(result: Result, machine: Mapping[str, Any]) -> dict[str, Any]:
    """A result as pytest-benchmark stores it with a benchmark: `Info` as `pbtbench`, and, for whoever looks,
    each measure's median. `machine`: its facts."""
    first = result.measures[0].provenance
    assert first is not None
    info = Info(
        format=FORMAT,
        version=first.version,
        commit=first.commit,
        dirty=first.dirty,
        machine=fingerprint(machine),
        cpu=str(machine.get("cpu", "")),
        entries={label: entry(of) for label, of in result.by_label.items()},
    )
    medians = {
        label: {name: one.median(name) for name in one.measures}
        for label, one in info.entries.items()
    }
    shown = next(iter(medians.values())) if len(medians) == 1 else medians
    failures = sorted({attempt.cause for m in result.measures for attempt in m.attempts} - {""})
    return {
        **shown,
        "reached": result.reached,
        "cause": ", ".join(failures),
        "pbtbench": info.model_dump(),
    }


def entry(measures: tuple[Measures, ...]) -> Entry:
    """What runs measured that differ by their seed alone."""
    result, run, provenance = Result(measures), measures[0].run, measures[0].provenance
    found: dict[str, Values] = {}
    for name in KINDS:
        if name not in TO_TARGET:
            found[name] = _plain(result[name])
            continue
        for target in result.targets:
            key = name if len(result.targets) == 1 else f"{name}[{target!r}]"
            found[key] = _plain(result.at(target)[name])
    return Entry(
        problem=run.problem_name,
        problem_digest="" if provenance is None else provenance.problem,
        goal=run.card.objective.goal,
        settings={key: _as_json(getattr(run, key)) for key in SETTINGS},
        exact=sorted(exact(run)),
        seeds=[m.run.seed for m in measures],
        measures={name: values for name, values in found.items() if _applies(values)},
    )


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _applies(values: Values) -> bool:
    """Whether there is anything to compare: a stage that never was takes no room."""
    return any(value != 0 for value in values)


def _plain(values: np.ndarray) -> Values:
    return [value if math.isfinite(value) else None for value in values.tolist()]
