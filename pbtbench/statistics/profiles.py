"""Profiles of times over many problems and targets, with bands: COCO's of one method, AlgoPerf's of several.

Bands are over seeds, problems being fixed, by a bootstrap of each problem's runs. Of those tried they cover
best (`results/coverage.csv`): of AlgoPerf's profile percentiles, which cover more than they say; of its score
Student's t with the bootstrap's standard error; of COCO's profile Wilson's interval, with Student's t, of as
many runs as would vary as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.statistics.estimate import ERROR, Estimate
from pbtbench.statistics.shares import wilson
from pbtbench.statistics.time_to_target import Attempts

FACTORS = np.linspace(1, 4, 301)
"""How many times as long as the best: up to 4, as AlgoPerf has it."""
REPLICATES = 500
RESTARTS = 1000
"""Restarted searches that are simulated for each replicate, over all problems and targets."""
LEAST, MOST = 10, 100
"""Of these for each problem and target."""
POINTS = 200
"""Of a runtime profile, at most."""


@dataclass(frozen=True)
class Profile:
    """A share that rises with time, or with a factor of time, and its pointwise band: arrays (points,)."""

    at: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class PerformanceProfile:
    """The share of problems on which a method is within a factor of the best."""

    profile: Profile
    """`at`: the factors, from 1 to 4."""
    score: Estimate
    """AlgoPerf's benchmark score: the mean of the profile over these factors. `n`: how many runs."""


def performance_profiles(
    methods: Mapping[str, Sequence[Attempts]], *, paired: bool, seed: int = 0
) -> dict[str, PerformanceProfile]:
    """Of methods that have attempts at the same problems, in one order (Dahl et al. 2023, section 4).

    A method's time on a problem is the median of its runs, a miss being infinite; nobody is near the best where
    all miss. `paired`: the runs of a problem are aligned by seed, and drawn together. Raises `BadInput` without
    problems or runs, or where methods have different ones.
    """
    problems = _problems(methods)
    rng = np.random.default_rng(seed)
    point = _ratios(np.array([[[_median(_times(a))] for a in problem] for problem in problems]))
    drawn = _ratios(np.array([_drawn_medians(problem, paired, rng) for problem in problems]))
    found = {}
    for i, name in enumerate(methods):
        sizes = [problem[i].n for problem in problems]
        value = float(_scores(point[:, i])[0])
        score = Estimate(value, *_students(value, _scores(drawn[:, i]), sizes), sum(sizes))
        share = _within(point[:, i])[:, 0]
        band = _percentiles(share, _within(drawn[:, i]), sizes)
        found[name] = PerformanceProfile(Profile(FACTORS, share, *band), score)
    return found


