"""What seeds can decide: a test that so many of them make finds as often as is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from pbtbench.statistics.power import (
    FEWEST,
    LEVEL,
    POWER,
    pairs_needed,
    seeds_needed,
    seeds_needed_for_improvement,
    smallest_difference,
    smallest_difference_unpaired,
    smallest_improvement,
)

STUDIES = 20_000
ERROR = 4 * math.sqrt(POWER * (1 - POWER) / STUDIES)
"""What a simulated power may be off by chance, in one of 16,000 tests."""


def like(n, mean=0.0, deviation=1.0):
    """So many values of this mean and deviation."""
    values = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return mean + deviation * (values - values.mean()) / values.std(ddof=1)


def power_of_pairs(n, mean):
    drawn = np.random.default_rng(n).normal(mean, 1, (STUDIES, n))
    return np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue < LEVEL)


def power_without_pairs(n, m, mean, deviation):
    rng = np.random.default_rng(n)
    one, other = rng.normal(mean, deviation, (STUDIES, n)), rng.normal(0, 1, (STUDIES, m))
    return np.mean(stats.ttest_ind(one, other, axis=1, equal_var=False).pvalue < LEVEL)


@pytest.mark.parametrize("n", [5, 10, 30])
def test_so_many_pairs_show_the_smallest_difference_four_times_in_five(n):
    found = smallest_difference(like(n))
    assert power_of_pairs(n, found.value) == pytest.approx(POWER, abs=ERROR)
    assert found.n == n


@pytest.mark.parametrize("effect", [0.5, 0.8, 1.5])
def test_so_many_pairs_as_are_needed_show_the_difference_and_one_fewer_does_not(effect):
    found = pairs_needed(like(12, effect))
    many = int(found.value)
    assert power_of_pairs(many, effect) >= POWER - ERROR
    assert power_of_pairs(many - 1, effect) < POWER + ERROR
    assert found.low <= many <= found.high


def test_it_is_what_textbooks_have():
    """Cohen 1988: an effect of ½ takes 34 pairs, or 64 seeds of each method."""
    assert pairs_needed(like(20, 0.5)).value == 34
    assert seeds_needed(like(20, 0.5), like(20)).value == 64


@pytest.mark.parametrize(("n", "m", "deviation"), [(5, 5, 1), (10, 20, 1), (8, 8, 3)])
def test_without_shared_seeds_it_is_welchs_test(n, m, deviation):
    found = smallest_difference_unpaired(like(n, 0, deviation), like(m))
    power = power_without_pairs(n, m, found.value, deviation)
    assert power == pytest.approx(POWER, abs=ERROR + 0.015), "Welch's degrees are estimated"
    assert found.n == n + m


@pytest.mark.parametrize(("mean", "deviation"), [(1, 1), (2, 3)])
def test_so_many_seeds_as_are_needed_show_the_difference(mean, deviation):
    found = seeds_needed(like(9, mean, deviation), like(9))
    many = int(found.value)
    assert power_without_pairs(many, many, mean, deviation) >= POWER - ERROR - 0.01
    assert power_without_pairs(many - 1, many - 1, mean, deviation) < POWER + ERROR


@pytest.mark.parametrize(("n", "m"), [(5, 5), (10, 10), (6, 30)])
def test_so_many_seeds_show_the_smallest_improvement(n, m):
    found = smallest_improvement(n, m, seed=1)
    rng = np.random.default_rng(n)
    shift = math.sqrt(2) * stats.norm.ppf(found)
    one, other = rng.normal(shift, 1, (STUDIES, n)), rng.normal(0, 1, (STUDIES, m))
    power = np.mean(stats.mannwhitneyu(one, other, axis=1).pvalue < LEVEL)
    assert power == pytest.approx(POWER, abs=0.03), "it is of 4,000 studies"


def test_so_many_seeds_as_are_needed_show_the_improvement():
    one, other = like(10, 1), like(10)
    found = seeds_needed_for_improvement(one, other)
    many = int(found.value)
    share = np.mean(one[:, None] > other)
    assert smallest_improvement(many, many) == pytest.approx(share, abs=0.02)
    assert found.low < many < found.high


def test_where_all_runs_are_better_four_seeds_would_show_it():
    """The least with which Mann and Whitney's test can: 2 of 70 ways of dealing out eight."""
    found = seeds_needed_for_improvement(like(9, 20), like(9))
    assert (found.value, found.low) == (4, 4)
    assert found.high > 4


def test_many_seeds_are_noethers():
    """(z.975 + z.8)²/(6·(p − ½)²) of each method, for p = 0.52: 3,271."""
    one = np.concatenate([np.ones(52), np.zeros(48)])
    found = seeds_needed_for_improvement(one, np.array([0.5] * 100))
    assert found.value == math.ceil((1.959964 + 0.841621) ** 2 / (6 * 0.02**2))
    assert found.high == math.inf


@given(st.integers(5, 40), st.floats(0.01, 100), st.floats(-50, 50))
def test_the_smallest_difference_is_of_the_spread_alone(n, deviation, mean):
    found, moved = smallest_difference(like(n)), smallest_difference(like(n, mean, deviation))
    assert moved.value == pytest.approx(deviation * found.value)
    assert (moved.low, moved.high) == pytest.approx((deviation * found.low, deviation * found.high))
    assert found.low < found.value < found.high


@settings(max_examples=25)
@given(st.lists(st.floats(-10, 10), min_size=5, max_size=12), st.floats(0.01, 100))
def test_how_many_pairs_are_needed_knows_no_units_and_no_direction(values, factor):
    differences = np.array(values)
    assume(differences.std() > 1e-6)
    found = pairs_needed(differences)
    assert found.low <= found.value <= found.high
    assert pairs_needed(-differences) == found
    scaled = pairs_needed(differences * 2.0 ** round(math.log2(factor)))
    assert scaled == found


@given(st.integers(5, 30))
def test_more_seeds_show_less(n):
    assert smallest_difference(like(n + 1)).value < smallest_difference(like(n)).value


def test_a_difference_that_may_be_none_may_need_infinitely_many():
    assert pairs_needed(like(10, 0.3)).high == math.inf
    assert pairs_needed(like(10, 0)).value == math.inf
    assert math.isfinite(pairs_needed(like(10, 1)).high)
    assert seeds_needed_for_improvement(like(9), like(9)).high == math.inf


def test_the_interval_of_pairs_begins_where_the_difference_is_told_from_none():
    """As the test of the pairs themselves does: its p-value is below the level where the interval ends."""
    for mean in (0.6, 0.7, 0.72, 0.8):
        sure = stats.ttest_1samp(like(10, mean), 0).pvalue < LEVEL
        assert math.isfinite(pairs_needed(like(10, mean)).high) == sure


def test_pairs_without_a_spread_show_any_difference_or_none():
    assert pairs_needed(np.ones(5)).value == 2
    assert pairs_needed(np.zeros(5)).value == math.inf
    assert smallest_difference(np.ones(5)).value == 0
    assert seeds_needed(np.ones(5), np.zeros(5)).value == 2
    assert smallest_difference_unpaired(np.ones(5), np.zeros(5)).value == 0


def test_of_fewer_than_five_nothing_is_said_nor_of_failed_runs():
    few, many = like(FEWEST - 1, 9), like(FEWEST, 9)
    assert smallest_difference(few) is None
    assert pairs_needed(few) is None
    assert smallest_difference_unpaired(many, few) is None
    assert seeds_needed(few, many) is None
    assert smallest_improvement(4, 50) is None
    assert seeds_needed_for_improvement(few, many) is None
    assert pairs_needed([1, 2, 3, 4, -math.inf]) is None
