"""How many seeds a study lacks to decide what it left unclear (METHOD 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.statistics.baselines import Comparison
from pbtbench.statistics.power import FEWEST

MOST = 1000
"""Seeds beyond which a difference counts as too small to be shown."""

AT_ONCE = 5
"""So many times the seeds that there are, a plan adds at most, where fewer show anything."""

START = 10
"""Seeds to begin with, where there are too few to say: what tables for publication ask for (METHOD 3)."""


@dataclass(frozen=True)
class Plan:
    """How many seeds to have, in all, and what they would decide with a probability of 0.8 each."""

    seeds: int
    shows: int
    """How many of the unclear comparisons they would decide, if the differences are as they look now."""
    unclear: int
    """How many there are."""
    too_few: int
    """Of these, how many have too few seeds to say."""
    too_small: int
    """Of these, how many differences are too small for `MOST` seeds."""


def plan(comparisons: Sequence[Comparison]) -> Plan | None:
    """The seeds that show most of what is unclear, within `AT_ONCE` times those that there are, or else the
    easiest difference. None where nothing is unclear, or all is too small."""
    unclear = [c for c in comparisons if c.verdict == "unclear"]
    if not unclear:
        return None
    needed = sorted(
        max(math.ceil(c.seeds_needed.value), c.n + 1)
        for c in unclear
        if c.seeds_needed is not None and c.seeds_needed.value <= MOST
    )
    too_few = sum(c.seeds_needed is None for c in unclear)
    now = max(c.n for c in unclear)
    within = [n for n in needed if n <= AT_ONCE * max(now, FEWEST)] or needed[:1]
    if not within and not too_few:
        return None
    seeds = max([*within, *([START] if too_few else [])])
    return Plan(
        seeds=seeds,
        shows=sum(n <= seeds for n in needed),
        unclear=len(unclear),
        too_few=too_few,
        too_small=len(unclear) - too_few - len(needed),
    )
