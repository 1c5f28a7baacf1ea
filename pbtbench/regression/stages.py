"""Where a change comes from: the stages of a run that take longer, and what there is more of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pbtbench.regression.exchange import Entry
from pbtbench.regression.kinds import STAGES

SHARE = 0.25
"""A stage is named whose change is at least that share of the whole change of all stages."""

MORE = 1.2
"""What takes so many times as long, or there is so many times as much of, is named; and the inverse."""

COUNTED = ("forks", "saves", "restores", "bytes_saved", "bytes_moved")


@dataclass(frozen=True)
class Change:
    """A stage, or what is counted, that changed; of its medians over the rounds."""

    name: str
    """Such as `restore`, `forks`."""
    what: Literal["stage", "count"]
    base: float
    new: float


def changes(base: Entry, new: Entry) -> list[Change]:
    """What changed most: stages that got longer or shorter with the whole, then counts."""
    return of_medians(
        *({name: _median(of, name) for name in (*STAGES, *COUNTED)} for of in (base, new))
    )


def of_medians(base: Mapping[str, float], new: Mapping[str, float]) -> list[Change]:
    """The same, of each measure's median; one that isn't there is 0."""
    stages = [
        Change(name.removesuffix("_s"), "stage", base.get(name, 0.0), new.get(name, 0.0))
        for name in STAGES
    ]
    whole = sum(stage.new - stage.base for stage in stages)
    found = [s for s in stages if whole and (s.new - s.base) / whole >= SHARE and _apart(s)]
    found.sort(key=lambda stage: -abs(stage.new - stage.base))
    counts = [Change(name, "count", base.get(name, 0.0), new.get(name, 0.0)) for name in COUNTED]
    return found + [count for count in counts if count.base and _apart(count)]


def _apart(change: Change) -> bool:
    return max(change.base, change.new) >= MORE * min(change.base, change.new)


def _median(of: Entry, measure: str) -> float:
    values = [value for value in of.measures.get(measure, ()) if value is not None]
    return float(np.median(values)) if values else 0.0
