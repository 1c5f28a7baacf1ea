"""Times to a target of which expectation, mean, curve and successes are known, and intervals of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np
from coverage_case import (
    NOMINAL,
    PRINTED,
    REPLICATES,
    TAIL,
    Case,
    Draw,
    Interval,
    Z,
    ends,
    of_replicates,
)
from scipy import special, stats

from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.time_to_target import (
    Attempts,
    ert,
    ert_ratio,
    rmst,
    success_share,
    survival,
)

BUDGET = 1.0
MEAN = 0.6
"""Of exponential times that are cut off at different moments."""
TIMES: dict[str, Draw] = {
    "exponential, 95% reach": lambda rng, n: rng.exponential(1 / 3, n),
    "exponential, 63% reach": lambda rng, n: rng.exponential(1, n),
    "exponential, 30% reach": lambda rng, n: rng.exponential(2.8, n),
    "geometric, 80% reach": lambda rng, n: rng.geometric(0.15, n) / 10,
    "lognormal, 90% reach": lambda rng, n: rng.lognormal(-0.64, 0.5, n),
    "lognormal, 50% reach": lambda rng, n: rng.lognormal(0, 0.5, n),
    "lognormal, all reach": lambda rng, n: rng.lognormal(-0.7, 0.1, n),
    "one in five stuck": lambda rng, n: np.where(
        rng.random(n) < 0.2, 9, rng.lognormal(-0.7, 0.2, n)
    ),
}


def attempts(times: np.ndarray, until: np.ndarray | float = BUDGET) -> Attempts:
    return Attempts(np.minimum(times, until), times <= until, np.zeros(len(times), bool))


def of_share(found: Attempts, rng: np.random.Generator) -> dict[str, Interval]:
    n, k = found.n, found.successes
    exact = stats.binomtest(k, n).proportion_ci(method="exact")
    more, share = n + Z**2, (k + Z**2 / 2) / (n + Z**2)
    half, wald = (Z * math.sqrt(p * (1 - p) / m) for p, m in ((share, more), (k / n, n)))
    beta = stats.beta(k + 0.5, n - k + 0.5)
    return {
        PRINTED: ends(success_share(found)),
        "Clopper and Pearson": (exact.low, exact.high),
        "Jeffreys": (beta.ppf(TAIL) if k else 0.0, beta.isf(TAIL) if k < n else 1.0),
        "Agresti and Coull": (share - half, share + half),
        "Wald": (k / n - wald, k / n + wald),
    }


def of_ert(found: Attempts, rng: np.random.Generator) -> dict[str, Interval]:
    n, k, total = found.n, found.successes, float(found.spent.sum())
    value = total / k if k else math.inf
    picked = rng.integers(0, n, (REPLICATES, n))
    with np.errstate(divide="ignore"):
        drawn = found.spent[picked].sum(axis=1) / found.reached[picked].sum(axis=1)
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL], method="inverted_cdf")
    beyond = stats.norm.sf(math.sqrt(n / (n - 1)) * stats.t.isf(TAIL, n - 1))
    wide = np.quantile(drawn, [beyond, 1 - beyond], method="inverted_cdf")
    factor = math.inf
    if k:
        apart = found.spent - value * found.reached
        factor = math.exp(stats.t.isf(TAIL, n - 1) * apart.std(ddof=1) * math.sqrt(n) / total)
    least = 2 * total / stats.chi2.isf(TAIL, 2 * k + 2)
    most = 2 * total / stats.chi2.ppf(TAIL, 2 * k) if k else math.inf
    middle = 2 * total / stats.chi2.ppf([1 - TAIL, TAIL], 2 * k + 1)
    return {
        PRINTED: ends(ert(found)),
        "percentile": (low, high),
        "basic": (2 * value - high, 2 * value - low) if math.isfinite(high) else (0.0, math.inf),
        "expanded percentile": tuple(wide),
        "Student's t of logarithms": (value / factor, value * factor) if k else (0.0, math.inf),
        "exponential, exact (χ²)": (least, most),
        "exponential, mid (χ²)": tuple(middle),
    }


def of_rmst(found: Attempts, rng: np.random.Generator) -> dict[str, Interval]:
    n = found.n
    value, error = (float(part) for part in integral(found, np.arange(n)))
    share, half = value / BUDGET, stats.t.isf(TAIL, n - 1) * error
    logit, part = special.logit(share), half / (share * (1 - share)) if 0 < share < 1 else 0.0
    picked = rng.integers(0, n, (REPLICATES, n))
    drawn = integral(found, picked)[0]
    return {
        PRINTED: ends(rmst(found, BUDGET)),
        "Student's t, Greenwood": (value - half, value + half),
        "the same of logits": (special.expit(logit - part), special.expit(logit + part)),
        **of_replicates(value, drawn, n, n - 1),
    }


def integral(found: Attempts, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of Kaplan and Meier's curve until the budget, and its error, the curve going on where it ends; rows of
    shape (..., runs)."""
    order = np.lexsort((~found.reached[rows], found.spent[rows]))
    spent, hit = (np.take_along_axis(a[rows], order, -1) for a in (found.spent, found.reached))
    n = spent.shape[-1]
    at_risk = np.arange(n, 0, -1)
    share = np.cumprod(1 - hit / at_risk, axis=-1)
    pieces = share * np.diff(spent, append=BUDGET)
    rest = np.cumsum(pieces[..., ::-1], axis=-1)[..., ::-1][..., :-1]
    steps = hit[..., :-1] / (at_risk[:-1] * (at_risk[:-1] - 1))
    variance = np.sum(rest**2 * steps, axis=-1) * n / (n - 1)
    return spent[..., 0] + pieces.sum(axis=-1), np.sqrt(variance)


