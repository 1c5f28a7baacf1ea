"""Profiles of times that are known, three methods on three problems, and intervals of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from coverage_case import PRINTED, TAIL, Case, Interval, ends, of_replicates
from coverage_of_times import attempts
from scipy import stats

from pbtbench.statistics.profiles import performance_profiles, reached, restarted, runtime_profile
from pbtbench.statistics.shares import wilson
from pbtbench.statistics.time_to_target import Attempts

PLACES = np.array([[0.0, 0.2, 0.5], [0.4, 0.0, 0.1], [0.1, 0.5, -0.3]])
"""Of each method and problem, the median of the times' logarithm."""
MISSES = np.array([[0.1, 0.3, 0.2], [0.2, 0.1, 0.3], [0.3, 0.6, 0.1]])
PROBLEMS = {
    "little spread": (0.1, PLACES),
    "some spread": (0.3, PLACES),
    "ten problems": (
        0.3,
        np.tile(PLACES, (1, 4))[:, :10] + np.linspace(-0.2, 0.2, 10) * [[1], [-1], [2]],
    ),
}
"""Deviation of the logarithms, and their medians."""


def many_times(
    rng: np.random.Generator, n: int, spread: float = 0.3, places: np.ndarray = PLACES
) -> np.ndarray:
    """Shape (methods, problems, runs)."""
    misses = np.resize(MISSES.T, places.T.shape).T
    times = np.exp(places[..., None] + spread * rng.normal(size=(*places.shape, n)))
    return np.where(rng.random(times.shape) < misses[..., None], math.inf, times)


def second_scores(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The second method's benchmark score, and its share within 1.5 times the best; times of shape (...,
    methods, problems, runs)."""
    n = times.shape[-1]
    medians = np.sort(times, axis=-1)[..., (n - 1) // 2 : n // 2 + 1].mean(axis=-1)
    with np.errstate(invalid="ignore"):
        ratio = np.nan_to_num(medians[..., 1, :] / medians.min(axis=-2), nan=math.inf)
    return np.clip((4 - ratio) / 3, 0, 1).mean(axis=-1), (ratio <= 1.5).mean(axis=-1)


def of_profiles(times: np.ndarray, rng: np.random.Generator, which: int) -> dict[str, Interval]:
    n = times.shape[-1]
    methods = {
        str(i): [attempts(problem, 10.0) for problem in method] for i, method in enumerate(times)
    }
    found = performance_profiles(methods, paired=False)["1"]
    band = found.profile
    place = np.searchsorted(band.at, 1.5 - 1e-9)
    printed = (ends(found.score), (band.low[place], band.high[place]))[which]
    picked = rng.integers(0, n, (400, *times.shape))
    drawn = second_scores(np.take_along_axis(times[None], picked, axis=-1))[which]
    value = float(second_scores(times)[which])
    return {
        PRINTED: printed,
        **of_replicates(value, drawn, n, n - 1),
        **joined(value, drawn, n, times.shape[1] * (n - 1)),
    }


def joined(value: float, drawn: np.ndarray, n: int, freedom: float) -> dict[str, Interval]:
    """Intervals of shares that have a standard error."""
    error = drawn.std(ddof=1) * math.sqrt(n / (n - 1))
    like = max(n, value * (1 - value) / error**2) if error else n
    times, wider = stats.t.isf(TAIL, [freedom, n - 1])
    return {
        "Student's t": (value - times * error, value + times * error),
        "Student's t, one problem's degrees": (value - wider * error, value + wider * error),
        "Wilson's of as many": wilson(value, like),
        "the same with Student's t": wilson(value, like, float(times)),
    }


def two_targets(rng: np.random.Generator, n: int) -> list[list[Attempts]]:
    times = many_times(rng, n)[0]
    return [[attempts(factor * problem, 2.0) for factor in (1, 1.5)] for problem in times]


def of_restarts(
    problems: list[list[Attempts]], rng: np.random.Generator, at: float
) -> dict[str, Interval]:
    n = problems[0][0].n
    profile = runtime_profile(problems)
    place = np.searchsorted(profile.at, at, side="right") - 1
    once = [np.arange(n)[None]] * 3
    again = [rng.integers(0, n, (200, n)) for _ in range(3)]
    value = float(reached(restarted(problems, once, 1000, rng), np.array([at]))[0, 0])
    drawn = reached(restarted(problems, again, 100, rng), np.array([at]))[0]
    return {
        PRINTED: (profile.low[place], profile.high[place]),
        **of_replicates(value, drawn, n, n - 1),
        **joined(value, drawn, n, 3 * (n - 1)),
    }


def profile_cases() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    for name, (spread, places) in PROBLEMS.items():
        sample = partial(many_times, spread=spread, places=places)
        truths = second_scores(sample(rng, 200_001))
        for which, statistic in enumerate(("performance score", "performance profile")):
            intervals = partial(of_profiles, which=which)
            yield Case(statistic, name, float(truths[which]), sample, intervals, samples=100)
    many = two_targets(rng, 200_000)
    times = restarted(many, [np.arange(200_000)[None]] * 3, 200_000, rng)
    for at in (1.0, 2.0, 4.0):
        truth = float(reached(times, np.array([at]))[0, 0])
        yield Case(
            "runtime profile", f"lognormal with misses, at {at:g}", truth, two_targets,
            partial(of_restarts, at=at), samples=80,
        )  # fmt: skip
