"""How methods compare by their final scores: what ties, who is best, and how sure a difference is.

Scores tie that are less than one in the fourth significant digit apart: what reports show as equal is
never called better. A difference of medians is put down to every seed only where the seeds' ranges
don't overlap, and even then chance is ruled out only from `SURE` on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbtbench.report.wording import listed, plural
from pbtbench.statistics.cells import Cell

DIGITS = 4
"""Significant digits by which scores are told apart."""

SURE = 20
"""How many ways of dealing out the scores there must be for each in which all of one method's are better:
1 in 20 is the usual 5%. Two seeds against two have 3, four against four 35."""


def tied(a: float, b: float) -> bool:
    """Whether two numbers are equal to four significant digits: less than one of the last apart."""
    largest = max(abs(a), abs(b))
    if a == b or not math.isfinite(largest) or largest == 0:
        return a == b
    unit = 10.0 ** (math.floor(math.log10(largest)) - DIGITS + 1)
    return abs(a - b) < unit * (1 - 1e-6)


def best(cells: Sequence[Cell]) -> list[Cell]:
    """Those whose median final score no other beats: one, or all that tie. Cells without one are none."""
    known = [c for c in cells if c.scored]
    if not known:
        return []
    top = max(known, key=lambda c: c.run.card.objective.sign * c.final.median)
    return [c for c in known if tied(c.final.median, top.final.median)]


Claim = tuple[str, str]
"""Such as `pbt k=1 beats random`, and how sure that is, which `claimed` puts behind it."""


def claimed(claims: Sequence[Claim]) -> str:
    """The claims as one text; how sure they are is said once where it is the same of all."""
    sure = {how for _, how in claims}
    if len(claims) > 1 and len(sure) == 1 and all(sure):
        return f"{'; '.join(text for text, _ in claims)}: all{sure.pop().lstrip(',')}"
    return "; ".join(text + how for text, how in claims)


def against(one: Cell, others: Sequence[Cell]) -> Claim:
    """How `one` fares against the best of the others."""
    rivals = best(others)
    names = listed([c.label for c in rivals])
    if all(tied(one.final.median, c.final.median) for c in rivals):
        return f"{one.label} ties with {names} ({_equal([one, *rivals])})", ""
    sign = one.run.card.objective.sign
    verb = "beats" if sign * one.final.median > sign * rivals[0].final.median else "loses to"
    return f"{one.label} {verb} {names}", how(one, rivals)


def how(one: Cell, others: Sequence[Cell]) -> str:
    """How sure a difference from the others' medians is, as the end of a sentence."""
    counts = [one.final.n, *(c.final.n for c in others)]
    seeds = plural(counts[0], "seed")
    if len(set(counts)) > 1:
        seeds = f"{min(counts)} to {max(counts)} seeds"
    if min(counts) == 1:
        return ", with too few seeds to know the spread"
    if not all(apart(one, c) for c in others):
        return f" on the median of {seeds}, which overlap"
    chance = "" if all(sure(one, c) for c in others) else ", too few to rule out chance"
    return f" in each of {seeds}{chance}"


def apart(one: Cell, other: Cell) -> bool:
    """Whether all final scores of one are better than all of the other; never with a seed alone."""
    low, high = sorted((one.final, other.final), key=lambda spread: spread.median)
    return min(low.n, high.n) > 1 and low.high < high.low and not tied(low.high, high.low)


def sure(one: Cell, other: Cell) -> bool:
    """Whether so many seeds would be apart by chance in no more than 1 of `SURE` studies."""
    return math.comb(one.final.n + other.final.n, one.final.n) >= 2 * SURE


def tie(cells: Sequence[Cell]) -> str:
    """That they tie, such as `k=1 and k=2 tie (equal scores)`, without their names."""
    return f"tie ({_equal(cells)})"


def _equal(cells: Sequence[Cell]) -> str:
    first = cells[0].final
    same = all(
        (c.final.low, c.final.median, c.final.high) == (first.low, first.median, first.high)
        for c in cells
    )
    return "equal scores" if same else f"medians equal to {DIGITS} digits"
