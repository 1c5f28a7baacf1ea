"""All measures of one run: made once, when it ends, and kept beside its record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter

from pbtbench.measures.by_member import size
from pbtbench.measures.checkpoints import STAGES, Checkpoints, checkpoints
from pbtbench.measures.forks import ForkEffects, fork_effects
from pbtbench.measures.lineage import segments, winning_values
from pbtbench.measures.overhead import Overhead, overhead
from pbtbench.measures.quality import AXES, Axis, Curve, Quality, curve, quality
from pbtbench.measures.target import Attempt, attempt
from pbtbench.record import TIMED, Outcome, Record
from pbtbench.runs import Provenance, Run
from pbtbench.schema import MOST, Count, Label, Number, Whole

DEFINITIONS = 2
"""A number that grows with every change of what a measure means: those of another number are stale."""

EARLY = 0.1
"""The share of the budget at which schedules are compared."""


@dataclass(frozen=True)
class Measures:
    """One run's measures."""

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    run: Run
    """Its identity. Not stored with the measures, as `provenance`."""
    provenance: Provenance | None
    """Where it comes from; None while nobody has said."""
    wall_s: float
    """Seconds from the start of the run to its end."""
    workers: Count
    transport: str
    cluster: str
    cause: Literal["", "crash", "hang"]
    """Empty if the run completed."""
    message: str
    population: Count
    """Members that there were; a grid may have fewer than asked for."""
    made: Mapping[Annotated[int, Field(ge=0, lt=MOST)], Count]
    """Iterations -> how many members made so many. Fewer than the run's where members stop early."""
    overhead: Overhead
    quality: Quality
    attempts: tuple[Attempt, ...]
    """One for each target, in the run's order."""
    forks: ForkEffects
    checkpoints: Checkpoints
    early_iteration: Whole
    """The iteration at `EARLY` of the budget."""
    early: Mapping[Label, Number]
    """The numeric hyperparameters with which the winning lineage trained that iteration."""
    curves: Mapping[Axis, Curve]
    """Best score so far, on each of the axes."""

    def attempt(self, target: float) -> Attempt | None:
        """How it fared with a target; None if that is none of its run's."""
        return next((a for a in self.attempts if a.target == target), None)

    @property
    def iterations_made(self) -> float:
        """The median over the members of what each made."""
        return weighted_median(self.made)


def measure(run: Run, outcome: Outcome) -> Measures:
    """All measures of a run; `ValueError` for a record that can't be one of it."""
    objective, record = run.card.objective, outcome.record
    made = _made(record)
    tree = segments(objective, record)
    population = sum(made.values()) or run.population
    early = max(1, round(EARLY * run.iterations))
    return Measures(
        run=run,
        provenance=None,
        wall_s=outcome.wall_s,
        workers=outcome.workers,
        transport=outcome.transport,
        cluster=outcome.cluster,
        cause=outcome.cause,  # type: ignore[arg-type]
        message=outcome.message,
        population=population,
        made=made,
        overhead=overhead(outcome),
        quality=quality(objective, record, run.card.best_constant),
        attempts=tuple(attempt(objective, target, outcome) for target in run.targets),
        forks=fork_effects(objective, outcome, tree, population),
        checkpoints=checkpoints(run, outcome),
        early_iteration=early,
        early=winning_values(tree, early),
        curves={axis: curve(objective, record.scores, axis) for axis in AXES},
    )


def to_json(measures: Measures) -> dict[str, Any]:
    """All but the run and its provenance, as plain data that JSON holds; NaN and infinity as text."""
    stored = replace(measures, provenance=None)
    text = _adapter().dump_json(stored, exclude={"run", "provenance"})
    found: dict[str, Any] = json.loads(text)
    return found


def from_json(run: Run, provenance: Provenance | None, stored: Mapping[str, Any]) -> Measures:
    """What `to_json` gave; `ValueError` for what can't be the measures of that run."""
    found = _adapter().validate_python({**stored, "run": run, "provenance": provenance})
    if tuple(a.target for a in found.attempts) != run.targets:
        raise ValueError("its targets are not those of the run")
    if found.overhead.seconds.keys() != {*TIMED, "unaccounted"}:
        raise ValueError("its seconds are not those of the kinds of rows")
    if found.checkpoints.stages.keys() != set(STAGES):
        raise ValueError("its stages of checkpoints are not those that there are")
    if found.curves.keys() != set(AXES):
        raise ValueError("its curves are not those of the axes")
    for axis, steps in found.curves.items():
        if len(steps.x) != len(steps.y) or list(steps.x) != sorted(steps.x):
            raise ValueError(f"its curve along {axis} has no steps of a place and a score each")
    return found


def weighted_median(counts: Mapping[int, int]) -> float:
    """The median of numbers that are there so many times each; NaN of none."""
    numbers = np.array(sorted(counts), np.int64)
    ends = np.cumsum([counts[number] for number in numbers.tolist()])
    if not len(ends):
        return float("nan")
    middle = np.searchsorted(ends, [(ends[-1] - 1) // 2, ends[-1] // 2], side="right")
    return float(numbers[middle].mean())


def _made(record: Record) -> dict[int, int]:
    """What each member made: the iteration of its last score, which it had not when it was done before."""
    made = np.full(size(record), -1)
    for table in (record.timeline, record.forks):
        made[table.member[table.member >= 0]] = 0
    made[record.scores.member] = 0
    fresh = ~record.scores.done
    made[record.scores.member[fresh]] = record.scores.iteration[fresh]
    found, counts = np.unique(made[made >= 0], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


@cache
def _adapter() -> TypeAdapter[Measures]:
    return TypeAdapter(Measures)
