"""What so many seeds can decide: the difference they would show, and how many would show one (METHOD 7).

A test shows a difference if it finds it at `LEVEL`, two-sided; it is counted on if it does so with probability
`POWER`. The tests are Student's of pairs; Welch's, where seeds are not shared; Mann and Whitney's of the
probability of improvement. Nothing is said (None) of fewer than `FEWEST` pairs, or seeds of a method, and of
values that are not all finite. The intervals say how little one sample knows: of its spread, and of the
difference it has seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.improvement import improvement

FEWEST = 5
POWER = 0.8
LEVEL = 0.05
ERROR = 0.05
"""How often an interval should miss."""
LARGEST = 1e3
"""Differences of more standard errors are as good as this many."""
LIKE_NORMAL = 1e5
"""Degrees of freedom from which t is normal."""
MOST = 1_000_000_000
"""More seeds than this are infinitely many."""
STUDIES = 4000
"""Simulated for each probability of improvement and number of seeds."""
SIMULATED = 200
"""Seeds of a method up to which it is simulated."""


def smallest_difference(differences: np.ndarray) -> Estimate | None:
    """The mean difference that so many pairs show, from the spread of theirs, shape (pairs,)."""
    values = _known(differences)
    if values is None:
        return None
    return _smallest(_error(values), len(values) - 1, len(values))


def pairs_needed(differences: np.ndarray) -> Estimate | None:
    """How many pairs show a mean difference as these have, shape (pairs,); infinitely many above where it may
    be none."""
    values = _known(differences)
    if values is None:
        return None
    n, error = len(values), _error(values)
    seen = abs(float(values.mean()))
    return _needed(seen, error, 1 / math.sqrt(n), n - 1, lambda pairs: pairs - 1, n)


def smallest_difference_unpaired(one: np.ndarray, other: np.ndarray) -> Estimate | None:
    """The difference of means that so many seeds of each method show, from the spreads of their scores, shape
    (seeds,); `n` is how many both have."""
    x, y = _known(one), _known(other)
    if x is None or y is None:
        return None
    return _smallest(math.hypot(_error(x), _error(y)), _welch(x, y), len(x) + len(y))


def seeds_needed(one: np.ndarray, other: np.ndarray) -> Estimate | None:
    """How many seeds of each method show a difference of means as these scores have, shape (seeds,)."""
    x, y = _known(one), _known(other)
    if x is None or y is None:
        return None
    a, b = float(x.var(ddof=1)), float(y.var(ddof=1))
    error, of_one = math.hypot(_error(x), _error(y)), math.sqrt(a + b)
    scale = error / of_one if of_one else 1.0
    like = (a + b) ** 2 / (a**2 + b**2) if of_one else 1.0
    seen = abs(float(x.mean() - y.mean()))
    n = len(x) + len(y)
    return _needed(seen, error, scale, _welch(x, y), lambda seeds: (seeds - 1) * like, n)


def smallest_improvement(n: int, m: int, *, seed: int = 0) -> float | None:
    """The probability of improvement, above ½, that n and m seeds of two methods show, if their scores are
    normal and spread alike."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    if min(n, m) < FEWEST:
        return None
    x, y = _normal(n, m, seed)
    shift = brentq(lambda by: _power(x + by, y) - POWER, 0, 10, xtol=1e-3)
    return float(norm.cdf(shift / math.sqrt(2)))


def seeds_needed_for_improvement(
    one: np.ndarray, other: np.ndarray, *, seed: int = 0
) -> Estimate | None:
    """How many seeds of each method show a probability of improvement as these scores have, shape (seeds,), if
    scores are normal and spread alike; infinitely many above where it may be ½."""
    if min(len(one), len(other)) < FEWEST:
        return None
    found = improvement([one], [other], paired=False)
    value, low, high = (abs(end - 0.5) for end in (found.value, found.low, found.high))
    nearest = 0.0 if found.low <= 0.5 <= found.high else min(low, high)
    value, least, most = (_seeds_for(0.5 + by, seed) for by in (value, max(low, high), nearest))
    return Estimate(value, least, most, found.n)


def _known(values: np.ndarray) -> np.ndarray | None:
    known = np.asarray(values, float)
    return known if len(known) >= FEWEST and np.isfinite(known).all() else None


