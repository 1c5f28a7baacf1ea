"""Scores whose aggregate, difference or probability of improvement is known, and intervals of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from coverage_case import PRINTED, REPLICATES, TAIL, Case, Draw, Interval, Z, ends, of_replicates
from scipy import special, stats

from pbtbench.statistics import bootstrap
from pbtbench.statistics.bootstrap import Statistic
from pbtbench.statistics.improvement import improvement

SCORES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "near 1": lambda rng, n: rng.beta(19, 1, n),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "one in five stuck": lambda rng, n: (
        np.where(rng.random(n) < 0.2, 0, 1) + rng.normal(0, 0.05, n)
    ),
}


def trimmed(rows: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
    """The statistic of each row and its standard error (Tukey and McLaughlin 1963)."""
    n = rows.shape[-1]
    cut = {"mean": 0, "iqm": n // 4, "median": (n - 1) // 2}[statistic]
    rows = np.sort(rows, axis=-1)
    winsorized = np.clip(rows, rows[..., cut, None], rows[..., n - 1 - cut, None])
    error = winsorized.std(axis=-1, ddof=1) * math.sqrt(n) / (n - 2 * cut)
    return rows[..., cut : n - cut].mean(axis=-1), error


def of_scores(x: np.ndarray, statistic: Statistic, rng: np.random.Generator) -> dict[str, Interval]:
    n = len(x)
    value, error = (float(part) for part in trimmed(x, statistic))
    rows = x[rng.integers(0, n, (REPLICATES, n))]
    drawn, errors = trimmed(rows, statistic)
    found = {
        PRINTED: ends(bootstrap.aggregate([x], statistic, replicates=REPLICATES)),
        **of_replicates(value, drawn, n, n - 1),
        "BCa": bca(x, value, drawn, statistic),
    }
    if statistic != "mean":  # of which it is what is printed, but for the bootstrap's chance
        half = stats.t.isf(TAIL, n - 1) * error
        found["Student's t, winsorized"] = (value - half, value + half)
    noise = rng.normal(0, x.std(ddof=1) / math.sqrt(n), rows.shape)
    smooth = trimmed(rows + noise, statistic)[0]
    found["smoothed percentile"] = tuple(np.quantile(smooth, [TAIL, 1 - TAIL]))
    with np.errstate(all="ignore"):
        times = np.nan_to_num((drawn - value) / errors, nan=0, posinf=math.inf, neginf=-math.inf)
        low, high = np.quantile(times, [1 - TAIL, TAIL], method="inverted_cdf")
        found["bootstrap t"] = (value - low * error, value - high * error)
    if statistic == "median":
        order = np.sort(x)
        below = int(stats.binom.ppf(TAIL, n, 0.5))
        found["order statistics"] = (
            (order[below - 1], order[n - below]) if below else (-math.inf, math.inf)
        )
    return found


def bca(x: np.ndarray, value: float, drawn: np.ndarray, statistic: Statistic) -> Interval:
    others = ~np.eye(len(x), dtype=bool)
    left = trimmed(np.tile(x, (len(x), 1))[others].reshape(len(x), -1), statistic)[0]
    apart = left.mean() - left
    with np.errstate(all="ignore"):
        skew = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
        bias = stats.norm.ppf((np.mean(drawn < value) + np.mean(drawn <= value)) / 2)
        z = bias + np.array([-Z, Z])
        at = stats.norm.cdf(bias + z / (1 - skew * z))
    if np.isnan(at).any():
        return math.nan, math.nan
    return tuple(np.quantile(drawn, at))


def several(rng: np.random.Generator, n: int, draws: Sequence[Draw]) -> list[np.ndarray]:
    return [draw(rng, n) for draw in draws]


def at(draw: Draw, middle: float, scale: float) -> Draw:
    return lambda rng, n: middle + scale * draw(rng, n)


PROBLEMS: dict[str, list[Draw]] = {
    "normal": [at(SCORES["normal"], 0.3 * i, 0.2 + 0.1 * i) for i in range(5)],
    "lognormal": [at(SCORES["lognormal"], 0.3 * i, 0.2 + 0.1 * i) for i in range(5)],
    "near 1": [at(SCORES["near 1"], 0.02 * i, 1) for i in range(5)],
    "one in five stuck": [at(SCORES["one in five stuck"], 0.1 * i, 1) for i in range(5)],
    "mixed": [
        at(SCORES["normal"], 0.5, 0.1),
        SCORES["near 1"],
        at(SCORES["lognormal"], 0, 0.1),
        at(SCORES["heavy tails"], 0.8, 0.02),
        SCORES["one in five stuck"],
    ],
}
"""Five of each."""


def of_several(scores: list[np.ndarray], statistic: Statistic) -> dict[str, Interval]:
    n, problems = len(scores[0]), len(scores)
    value = float(trimmed(np.concatenate(scores), statistic)[0])
    (drawn,) = bootstrap.resampled([scores], statistic, paired=False, replicates=REPLICATES)
    error = drawn.std(ddof=1) * math.sqrt(n / (n - 1))
    found = {
        PRINTED: ends(bootstrap.aggregate(scores, statistic, replicates=REPLICATES)),
        **of_replicates(value, drawn, n, problems * (n - 1)),
    }
    for name, freedom in (("all", problems * (n - 1)), ("one problem's", n - 1)):
        half = stats.t.isf(TAIL, freedom) * error
        found[f"Student's t, {name} degrees"] = (value - half, value + half)
    return found


def of_difference(pair: np.ndarray, *, paired: bool) -> dict[str, Interval]:
    one, other = [pair[0]], [pair[1]]
    n = len(pair[0])
    drawn = bootstrap.resampled([one, other], paired=paired, replicates=REPLICATES)
    value = float(trimmed(pair[0], "iqm")[0] - trimmed(pair[1], "iqm")[0])
    errors = [trimmed(side, "iqm")[1] for side in pair]
    half = stats.t.isf(TAIL, 2 * n - 2) * math.hypot(*errors)
    return {
        PRINTED: ends(bootstrap.difference(one, other, paired=paired, replicates=REPLICATES)),
        **of_replicates(value, drawn[0] - drawn[1], n, n - 1),
        "Student's t, winsorized, no pairs": (value - half, value + half),
    }


def score_cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for name, draw in SCORES.items():
        many = draw(rng, 4_000_000)
        for statistic in ("mean", "iqm", "median"):
            truth = float(trimmed(many, statistic)[0])
            yield Case(
                statistic, name, truth, draw, lambda x, rng, s=statistic: of_scores(x, s, rng)
            )
    for name, draws in PROBLEMS.items():
        many = np.concatenate(several(rng, 1_000_000, draws))
        for statistic in ("mean", "iqm", "median"):
            yield Case(
                "5 problems", f"{statistic}, {name}", float(trimmed(many, statistic)[0]),
                partial(several, draws=draws),
                lambda x, rng, s=statistic: of_several(x, s),
            )  # fmt: skip
    for name, draw in SCORES.items():
        for paired in (True, False):
            yield Case(
                "difference of iqm", f"{name}, {'pairs' if paired else 'no pairs'}", 0.0,
                partial(pair, draw=draw, paired=paired),
                lambda x, rng, p=paired: of_difference(x, paired=p),
            )  # fmt: skip


def pair(rng: np.random.Generator, n: int, draw: Draw, *, paired: bool) -> np.ndarray:
    """Scores of two methods that are alike, shape (2, seeds), half of whose variance seeds share if paired."""
    shared = draw(rng, n) if paired else 0
    return np.array([draw(rng, n) + shared, draw(rng, n) + shared])


VERSUS: dict[str, tuple[Draw, Draw]] = {
    "equal": (SCORES["normal"], SCORES["normal"]),
    "one deviation": (lambda rng, n: rng.normal(1, 1, n), SCORES["normal"]),
    "three deviations": (lambda rng, n: rng.normal(3, 1, n), SCORES["normal"]),
    "other spread": (lambda rng, n: rng.normal(1, 3, n), lambda rng, n: rng.normal(0, 0.3, n)),
    "two modes": (SCORES["one in five stuck"], lambda rng, n: rng.normal(0.9, 0.1, n)),
    "ties": (lambda rng, n: rng.binomial(3, 0.7, n), lambda rng, n: rng.binomial(3, 0.5, n)),
}


def wins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x > y) + 0.5 * (x == y)


def of_improvement(pairs: list[np.ndarray], rng: np.random.Generator) -> dict[str, Interval]:
    """Without shared seeds, of each problem a pair of arrays."""
    n, problems = len(pairs[0][0]), len(pairs)
    tables = np.array([wins(x[:, None], y) for x, y in pairs])
    value = tables.mean()
    sides = np.stack([tables.mean(axis=2), tables.mean(axis=1)]).var(axis=2, ddof=1) / n
    error = math.sqrt(sides.sum()) / problems
    freedom = sides.sum() ** 2 / (sides**2 / (n - 1)).sum() if error else n - 1
    half = stats.t.isf(TAIL, freedom) * error
    x, y = (
        np.concatenate([*bootstrap.counts([n] * problems, REPLICATES, rng)], axis=1) / n
        for _ in range(2)
    )
    x, y = (part.reshape(problems, n, REPLICATES) for part in (x, y))
    drawn = (np.einsum("pir,pij->pjr", x, tables) * y).sum(axis=(0, 1)) / problems
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    logit, part = special.logit(value), half / (value * (1 - value)) if error else 0.0
    return {
        PRINTED: ends(improvement(*zip(*pairs, strict=True), paired=False)),
        "percentile": (low, high),
        "Brunner and Munzel's t": (value - half, value + half),
        "the same of logits": (special.expit(logit - part), special.expit(logit + part)),
        "Newcombe 5": newcombe(value, n, problems),
    }


def newcombe(value: float, n: int, problems: int) -> Interval:
    """The values for which `value` is within Hanley and McNeil's error (Newcombe 2006, method 5)."""
    at = np.linspace(1e-6, 1 - 1e-6, 2001)
    spread = at * (1 - at) * (1 + (n - 1) * ((1 - at) / (2 - at) + at / (1 + at)))
    near = at[np.abs(at - value) <= Z * np.sqrt(spread / problems) / n]
    return (near[0], near[-1]) if len(near) else (value, value)


