"""Profiles: small ones by hand, and laws of all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbtbench.errors import BadInput
from pbtbench.statistics.profiles import (
    performance_profiles,
    reached,
    restarted,
    runtime_profile,
)
from pbtbench.statistics.time_to_target import Attempts


def attempts(times, until=10.0):
    times = np.array(times, float)
    return Attempts(np.minimum(times, until), times <= until, np.zeros(len(times), bool))


NEVER = math.inf
METHODS = {
    "quick": [attempts([1, 2, 3]), attempts([4, 4, 4]), attempts([NEVER, NEVER, 1])],
    "slow": [attempts([3, 3, 9]), attempts([2, NEVER, 2]), attempts([NEVER, NEVER, NEVER])],
    "poor": [attempts([9, 9, 9]), attempts([5, 5, 5]), attempts([NEVER, 5, 6])],
}
"""Medians on three problems: 2, 4 and a miss; 3, 2 and a miss; 9, 5 and 6."""


def test_performance_profiles_by_hand():
    """Ratios to the best: quick 1, 2, ∞; slow 1.5, 1, ∞; poor 4.5, 2.5, 1."""
    found = performance_profiles(METHODS, paired=False)
    at = found["quick"].profile.at
    assert (at[0], at[-1], len(at)) == (1, 4, 301)

    def shares(name):
        return [found[name].profile.share[round((tau - 1) * 100)] for tau in (1, 1.5, 2, 2.5, 4)]

    assert shares("quick") == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert shares("slow") == pytest.approx([1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert shares("poor") == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    wanted = {"quick": (3 + 2) / 9, "slow": (2.5 + 3) / 9, "poor": (1.5 + 3) / 9}
    for name, score in wanted.items():
        assert found[name].score.value == pytest.approx(score)
        assert found[name].score.n == 9


times = st.lists(st.one_of(st.integers(1, 9), st.just(NEVER)), min_size=3, max_size=3)
tables = st.integers(1, 3).flatmap(
    lambda problems: st.lists(
        st.lists(times, min_size=problems, max_size=problems), min_size=1, max_size=3
    )
)


@settings(max_examples=30)
@given(tables, st.booleans())
def test_laws_of_performance_profiles(table, paired):
    methods = {str(i): [attempts(p) for p in method] for i, method in enumerate(table)}
    found = performance_profiles(methods, paired=paired)
    medians = np.array([[np.median(np.nan_to_num(p, posinf=1e300)) for p in m] for m in table])
    reachable = (medians.min(axis=0) < 1e200).mean()
    first = sum(one.profile.share[0] for one in found.values())
    assert first >= reachable - 1e-9, "on each problem that any reaches somebody is best"
    for one in found.values():
        profile, score = one.profile, one.score
        assert (np.diff(profile.share) >= 0).all()
        assert ((profile.low >= 0) & (profile.low <= profile.share)).all()
        assert ((profile.share <= profile.high) & (profile.high <= 1)).all()
        trapezoids = ((profile.share[1:] + profile.share[:-1]) / 2).mean()
        assert score.value == pytest.approx(trapezoids, abs=4e-3), "AlgoPerf integrates by these"
        assert 0 <= score.low <= score.value <= score.high <= 1


def test_on_a_problem_that_all_miss_nobody_is_near_the_best():
    found = performance_profiles({"a": [attempts([NEVER] * 3)]}, paired=False)["a"]
    assert (found.score.value, found.profile.share.max()) == (0, 0)


def test_pairs_are_drawn_together():
    """Two methods whose runs take twice as long with the same seed: the ratio is 2 in each replicate."""
    luck = np.arange(1, 11) / 5
    methods = {"one": [attempts(luck)], "twice": [attempts(2 * luck)]}
    score = performance_profiles(methods, paired=True)["twice"].score
    assert (score.value, score.low, score.high) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    score = performance_profiles(methods, paired=False)["twice"].score
    assert score.high - score.low > 0.3


def test_restarted_searches_are_cocos():
    """One run in two reaches the target in 1, the other ends after 3: with m failures before it takes 1 + 3·m,
    m being geometric, and on average 4, which is the expected running time."""
    halves = [[attempts([1, NEVER], until=3)]]
    times = restarted(halves, [np.array([[0, 1]])], 40_000, np.random.default_rng(0))
    assert set(times.ravel() % 3) == {1}
    for failures in range(4):
        share = np.mean(times == 1 + 3 * failures)
        assert share == pytest.approx(0.5 ** (failures + 1), abs=0.01)
    assert times.mean() == pytest.approx(4, rel=0.02)


def test_a_runtime_profile_by_hand():
    """Three pairs: one reached at once by all in 1; one in 1 by half of the runs, which else end after 3; one
    that none reaches."""
    problems = [
        [attempts([1, 1], until=3), attempts([NEVER, NEVER], until=3)],
        [attempts([1, NEVER], until=3)],
    ]
    found = runtime_profile(problems)
    shares = dict(zip(found.at.tolist(), found.share.tolist(), strict=True))
    assert shares[1] == pytest.approx((1 + 0.5) / 3, abs=0.03)
    assert shares[4] == pytest.approx((1 + 0.75) / 3, abs=0.03)
    assert found.share[-1] == pytest.approx(2 / 3)


def test_many_times_are_counted_as_they_come():
    done = reached(np.array([[[1.0, 2.0]], [[2.0, NEVER]]]), np.array([0.5, 1, 1.5, 2]))
    assert done[:, 0].tolist() == [0, 0.25, 0.25, 0.75]


@settings(max_examples=30)
@given(st.lists(st.lists(times, min_size=1, max_size=2), min_size=1, max_size=2))
def test_laws_of_runtime_profiles(problems):
    found = runtime_profile([[attempts(target) for target in targets] for targets in problems])
    pairs = [target for targets in problems for target in targets]
    hit = np.mean([min(target) < NEVER for target in pairs])
    assert (np.diff(found.at) > 0).all()
    assert (np.diff(found.share) >= 0).all()
    assert ((found.low >= 0) & (found.low <= found.share)).all()
    assert ((found.share <= found.high) & (found.high <= 1)).all()
    assert found.share[-1] == pytest.approx(hit)
    assert (found.at[0], found.share[0]) == (0, 0)


def test_of_single_runs_any_share_may_be():
    found = runtime_profile([[attempts([1])]])
    assert (found.at.tolist(), found.share.tolist()) == ([0, 1], [0, 1])
    assert (found.low.tolist(), found.high.tolist()) == ([0, 0], [1, 1])
    score = performance_profiles({"a": [attempts([1])]}, paired=False)["a"].score
    assert (score.value, score.low, score.high) == (1, 0, 1)


def test_the_same_seed_gives_the_same():
    one, again = (runtime_profile([METHODS["quick"]], seed=5) for _ in range(2))
    assert one.share.tolist() == again.share.tolist()
    assert one.low.tolist() == again.low.tolist()


def test_what_has_no_profile_is_refused():
    with pytest.raises(BadInput, match="needs a problem"):
        runtime_profile([])
    with pytest.raises(BadInput, match="different runs"):
        runtime_profile([[attempts([1]), attempts([1, 2])]])
    with pytest.raises(BadInput, match="needs a run"):
        runtime_profile([[attempts([])]])
    with pytest.raises(BadInput, match="different problems"):
        performance_profiles({"a": [attempts([1])], "b": []}, paired=False)
    with pytest.raises(BadInput, match="as many runs each; they have 1 and 2"):
        performance_profiles({"a": [attempts([1])], "b": [attempts([1, 2])]}, paired=True)
