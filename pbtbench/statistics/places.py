"""The same problems and methods at several places: which of them may be held against each other.

A place is a study's cluster on a machine. Scores and work (member-iterations) don't depend on it; seconds do,
so that they are compared within a place alone (METHOD 4: absolute seconds across machines are refused). Studies
that mean different things by one name (other code, options, budget, population or targets) are kept apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbtbench.measures import Measures
from pbtbench.measures.table import IDENTITY
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.statistics.compare import best
from pbtbench.statistics.targets import hardest, least_time


@dataclass(frozen=True)
class Place:
    """Where runs were made."""

    study: str
    """The study's name."""
    cluster: str
    machine: str
    """Its fingerprint; empty where nobody knows."""


@dataclass(frozen=True)
class Placed:
    """A method over its seeds, and where these were run."""

    place: Place
    cell: Cell
    best: bool
    """Whether no method of its place ends with a better score, and some with a worse one."""
    fastest_to: float | None
    """The hardest target that any method of its place reaches, if none takes less expected time to it, and some
    take longer or miss it."""


@dataclass(frozen=True)
class Comparable:
    """What studies mean the same by: a problem at one budget, and the methods that were run on it."""

    problem: str
    differences: Mapping[str, tuple[str, str]]
    """In what it differs from what the first study means by the problem's name: what -> how it is there, and
    here."""
    rows: Sequence[Placed]
    """By method, interval and engine, and within these by place."""

    @property
    def places(self) -> list[Place]:
        """Where anything of it was run."""
        return list(dict.fromkeys(row.place for row in self.rows))

    @property
    def studies(self) -> list[str]:
        """Which studies have it."""
        return list(dict.fromkeys(row.place.study for row in self.rows))


OF_PROBLEM: Mapping[str, Callable[[Cell], Any]] = {
    "the problem's code or options": lambda c: IDENTITY["problem_digest"](c.measures[0]),
    "options": lambda c: dict(c.run.problem_options),
    "metric": lambda c: (c.run.card.objective.metric, c.run.card.objective.goal),
    "iterations": lambda c: c.run.iterations,
    "population": lambda c: c.run.population,
    "targets": lambda c: c.run.targets,
}
"""What makes a problem another one -> its value."""


def side_by_side(studies: Mapping[str, Sequence[Measures]]) -> list[Comparable]:
    """What there is of several studies, by name: a `Comparable` for each problem, in the order in which they
    come, and for each way in which studies mean it."""
    found: dict[str, dict[str, list[tuple[Place, Cell]]]] = {}
    for study, measures in studies.items():
        for cell in cells_of(measures):
            key = _text({name: of(cell) for name, of in OF_PROBLEM.items()})
            found.setdefault(cell.problem, {}).setdefault(key, []).append(
                (_place(study, cell), cell)
            )
    return [
        Comparable(problem, _differences(first[0][1], placed[0][1]), _rows(placed))
        for problem, meanings in found.items()
        for first in [next(iter(meanings.values()))]
        for placed in meanings.values()
    ]


def other_methods(of: Comparable) -> dict[str, list[str]]:
    """Methods that studies mean different things by: a method's name -> the studies that do."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for row in of.rows:
        run = row.cell.run
        means = _text((run.kind, dict(run.method_options), run.synchronous))
        kinds.setdefault(run.method, {}).setdefault(means, []).append(row.place.study)
    return {
        method: list(dict.fromkeys(study for studies in means.values() for study in studies))
        for method, means in kinds.items()
        if len(means) > 1
    }


def _place(study: str, cell: Cell) -> Place:
    first = cell.measures[0]
    return Place(study, first.cluster, IDENTITY["machine"](first))


def _rows(placed: Sequence[tuple[Place, Cell]]) -> list[Placed]:
    of_place: dict[Place, list[Cell]] = {}
    for place, cell in placed:
        of_place.setdefault(place, []).append(cell)
    better = {id(cell) for cells in of_place.values() for cell in _better(cells)}
    faster = {id(cell): to for cells in of_place.values() for cell, to in _faster(cells)}
    rows = [Placed(place, cell, id(cell) in better, faster.get(id(cell))) for place, cell in placed]
    order: dict[tuple[str, str], int] = {}
    for row in rows:
        order.setdefault((row.cell.label, row.cell.engine), len(order))
    return sorted(rows, key=lambda row: order[row.cell.label, row.cell.engine])


def _better(cells: Sequence[Cell]) -> list[Cell]:
    """Those that end best, where some do worse."""
    first = best(cells)
    return first if len(first) < len(cells) else []


def _faster(cells: Sequence[Cell]) -> list[tuple[Cell, float]]:
    """Those that take least time to the hardest target, and that target, where some take longer or miss it."""
    hits = hardest(cells)
    least = least_time(hits).hits if hits else []
    return [(hit.cell, hit.target.target) for hit in least] if len(least) < len(cells) else []


def _differences(first: Cell, other: Cell) -> dict[str, tuple[str, str]]:
    both = {name: (_text(of(first)), _text(of(other))) for name, of in OF_PROBLEM.items()}
    return {name: (one, two) for name, (one, two) in both.items() if one != two}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=vars)
