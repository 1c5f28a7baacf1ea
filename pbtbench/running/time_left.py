"""How long a study still takes: from runs of the same kind, of those that it has made or that were kept."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable

from pbtbench.runs import Run

Kind = tuple[object, ...]


class TimeLeft:
    """An estimate, kept up to date. A run is taken to last as those that differ from it by seed alone; else as
    those of its problem, engine, population and budget; else as the mean of all such kinds."""

    def __init__(self, missing: Iterable[Run], took: Iterable[tuple[Run, float]] = ()) -> None:
        self._missing = Counter(_own(run) for run in missing)
        self._seconds: dict[Kind, float] = defaultdict(float)
        """What the runs of each kind took together, so many as `_made` has."""
        self._made: Counter[Kind] = Counter()
        for run, seconds in took:
            self._add(run, seconds)

    def ended(self, run: Run, seconds: float) -> None:
        """One of the missing runs has been made: wall seconds, to the start of the next."""
        self._missing[_own(run)] -= 1
        self._add(run, seconds)

    def range_s(self) -> tuple[float, float] | None:
        """The least and the most that it may take, in seconds; None while nothing is known."""
        means = {kind: seconds / self._made[kind] for kind, seconds in self._seconds.items()}
        alike = [mean for kind, mean in means.items() if len(kind) == LENGTH]
        if not alike:
            return None
        low = high = 0.0
        for kind, count in self._missing.items():
            known = means.get(kind, means.get(kind[:LENGTH]))
            low += count * (min(alike) if known is None else known)
            high += count * (max(alike) if known is None else known)
        return low, high

    def _add(self, run: Run, seconds: float) -> None:
        own = _own(run)
        for kind in (own, own[:LENGTH]):
            self._seconds[kind] += seconds
            self._made[kind] += 1


LENGTH = 6
"""How much of a run's kind it has in common with those of other methods."""


def _own(run: Run) -> Kind:
    return (
        run.problem,
        json.dumps(run.problem_options, sort_keys=True),
        run.engine_label,
        run.population,
        run.workers,
        run.iterations,
        run.method,
        run.interval,
    )
