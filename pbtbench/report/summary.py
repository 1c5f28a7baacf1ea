"""What a study says, in few sentences: how methods with an interval fare against baselines, first what speaks
against them.

Nothing is claimed but what the verdicts of `statistics.baselines` and intervals bear: an interval of a
difference that has 0 in it, or of a ratio that has 1, says nothing. Every sentence says of how many seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pbtbench.report.axes import NAMES
from pbtbench.report.seeds import interval
from pbtbench.report.standings import sentences as of_standing
from pbtbench.report.wording import listed, number, plural, times
from pbtbench.statistics.baselines import LEVEL, Comparison, Verdict, groups
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate, turned
from pbtbench.statistics.overall import Standing, Tally, tallies
from pbtbench.statistics.power import FEWEST
from pbtbench.statistics.seeds import MOST
from pbtbench.statistics.speedups import Speedup
from pbtbench.statistics.totals import totals

MANY = 10
"""Problems from which on each has but a short sentence."""

NAMED = 3
"""Methods that are named in a sentence; more are counted."""


OWN = ("on ", "these ", "one ", "none ", "against ", "equal ", "undecided ")
"""Beginnings of sentences that are ours, and no method's name."""


@dataclass(frozen=True)
class Summary:
    """Sentences, in order; those of a verdict against a method with an interval come first."""

    overall: tuple[str, ...]
    """Over all problems; empty of a single one, unless runs failed."""
    problems: tuple[tuple[str, tuple[str, ...]], ...]
    """A problem, and what is said of it: those first where methods with an interval lose."""


def summary(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    standings: Sequence[Standing],
    speedups: Sequence[Speedup],
) -> Summary:
    """The sentences of a study. `speedups`: on the axis that is to be told, such as worker-seconds."""
    names = list(dict.fromkeys(c.problem for c in cells))
    short = len(names) > MANY
    found = []
    for name in names:
        mine = [c for c in comparisons if c.one.problem == name]
        faster = [] if short else [s for s in speedups if s.one.problem == name]
        of = [c for c in cells if c.problem == name]
        said = (*_of_problem(of, mine, _short if short else _clauses), *_faster(faster))
        lost = any(c.verdict == "loss" for c in mine) or any(
            s.clear and s.ratio.high < 1 for s in faster
        )
        found.append((not lost, (name, said)))
    found.sort(key=lambda pair: pair[0])
    overall = [*_failed(cells)]
    if len(names) > 1:
        overall = [*_over_problems(comparisons), *_standing(standings), *overall]
    return Summary(tuple(overall), tuple(said for _, said in found if said[1]))


