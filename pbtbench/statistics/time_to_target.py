"""Times to a target of several runs, of which some missed it (METHOD 2).

A run that ended without the target is censored where it ended; one that crashed failed for good, and what it
spent counts. Nothing here is of the successes alone. Intervals are those that cover best of the tried ones
(`results/coverage.csv`). Time may as well be work or cost, in any unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.shares import wilson

ERROR = 0.05
"""How often an interval should miss."""


@dataclass(frozen=True)
class Attempts:
    """Runs at one target: arrays of shape (runs,)."""

    spent: np.ndarray
    """Time to the target, or until the run ended without it."""
    reached: np.ndarray
    """Whether it was reached."""
    crashed: np.ndarray
    """Whether the run ended without it by its own fault, and never would reach it."""

    def __post_init__(self) -> None:
        if not len(self.spent) == len(self.reached) == len(self.crashed):
            raise BadInput("attempts: times, successes and crashes must be of the same runs")
        if not np.all(np.asarray(self.spent) >= 0):
            raise BadInput(
                "attempts: a time is negative or no number; a missed target's is its run's"
            )
        if np.any(np.asarray(self.reached) & np.asarray(self.crashed)):
            raise BadInput("attempts: a run has reached the target and crashed without it")

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.spent)

    @property
    def successes(self) -> int:
        """How many of them reached the target."""
        return int(np.sum(self.reached))


@dataclass(frozen=True)
class Survival:
    """The share of runs that have not reached the target yet (Kaplan and Meier 1958), with a pointwise band:
    arrays of shape (steps,). A share holds from its time until the next one's."""

    time: np.ndarray
    """From 0 on."""
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def success_share(attempts: Attempts) -> Estimate:
    """The share of runs that reached the target, with Wilson's interval."""
    if not attempts.n:
        return Estimate(math.nan, 0.0, 1.0, 0)
    share = attempts.successes / attempts.n
    return Estimate(share, *wilson(share, attempts.n), attempts.n)


def ert(attempts: Attempts) -> Estimate:
    """Expected running time: all that was spent, failed runs at their cut-off, over the number of successes
    (Hansen et al. 2021, COCO); infinite without one.

    It is the mean time of a success plus that of a failure times how many there are for each success. The
    interval joins Wilson's of the latter and Student's t of the former as if they were independent (Zou and
    Donner 2008); a failure is taken to cost the longest that was spent if there was none. Without a success it
    is the lower end alone that says something.
    """
    n, successes = attempts.n, attempts.successes
    if not n:
        return Estimate(math.nan, 0.0, math.inf, 0)
    spent, reached = np.asarray(attempts.spent, float), np.asarray(attempts.reached, bool)
    failed = float(spent[~reached].mean() if successes < n else spent.max())
    low_share, high_share = wilson(successes / n, n)
    least = failed * (1 - high_share) / high_share
    if not successes:
        return Estimate(math.inf, least, math.inf, n)
    value = float(spent.sum()) / successes
    failures = n / successes - 1
    half = _half_of_mean(spent[reached])
    low = value - math.hypot(failed * failures - least, half)
    high = value + math.hypot(failed * ((1 - low_share) / low_share - failures), half)
    return Estimate(value, max(low, least), high, n)


def rmst(attempts: Attempts, budget: float) -> Estimate:
    """Restricted mean survival time: the mean of min(T, budget), Kaplan and Meier's integral where runs were
    cut off before (Royston and Parmar 2013). NaN, between 0 and the budget, if no run that missed the target
    was watched until the budget while some were cut off before.

    As a share of the budget its interval is Wilson's, with Student's t, of as many runs as would vary as much.
    """
    from scipy.stats import t

    n = attempts.n
    if not budget > 0:
        raise BadInput(f"a budget must be a time above 0, not {budget}")
    value, variance = _integral(attempts, budget) if n else (math.nan, math.nan)
    if n < 2 or math.isnan(value):
        return Estimate(value, 0.0, budget, n)
    share = value / budget
    like = float(n)
    if variance > 0:
        like = max(like, share * (1 - share) * budget**2 / variance * (n - 1) / n)
    low, high = wilson(share, like, float(t.isf(ERROR / 2, n - 1)))
    return Estimate(value, budget * low, budget * high, n)


