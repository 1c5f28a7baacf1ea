"""How likely a run of one method is to be better than a run of another.

The interval is Wilson's with as many runs as would vary as much: of those tried the one that covers best
(`results/coverage.csv`). The bootstrap's percentiles, which rliable gives, have no length where all runs of one
method are better, which at three seeds is often by chance.
"""

from __future__ import annotations

import numpy as np

from pbtbench.statistics.bootstrap import Scores, tables
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.shares import wilson


def improvement(one: Scores, other: Scores, *, paired: bool) -> Estimate:
    """P(X > Y) + ½P(X = Y), the mean over problems; larger scores are better, and NaN is as bad as −inf.

    Over all pairs of runs it is Mann and Whitney's U/(n·m) (Agarwal et al. 2021), `n` being how many runs of
    both. `paired`: over runs of the same seed, the arrays of a problem being aligned; `n` is how many pairs.
    Raises `BadInput` where there is nothing to compare.
    """
    parts = []
    if paired:
        (table,) = tables([one, other], paired=True)
        for x, y in table:
            wins = _wins(x, y)
            parts.append((wins.mean(), [wins], len(wins), 2 * len(wins)))
    else:
        for (x,), (y,) in zip(*tables([one, other], paired=False), strict=True):
            wins = _wins(x[:, None], y)
            sides = [wins.mean(axis=1), wins.mean(axis=0)]
            parts.append((wins.mean(), sides, min(wins.shape), sum(wins.shape)))
    problems = len(parts)
    value = float(np.mean([mean for mean, *_ in parts]))
    fewest = problems**2 / sum(1 / least for *_, least, _ in parts)
    most = problems**2 / sum(1 / largest for *_, largest in parts)
    variance = sum(_variance(side) for _, sides, *_ in parts for side in sides) / problems**2
    like = value * (1 - value) / variance if variance > 0 else fewest
    n = sum(len(side) for _, sides, *_ in parts for side in sides)
    return Estimate(value, *wilson(value, min(max(like, fewest), most)), n)


def _wins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    found: np.ndarray = (x > y) + 0.5 * (x == y)
    return found


def _variance(side: np.ndarray) -> float:
    """Of the mean of what each run wins; NaN, which is not above 0, of a single one."""
    return float(side.var(ddof=1)) / len(side) if len(side) > 1 else np.nan
