"""The series of a history: a measure of a benchmark's method over its sittings, and the steps in it.

What repeats exactly changes at once: any difference from one sitting to the next is a step. Of times and
shares the steps are change points. Where the benchmark itself changed, its series is cut, and no step
reaches over a cut; another machine has series of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

import numpy as np

from pbtbench.regression.change_points import LEAST, change_points
from pbtbench.regression.gate import exact_change
from pbtbench.regression.history import Line, Point
from pbtbench.regression.kinds import KINDS, Kind, base
from pbtbench.regression.stages import Change, of_medians
from pbtbench.regression.thresholds import Thresholds

NEAR = 5
"""Points on either side of a step by which is told where it comes from: what changed later is no part of it."""


@dataclass(frozen=True)
class Step:
    """A change of level."""

    place: int
    """Of the first point of the new level."""
    verdict: Literal["worse", "better"]
    before: float
    after: float
    seeds: str = ""
    """Of what repeats exactly: in how many of them it changed."""
    where: tuple[Change, ...] = ()
    """Of times and shares: where the change comes from."""


@dataclass(frozen=True)
class Series:
    """A measure of a benchmark's method on one machine, over its sittings."""

    benchmark: str
    label: str
    measure: str
    exact: bool
    lines: tuple[Line, ...]
    """The sittings, in their order."""
    values: np.ndarray
    """The median of each; infinite where a target was missed."""
    range: tuple[float, float]
    """The least and the most of the last one's rounds."""
    cuts: tuple[int, ...]
    """Where the benchmark became another one of the same name."""
    steps: tuple[Step, ...]

    @property
    def kind(self) -> Kind:
        """What the measure is."""
        return KINDS[base(self.measure)]

    @property
    def missing(self) -> int:
        """How many points the series lacks, since it was cut, to have a step."""
        last = self.cuts[-1] if self.cuts else 0
        return max(0, (2 if self.exact else 2 * LEAST) - (len(self.values) - last))

    @property
    def levels(self) -> list[tuple[int, int, float]]:
        """The first point of each level, the one behind its last, and the median."""
        bounds = sorted({0, *self.cuts, *(step.place for step in self.steps), len(self.values)})
        return [(a, b, median(self.values[a:b].tolist())) for a, b in pairwise(bounds)]


def series(lines: Sequence[Line], thresholds: Thresholds) -> list[Series]:
    """The series of a machine's sittings: of what a gate with these thresholds looks at."""
    found: list[Series] = []
    names = dict.fromkeys(
        (name, label)
        for line in reversed(lines)
        for name, labels in line.benchmarks.items()
        for label in labels
    )
    for benchmark, label in names:
        there = tuple(line for line in lines if label in line.benchmarks.get(benchmark, ()))
        method = _Method(there, [line.benchmarks[benchmark][label] for line in there])
        allowed = thresholds.of(benchmark)
        for measure in method.medians:
            if measure not in allowed and base(measure) not in allowed:
                continue
            exact = all(point.repeats(measure) for point in method.points[method.last :])
            if not exact and KINDS[base(measure)] == "score":
                continue
            found.append(
                Series(
                    benchmark,
                    label,
                    measure,
                    exact,
                    there,
                    method.medians[measure],
                    method.points[-1].range(measure)[1:],
                    tuple(method.cuts),
                    tuple(method.steps(measure)),
                )
            )
    return found


class _Method:
    """What a benchmark's method measured in each of its sittings."""

    def __init__(self, lines: Sequence[Line], points: list[Point]) -> None:
        self.points = points
        self.cuts = [
            place
            for place, (one, other) in enumerate(pairwise(points), 1)
            if (one.definition, one.rounds) != (other.definition, other.rounds)
        ]
        self.last = self.cuts[-1] if self.cuts else 0
        order = {name: place for place, name in enumerate(KINDS)}
        measures = {m for p in points for m in (*p.exact, *p.spread) if base(m) in KINDS}
        self.medians = {
            measure: np.array([point.range(measure)[0] for point in points])
            for measure in sorted(measures, key=lambda m: (order[base(m)], m))
        }

    def steps(self, measure: str) -> Iterator[Step]:
        """The steps of a measure."""
        for start, end in pairwise([0, *self.cuts, len(self.points)]):
            exact = all(point.repeats(measure) for point in self.points[start:end])
            of_piece = self._exact_steps if exact else self._steps
            yield from of_piece(measure, start, end)

    def _exact_steps(self, measure: str, start: int, end: int) -> Iterator[Step]:
        goal = self.points[start].goal
        sign = -1 if KINDS[base(measure)] == "score" and goal == "max" else 1
        medians = self.medians[measure]
        for place in range(start + 1, end):
            before, after = (self.points[at].each(measure) for at in (place - 1, place))
            if before == after:
                continue
            changed, worse = exact_change(np.array(before), np.array(after), sign)
            if changed:
                yield Step(
                    place,
                    "worse" if worse else "better",
                    float(medians[place - 1]),
                    float(medians[place]),
                    seeds=f"in {changed} of {len(after)} seeds",
                )

    def _steps(self, measure: str, start: int, end: int) -> Iterator[Step]:
        places = [start + place for place in change_points(self.medians[measure][start:end])]
        bounds = [start, *places, end]
        for first, place, last in zip(bounds, places, bounds[2:], strict=False):
            before, after = self._levels(first, place), self._levels(place, last)
            near = max(first, place - NEAR), min(last, place + NEAR)
            where = of_medians(self._levels(near[0], place), self._levels(place, near[1]))
            was, now = before[measure], after[measure]
            yield Step(place, "worse" if now > was else "better", was, now, where=tuple(where))

    def _levels(self, start: int, end: int) -> dict[str, float]:
        """Measure -> its level there."""
        return {name: median(of[start:end].tolist()) for name, of in self.medians.items()}