def of_survival(found: Attempts, rng: np.random.Generator, at: float) -> dict[str, Interval]:
    curve = survival(found)
    place = np.searchsorted(curve.time, at, side="right") - 1
    result = {PRINTED: (curve.low[place], curve.high[place])}
    sample = stats.CensoredData(
        uncensored=found.spent[found.reached], right=found.spent[~found.reached]
    )
    curve = stats.ecdf(sample).sf
    place = int(np.searchsorted(curve.quantiles, at, side="right")) - 1
    for name, method in (("Greenwood", "linear"), ("Greenwood, log-log", "log-log")):
        result[name] = (1.0, 1.0)
        if place >= 0:
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                band = curve.confidence_interval(NOMINAL, method=method)
            result[name] = (band.low.probabilities[place], band.high.probabilities[place])
    return result


def time_cases() -> Iterator[Case]:
    rng = np.random.default_rng(2)
    for name, draw in TIMES.items():
        times = draw(rng, 4_000_000)
        reach, spent = float(np.mean(times <= BUDGET)), float(np.minimum(times, BUDGET).mean())
        sample = partial(watched, draw=draw)
        yield Case("ert", name, spent / reach, sample, of_ert)
        yield Case("rmst", name, spent, sample, of_rmst, samples=200)
    mean = MEAN * (1 - math.exp(-BUDGET / MEAN))
    yield Case("rmst", "exponential, some cut off early", mean, cut_off, of_rmst, samples=200)
    for at in (0.2, 0.6, 0.9):
        where, left = f"exponential, some cut off early, at {at}", math.exp(-at / MEAN)
        yield Case("survival", where, left, cut_off, partial(of_survival, at=at))
    for share in np.linspace(0.01, 0.99, 50):
        yield Case(
            "success share",
            f"{share:.0%} reach",
            float(share),
            partial(tried, share),
            of_share,
            listed=True,
        )


