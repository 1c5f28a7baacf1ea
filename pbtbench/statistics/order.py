"""The order of methods on a problem, by the medians of their scores; ties share a place (`compare.tied`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.measures import Measures
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.compare import tied


@dataclass(frozen=True)
class Place:
    """Where a method stands among others."""

    rank: int | None
    """1 is best; those that tie share the best rank of theirs. None without a score."""
    tied: bool
    """Whether others have the same rank."""


def places(cells: Sequence[Cell]) -> list[Place]:
    """A place for each of some cells of one problem, in their order."""
    worth = {
        i: c.run.card.objective.sign * c.score.median
        for i, c in enumerate(cells)
        if not math.isnan(c.score.median)
    }
    ranks: dict[int, int] = {}
    first = -1
    for count, i in enumerate(sorted(worth, key=lambda i: -worth[i]), 1):
        if first >= 0 and tied(worth[first], worth[i]):
            ranks[i] = ranks[first]
        else:
            first, ranks[i] = i, count
    shared = Counter(ranks.values())
    return [
        Place(ranks[i], shared[ranks[i]] > 1) if i in ranks else Place(None, tied=False)
        for i in range(len(cells))
    ]


def leaders(cells: Sequence[Cell]) -> list[tuple[str, int, int]]:
    """Labels that are first on a problem and engine that others are on, too: on how many they are, and on how
    many alone; most first."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.problem, cell.engine), []).append(cell)
    firsts: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for mine in groups.values():
        if len(mine) == 1:
            continue
        for cell, place in zip(mine, places(mine), strict=True):
            if place.rank == 1:
                firsts[cell.label] += 1
                alone[cell.label] += not place.tied
    return [(label, count, alone[label]) for label, count in firsts.most_common()]


def best_run(cell: Cell) -> Measures | None:
    """The run with the best final score, of those that completed; None if none did."""
    sign = cell.run.card.objective.sign

    def worth(m: Measures) -> float:
        score = m.quality.final_score
        return -math.inf if math.isnan(score) else sign * score

    return max(cell.completed, key=worth, default=None)