def _error(values: np.ndarray) -> float:
    """The standard error of their mean."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _welch(x: np.ndarray, y: np.ndarray) -> float:
    """Degrees of freedom of the difference of means."""
    a, b = _error(x) ** 2, _error(y) ** 2
    if not a + b:
        return len(x) + len(y) - 2
    return (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1))


@cache
def _shown(freedom: float) -> float:
    """How many standard errors a difference must be to be shown with `POWER` (noncentral t)."""
    from scipy.optimize import brentq
    from scipy.stats import nct, norm, t

    beyond = float(t.isf(LEVEL / 2, freedom))
    if freedom > LIKE_NORMAL:
        return float(norm.isf(LEVEL / 2) + norm.ppf(POWER))
    return float(brentq(lambda size: nct.sf(beyond, freedom, size) - POWER, 0, 20 + 2 * beyond))


def _smallest(error: float, freedom: float, n: int) -> Estimate:
    """With the interval of the standard error (χ²)."""
    from scipy.stats import chi2

    value = _shown(freedom) * error
    low, high = (math.sqrt(freedom / chi2.isf(p, freedom)) for p in (ERROR / 2, 1 - ERROR / 2))
    return Estimate(value, value * low, value * high, n)


def _needed(
    seen: float, error: float, scale: float, freedom: float, at: Callable[[int], float], n: int
) -> Estimate:
    """`seen` is a difference, with its standard `error` and degrees of `freedom`; `scale` is this error over
    that of a single seed, and `at` gives the degrees of freedom that so many seeds have."""
    size = min(seen / error, LARGEST) if error else (LARGEST if seen else 0.0)
    low, high = _sizes(size, freedom)

    def seeds(of_size: float) -> float:
        return _first(lambda many: _shown(at(many)) <= of_size * scale * math.sqrt(many), 2)

    return Estimate(seeds(size), seeds(max(high, -low)), seeds(max(low, 0.0)), n)


def _sizes(size: float, freedom: float) -> tuple[float, float]:
    """Between which the true difference is, in standard errors, of which `size` is seen (noncentral t)."""
    from scipy.optimize import brentq
    from scipy.stats import nct, norm

    if freedom > LIKE_NORMAL:
        return size - norm.isf(ERROR / 2), size + norm.isf(ERROR / 2)

    def below(true: float) -> float:
        share = float(nct.cdf(size, freedom, true))
        return float(true < size) if math.isnan(share) else share  # SciPy gives none far out

    low, high = (
        brentq(lambda true, p=p: below(true) - p, -10, 20 + 4 * size)
        for p in (1 - ERROR / 2, ERROR / 2)
    )
    return float(low), float(high)


def _first(shows: Callable[[int], bool], least: int) -> float:
    """The fewest seeds, from `least` on, of which all that are more show it, too."""
    end = least
    while not shows(end):
        end *= 2
        if end > MOST:
            return math.inf
    start = max(end // 2, least - 1)  # shows nothing yet
    while end - start > 1:
        middle = (start + end) // 2
        if shows(middle):
            end = middle
        else:
            start = middle
    return float(end)


def _normal(n: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((STUDIES, n)), rng.standard_normal((STUDIES, m))


def _power(x: np.ndarray, y: np.ndarray) -> float:
    """The share of studies, shape (studies, seeds), in which Mann and Whitney's test shows that x is larger."""
    from scipy.stats import mannwhitneyu

    found = mannwhitneyu(x, y, axis=1)
    better = found.statistic > x.shape[1] * y.shape[1] / 2
    return float(np.mean(better & (found.pvalue < LEVEL)))


def _seeds_for(probability: float, seed: int) -> float:
    """How many seeds of each method show it; by Noether's formula (1987) where they are many."""
    from scipy.stats import norm

    apart = probability - 0.5
    quantiles = float(norm.isf(LEVEL / 2) + norm.ppf(POWER))
    many = quantiles**2 / (6 * apart**2) if apart > 0 else math.inf
    if many > SIMULATED:
        return float(math.ceil(many)) if many < MOST else math.inf
    shift = min(math.sqrt(2) * float(norm.ppf(probability)), 10.0)

    def shows(seeds: int) -> bool:
        x, y = _normal(seeds, seeds, seed)
        return _power(x + shift, y) >= POWER

    return _first(shows, 2)
