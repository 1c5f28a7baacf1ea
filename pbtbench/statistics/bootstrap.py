"""Scores of several problems as one number with an interval: interquartile mean, mean, median.

The bootstrap is over seeds, stratified: each problem's seeds are drawn anew from its own. Problems are fixed,
so that an interval says how other seeds would come out, and nothing of other problems. Larger scores are
better; one that is NaN or −inf is worst.

The interval is Student's t with the bootstrap's standard error: of those tried the one that covers best
(`results/coverage.csv`), where the bootstrap's own percentiles hold the true value in 75 of 100 studies of
three seeds. Where failed runs make replicates infinite there is no standard error; there it is percentiles, at
the level that would be Student's t if scores were normal (Hesterberg 2015), infinite where failures decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.statistics.estimate import Estimate

Scores = Sequence[np.ndarray]
"""For each problem an array of its seeds' scores, shape (seeds,); problems may have different numbers."""
Statistic = Literal["iqm", "mean", "median"]

REPLICATES = 10_000
ERROR = 0.05
"""How often an interval should miss."""
BLOCK = 400_000
"""Numbers drawn at a time: replicates times scores."""
ROUNDING = 1e-9


def aggregate(scores: Scores, statistic: Statistic = "iqm", *, seed: int = 0) -> Estimate:
    """A statistic of the scores of all problems, which weigh the same; `n` is how many scores.

    `iqm`: the mean of all problems' scores without the lowest quarter and the highest, rounded down to whole
    scores (Agarwal et al. 2021; rliable's where problems have as many seeds each). Infinite ends where a
    problem has a single seed. Raises `BadInput` without problems, or with one that has no scores.
    """
    (table,) = tables([scores], paired=False)
    (value,) = _values(table, statistic)
    (drawn,) = resampled([scores], statistic, paired=False, seed=seed)
    (parts,) = _winsorized(table, statistic)
    return _estimate(value, drawn, parts)


def difference(
    one: Scores, other: Scores, statistic: Statistic = "iqm", *, paired: bool, seed: int = 0
) -> Estimate:
    """One's statistic less the other's; `n` is how many pairs, or scores of both. `paired`: the arrays of a
    problem are aligned by seed, and drawn together. NaN where both are −inf."""
    found = tables([one, other], paired=paired)
    value, other_value = (v for table in found for v in _values(table, statistic))
    trimmed, other_trimmed = (t for table in found for t in _winsorized(table, statistic))
    drawn, other_drawn = resampled([one, other], statistic, paired=paired, seed=seed)
    with np.errstate(invalid="ignore"):  # −inf less −inf
        parts = [*trimmed, *other_trimmed]
        if paired:
            parts = [a - b for a, b in zip(trimmed, other_trimmed, strict=True)]
        return _estimate(value - other_value, drawn - other_drawn, parts)


