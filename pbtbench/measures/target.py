"""When a run reached a target, on three axes, and what that takes on average (METHOD 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pbtbench.measures.quality import objective_scores
from pbtbench.problem import Objective
from pbtbench.record import Outcome
from pbtbench.schema import Total


@dataclass(frozen=True)
class Attempt:
    """One run at one target. What a missed target would have taken is None: censored."""

    target: float
    cause: Literal["", "budget", "crash", "hang"]
    """Empty if the target was reached."""
    seconds: float | None
    """Wall seconds from the start of the run to the first score that reached the target."""
    iterations: Total | None
    """Iterations of the member that reached it."""
    member_iterations: Total | None
    """Iterations of all members until then: the population's work."""
    worker_seconds: float | None
    """Wall seconds × workers: the cost."""
    spent_s: float
    """Wall seconds spent on the target: `seconds`, or the whole run's where it was missed."""
    spent_member_iterations: Total
    """The same as work."""

    @property
    def reached(self) -> bool:
        """Whether the run reached it."""
        return not self.cause


def attempt(objective: Objective, target: float, outcome: Outcome) -> Attempt:
    """How a run fared with a target. A run that ended early after reaching it did reach it.

    Members of a stacked population score at one moment: all of these scores are work done.
    """
    scores = outcome.record.scores
    hit = objective.reached(objective_scores(objective, scores), target)
    if not hit.any():
        cause = outcome.cause or "budget"
        return Attempt(target, cause, None, None, None, None, outcome.wall_s, len(scores))  # type: ignore[arg-type]
    first = int(hit.argmax())
    seconds = float(scores.t_s[first])
    work = int(np.searchsorted(scores.t_s, seconds, side="right"))
    iterations = int(scores.iteration[first])
    return Attempt(target, "", seconds, iterations, work, seconds * outcome.workers, seconds, work)


def ert(spent: Sequence[float], reached: Sequence[bool]) -> float:
    """Expected running time: all that was spent, failed runs at their cut-off, over the number of
    successes; infinite without one (Hansen et al. 2021, COCO; METHOD 2). NaN for no runs."""
    if not spent:
        return math.nan
    successes = sum(reached)
    return sum(spent) / successes if successes else math.inf
