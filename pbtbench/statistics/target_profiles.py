"""How soon methods reach targets, over problems: COCO's runtime, AlgoPerf's performance profiles (METHOD 2).

On each engine and cluster by itself, so that seconds of unlike machines are never held against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pbtbench.statistics.attempts import attempts
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.overall import shared
from pbtbench.statistics.profiles import (
    PerformanceProfile,
    Profile,
    performance_profiles,
    runtime_profile,
)
from pbtbench.statistics.speedups import Cost
from pbtbench.statistics.time_to_target import Attempts


@dataclass(frozen=True)
class TargetProfiles:
    """Methods on one engine and cluster, over the problems that all of them tried."""

    engine: str
    cluster: str
    cost: Cost
    problems: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    """What takes no part: problem or method with its interval -> what of the others it was not tried with."""
    pairs: int
    """Problems and targets of the runtime profiles: the targets that all runs of a problem tried."""
    runtime: Mapping[str, Profile]
    """Label -> share of the pairs that are reached."""
    performance: Mapping[str, PerformanceProfile]
    """Label -> share of the problems on which it is near the best, each at the
    hardest target that any method reached there, or else the hardest that was tried."""
    paired: bool
    """Whether all methods have the same seeds of each problem."""


def target_profiles(cells: Sequence[Cell], cost: Cost) -> list[TargetProfiles]:
    """Profiles for each engine and cluster where two methods or more share two problems with targets."""
    of_place: dict[tuple[str, str], dict[str, dict[str, Cell]]] = {}
    for c in cells:
        if c.targets:
            of_place.setdefault((c.engine, c.cluster), {}).setdefault(c.label, {})[c.problem] = c
    found = []
    for place, of in of_place.items():
        common = shared({label: list(mine) for label, mine in of.items()})
        tried = {p: _tried([of[label][p] for label in common.labels]) for p in common.problems}
        problems = [p for p in common.problems if tried[p]]
        if len(common.labels) > 1 and len(problems) > 1:
            table = {label: [of[label][p] for p in problems] for label in common.labels}
            profiles = _profiles(*place, table, [tried[p] for p in problems], cost)
            found.append(replace(profiles, missing=common.missing))
    return found


def _profiles(
    engine: str,
    cluster: str,
    of: Mapping[str, Sequence[Cell]],
    tried: Sequence[Sequence[float]],
    cost: Cost,
) -> TargetProfiles:
    """`of`: label -> its cells, problem by problem; `tried`: the targets of each problem."""
    rows = list(zip(*of.values(), strict=True))
    paired = all(len({tuple(sorted(_seeds(c))) for c in row}) == 1 for row in rows)
    targets = [_hardest(row, each) for row, each in zip(rows, tried, strict=True)]
    return TargetProfiles(
        engine=engine,
        cluster=cluster,
        cost=cost,
        problems=tuple(row[0].problem for row in rows),
        missing={},
        pairs=sum(map(len, tried)),
        runtime={
            label: runtime_profile(
                [[_by_seed(c, t, cost) for t in each] for c, each in zip(mine, tried, strict=True)]
            )
            for label, mine in of.items()
        },
        performance=performance_profiles(
            {
                label: [_by_seed(c, t, cost) for c, t in zip(mine, targets, strict=True)]
                for label, mine in of.items()
            },
            paired=paired,
        ),
        paired=paired,
    )


def _hardest(cells: Sequence[Cell], targets: Sequence[float]) -> float:
    """Of these targets, which any of these cells reached, if any."""
    sign = cells[0].run.card.objective.sign
    reached = {t.target for c in cells for t in c.targets if t.reached}.intersection(targets)
    return max(reached or targets, key=lambda target: sign * target)


def _tried(cells: Sequence[Cell]) -> list[float]:
    """The targets that all runs of these cells tried."""
    runs = [{a.target for a in m.attempts} for c in cells for m in c.measures]
    return sorted(set.intersection(*runs))


def _seeds(cell: Cell) -> list[int]:
    return [m.run.seed for m in cell.measures]


def _by_seed(cell: Cell, target: float, cost: Cost) -> Attempts:
    """The attempts in the order of the seeds."""
    ordered = replace(cell, measures=tuple(sorted(cell.measures, key=lambda m: m.run.seed)))
    return attempts(ordered, target, cost)