def resampled(
    methods: Sequence[Scores],
    statistic: Statistic = "iqm",
    *,
    paired: bool,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> np.ndarray:
    """The statistic of each method in each replicate, shape (methods, replicates). `paired`: the arrays of a
    problem are aligned by seed, and all methods' drawn together; else each method's are for themselves."""
    rng = np.random.default_rng(seed)
    found = []
    for table in tables(methods, paired=paired):
        sizes = [scores.shape[1] for scores in table]
        blocks = [_of_counts(table, c, statistic) for c in counts(sizes, replicates, rng)]
        found.append(np.concatenate(blocks, axis=1))
    return np.concatenate(found)


def tables(methods: Sequence[Scores], *, paired: bool) -> list[list[np.ndarray]]:
    """What is drawn together, problem by problem, shape (methods, seeds): all methods if `paired`, else each in
    a table of its own. NaN is −inf, and the seeds' order doesn't depend on how they came. Raises `BadInput`
    where methods don't have the same problems, or pairs not the same seeds."""
    if len({len(scores) for scores in methods}) > 1:
        raise BadInput("methods are compared on different problems; give each the same ones")
    if not len(methods[0]):
        raise BadInput("no problems to make a statistic of; give the scores of one at least")
    together = [methods] if paired else [[scores] for scores in methods]
    return [[_aligned(problem) for problem in zip(*group, strict=True)] for group in together]


def _aligned(problem: Sequence[np.ndarray]) -> np.ndarray:
    sizes = sorted({len(scores) for scores in problem})
    if len(sizes) > 1:
        raise BadInput(f"pairs need as many seeds each; they have {sizes[0]} and {sizes[-1]}")
    if not sizes[0]:
        raise BadInput("a problem without scores; give one of each at least")
    scores = np.array(problem, dtype=float)
    scores[np.isnan(scores)] = -math.inf
    return scores[:, np.lexsort(scores)]


def counts(sizes: Sequence[int], replicates: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each seed is drawn in each replicate, problems one after another, shape (seeds of all
    problems, replicates), in blocks of replicates."""
    every = sum(sizes)
    of_problem = np.repeat(sizes, sizes)[:, None]
    first = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)[:, None]
    step = max(1, BLOCK // every)
    for start in range(0, replicates, step):
        many = min(step, replicates - start)
        drawn = first + (rng.random((every, many)) * of_problem).astype(np.int64)
        flat = (drawn * many + np.arange(many)).ravel()
        yield np.bincount(flat, minlength=every * many).reshape(every, many)


def _values(table: Sequence[np.ndarray], statistic: Statistic) -> list[float]:
    every = sum(scores.shape[1] for scores in table)
    return [float(v) for (v,) in _of_counts(table, np.ones((every, 1), int), statistic)]


def _of_counts(table: Sequence[np.ndarray], drawn: np.ndarray, statistic: Statistic) -> np.ndarray:
    """The statistic of each method, shape (methods, replicates), where each seed was drawn so often, shape
    (seeds of all problems, replicates)."""
    sizes = [scores.shape[1] for scores in table]
    weight = np.repeat([1 / (n * len(sizes)) for n in sizes], sizes)[:, None]
    every = len(weight)
    cut = _left_out(every, statistic) / every
    found = []
    for scores in np.concatenate(table, axis=1):
        order = np.argsort(scores, kind="stable")
        found.append(_trimmed_mean(scores[order], drawn[order] * weight[order], cut))
    return np.array(found)


def _left_out(every: int, statistic: Statistic) -> int:
    """How many of the lowest scores the statistic leaves out, and of the highest."""
    return {"mean": 0, "iqm": every // 4, "median": (every - 1) // 2}[statistic]


def _trimmed_mean(values: np.ndarray, weights: np.ndarray, cut: float) -> np.ndarray:
    """The mean without the share `cut` at either end, shape (replicates,). Values in order, shape (values,);
    their weights, shape (values, replicates), add up to 1."""
    below = np.cumsum(weights, axis=0)  # the share up to each value, of what is left
    below -= cut
    below /= 1 - 2 * cut
    np.clip(below, 0, 1, out=below)
    first = int(np.searchsorted(values, -math.inf, side="right"))
    end = int(np.searchsorted(values, math.inf))
    found: np.ndarray = np.zeros(weights.shape[1])
    if first < end:
        found += values[end - 1] - np.diff(values[first:end]) @ below[first : end - 1]
    if first:
        found[below[first - 1] > ROUNDING] -= math.inf
    if end < len(values):
        with np.errstate(invalid="ignore"):  # −inf and inf
            found[(below[end - 1] if end else 0.0) < 1 - ROUNDING] += math.inf
    return found


def _winsorized(table: Sequence[np.ndarray], statistic: Statistic) -> list[list[np.ndarray]]:
    """For each method its problems' scores, the lowest and the highest quarter of all brought in to where the
    middle half ends, unless it is for the mean: what spreads of trimmed means are made of."""
    every = np.sort(np.concatenate(table, axis=1), axis=1)
    cut = 0 if statistic == "mean" else every.shape[1] // 4
    low, high = every[:, cut], every[:, -1 - cut]
    return [[np.clip(scores[m], low[m], high[m]) for scores in table] for m in range(len(every))]


def _estimate(value: float, drawn: np.ndarray, parts: Sequence[np.ndarray]) -> Estimate:
    """With its interval, from replicates and from the scores that vary by themselves: of each problem, and of
    each method if not in pairs. Degrees of freedom as Satterthwaite (1946) has them."""
    from scipy.stats import norm, t

    seeds = np.array([len(part) for part in parts])
    every = int(seeds.sum())
    if seeds.min() < 2 or math.isnan(value):
        return Estimate(value, -math.inf, math.inf, every)
    with np.errstate(invalid="ignore"):
        variances = np.array([part.var(ddof=1) for part in parts]) / seeds
    if not np.isfinite(variances).all() or not variances.any():
        variances = (seeds == seeds.min()).astype(float)
    total = variances.sum()
    freedom = total**2 / (variances**2 / (seeds - 1)).sum()
    widened = math.sqrt(total / (variances * (seeds - 1) / seeds).sum())
    times = widened * float(t.isf(ERROR / 2, freedom))
    if np.isfinite(drawn).all():
        half = times * float((drawn - value).std(ddof=1))
        return Estimate(value, value - half, value + half, every)
    beyond = float(norm.sf(times))
    return Estimate(value, *_percentiles(drawn, beyond), every)


def _percentiles(drawn: np.ndarray, beyond: float) -> tuple[float, float]:
    """So much beyond either; a replicate that is NaN, −inf less −inf, may be anywhere."""
    low = np.where(np.isnan(drawn), -math.inf, drawn)
    high = np.where(np.isnan(drawn), math.inf, drawn)
    return (
        float(np.quantile(low, beyond, method="inverted_cdf")),
        float(np.quantile(high, 1 - beyond, method="inverted_cdf")),
    )