def _over_problems(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """For each engine how often methods win and lose against each baseline: those first that lose most."""
    engines = list(dict.fromkeys(c.one.engine for c in comparisons))
    for engine in engines:
        mine = [c for c in comparisons if c.one.engine == engine]
        where = f"On {engine}, " if len(engines) > 1 else ""
        problems = plural(len({c.one.problem for c in mine}), "problem")
        against = list(dict.fromkeys(c.baseline.label for c in mine))
        if all(c.verdict == "unclear" for c in mine):
            none = f"{where}none of {plural(len(mine), 'comparison')} with {_some(against)}"
            yield _capital(f"{none} on {problems} is decided by these seeds (n = {_counts(mine)}).")
            continue
        each = [_against([c for c in mine if c.baseline.label == name], name) for name in against]
        yield _capital(
            f"{where}{'; '.join(each)} (n = {_counts(mine)}; level {LEVEL:.0%} over each problem's "
            "comparisons)."
        )


def _against(comparisons: Sequence[Comparison], baseline: str) -> str:
    """`against random, pbt k=1 loses on 3 of 18 problems, wins on 9, is undecided on 6`."""
    found = sorted(tallies(comparisons), key=_losses)
    more = len(found) - NAMED
    rest = f", and {more} more in the table" if more > 0 else ""
    return f"against {baseline}, {', '.join(map(_tallied, found[:NAMED]))}{rest}"


def _losses(tally: Tally) -> tuple[int, int]:
    return -tally.counts.get("loss", 0), -tally.counts.get("win", 0)


def _tallied(tally: Tally) -> str:
    """`pbt k=1 loses on 3 and wins on 9 of 18 problems, which on 6 these seeds can't decide`."""
    verbs: Mapping[Verdict, str] = {
        "loss": "loses on",
        "win": "wins on",
        "tie": "ties on",
        "unclear": "is undecided on",
    }
    each = [f"{verb} {n}" for v, verb in verbs.items() if (n := tally.counts.get(v, 0))]
    return f"{tally.label} {listed(each)} of {plural(sum(tally.counts.values()), 'problem')}"


def _standing(standings: Sequence[Standing]) -> Iterator[str]:
    for standing in standings:
        yield next(iter(of_standing(standing)))


def _failed(cells: Sequence[Cell]) -> Iterator[str]:
    """What is missing of the runs, or counts as worst."""
    found = totals(cells)
    if found.failures:
        yield (
            f"{found.failures} of {plural(found.runs, 'run')} failed "
            f"({listed([f'{n} by {cause}' for cause, n in found.failed.items()])}): scores are those of the "
            "others, and what the failed ones spent on targets counts."
        )
    if found.unscored:
        yield (
            f"{plural(found.unscored, 'run')} ended without a score and "
            f"{'counts' if found.unscored == 1 else 'count'} as worst."
        )


def _of_problem(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    clauses: Callable[[Sequence[Comparison]], Iterator[str]],
) -> Iterator[str]:
    """One sentence on scores, with a clause for each engine and cluster, or why there is none."""
    if not any(c.completed for c in cells):
        yield "No run completed."
        return
    several = len({(c.engine, c.cluster) for c in cells}) > 1
    texts: dict[str, list[str]] = {}
    for group in groups(cells):
        inside = {id(c) for c in group}
        mine = [c for c in comparisons if id(c.one) in inside]
        if mine:
            texts.setdefault("; ".join(clauses(mine)), []).append(group[0].engine)
    parts = [
        f"on {listed(list(dict.fromkeys(engines)))}: {text}" if several else text
        for text, engines in texts.items()
    ]
    if parts:
        yield f"{_capital('; '.join(parts))}."
    elif any(c.interval is not None for c in cells):
        names = listed(list(dict.fromkeys(c.label for c in cells if c.interval is not None)))
        yield f"Nothing to hold {names} against: no method without an interval completed a run."


def _capital(text: str) -> str:
    """At the start of a sentence; a method's name stays as it is."""
    return text[0].upper() + text[1:] if text.startswith(OWN) else text


def _clauses(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Of one engine and cluster: losses, wins, ties, and what is undecided; of several the clearest in full."""
    of = {v: [c for c in comparisons if c.verdict == v] for v in ("loss", "win", "tie", "unclear")}
    for verdict in ("loss", "win"):
        decided = sorted(of[verdict], key=lambda c: -abs(c.improvement.value - 0.5))
        if decided:
            also = f"; so {'do' if len(decided) > 2 else 'does'} {_pairs(decided[1:], 'than')}"
            yield f"{_decided(decided[0])}{also if decided[1:] else ''}"
    if of["tie"]:
        yield f"equal seed by seed (n = {_counts(of['tie'])}): {_pairs(of['tie'], 'and')}"
    if of["unclear"] and len(of["unclear"]) < len(comparisons):
        yield f"undecided (n = {_counts(of['unclear'])}): {_pairs(of['unclear'], 'against')}"
    elif of["unclear"]:
        yield _undecided(of["unclear"])


def _short(comparisons: Sequence[Comparison]) -> Iterator[str]:
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
    yield f"{'; '.join(each)} (n = {_counts(comparisons)})"


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
    pairs, counts = _pairs(unclear, "against"), _counts(unclear)
    if n < 2:
        return f"one seed decides nothing (n = {counts}): {pairs}"
    text = f"these seeds decide nothing about {pairs} (n = {counts})"
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
    """`they could have shown a difference of 0.02; 23 seeds would show the 0.009 that was seen`."""
    of = "" if alone else f" of {c.one.label} from {c.baseline.label}"
    size = abs(c.difference.value)
    seen, least = number(size), number(smallest.value)
    if size >= smallest.value:
        return (
            f"by its spread a single difference of {least}{of} would show, and {seen} was seen, but ranks "
            "of so few seeds, over all comparisons of the problem, don't rule out chance"
        )
    text = f"they could have shown a difference{of} of {least}"
    if not needed.value <= MOST:
        return f"{text}, and {MOST:,} seeds would not show the {seen} that was seen"
    seeds = max(math.ceil(needed.value), c.n + 1)
    return f"{text}; {seeds:,} seeds would show the {seen} that was seen"


def _pairs(comparisons: Sequence[Comparison], word: str) -> str:
    """`pbt k=1 against random and grid, pbt k=5 against grid`."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in dict.fromkeys(c.one.label for c in comparisons):
        others = tuple(sorted({c.baseline.label for c in comparisons if c.one.label == one}))
        found.setdefault(others, []).append(one)
    return ", ".join(f"{_some(ones)} {word} {_some(others)}" for others, ones in found.items())


def _some(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return listed(names)
    return listed([*names[:NAMED], f"{len(names) - NAMED} more"])


def _faster(speedups: Sequence[Speedup]) -> Iterator[str]:
    """One sentence on a target: where a method with an interval is dearer by most, and where it is cheaper."""
    dear = [s for s in speedups if s.clear and s.ratio.high < 1]
    cheap = [s for s in speedups if s.clear and s.ratio.low > 1]
    texts = []
    if dear:
        texts.append(_dearer(min(dear, key=lambda s: s.ratio.high)))
    if cheap:
        texts.append(_cheaper(max(cheap, key=lambda s: s.ratio.low)))
    if texts:
        many = len(speedups)
        which = f" (the clearest of {many} comparisons)" if many > len(texts) else ""
        yield f"{'; '.join(texts)}{which}."
    elif speedups:
        one, n = speedups[0], _range([s.ratio.n for s in speedups])
        same = all(s.ratio.low == s.ratio.high == 1 for s in speedups)
        what = "all take the same" if same else "these seeds can't decide who takes less"
        yield f"To reach {_goal(one)}, {what} {NAMES[one.cost]} (n = {n})."


def _cheaper(s: Speedup) -> str:
    """`pbt k=5 reaches accuracy ≥ 0.95 in 2.1× less worker-time than random (95% interval 1.6 to 2.7, …)`."""
    if math.isinf(s.ratio.value):
        return f"{s.one.label} alone reaches {_goal(s)}, {s.baseline.label} never ({_reached(s)})"
    return _less(s, s.one.label, s.baseline.label, s.ratio)


def _dearer(s: Speedup) -> str:
    if s.ratio.value == 0:
        return f"{s.one.label} never reaches {_goal(s)}, {s.baseline.label} does ({_reached(s)})"
    return _less(s, s.baseline.label, s.one.label, s.slowdown)


def _less(s: Speedup, one: str, other: str, by: Estimate) -> str:
    return (
        f"{one} reaches {_goal(s)} in {times(by.value)} less {NAMES[s.cost]} than {other} "
        f"(95% interval {interval(by)}, {_reached(s)})"
    )


def _reached(s: Speedup) -> str:
    """`n = 10`, and how many reached the target where some missed it."""
    n = f"n = {s.ratio.n}"
    if (s.reached, s.baseline_reached) == (s.runs, s.baseline_runs):
        return n
    return (
        f"{n}; {s.one.label} in {s.reached} of {plural(s.runs, 'run')}, {s.baseline.label} in "
        f"{s.baseline_reached} of {s.baseline_runs}"
    )


def _goal(s: Speedup) -> str:
    objective = s.one.run.card.objective
    return f"{objective.metric} {'≥' if objective.sign > 0 else '≤'} {number(s.target)}"


def _counts(comparisons: Sequence[Comparison]) -> str:
    return _range([c.n for c in comparisons])


def _range(counts: Sequence[int]) -> str:
    """`10`, or `2 to 10`."""
    least, most = min(counts), max(counts)
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"