def of_pairs(pairs: list[np.ndarray], rng: np.random.Generator) -> dict[str, Interval]:
    """With shared seeds."""
    won = np.array([wins(x, y) for x, y in pairs])
    problems, n = won.shape
    value = won.mean()
    error = math.sqrt(won.var(axis=1, ddof=1).sum() / n) / problems
    half = stats.t.isf(TAIL, problems * (n - 1)) * error
    picked = rng.integers(0, n, (REPLICATES, problems, n))
    drawn = won[np.arange(problems)[:, None], picked].mean(axis=(1, 2))
    return {
        PRINTED: ends(improvement(*zip(*pairs, strict=True), paired=True)),
        "percentile": tuple(np.quantile(drawn, [TAIL, 1 - TAIL])),
        "Student's t": (value - half, value + half),
    }


def improvement_cases() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    for name, (one, other) in VERSUS.items():
        x, y = np.sort(one(rng, 400_000)), np.sort(other(rng, 400_000))
        below = np.searchsorted(y, x) + np.searchsorted(y, x, side="right")
        truth = float(below.mean()) / (2 * len(y))
        for problems in (1, 5):
            where = f"{name}, {problems} problem{'s' * (problems > 1)}"
            sample = partial(versus, one=one, other=other, problems=problems)
            yield Case("improvement, no pairs", where, truth, sample, of_improvement)
            yield Case("improvement, pairs", where, truth, sample, of_pairs)


def versus(
    rng: np.random.Generator, n: int, one: Draw, other: Draw, problems: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(one(rng, n), other(rng, n)) for _ in range(problems)]