def runtime_profile(problems: Sequence[Sequence[Attempts]], *, seed: int = 0) -> Profile:
    """The share of (problem, target) pairs that a method reaches within a time, if it is restarted until it
    does (COCO's simulated restarts: Hansen et al. 2021).

    For each problem its attempts at several targets, of the same runs in one order, which the band draws
    together. A pair that no run reached is never reached. The times begin at 0.

    Raises `BadInput` without problems, targets or runs.
    """
    _check(problems)
    if any(len({attempts.n for attempts in targets}) > 1 for targets in problems):
        raise BadInput("the targets of a problem have different runs; give each those of all")
    rng = np.random.default_rng(seed)
    once = [np.arange(targets[0].n)[None] for targets in problems]
    times = restarted(problems, once, REPLICATES, rng)
    finite = np.append(times[np.isfinite(times)], 0.0)
    at = np.unique(np.quantile(finite, np.linspace(0, 1, POINTS), method="inverted_cdf"))
    again = [rng.integers(0, t[0].n, (REPLICATES, t[0].n)) for t in problems]
    restarts = min(MOST, max(LEAST, RESTARTS // sum(map(len, problems))))
    drawn = reached(restarted(problems, again, restarts, rng), at)
    share, sizes = reached(times, at)[:, 0], [targets[0].n for targets in problems]
    return Profile(at, share, *_wilsons(share, drawn, sizes))


def _percentiles(share: np.ndarray, drawn: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """The lower and the upper end, shape (2, points), of shares, shape (points,), from their replicates, shape
    (points, replicates), of problems that have so many runs. All is possible where each has one run."""
    if max(sizes) < 2:
        return np.repeat([[0.0], [1.0]], len(drawn), axis=1)
    low, high = np.quantile(drawn, [ERROR / 2, 1 - ERROR / 2], axis=1)
    return np.array([np.minimum(low, share), np.maximum(high, share)])


def _students(value: float, drawn: np.ndarray, sizes: Sequence[int]) -> tuple[float, float]:
    """Likewise of a single share, from its replicates, shape (replicates,)."""
    times, error = _errors(drawn[None], sizes)
    if not math.isfinite(times):
        return 0.0, 1.0
    half = times * float(error[0])
    return max(value - half, 0.0), min(value + half, 1.0)


def _wilsons(share: np.ndarray, drawn: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """As `_percentiles`."""
    times, errors = _errors(drawn, sizes)
    if not math.isfinite(times):
        return np.repeat([[0.0], [1.0]], len(drawn), axis=1)
    fewest = float(min(sizes))
    ends = []
    for value, error in zip(share.tolist(), errors.tolist(), strict=True):
        like = max(fewest, value * (1 - value) / error**2) if error else fewest
        ends.append(wilson(value, like, times))
    return np.array(ends).T


def _errors(drawn: np.ndarray, sizes: Sequence[int]) -> tuple[float, np.ndarray]:
    """How many standard errors Student's interval is long to either side, and these, shape (points,)."""
    from scipy.stats import t

    freedom = sum(sizes) - len(sizes)
    if not freedom:
        return math.inf, np.zeros(len(drawn))
    widened = math.sqrt(sum(sizes) / freedom)
    return float(t.isf(ERROR / 2, freedom)), widened * drawn.std(axis=1, ddof=1)


def _check(problems: Sequence[Sequence[Attempts]]) -> None:
    if not problems or not all(problems):
        raise BadInput("a profile needs a problem at least, and an attempt at each")
    if not all(attempts.n for problem in problems for attempts in problem):
        raise BadInput("a profile needs a run of each problem at least")


def _problems(methods: Mapping[str, Sequence[Attempts]]) -> list[tuple[Attempts, ...]]:
    """Each problem's attempts, those of all methods."""
    if len({len(attempts) for attempts in methods.values()}) > 1:
        raise BadInput("methods are compared on different problems; give each the same ones")
    problems = list(zip(*methods.values(), strict=True))
    _check(problems)
    return problems


def _times(attempts: Attempts) -> np.ndarray:
    """Of the runs, a miss being infinite."""
    return np.where(attempts.reached, attempts.spent, math.inf)


def _median(times: np.ndarray) -> np.ndarray:
    """Over the last axis; a half-way between a time and a miss is a miss."""
    n = times.shape[-1]
    middle = np.sort(times, axis=-1)[..., (n - 1) // 2 : n // 2 + 1]
    found: np.ndarray = middle.mean(axis=-1)
    return found


def _drawn_medians(
    problem: Sequence[Attempts], paired: bool, rng: np.random.Generator
) -> np.ndarray:
    """Medians of runs that are drawn again, shape (methods, replicates)."""
    sizes = [attempts.n for attempts in problem]
    if paired and len(set(sizes)) > 1:
        raise BadInput(f"pairs need as many runs each; they have {min(sizes)} and {max(sizes)}")
    found = []
    drawn = rng.integers(0, sizes[0], (REPLICATES, sizes[0]))
    for attempts in problem:
        if not paired:
            drawn = rng.integers(0, attempts.n, (REPLICATES, attempts.n))
        found.append(_median(_times(attempts)[drawn]))
    return np.array(found)


def _ratios(medians: np.ndarray) -> np.ndarray:
    """To the best method's, shape (problems, methods, replicates); infinite for a miss."""
    best = medians.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isinf(medians), math.inf, np.where(medians == best, 1, medians / best))


def _within(ratios: np.ndarray) -> np.ndarray:
    """The share of problems within each factor, shape (factors, replicates), of (problems, replicates)."""
    return np.array([(ratios <= factor).mean(axis=0) for factor in FACTORS])


def _scores(ratios: np.ndarray) -> np.ndarray:
    """The mean of the profile over the factors, which is that of each problem's share of them."""
    most = FACTORS[-1]
    found: np.ndarray = np.clip((most - ratios) / (most - 1), 0, 1).mean(axis=0)
    return found


def restarted(
    problems: Sequence[Sequence[Attempts]],
    drawn: Sequence[np.ndarray],
    restarts: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Times of restarted searches, shape (pairs, replicates, restarts). `drawn`: for each problem which of its
    runs there are, shape (replicates, runs)."""
    found = []
    for targets, runs in zip(problems, drawn, strict=True):
        for attempts in targets:
            spent, reached = np.asarray(attempts.spent, float), np.asarray(attempts.reached, bool)
            times = np.zeros((len(runs), restarts))
            times[~reached[runs].any(axis=1)] = math.inf
            which, search = np.nonzero(np.isfinite(times))
            while len(which):
                run = runs[which, rng.integers(0, runs.shape[1], len(which))]
                times[which, search] += spent[run]
                missed = ~reached[run]
                which, search = which[missed], search[missed]
            found.append(times)
    return np.array(found)


def reached(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The share of searches that are done by each time, shape (points, replicates)."""
    _pairs, replicates, _restarts = times.shape
    place = np.searchsorted(at, times) * replicates + np.arange(replicates)[:, None]
    done = np.bincount(place.ravel(), minlength=(len(at) + 1) * replicates)
    found: np.ndarray = done.reshape(-1, replicates).cumsum(axis=0)[:-1] * replicates / times.size
    return found
