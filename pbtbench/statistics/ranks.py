"""Methods ranked over problems: which of them so many problems can tell apart (Demšar 2006)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.errors import BadInput

LEVEL = 0.05


@dataclass(frozen=True)
class Ranks:
    """Mean ranks, and what they can say."""

    methods: tuple[str, ...]
    """Best mean rank first."""
    means: tuple[float, ...]
    """Mean rank over problems of each; 1 is best."""
    problems: int
    statistic: float
    """Friedman's χ² with ties; NaN where all tie on all problems."""
    p: float
    """Of Friedman's test: how likely such ranks are where no method is better than another; 1 where all tie."""
    critical_difference: float
    """Nemenyi's: mean ranks less apart than this can't be told apart at `LEVEL`."""
    groups: tuple[tuple[str, ...], ...]
    """The largest groups, of two or more, that can't be told apart; all in one where Friedman's test can't
    reject that they are equal."""

    @property
    def decidable(self) -> bool:
        """Whether so many problems can tell any two apart: mean ranks differ by all methods but one at most."""
        return len(self.methods) - 1 > self.critical_difference


def ranks(methods: Sequence[str], scores: np.ndarray) -> Ranks:
    """Of scores, shape (problems, methods), larger being better and NaN or −inf worst; ties share their mean
    rank. Raises `BadInput` with fewer than two methods, or without problems."""
    from scipy.stats import chi2, rankdata

    problems, many = scores.shape
    if many < 2 or not problems:
        raise BadInput(
            f"ranks need two methods and a problem at least; here are {many}, {problems}"
        )
    worth = np.where(np.isnan(scores), -math.inf, scores)
    of_problem = rankdata(-worth, axis=1)
    means = of_problem.mean(axis=0)
    order = np.argsort(means, kind="stable")
    names = tuple(methods[i] for i in order)
    means = means[order]

    middle = (many + 1) / 2
    scatter = ((of_problem - middle) ** 2).sum()
    statistic = p = math.nan
    if scatter:
        statistic = float(problems**2 * (many - 1) * ((means - middle) ** 2).sum() / scatter)
        p = float(chi2.sf(statistic, many - 1))
    apart = critical_difference(many, problems) if p < LEVEL else math.inf
    return Ranks(
        names,
        tuple(means.tolist()),
        problems,
        statistic,
        p if scatter else 1.0,
        critical_difference(many, problems),
        _groups(names, means, apart),
    )


def critical_difference(methods: int, problems: int) -> float:
    """Nemenyi's, of mean ranks, at `LEVEL` for all pairs together (Demšar 2006, section 3.2.2)."""
    from scipy.stats import studentized_range

    q = float(studentized_range.isf(LEVEL, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * problems))


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values of several tests, raised so that the chance of any false alarm among those below a level is at
    most that level (Holm 1979), in the order given."""
    order = np.argsort(p)
    raised = np.asarray(p, float)[order] * np.arange(len(p), 0, -1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return found


def _groups(names: tuple[str, ...], means: np.ndarray, apart: float) -> tuple[tuple[str, ...], ...]:
    """Runs of neighbours whose ends are no further apart, without those that are part of another."""
    found = []
    reached = 0
    for first, mean in enumerate(means):
        end = int(np.searchsorted(means, mean + apart, side="right"))
        if end > max(reached, first + 1):
            found.append(names[first:end])
            reached = end
    return tuple(found)
