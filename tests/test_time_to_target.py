"""Times to a target of which some are missed: no success is counted without the failures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pbtbench.errors import BadInput
from pbtbench.measures import target
from pbtbench.statistics.time_to_target import (
    Attempts,
    ert,
    logrank,
    rmst,
    success_share,
    survival,
)


def attempts(spent, reached, crashed=()):
    crashed = [i in crashed for i in range(len(spent))]
    return Attempts(np.array(spent, float), np.array(reached, bool), np.array(crashed, bool))


CUT_OFF = attempts([1, 2, 3, 4, 5, 5, 2.5, 0.5], [1, 1, 0, 1, 0, 1, 0, 1])
LATER = attempts([7, 8, 9, 2, 3.5], [1, 1, 0, 1, 1])

runs = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(["reached", "missed", "crashed"])),
    min_size=1,
    max_size=12,
)


def of(drawn):
    spent = [time for time, _ in drawn]
    crashed = {i for i, (_, end) in enumerate(drawn) if end == "crashed"}
    return attempts(spent, [end == "reached" for _, end in drawn], crashed)


def ends(estimate):
    return estimate.value, estimate.low, estimate.high


def test_the_expected_running_time_is_cocos():
    """`cocopp.toolsstats.sp([3, 5, 10, 10], issuccessful=[1, 1, 0, 0])` of cocopp 2.9.1 is 14."""
    assert ert(attempts([3, 5, 10, 10], [1, 1, 0, 0])).value == 14


@given(runs)
def test_it_is_that_of_the_measures(drawn):
    found = of(drawn)
    wanted = target.ert(found.spent.tolist(), found.reached.tolist())
    assert ert(found).value == pytest.approx(wanted)


@given(runs, st.randoms())
def test_it_is_no_less_than_the_mean_that_was_spent(drawn, random):
    found = ert(of(drawn))
    assert found.value >= np.mean([time for time, _ in drawn]) - 1e-9
    assert found.low <= found.value <= found.high
    assert ends(ert(of(random.sample(drawn, len(drawn))))) == pytest.approx(ends(found))


@given(runs)
def test_a_crash_costs_what_it_spent_as_a_miss_does(drawn):
    missed = [(time, "missed" if end == "crashed" else end) for time, end in drawn]
    assert ert(of(missed)) == ert(of(drawn))
    assert success_share(of(missed)) == success_share(of(drawn))


def test_without_a_success_only_the_least_is_known():
    """Of five runs of 10, at most 43 in 100 reach it, if 19 of 20 intervals are right: 1.3 failures each."""
    found = ert(attempts([10] * 5, [0] * 5))
    high = stats.binomtest(0, 5).proportion_ci(method="wilson").high
    assert ends(found) == (math.inf, pytest.approx(10 * (1 / high - 1)), math.inf)


def test_where_all_succeed_a_failure_may_still_come():
    found = ert(attempts([2] * 5, [1] * 5))
    low = stats.binomtest(5, 5).proportion_ci(method="wilson").low
    assert ends(found) == (2, 2, pytest.approx(2 + 2 * (1 / low - 1)))


def test_its_lower_end_is_students_where_all_succeed():
    times = [4, 5, 6, 5, 7]
    right = stats.ttest_1samp(times, 0).confidence_interval(0.95)
    assert ert(attempts(times, [1] * 5)).low == pytest.approx(right.low)


def test_of_many_runs_its_interval_is_narrow_and_where_it_should_be():
    """Exponential times of mean 1, cut off at 1: expected running time is 1."""
    times = np.random.default_rng(0).exponential(1, 40_000)
    found = ert(attempts(np.minimum(times, 1), times <= 1))
    assert found.low < 1 < found.high
    assert found.high - found.low < 0.03


def test_the_restricted_mean_is_lifelines():
    """`restricted_mean_survival_time` of lifelines 0.30.3."""
    assert rmst(CUT_OFF, 5).value == pytest.approx(3.3541666666666665)
    assert rmst(CUT_OFF, 4.5).value == pytest.approx(3.145833333333333)


@given(runs)
def test_where_all_are_watched_it_is_the_mean_until_the_budget(drawn):
    until = [(time, end) if end == "reached" else (9, end) for time, end in drawn]
    found = rmst(of(until), 6)
    assert found.value == pytest.approx(np.mean([min(time, 6) for time, _ in until]))


@given(runs, st.integers(1, 12), st.randoms())
def test_it_lies_within_the_budget_and_rises_with_it(drawn, budget, random):
    found, later = rmst(of(drawn), budget), rmst(of(drawn), budget + 1)
    assert ends(rmst(of(random.sample(drawn, len(drawn))), budget)) == pytest.approx(
        ends(found), nan_ok=True
    )
    if math.isnan(found.value):
        assert (found.low, found.high) == (0, budget)
        assert math.isnan(later.value)
    else:
        assert 0 <= found.low <= found.value <= found.high <= budget
        assert math.isnan(later.value) or found.value <= later.value


def test_of_few_runs_its_interval_is_wilsons_of_as_many_as_vary_as_much():
    """Its bounds p solve |p − share| = t·√(p·(1 − p)/n), n being share·(1 − share) over the mean's variance."""
    times = np.array([4, 5, 6, 5, 9.0])
    found, share = rmst(attempts(times, [1, 1, 1, 1, 0]), 9), times.mean() / 9
    like = share * (1 - share) / ((times / 9).var(ddof=1) / 5)
    for bound in (found.low / 9, found.high / 9):
        off = stats.t.isf(0.025, 4) * math.sqrt(bound * (1 - bound) / like)
        assert abs(bound - share) == pytest.approx(off)


