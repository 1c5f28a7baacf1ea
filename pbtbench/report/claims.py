"""How methods compare, in words (`statistics.compare` says what is so)."""

from __future__ import annotations

from collections.abc import Sequence

from pbtbench.report.wording import counted, listed
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.compare import DIGITS, Verdict, certainty, same

Claim = tuple[str, str]
"""Such as `pbt k=1 beats random`, and how sure that is, which `claimed` puts behind it."""


def claimed(claims: Sequence[Claim]) -> str:
    """The claims as one text; how sure they are is said once where it is the same of all."""
    sure = {how for _, how in claims}
    if len(claims) > 1 and len(sure) == 1 and all(sure):
        return f"{'; '.join(text for text, _ in claims)}: all{sure.pop().lstrip(',')}"
    return "; ".join(text + how for text, how in claims)


def claim(verdict: Verdict, among: int) -> Claim:
    """How a method fares against the best of others. `among`: as `compare.certainty` has it."""
    one, rivals = verdict.one, verdict.rivals
    names = listed([c.label for c in rivals])
    if verdict.better is None:
        return f"{one.label} ties with {names} ({_equal([one, *rivals])})", ""
    return f"{one.label} {'beats' if verdict.better else 'loses to'} {names}", how(
        one, rivals, among
    )


def how(one: Cell, others: Sequence[Cell], among: int) -> str:
    """How sure a difference from the others' medians is, as the end of a sentence."""
    found = certainty(one, others, among)
    seeds = counted([found.fewest, found.most], "seed")
    return {
        "one seed": ", with too few seeds to know the spread",
        "overlap": f" on the median of {seeds}, which overlap",
        "chance": f" in each of {seeds}, too few to rule out chance",
        "sure": f" in each of {seeds}",
    }[found.of]


def tie(cells: Sequence[Cell]) -> str:
    """That they tie, such as `tie (equal scores)`, without their names."""
    return f"tie ({_equal(cells)})"


def _equal(cells: Sequence[Cell]) -> str:
    return "equal scores" if same(cells) else f"medians equal to {DIGITS} digits"
