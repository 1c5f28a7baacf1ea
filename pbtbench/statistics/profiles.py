"""Profiles of times over many problems and targets, with bands: COCO's of one method, AlgoPerf's of several.

Bands are over seeds, problems being fixed: Student's t with the standard error of a bootstrap of each
problem's runs, kept within 0 and 1: of those tried what covers best (`results/coverage.csv`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.time_to_target import Attempts

ERROR = 0.05
"""How often a band should miss at a point."""
FACTORS = np.linspace(1, 4, 301)
"""How many times as long as the best: up to 4, as AlgoPerf has it."""
REPLICATES = 1000
RESTARTS = 100
"""Restarted searches that are simulated for each problem, target and replicate."""
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
        share, low, high = _band(_within(point[:, i])[:, 0], _within(drawn[:, i]), sizes)
        score = _band(_scores(point[:, i]), _scores(drawn[:, i])[None], sizes)
        value, lowest, highest = (float(part[0]) for part in score)
        found[name] = PerformanceProfile(
            Profile(FACTORS, share, low, high),
            Estimate(value, lowest, highest, sum(sizes)),
        )
    return found


def runtime_profile(problems: Sequence[Sequence[Attempts]], *, seed: int = 0) -> Profile:
    """The share of (problem, target) pairs that a method reaches within a time, if it is restarted until it
    does (COCO's simulated restarts: Hansen et al. 2021).

    For each problem its attempts at several targets, of the same runs in one order, which the band draws
    together. A pair that no run reached is never reached; without any that is, the profile has no points.
    Raises `BadInput` without problems, targets or runs.
    """
    _check(problems)
    rng = np.random.default_rng(seed)
    once = [np.arange(targets[0].n)[None] for targets in problems]
    times = _restarted(problems, once, REPLICATES, rng)
    finite = times[np.isfinite(times)]
    if not len(finite):
        return Profile(*(np.array([]) for _ in range(4)))
    at = np.unique(np.quantile(finite, np.linspace(0, 1, POINTS), method="inverted_cdf"))
    again = [rng.integers(0, t[0].n, (REPLICATES, t[0].n)) for t in problems]
    drawn = _reached(_restarted(problems, again, RESTARTS, rng), at)
    sizes = [targets[0].n for targets in problems]
    return Profile(at, *_band(_reached(times, at)[:, 0], drawn, sizes))


def _band(
    point: np.ndarray, drawn: np.ndarray, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The shares, shape (points,), and how far down and up they may be by their replicates, shape (points,
    replicates), of problems that have so many runs; all may be where each has one."""
    from scipy.stats import t

    freedom = sum(sizes) - len(sizes)
    if not freedom:
        return point, np.zeros(len(point)), np.ones(len(point))
    widened = math.sqrt(sum(sizes) / freedom)
    half = float(t.isf(ERROR / 2, freedom)) * widened * drawn.std(axis=1, ddof=1)
    return point, np.clip(point - half, 0, 1), np.clip(point + half, 0, 1)


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


def _restarted(
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


def _reached(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The share of searches that are done by each time, shape (points, replicates)."""
    _pairs, replicates, _restarts = times.shape
    place = np.searchsorted(at, times) * replicates + np.arange(replicates)[:, None]
    done = np.bincount(place.ravel(), minlength=(len(at) + 1) * replicates)
    found: np.ndarray = done.reshape(-1, replicates).cumsum(axis=0)[:-1] * replicates / times.size
    return found
