"""Comparisons with baselines in clauses of a sentence, by the verdicts of `statistics.baselines`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pbtbench.report.seeds import interval
from pbtbench.report.wording import listed, number, plural
from pbtbench.statistics.baselines import Comparison, Verdict
from pbtbench.statistics.estimate import Estimate, turned
from pbtbench.statistics.power import FEWEST, POWER
from pbtbench.statistics.seeds import MOST

NAMED = 3
"""Methods that are named in a sentence; more are counted."""


def clauses(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Of one engine and cluster: losses, wins, ties, and what is undecided; of several the clearest in full."""
    of = {v: [c for c in comparisons if c.verdict == v] for v in ("loss", "win", "tie", "unclear")}
    for verdict in ("loss", "win"):
        decided = sorted(of[verdict], key=lambda c: -abs(c.improvement.value - 0.5))
        if decided:
            also = f"; so {'do' if len(decided) > 2 else 'does'} {_pairs(decided[1:], 'than')}"
            yield f"{_decided(decided[0])}{also if decided[1:] else ''}"
    if of["tie"]:
        yield f"equal seed by seed (n = {counts(of['tie'])}): {_pairs(of['tie'], 'and')}"
    if of["unclear"] and len(of["unclear"]) < len(comparisons):
        yield f"undecided (n = {counts(of['unclear'])}): {_pairs(of['unclear'], 'against')}"
    elif of["unclear"]:
        yield _undecided(of["unclear"])


def in_short(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """The same in few words: `pbt k=1 loses to random and grid; 3 of 5 undecided (n = 5)`."""
    verbs: Sequence[tuple[Verdict, str]] = (
        ("loss", "loses to"),
        ("win", "beats"),
        ("tie", "ties with"),
    )
    each = []
    for verdict, verb in verbs:
        against: dict[str, list[str]] = {}
        for c in comparisons:
            if c.verdict == verdict:
                against.setdefault(c.one.label, []).append(c.baseline.label)
        each += [f"{label} {verb} {listed(others)}" for label, others in against.items()]
    unclear = sum(c.verdict == "unclear" for c in comparisons)
    if unclear:
        each.append(f"{unclear} of {plural(len(comparisons), 'comparison')} undecided")
    yield f"{'; '.join(each)} (n = {counts(comparisons)})"


def _decided(c: Comparison) -> str:
    """`pbt k=1 ends worse than random by 0.05 (95% interval 0.03 to 0.07, n = 10)`."""
    sign = 1 if c.verdict == "win" else -1
    ends = f"{c.one.label} ends {'better' if sign > 0 else 'worse'} than {c.baseline.label}"
    size = _size(c.difference, sign)
    if size is not None and math.isfinite(size.value):
        return f"{ends} by {number(size.value)} (95% interval {interval(size)}, n = {c.n})"
    share = c.improvement
    return (
        f"{ends} (probability of the better score {number(share.value)}, 95% interval "
        f"{interval(share)}, n = {c.n}), by how much is not clear"
    )


def _size(difference: Estimate, sign: int) -> Estimate | None:
    """A difference as a size above 0; None if its interval has 0 in it."""
    size = turned(difference, sign)
    return size if size.low > 0 else None


def _undecided(unclear: Sequence[Comparison]) -> str:
    """Which comparisons these seeds can't decide, and what they could have shown, or what would."""
    n = max(c.n for c in unclear)
    pairs, of = _pairs(unclear, "against"), counts(unclear)
    if n < 2:
        return f"one seed decides nothing (n = {of}): {pairs}"
    text = f"these seeds decide nothing about {pairs} (n = {of})"
    known = [
        (c, c.smallest_difference, c.seeds_needed)
        for c in unclear
        if c.smallest_difference is not None and c.seeds_needed is not None
    ]
    if not known:
        return f"{text}: {_too_few(n)}"
    nearest = min(known, key=lambda of: of[2].value)
    return f"{text}: {_power(*nearest, alone=len(unclear) == 1)}"


def _too_few(n: int) -> str:
    """Why nothing can be said of what the seeds could have shown."""
    if n < FEWEST:
        return f"fewer than {FEWEST} are too few to say what they could have shown"
    return "what they could have shown, runs without a score leave open"


def _power(c: Comparison, smallest: Estimate, needed: Estimate, *, alone: bool) -> str:
    """`they could have shown a difference of 0.02; 23 seeds would show the 0.009 that was seen`: of one
    comparison by itself."""
    which = "they" if alone else f"of {c.one.label} against {c.baseline.label} they"
    size = abs(c.difference.value)
    seen, least = number(size), number(smallest.value)
    if size >= smallest.value:
        return (
            f"{which} could have shown a difference of {least} by their spread, and {seen} was seen, but "
            "ranks of so few seeds, over all comparisons of the problem, don't rule out chance"
        )
    text = f"{which} could have shown a difference of {least}"
    if not needed.value <= MOST:
        return f"{text} (power {POWER:g}); {MOST:,} seeds would not show the {seen} that was seen"
    seeds = max(math.ceil(needed.value), c.n + 1)
    return f"{text}; {seeds:,} seeds would show the {seen} that was seen (power {POWER:g})"


def _pairs(comparisons: Sequence[Comparison], word: str) -> str:
    """`pbt k=1 against random and grid, pbt k=5 against grid`."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in dict.fromkeys(c.one.label for c in comparisons):
        others = tuple(sorted({c.baseline.label for c in comparisons if c.one.label == one}))
        found.setdefault(others, []).append(one)
    return ", ".join(f"{some(ones)} {word} {some(others)}" for others, ones in found.items())


def some(names: Sequence[str]) -> str:
    """The names, or the first and how many more there are."""
    if len(names) <= NAMED:
        return listed(names)
    return listed([*names[:NAMED], f"{len(names) - NAMED} more"])


def counts(comparisons: Sequence[Comparison]) -> str:
    """Of how many seeds comparisons are."""
    return numbers([c.n for c in comparisons])


def numbers(counts: Sequence[int]) -> str:
    """`10`, or `2 to 10`."""
    least, most = min(counts), max(counts)
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"