def test_its_variance_is_greenwoods():
    """Without runs that were cut off early it is that of the mean: of many runs, Student's interval."""
    times = np.random.default_rng(0).exponential(1, 4000)
    found = rmst(attempts(np.minimum(times, 2), times <= 2), 2)
    right = stats.ttest_1samp(np.minimum(times, 2), 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((right.low, right.high), abs=1e-4)


def test_a_crashed_run_takes_the_whole_budget_and_a_censored_one_as_long_as_others():
    crashed = attempts([1, 4, 2], [1, 1, 0], crashed={2})
    assert rmst(crashed, 10).value == pytest.approx((1 + 4 + 10) / 3)
    censored = attempts([1, 4, 2], [1, 1, 0])
    assert rmst(censored, 10).value == pytest.approx(1 / 3 + 2 / 3 * 4)


def test_what_is_missed_by_all_takes_the_budget_and_might_take_less():
    found = rmst(attempts([10] * 5, [0] * 5), 10)
    assert found.value == found.high == 10
    assert 3 < found.low < 10


def test_beyond_what_was_watched_nothing_is_known():
    assert math.isnan(rmst(attempts([1, 2], [1, 0]), 3).value)
    assert rmst(attempts([1, 2], [1, 1]), 3).value == 1.5
    assert math.isnan(rmst(attempts([], []), 3).value)
    assert math.isnan(ert(attempts([], [])).value)
    assert math.isnan(success_share(attempts([], [])).value)


@given(runs)
def test_the_survival_curve_is_scipys(drawn):
    found = of(drawn)
    curve = survival(found)
    end = np.where(found.crashed, 99, found.spent)
    sample = stats.CensoredData(uncensored=end[found.reached], right=end[~found.reached])
    right = stats.ecdf(sample).sf
    assert curve.share == pytest.approx(right.evaluate(curve.time))
    assert curve.time[0] == 0
    assert (np.diff(curve.share) <= 0).all()
    assert ((curve.low >= 0) & (curve.low <= curve.share)).all()
    assert ((curve.share <= curve.high) & (curve.high <= 1)).all()


def test_where_all_are_watched_the_band_is_wilsons_of_the_share():
    curve = survival(attempts([1, 2, 3, 9, 9], [1, 1, 1, 0, 0]))
    for i, left in enumerate([5, 4, 3, 2]):
        right = stats.binomtest(left, 5).proportion_ci(method="wilson")
        assert (curve.low[i], curve.high[i]) == pytest.approx((right.low, right.high))


def test_of_many_runs_the_band_is_greenwoods():
    rng = np.random.default_rng(1)
    times, until = rng.exponential(1, 3000), rng.uniform(0.5, 3, 3000)
    found = attempts(np.minimum(times, until), times <= until)
    curve = survival(found)
    sample = stats.CensoredData(
        uncensored=found.spent[found.reached], right=found.spent[~found.reached]
    )
    right = stats.ecdf(sample).sf.confidence_interval(0.95)
    middle = slice(500, 2000)
    at = curve.time[middle]
    assert curve.low[middle] == pytest.approx(right.low.evaluate(at), abs=2e-3)
    assert curve.high[middle] == pytest.approx(right.high.evaluate(at), abs=2e-3)


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_of_successes_has_wilsons_interval(counts):
    successes, n = counts
    found = success_share(attempts([1] * n, [1] * successes + [0] * (n - successes)))
    right = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert ends(found) == pytest.approx((successes / n, right.low, right.high))


def test_the_log_rank_test_is_lifelines():
    """`logrank_test` of lifelines 0.30.3, with its χ² of one degree as scipy has it."""
    assert logrank(CUT_OFF, LATER) == pytest.approx(0.28363531879829795)
    assert logrank(LATER, CUT_OFF) == pytest.approx(logrank(CUT_OFF, LATER))


def test_a_crash_is_no_run_that_was_cut_off_in_the_log_rank_test():
    others = attempts([4, 5, 6, 7, 8], [1] * 5)
    hit = [0] * 4 + [1]
    crashed = logrank(attempts([1] * 4 + [3], hit, crashed={0, 1, 2, 3}), others)
    assert crashed == logrank(attempts([8] * 4 + [3], hit), others)
    assert crashed != logrank(attempts([1] * 4 + [3], hit), others)


def test_the_log_rank_test_says_nothing_of_nothing():
    missed = attempts([3, 3], [0, 0])
    assert math.isnan(logrank(missed, missed))
    assert math.isnan(logrank(missed, attempts([], [])))
    assert logrank(missed, LATER) < 1


def test_what_cannot_be_is_refused():
    with pytest.raises(BadInput, match="same runs"):
        Attempts(np.ones(2), np.ones(1, bool), np.zeros(2, bool))
    for time in (math.nan, math.inf, -1):
        with pytest.raises(BadInput, match="0 or more, and finite"):
            attempts([time], [0])
    with pytest.raises(BadInput, match="crashed without"):
        attempts([1], [1], crashed={0})
    with pytest.raises(BadInput, match="budget"):
        rmst(CUT_OFF, 0)
    with pytest.raises(BadInput, match="one run"):
        survival(attempts([], []))
