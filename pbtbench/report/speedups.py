"""By how much methods with an interval reach a target more cheaply than baselines, or dearer, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pbtbench.report.axes import NAMES
from pbtbench.report.decided import numbers
from pbtbench.report.seeds import interval
from pbtbench.report.wording import listed, number, plural, times
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.speedups import Speedup


def sentence(speedups: Sequence[Speedup]) -> Iterator[str]:
    """One sentence on the target of a problem: the method with an interval that is dearer than a baseline by
    most, and the one that is cheaper, held against the cheapest baseline that it clearly beats."""
    dear = [s for s in speedups if s.clear and s.ratio.high < 1]
    cheap = [s for s in speedups if s.clear and s.ratio.low > 1]
    texts = []
    if dear:
        texts.append(_dearer(min(dear, key=lambda s: s.ratio.high)))
    if cheap:
        texts.append(_cheapest(cheap, speedups))
    if texts:
        of = f" (of {len(speedups)} comparisons)" if len(speedups) > len(texts) else ""
        yield f"{'; '.join(texts)}{of}."
    elif speedups:
        one, n = speedups[0], numbers([s.ratio.n for s in speedups])
        same = all(s.ratio.low == s.ratio.high == 1 for s in speedups)
        what = "all take the same" if same else "these seeds can't decide who takes less"
        yield f"To reach {_goal(one)}, {what} {NAMES[one.cost]} (n = {n})."


def _cheapest(cheap: Sequence[Speedup], speedups: Sequence[Speedup]) -> str:
    """Of the method that does best against the baseline that it does worst against."""
    mine: dict[tuple[str, str], list[Speedup]] = {}
    for s in speedups:
        mine.setdefault((s.one.engine, s.one.label), []).append(s)
    places = [(s.one.engine, s.one.label) for s in cheap]
    best = mine[max(places, key=lambda place: min(s.ratio.low for s in mine[place]))]
    clear = [s for s in best if s.clear and s.ratio.low > 1]
    told = min(clear, key=lambda s: s.ratio.value)
    unclear = [s.baseline.label for s in best if not s.clear]
    rest = f", and against {listed(unclear)} is undecided" if unclear else ""
    if math.isinf(told.ratio.value):
        never = listed([s.baseline.label for s in clear])
        ours = f"in {told.reached} of {plural(told.runs, 'run')}"
        return f"{told.one.label} reaches {_goal(told)} {ours}, {never} never (n = {told.ratio.n}){rest}"
    return f"{_less(told, told.one.label, told.baseline.label, told.ratio)}{rest}"


def _dearer(s: Speedup) -> str:
    if s.ratio.value == 0:
        theirs = f"in {s.baseline_reached} of {plural(s.baseline_runs, 'run')}"
        never = f"{s.one.label} never reaches {_goal(s)}"
        return f"{never}, {s.baseline.label} does {theirs} (n = {s.ratio.n})"
    return _less(s, s.baseline.label, s.one.label, s.slowdown)


def _less(s: Speedup, one: str, other: str, by: Estimate) -> str:
    """`pbt k=5 reaches accuracy ≥ 0.95 in 2.1× less worker-time than random (95% interval 1.6 to 2.7, …)`."""
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
    metric = f"validation {objective.metric}" if s.one.held_out else objective.metric
    return f"{metric} {'≥' if objective.sign > 0 else '≤'} {number(s.target)}"
