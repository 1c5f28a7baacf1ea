"""How members do on data that no decision saw: measured once, when the time of their run is over.

What goes wrong then costs the run its test scores, and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.population import FullPopulation
from pbtbench.process import Terminated
from pbtbench.protocol import scores
from pbtbench.recorder import Recorder
from pbtbench.user_code import tracebacks


@dataclass(frozen=True)
class Tested:
    """What came of testing some members. Plain data."""

    members: Sequence[int]
    scores: Sequence[float] = ()
    """Of the objective, one for each member; none where it went wrong."""
    why: str = ""
    """What went wrong, in a line."""


def tested(population: FullPopulation, metric: str, members: Sequence[int]) -> Tested | None:
    """The members of a population, tested; None where there are no data for it."""
    try:
        if not population.tested:
            return None
        found = scores(population.test(), metric, len(members), "test()")[metric]
    except Terminated:
        raise
    except BaseException as error:
        print(tracebacks.whole(error), file=sys.stderr, flush=True)
        return Tested(members, why=f"test(): {tracebacks.line(error)}")
    return Tested(members, found.tolist())


def note(found: Tested | None, recorder: Recorder) -> None:
    """Record what came of it."""
    if found is None:
        return
    if found.why:
        recorder.note("untested", found.why, member=min(found.members))
    for member, score in zip(found.members, found.scores, strict=False):
        recorder.note("test", value=score, member=member)
