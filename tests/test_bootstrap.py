"""Scores of problems as one number: the value, its interval, and what failed runs make of both."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pbtbench.errors import BadInput
from pbtbench.statistics.bootstrap import aggregate, difference, resampled
from pbtbench.statistics.estimate import Estimate, turned

FOUR_PROBLEMS = np.array(
    [
        [0.6, 0.509, 0.502, 0.621, 0.331, 0.232, 0.631, 0.59, 0.404, 0.593],
        [0.66, 0.402, 0.476, 0.414, 0.508, 0.553, 0.563, 0.623, 0.438, 0.777],
        [0.545, 0.612, 0.698, 0.594, 0.22, 0.347, 0.097, 0.294, 0.812, 0.483],
        [0.422, 0.868, 0.671, 0.739, 0.342, 0.654, 0.492, 0.504, 0.438, 0.578],
    ]
)

numbers = st.floats(-1e3, 1e3).map(lambda x: round(x, 3))
with_failures = st.one_of(numbers, st.sampled_from([math.nan, -math.inf]))
problems = st.lists(st.lists(with_failures, min_size=1, max_size=6), min_size=1, max_size=4)
statistics = st.sampled_from(["iqm", "mean", "median"])


def seeds(n, seed=0, problems=1):
    return [np.random.default_rng([seed, p]).normal(p, 1, n) for p in range(problems)]


def test_the_interquartile_mean_is_rliables():
    """`rliable.metrics.aggregate_iqm` of rliable 1.2.0; its percentiles of 20,000 replicates, from NumPy's
    global seed 0, are 0.4779 and 0.5794."""
    assert aggregate(FOUR_PROBLEMS).value == pytest.approx(0.5310499999999999, abs=1e-12)
    (drawn,) = resampled([FOUR_PROBLEMS], paired=False, replicates=20_000)
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx([0.4779, 0.5794], abs=2e-3)


@pytest.mark.parametrize("n", range(1, 13))
def test_of_one_problem_it_is_the_trimmed_mean_the_mean_the_median(n):
    (x,) = seeds(n)
    assert aggregate([x], "iqm").value == pytest.approx(stats.trim_mean(x, 0.25))
    assert aggregate([x], "mean").value == pytest.approx(x.mean())
    assert aggregate([x], "median").value == pytest.approx(np.median(x))


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_replicates_are_distributed_as_scipys(statistic):
    (x,) = seeds(9)
    (drawn,) = resampled([[x]], statistic, paired=False, replicates=20_000, seed=3)
    function = {"mean": np.mean, "median": np.median}[statistic]
    right = stats.bootstrap((x,), function, n_resamples=20_000, method="percentile", rng=1)
    at = [0.01, 0.1, 0.5, 0.9, 0.99]
    wanted = np.quantile(right.bootstrap_distribution, at)
    assert np.quantile(drawn, at) == pytest.approx(wanted, abs=0.05)


def test_of_one_problem_the_mean_has_students_interval():
    """But for the chance of 10,000 replicates: the deviation that they have differs by a hundredth."""
    (x,) = seeds(7)
    right = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    found = aggregate([x], "mean")
    assert found.high - found.low == pytest.approx(right.high - right.low, rel=0.03)
    assert (found.low + found.high) / 2 == pytest.approx(x.mean())
    assert found.n == 7


def test_of_several_problems_the_mean_has_welch_and_satterthwaites_interval():
    """Of two, the difference of one and the other turned round, halved."""
    x, y = np.random.default_rng(1).normal(0, 1, 8), np.random.default_rng(2).normal(3, 4, 5)
    right = stats.ttest_ind(x, -y, equal_var=False).confidence_interval(0.95)
    found = aggregate([x, y], "mean")
    assert [found.low, found.high] == pytest.approx([right.low / 2, right.high / 2], abs=0.1)
    other = difference([x], [-y], "mean", paired=False)
    assert [other.low, other.high] == pytest.approx([right.low, right.high], abs=0.2)


def test_pairs_are_drawn_together():
    """What seeds share falls out of the difference: its interval is Student's of the pairs' differences."""
    shared, noise = np.random.default_rng(0).normal(0, [[10], [0.1]], (2, 9))
    found = difference([shared + noise], [shared], "mean", paired=True)
    right = stats.ttest_1samp(noise, 0).confidence_interval(0.95)
    assert [found.low, found.high] == pytest.approx([right.low, right.high], abs=5e-3)
    assert found.n == 9
    apart = difference([shared + noise], [shared], "mean", paired=False)
    assert apart.n == 18
    assert apart.high - apart.low > 20 * (found.high - found.low)


def test_problems_weigh_the_same_however_many_seeds_they_have():
    found = aggregate([np.zeros(20), np.ones(2)], "mean")
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.5 < found.high or found.low == found.high == found.value
    assert aggregate([np.zeros(20), np.full(2, 7.0), np.ones(3)], "median").value == 1


def test_a_failed_run_is_worst_and_is_trimmed_as_others_are():
    assert aggregate([[math.nan, 1, 2, 3, 9]]).value == 2
    assert aggregate([[math.nan, 1, 2]]).value == -math.inf
    assert aggregate([[math.nan, 1, 2]], "median").value == 1
    assert aggregate([[math.nan, 1, 2, 3, 9]], "mean").value == -math.inf


def test_where_failed_runs_may_decide_the_interval_has_no_lower_end():
    of_five = aggregate([[math.nan, 1, 2, 3, 9]])
    assert (of_five.low, of_five.high) == (-math.inf, 9)
    assert math.isfinite(aggregate([[math.nan, *range(30)]]).low)
    worst = aggregate([[math.nan] * 3])
    assert (worst.value, worst.low, worst.high) == (-math.inf, -math.inf, -math.inf)


def test_what_both_fail_differs_by_nothing_that_is_known():
    found = difference([[math.nan] * 4], [[math.nan, 1, 2, 3]], "mean", paired=True)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_equal_scores_have_no_spread_and_a_single_one_an_unknown_one():
    assert aggregate([[0.1] * 3, [0.1] * 5]) == Estimate(0.1, 0.1, 0.1, 8)
    assert aggregate([[0.1], [0.3, 0.4]]) == Estimate(pytest.approx(0.225), -math.inf, math.inf, 3)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(BadInput, match="no problems"):
        aggregate([])
    with pytest.raises(BadInput, match="without scores"):
        aggregate([[1.0], []])
    with pytest.raises(BadInput, match="different problems"):
        difference([[1.0]], [[1.0], [2.0]], paired=False)
    with pytest.raises(BadInput, match="as many seeds each; they have 1 and 2"):
        difference([[1.0]], [[1.0, 2.0]], paired=True)


def test_turned_back_an_interval_keeps_its_order():
    estimate = Estimate(-2.0, -math.inf, -1.0, 5)
    assert turned(estimate, -1) == Estimate(2.0, 1.0, math.inf, 5)
    assert turned(estimate, 1) == estimate


@given(problems, statistics, st.randoms())
def test_the_order_of_seeds_means_nothing(scores, statistic, random):
    shuffled = [random.sample(problem, len(problem)) for problem in scores]
    found = aggregate(scores, statistic, replicates=50)
    assert aggregate(shuffled, statistic, replicates=50) == found


@given(problems, statistics)
def test_an_interval_holds_its_value(scores, statistic):
    found = aggregate(scores, statistic, replicates=50)
    assert found.low <= found.value <= found.high
    assert found.n == sum(map(len, scores))


@given(problems, statistics, st.integers(0, 3))
def test_a_better_score_makes_nothing_worse(scores, statistic, place):
    better = [list(problem) for problem in scores]
    problem = better[place % len(better)]
    problem[-1] = 2000.0
    found, raised = (aggregate(s, statistic, replicates=2).value for s in (scores, better))
    assert raised >= found or raised == pytest.approx(found)


@given(st.lists(st.lists(numbers, min_size=2, max_size=5), min_size=1, max_size=3), statistics)
def test_in_other_units_it_is_the_same(scores, statistic):
    found = aggregate(scores, statistic, replicates=50)
    scaled = aggregate([[10 * x + 3 for x in p] for p in scores], statistic, replicates=50)
    wanted = [10 * x + 3 for x in (found.value, found.low, found.high)]
    assert [scaled.value, scaled.low, scaled.high] == pytest.approx(wanted, abs=1e-6)


def test_the_same_seed_gives_the_same_and_another_another():
    methods = [seeds(5, 1, problems=2), seeds(5, 2, problems=2)]
    for paired in (True, False):
        one = resampled(methods, paired=paired, replicates=100)
        assert np.array_equal(one, resampled(methods, paired=paired, replicates=100))
        assert not np.array_equal(one, resampled(methods, paired=paired, replicates=100, seed=1))
        assert one.shape == (2, 100)
    same_draws = resampled([methods[0], methods[0]], paired=True, replicates=100)
    assert np.array_equal(*same_draws)
