"""How methods with a perturbation interval fare against each baseline, seed by seed (METHOD 3, 7).

A baseline is a method without an interval, such as random search. Where no method has one, all are held
against random search, or else against the first. A method wins or loses where chance is ruled out at the
level of 5% over all comparisons of a problem on an engine (Holm 1979). Else its seeds can't decide, and
what they could have shown is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pbtbench.statistics import power
from pbtbench.statistics.bootstrap import difference
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.compare import tied
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.improvement import improvement
from pbtbench.statistics.ranks import holm
from pbtbench.statistics.signed_rank import fewest_pairs, signed_rank_p

LEVEL = 0.05
"""How often the comparisons of a problem without any difference have a win or a loss, at most."""

Verdict = Literal["win", "loss", "tie", "unclear"]
"""`tie`: equal, seed by seed, to the digits by which scores are told apart; `unclear`: the seeds can't
decide."""


@dataclass(frozen=True)
class Comparison:
    """A method against a baseline on one problem, engine and cluster. Differences are above 0 where the method
    is better, whatever the problem's goal."""

    one: Cell
    baseline: Cell
    paired: bool
    """Whether runs of the same seed are held against each other."""
    n: int
    """Pairs; or seeds of the one that has fewer."""
    difference: Estimate
    """Mean difference of the scores (`Cell.score`). NaN, or infinite, where a run has none."""
    improvement: Estimate
    """The probability that the method ends with the better score, ties counting half."""
    p: float
    """Wilcoxon's signed-rank test of pairs, or Mann and Whitney's; NaN below two."""
    adjusted_p: float
    """The same over all comparisons of the problem on the engine (Holm)."""
    verdict: Verdict
    smallest_difference: Estimate | None
    """What these seeds could have shown (power 0.8, at the level that is left to one of all comparisons); None
    where they are too few to say."""
    seeds_needed: Estimate | None
    """How many would show the difference that was seen; likewise."""


def baselines(cells: Sequence[Cell]) -> list[Cell]:
    """Of cells of one problem, engine and cluster, those that others are held against."""
    without = [c for c in cells if c.interval is None]
    if len(without) < len(cells):
        return without
    return [c for c in without if c.run.kind == "random"][:1] or without[:1]


def groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells that may be held against each other: of the same problem, engine, cluster, population and
    iterations."""
    found: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        key = cell.problem, cell.engine, cell.cluster, cell.run.population, cell.run.iterations
        found.setdefault(key, []).append(cell)
    return list(found.values())


def comparisons(cells: Sequence[Cell], level: float = LEVEL) -> list[Comparison]:
    """Each method with an interval against each baseline of its group, by the runs that completed; in the order
    of the cells. `level`: at which the comparisons of a group are judged together."""
    return [one for group in groups(cells) for one in _of_group(group, level)]


def compared(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Of cells of one group, which are held against which baseline: those of which runs completed."""
    against = baselines(cells)
    known = {id(c) for c in against}
    return [
        (one, baseline)
        for one in cells
        if id(one) not in known and one.completed
        for baseline in against
        if baseline.completed
    ]


def _of_group(cells: Sequence[Cell], level: float) -> Iterator[Comparison]:
    pairs = compared(cells)
    found = [_comparison(one, baseline, level / len(pairs)) for one, baseline in pairs]
    adjusted = holm([1.0 if math.isnan(c.p) else c.p for c in found])
    for one, p in zip(found, adjusted.tolist(), strict=True):
        yield _judged(one, p, level)


def _judged(found: Comparison, p: float, level: float) -> Comparison:
    if found.verdict == "tie":
        return replace(found, adjusted_p=p)
    better = found.improvement.value > 0.5
    verdict: Verdict = "unclear" if not p <= level else "win" if better else "loss"
    return replace(found, adjusted_p=p, verdict=verdict)


def _comparison(one: Cell, baseline: Cell, level: float) -> Comparison:
    """`level`: at which the first of all comparisons is judged."""
    ours, theirs, paired = aligned(one, baseline)
    equal = paired and all(map(tied, ours.tolist(), theirs.tolist()))
    if paired:
        apart = differences(ours, theirs)
        p = signed_rank_p(apart) if len(apart) > 1 else math.nan
        smallest = power.smallest_difference(apart, level)
        needed = _at_least(power.pairs_needed(apart, level), fewest_pairs(level))
    else:
        p = _mann_whitney(ours, theirs)
        smallest = power.smallest_difference_unpaired(ours, theirs, level)
        needed = power.seeds_needed(ours, theirs, level)
    return Comparison(
        one=one,
        baseline=baseline,
        paired=paired,
        n=min(len(ours), len(theirs)),
        difference=difference([ours], [theirs], "mean", paired=paired),
        improvement=improvement([ours], [theirs], paired=paired),
        p=p,
        adjusted_p=math.nan,
        verdict="tie" if equal else "unclear",
        smallest_difference=smallest,
        seeds_needed=needed,
    )


def aligned(one: Cell, other: Cell) -> tuple[np.ndarray, np.ndarray, bool]:
    """The scores of both, turned so that larger is better, −∞ for none; and whether they are pairs of the same
    seed: those alone count, if there are two or more."""
    ours, theirs = (
        dict(zip((m.run.seed for m in c.completed), worths(c).tolist(), strict=True))
        for c in (one, other)
    )
    shared = sorted(ours.keys() & theirs.keys())
    if len(shared) > 1 or len(shared) == len(ours) == len(theirs):
        return np.array([ours[s] for s in shared]), np.array([theirs[s] for s in shared]), True
    return np.array(list(ours.values())), np.array(list(theirs.values())), False


def worths(cell: Cell) -> np.ndarray:
    """The scores of the runs that completed, shape (runs,), turned so that larger is better; −∞ for none."""
    sign = cell.run.card.objective.sign
    return np.array([-math.inf if math.isnan(s) else sign * s for s in cell.scores], float)


def differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pair by pair, 0 where both are infinite alike."""
    apart: np.ndarray = np.subtract(one, other, out=np.zeros(len(one)), where=one != other)
    return apart


def _at_least(needed: Estimate | None, fewest: int) -> Estimate | None:
    if needed is None:
        return None
    return replace(
        needed,
        **{end: max(getattr(needed, end), fewest) for end in ("value", "low", "high")},
    )


def _mann_whitney(one: np.ndarray, other: np.ndarray) -> float:
    from scipy.stats import mannwhitneyu

    if min(len(one), len(other)) < 2:
        return math.nan
    return float(mannwhitneyu(one, other).pvalue)