def ratio_cases() -> Iterator[Case]:
    """Two methods whose runs of a seed are alike: of one that is faster by a half, or rarely misses."""
    rng = np.random.default_rng(3)
    for name, draw, alike in (
        ("exponential, 63% and 86% reach", partial(two, ("exponential", 1.0, 0.5)), 0.0),
        ("lognormal, 50% and 92% reach", partial(two, ("lognormal", 0.0, 0.5)), 0.0),
        ("lognormal, pairs alike", partial(two, ("lognormal", 0.0, 0.5)), 0.7),
        ("lognormal, all reach", partial(two, ("lognormal", -2.5, 0.5)), 0.0),
        ("lognormal, all reach, pairs alike", partial(two, ("lognormal", -2.5, 0.5)), 0.7),
    ):
        one, other = draw(rng, 2_000_000, alike)
        truth = (other.spent.sum() / other.successes) / (one.spent.sum() / one.successes)
        yield Case("ert ratio", name, float(truth), partial(draw, alike=alike), of_ratio)


def two(
    times: tuple[str, float, float], rng: np.random.Generator, n: int, alike: float
) -> tuple[Attempts, Attempts]:
    """Runs of two methods, of which the other's times are longer."""
    kind, middle, part = times
    normal = rng.multivariate_normal([0, 0], [[1, alike], [alike, 1]], n).T
    if kind == "lognormal":
        found = np.exp(middle + 0.5 * normal + [[math.log(part)], [0]])
    else:
        found = stats.expon.ppf(stats.norm.cdf(normal)) * [[part], [middle]]
    return attempts(found[0]), attempts(found[1])


def of_ratio(found: tuple[Attempts, Attempts], rng: np.random.Generator) -> dict[str, Interval]:
    one, other = found
    n = one.n
    rows = rng.integers(0, n, (REPLICATES, n))
    sums = [(a.spent[rows].sum(axis=1), a.reached[rows].sum(axis=1)) for a in (one, other)]
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = sums[1][0] * sums[0][1] / (sums[0][0] * sums[1][1])
    beyond = stats.norm.sf(math.sqrt(n / (n - 1)) * stats.t.isf(TAIL, n - 1))
    found_ends = {}
    for name, tail in (("percentile", TAIL), ("expanded percentile", beyond)):
        found_ends[name] = tuple(
            np.quantile(np.nan_to_num(drawn, nan=end, posinf=math.inf), q, method="inverted_cdf")
            for end, q in ((0.0, tail), (math.inf, 1 - tail))
        )
    above, below = ert(other), ert(one)
    value = above.value / below.value if math.isfinite(below.value) else 0.0
    return {
        PRINTED: ends(ert_ratio(one, other, paired=True)),
        "as if not of pairs": ends(ert_ratio(one, other, paired=False)),
        "from both intervals": from_both(value, above, below),
        **found_ends,
    }


def from_both(value: float, above: Estimate, below: Estimate) -> Interval:
    """Of the ratio of two estimates from their own intervals (Zou and Donner 2008, of logarithms)."""
    if not (math.isfinite(value) and value):
        return above.low / below.high, above.high / below.low if below.low else math.inf
    with np.errstate(divide="ignore"):
        a, b = (
            np.log([e.value / e.low if e.low else math.inf, e.high / e.value])
            for e in (above, below)
        )
    return value * math.exp(-math.hypot(a[0], b[1])), value * math.exp(
        min(700, math.hypot(a[1], b[0]))
    )


def watched(rng: np.random.Generator, n: int, draw: Draw) -> Attempts:
    """Until the budget."""
    return attempts(draw(rng, n))


def cut_off(rng: np.random.Generator, n: int) -> Attempts:
    """One in three earlier."""
    return attempts(rng.exponential(MEAN, n), np.minimum(rng.uniform(0.5, 2, n), BUDGET))


def tried(share: float, rng: np.random.Generator, n: int) -> list[tuple[Attempts, float]]:
    """However many of so many runs reach the target, with its probability."""
    return [
        (attempts(np.where(np.arange(n) < k, 0.5, 2.0)), float(stats.binom.pmf(k, n, share)))
        for k in range(n + 1)
    ]
