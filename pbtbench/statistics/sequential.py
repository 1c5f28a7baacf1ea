"""When to stop adding seeds, without more false verdicts for having looked often (METHOD 7).

Seeds are added up to fixed numbers, and at each a verdict has its share of the level (Bonferroni over
looks), Holm's over the comparisons of a problem within it. So the chance of any win or loss where there is
no difference is at most `LEVEL`, however often is looked; `results/sequential.csv` has the simulated rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pbtbench.statistics.baselines import LEVEL, Comparison

LOOKS = (10, 20, 40)
"""Seeds at which is looked. With 10 pairs a signed-rank test can come down to 0.002."""

LEVEL_AT_LOOK = LEVEL / len(LOOKS)
"""What `baselines.comparisons` takes as its level at a look."""


def level(declared: Mapping[str, Any]) -> float:
    """At which the comparisons of a study are judged, by what its `study.toml` declares."""
    return LEVEL_AT_LOOK if declared.get("until_clear") is True else LEVEL


def next_look(comparisons: Sequence[Comparison], seeds: int) -> int | None:
    """How many seeds to have next, by comparisons at `LEVEL_AT_LOOK` over so many seeds; None where all are
    clear, or the last look is done."""
    later = [n for n in LOOKS if n > seeds]
    unclear = not comparisons or any(c.verdict == "unclear" for c in comparisons)
    return later[0] if later and unclear else None