def survival(attempts: Attempts) -> Survival:
    """Kaplan and Meier's curve; a crashed run never reaches the target, and stays in it. The band is Wilson's
    with as many runs as would vary as Greenwood's variance says (Rothman 1978). Raises `BadInput` without
    runs."""
    if not attempts.n:
        raise BadInput("a survival curve needs one run at least")
    time, share, at_risk, greenwood = _curve(attempts)
    low, high = np.zeros(len(time)), np.ones(len(time))
    like = float(attempts.n)
    for i, left in enumerate(share.tolist()):
        if left == 1:
            like = float(at_risk[i])
        elif left > 0:
            like = (1 - left) / (left * greenwood[i])
        low[i], high[i] = wilson(left, like)
    return Survival(time, share, low, high)


def logrank(one: Attempts, other: Attempts) -> float:
    """The p-value of the log-rank test (Mantel 1966) that times of both have one distribution; NaN where it
    can't say: without runs, or a success. By its limit for many runs: with few of them it is rough."""
    from scipy import stats

    if not one.n or not other.n or not one.successes + other.successes:
        return math.nan
    longest = float(max(np.max(one.spent), np.max(other.spent)))
    samples = []
    for attempts in (one, other):
        end = np.minimum(_ends(attempts), longest)
        reached = np.asarray(attempts.reached, bool)
        samples.append(stats.CensoredData(uncensored=end[reached], right=end[~reached]))
    with np.errstate(invalid="ignore"):  # all at one time
        return float(stats.logrank(*samples).pvalue)


def _half_of_mean(values: np.ndarray) -> float:
    """Half the length of Student's interval of a mean; 0 of a single value, whose spread nobody knows."""
    from scipy.stats import t

    if len(values) < 2:
        return 0.0
    scatter = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(t.isf(ERROR / 2, len(values) - 1)) * scatter


def _ends(attempts: Attempts) -> np.ndarray:
    """When runs leave the curve, shape (runs,): crashed ones never do."""
    return np.where(attempts.crashed, math.inf, attempts.spent)


def _curve(attempts: Attempts) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times from 0 on at which runs end, the share left after each, how many there were before, and Greenwood's
    sum up to it, which is infinite where none is left: arrays of shape (steps,)."""
    end = _ends(attempts)
    time = np.unique(np.append(end[np.isfinite(end)], 0.0))
    reached = np.asarray(attempts.reached, bool)
    at_risk = len(end) - np.searchsorted(np.sort(end), time)
    events = np.array([np.count_nonzero(reached & (end == at)) for at in time])
    stays = np.maximum(at_risk - events, 0)
    share = np.cumprod(np.where(at_risk > 0, stays / np.maximum(at_risk, 1), 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(np.where(events > 0, events / (at_risk * stays), 0))
    return time, share, at_risk, greenwood


def _integral(attempts: Attempts, budget: float) -> tuple[float, float]:
    """Of the curve until the budget, and its variance (Greenwood's); NaN if the curve ends before."""
    time, share, _, greenwood = _curve(attempts)
    if share[-1] > 0 and _ends(attempts).max() < budget:
        return math.nan, math.nan
    within = time < budget
    time, share = time[within], share[within]
    pieces = share * np.diff(time, append=budget)
    rest = np.cumsum(pieces[::-1])[::-1]  # from each time on
    steps = np.diff(greenwood[within], prepend=0.0)
    variance = sum(r**2 * step for r, step in zip(rest, steps, strict=True) if r > 0)
    return float(pieces.sum()), float(variance)
