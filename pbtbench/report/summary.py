"""The summary: what a study found, in a few sentences that its numbers bear out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pbtbench.report.findings import Finding
from pbtbench.report.wording import counted, listed, number, plural, times
from pbtbench.statistics.baselines import Comparison
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.order import leaders
from pbtbench.statistics.overall import Tally, tallies
from pbtbench.statistics.power import FEWEST
from pbtbench.statistics.speedups import Speedup, speedups

SPEEDUPS = 5
"""Sentences of what takes less work at most."""

OF_ONE = 3
"""Findings of a study's only problem that stand in its summary."""


def summary(
    cells: Sequence[Cell], found: Sequence[Finding], comparisons: Sequence[Comparison]
) -> list[str]:
    """The sentences, most important first."""
    problems = [finding for finding in found if finding.problem]
    if len(problems) == 1:
        return [*problems[0].measured[:OF_ONE], *_speedups(cells)]
    return [*_leaders(cells), *_tallies(comparisons), *_speedups(cells)]


def _leaders(cells: Sequence[Cell]) -> Iterator[str]:
    """Who is first on how many problems."""
    engines = {c.engine for c in cells}
    places = {(c.problem, c.engine) for c in cells}
    what = "problem" if len(engines) == 1 else "problem and engine"
    each = [f"{label} on {count}{_alone(alone, count)}" for label, count, alone in leaders(cells)]
    if each:
        count = plural(len(places), what) if len(engines) == 1 else f"{len(places)} pairs of {what}"
        yield f"Best median score, of {count}: {listed(each)}."


def _alone(alone: int, count: int) -> str:
    if alone == count:
        return ""
    return f" ({alone} alone)" if alone else " (tied)"


def _tallies(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Of each engine's baselines the method that wins against it most often."""
    found = tallies(comparisons)
    engines = list(dict.fromkeys(t.engine for t in found))
    for engine in engines:
        on = f"On {engine}, by scores, " if len(engines) > 1 else "By scores, "
        mine = [t for t in found if t.engine == engine]
        held = [c for c in comparisons if c.one.engine == engine]
        end = f"(chance ruled out at 5%, {counted([c.n for c in held], 'seed')})."
        baselines = list(dict.fromkeys(t.baseline for t in mine))
        decided = []
        for name in baselines:
            those = [t for t in mine if t.baseline == name]
            if any(t.counts["win"] or t.counts["loss"] for t in those):
                decided.append(max(those, key=lambda t: (t.counts["win"], -t.counts["loss"])))
        for tally in decided:
            yield f"{on}{_tally(tally)} {end}"
        if open_ := [name for name in baselines if name not in {t.baseline for t in decided}]:
            labels = list(dict.fromkeys(t.label for t in mine))
            whom = labels[0] if len(labels) == 1 else f"none of {len(labels)} methods"
            verb = "can't be" if len(labels) == 1 else "can be"
            yield f"{on}{whom} {verb} told apart from {' or '.join(open_)} {end}"


def _tally(tally: Tally) -> str:
    counts = tally.counts
    parts = [f"beats {tally.baseline} on {plural(counts['win'], 'problem')}"]
    parts += [f"loses on {counts['loss']}"] * bool(counts["loss"])
    parts += [f"ties on {counts['tie']}"] * bool(counts["tie"])
    parts += [f"can't be told apart on {counts['unclear']}"] * bool(counts["unclear"])
    return f"{tally.label} {listed(parts)}"


def _speedups(cells: Sequence[Cell]) -> Iterator[str]:
    """Of each problem what the method takes that differs most clearly from random search, or else the first
    baseline, in work; and what that comes to in worker-time."""
    several = len({c.problem for c in cells}) > 1
    engines = len({c.engine for c in cells}) > 1
    of_place: dict[tuple[str, str], list[Speedup]] = {}
    for one in speedups(cells, "member_iterations"):
        of_place.setdefault((one.one.problem, one.one.engine), []).append(one)
    shown = []
    for mine in of_place.values():
        usual = next(
            (s.baseline for s in mine if s.baseline.run.kind == "random"), mine[0].baseline
        )
        clear = [s for s in mine if s.baseline is usual and s.clear and s.ratio.n >= FEWEST]
        if clear:
            shown.append(max(clear, key=_clearness))
    for one in sorted(shown, key=_clearness, reverse=True)[:SPEEDUPS]:
        places = [f"on {one.one.problem}"] * several + [f"on {one.one.engine}"] * engines
        where = f"{' '.join(places)}, " if places else ""
        time = speedups([one.one, one.baseline], "worker_seconds")  # at the same target
        yield f"{where[:1].upper()}{where[1:]}{_speedup(one, time[0] if time else None)}"


def _clearness(one: Speedup) -> float:
    """By how much the interval is away from 1, as a factor."""
    return max(one.ratio.low, 1 / one.ratio.high if one.ratio.high else math.inf)


def _speedup(work: Speedup, time: Speedup | None) -> str:
    """`pbt k=5 reaches accuracy ≥ 0.95 in 2.1× less work than random (95% interval …), …`."""
    objective, ratio = work.one.run.card.objective, work.ratio
    goal = f"{objective.metric} {'≥' if objective.sign > 0 else '≤'} {number(work.target)}"
    if ratio.value in (0, math.inf):
        first, other = (work.one, work.baseline)[:: 1 if ratio.value else -1]
        return f"{first.label} reaches {goal}, and {other.label} never does (n = {ratio.n})."
    factor = _factor(ratio, "work")
    text = (
        f"{work.one.label} reaches {goal} with {factor[0]} than {work.baseline.label} ({factor[1]}"
    )
    if time is None or not time.clear or time.ratio.value in (0, math.inf):
        return f"{text}, n = {ratio.n})."
    spent = _factor(time.ratio, "worker-time")
    joined = "and" if (time.ratio.value > 1) == (ratio.value > 1) else "but"
    return f"{text}), {joined} {spent[0]} ({spent[1]}), n = {ratio.n}."


def _factor(ratio: Estimate, what: str) -> tuple[str, str]:
    """`2.1× less work`, and its interval."""
    if ratio.value > 1:
        return f"{times(ratio.value)} less {what}", _interval(ratio.low, ratio.high)
    high = 1 / ratio.low if ratio.low else math.inf
    return f"{times(1 / ratio.value)} more {what}", _interval(1 / ratio.high, high)


def _interval(low: float, high: float) -> str:
    return f"95% interval {number(low)} to {number(high)}"
