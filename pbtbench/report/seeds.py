"""What a study's seeds can decide, in a table and in sentences (METHOD 7)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, plural
from pbtbench.statistics.baselines import LEVEL, Comparison
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.power import FEWEST, POWER
from pbtbench.statistics.seeds import MOST, plan

ABOUT = (
    "Difference: of mean scores, above 0 where the method is better, whatever the problem's goal; over pairs "
    "of seeds where both have the same. Better with probability: how likely a run of the method ends better "
    "than one of the baseline, ties counting half. Verdict: chance is ruled out over all comparisons of the "
    "problem (signed-rank test, Holm). Could show: the smallest difference that so many seeds show in 4 of 5 "
    "studies."
)
"""What the table's columns are."""

TOO_FEW = "too few"
"""Where seeds are too few to say what they could show."""


def table(comparisons: Sequence[Comparison], *, wide: bool = True) -> Table:
    """A row for each comparison of one problem or several. Differences are above 0 where the method is better.
    Not `wide`: without intervals."""
    problems = len({c.one.problem for c in comparisons}) > 1
    engines = len({c.one.engine for c in comparisons}) > 1
    header = [*["problem"] * problems, "method", "against", *["engine"] * engines, "n"]
    header += ["difference", *["95% interval", "better with probability"] * wide]
    header += ["verdict", "could show", "seeds to show it"]
    body = []
    for c in comparisons:
        tie = c.verdict == "tie"
        line = [*[c.one.problem] * problems, c.one.label, c.baseline.label]
        line += [*[c.one.engine] * engines, str(c.n), number(c.difference.value)]
        line += [*[interval(c.difference), _improvement(c)] * wide, c.verdict]
        line += [NONE, NONE] if tie else [_smallest(c), seeds(c.seeds_needed)]
        body.append(line)
    return Table(header, body, left=2 + problems + engines)


def sentences(comparisons: Sequence[Comparison], level: float = LEVEL) -> Iterator[str]:
    """What is decided at that level, and what is not."""
    counts = {
        v: sum(c.verdict == v for c in comparisons) for v in ("win", "loss", "tie", "unclear")
    }
    yield (
        f"Of {plural(len(comparisons), 'comparison')} with a baseline: {counts['win']} won, "
        f"{counts['loss']} lost, {counts['tie']} tied, {counts['unclear']} unclear "
        f"(level {level:.2g} over each problem's comparisons)."
    )
    yield from more_seeds(comparisons)


def more_seeds(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """How many seeds would decide what is unclear, and what none would."""
    unclear = [c for c in comparisons if c.verdict == "unclear"]
    found = plan(comparisons)
    if found is not None and found.shows:
        yield (
            f"With {plural(found.seeds, 'seed')} {found.shows} of the {found.unclear} unclear would be "
            f"decided, with probability {POWER:g} each, if the differences are what they look like now."
        )
    if few := sum(c.seeds_needed is None for c in unclear):
        yield (
            f"{few} of the unclear have fewer than {FEWEST} seeds, or runs without a score: too little to say "
            "what they could show."
        )
    if small := sum(map(_too_small, unclear)):
        yield f"{small} of the unclear differ so little, if at all, that {MOST:,} seeds would not show it."


def interval(estimate: Estimate) -> str:
    """`−0.1 to 0.3`; nothing where there is none."""
    if math.isnan(estimate.low) or (math.isinf(estimate.low) and math.isinf(estimate.high)):
        return NONE
    return f"{number(estimate.low)} to {number(estimate.high)}"


def seeds(needed: Estimate | None) -> str:
    """How many seeds would show a difference: `23 (12 to 80)`."""
    if needed is None:
        return TOO_FEW
    if not needed.value <= MOST:
        return f"over {MOST:,}"
    low = f"{math.ceil(needed.low):,}" if math.isfinite(needed.low) else NONE
    high = f"{math.ceil(needed.high):,}" if needed.high <= MOST else f"over {MOST:,}"
    return f"{math.ceil(needed.value):,} ({low} to {high})"


def _improvement(c: Comparison) -> str:
    """`0.9 (0.6 to 1)`."""
    return f"{number(c.improvement.value)} ({interval(c.improvement)})"


def _smallest(c: Comparison) -> str:
    if c.smallest_difference is None:
        return TOO_FEW
    return number(c.smallest_difference.value)


def _too_small(c: Comparison) -> bool:
    return c.seeds_needed is not None and not c.seeds_needed.value <= MOST
