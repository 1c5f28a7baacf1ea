"""How methods fare over problems: wins and losses, mean ranks, normalised scores (METHOD 3)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.statistics.baselines import Comparison, Verdict, worths
from pbtbench.statistics.bootstrap import aggregate
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.compare import tied
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.ranks import Ranks, ranks


@dataclass(frozen=True)
class Tally:
    """A method with its interval against a baseline, over problems."""

    label: str
    baseline: str
    engine: str
    counts: Mapping[Verdict, int]
    """Verdict -> on how many problems."""


@dataclass(frozen=True)
class Standing:
    """Methods on one engine and cluster, over problems on which all of them have scores."""

    engine: str
    cluster: str
    problems: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    """What takes no part: problem or method with its interval -> what of the others it has no score for."""
    ranks: Ranks
    """By the medians of the scores; what ties as `compare.tied` has it, shares its rank."""
    normalised: Mapping[str, Estimate]
    """Label -> interquartile mean over seeds and problems of scores that are 0 at the worst of a problem's
    medians and 1 at the best; empty where no problem tells methods apart."""


@dataclass(frozen=True)
class Shared:
    """Methods, and problems that all of them have."""

    labels: tuple[str, ...]
    problems: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    """Of the others: problem or method -> which of these methods or problems it lacks."""


def tallies(comparisons: Sequence[Comparison]) -> list[Tally]:
    """The verdicts, counted: in the order of the comparisons."""
    found: dict[tuple[str, str, str], Counter[Verdict]] = {}
    for c in comparisons:
        key = c.one.label, c.baseline.label, c.one.engine
        found.setdefault(key, Counter())[c.verdict] += 1
    return [Tally(*key, counts) for key, counts in found.items()]


def standings(cells: Sequence[Cell]) -> list[Standing]:
    """A standing for each engine and cluster where two methods or more share two problems or more."""
    of_place: dict[tuple[str, str], dict[str, dict[str, Cell]]] = {}
    for c in cells:
        if c.score.n:
            of_place.setdefault((c.engine, c.cluster), {}).setdefault(c.label, {})[c.problem] = c
    found = [_standing(*place, of) for place, of in of_place.items()]
    return [one for one in found if one is not None]


def _standing(engine: str, cluster: str, of: Mapping[str, Mapping[str, Cell]]) -> Standing | None:
    """`of`: label -> problem -> cell."""
    common = shared({label: list(mine) for label, mine in of.items()})
    labels, problems = common.labels, common.problems
    if len(labels) < 2 or len(problems) < 2:
        return None
    cells = [[of[label][problem] for label in labels] for problem in problems]
    return Standing(
        engine=engine,
        cluster=cluster,
        problems=problems,
        missing=common.missing,
        ranks=ranks(labels, np.array([_levelled(row) for row in cells])),
        normalised=_normalised(labels, cells),
    )


def shared(problems: Mapping[str, Sequence[str]]) -> Shared:
    """The methods, and the problems that all of them have, such that methods × problems are most.
    `problems`: of each method. Those with the most problems come first into it."""
    order = sorted(problems, key=lambda label: -len(problems[label]))
    best: tuple[list[str], list[str]] = [], []
    common = list(problems[order[0]])
    for i, label in enumerate(order, 1):
        has = set(problems[label])
        common = [p for p in common if p in has]
        if i > 1 and i * len(common) >= len(best[0]) * len(best[1]):
            best = order[:i], common
    labels = tuple(label for label in problems if label in best[0])
    every = dict.fromkeys(p for mine in problems.values() for p in mine)
    missing = {
        **{
            p: tuple(la for la in labels if p not in problems[la])
            for p in every
            if p not in best[1]
        },
        **{
            la: tuple(p for p in best[1] if p not in problems[la])
            for la in problems
            if la not in labels
        },
    }
    return Shared(labels, tuple(best[1]), missing)


def _levelled(cells: Sequence[Cell]) -> list[float]:
    """Medians, larger being better, of which those are made equal that tie with the best of them."""
    sign = cells[0].run.card.objective.sign
    worth = [-math.inf if math.isnan(c.score.median) else sign * c.score.median for c in cells]
    found = [0.0] * len(worth)
    level = math.nan
    for i in sorted(range(len(worth)), key=lambda i: -worth[i]):
        if not tied(level, worth[i]):
            level = worth[i]
        found[i] = level
    return found


def _normalised(labels: Sequence[str], cells: Sequence[Sequence[Cell]]) -> dict[str, Estimate]:
    of_label: dict[str, list[np.ndarray]] = {label: [] for label in labels}
    for row in cells:
        worth = [worths(c) for c in row]
        medians = np.array([np.median(w) for w in worth])
        low, high = medians.min(), medians.max()
        if not np.isfinite(low) or tied(float(low), float(high)):
            continue
        for label, w in zip(labels, worth, strict=True):
            of_label[label].append((w - low) / (high - low))
    return {label: aggregate(scores) for label, scores in of_label.items() if scores}
