"""How likely a run is to be better: the share of pairs that it wins, and how sure that is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, mannwhitneyu

from pbtbench.errors import BadInput
from pbtbench.statistics.improvement import improvement

ONE = np.array(
    [
        [0.6, 0.509, 0.502, 0.621, 0.331, 0.232, 0.631, 0.59, 0.404, 0.593],
        [0.66, 0.402, 0.476, 0.414, 0.508, 0.553, 0.563, 0.623, 0.438, 0.777],
        [0.545, 0.612, 0.698, 0.594, 0.22, 0.347, 0.097, 0.294, 0.812, 0.483],
        [0.422, 0.868, 0.671, 0.739, 0.342, 0.654, 0.492, 0.504, 0.438, 0.578],
    ]
)
OTHER = np.array(
    [
        [-0.021, -0.194, 0.787, 0.758, 0.487, 0.609, 0.464, -0.045, 0.475, 0.967],
        [0.099, 0.443, 0.918, 0.952, 0.932, 0.577, 0.428, 0.966, 0.937, 0.241],
        [0.092, 0.213, 0.73, 0.304, 0.249, 0.008, 0.453, 0.242, 0.344, -0.24],
        [0.395, 0.768, 0.484, 0.683, 0.41, 0.608, 0.566, -0.172, 0.965, 0.129],
    ]
)

scores = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.just(math.nan)), min_size=1, max_size=6
)


def test_over_problems_it_is_rliables():
    """`rliable.metrics.probability_of_improvement` of rliable 1.2.0, whose percentiles of 5,000 replicates,
    from NumPy's global seed 0, are 0.4325 and 0.69."""
    found = improvement(ONE, OTHER, paired=False)
    assert found.value == pytest.approx(0.56)
    assert (found.low, found.high) == pytest.approx((0.4325, 0.69), abs=0.01)
    assert found.n == 80


@given(scores, scores)
def test_it_is_the_u_of_mann_and_whitney(one, other):
    x, y = (np.nan_to_num(s, nan=-9) for s in (one, other))
    found = improvement([one], [other], paired=False)
    assert found.value == pytest.approx(mannwhitneyu(x, y).statistic / (len(x) * len(y)))


@given(scores, scores, st.randoms())
def test_turned_round_reordered_and_stretched_it_stays_what_it_is(one, other, random):
    found = improvement([one], [other], paired=False)
    assert found.low <= found.value <= found.high
    round_ = improvement([other], [one], paired=False)
    assert (round_.value, round_.low, round_.high) == pytest.approx(
        (1 - found.value, 1 - found.high, 1 - found.low)
    )
    shuffled = [random.sample(one, len(one))], [random.sample(other, len(other))]
    assert improvement(*shuffled, paired=False) == found
    stretched = [np.exp(one)], [np.exp(other)]
    assert improvement(*stretched, paired=False) == found


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
def test_of_pairs_it_is_the_share_that_it_wins(pairs):
    one, other = ([float(pair[i]) for pair in pairs] for i in (0, 1))
    found = improvement([one], [other], paired=True)
    assert found.value == np.mean([(a > b) + (a == b) / 2 for a, b in pairs])
    assert found.n == len(pairs)
    back = improvement([one[::-1]], [other[::-1]], paired=True)
    assert (back.value, back.low, back.high) == (found.value, found.low, found.high)


def test_of_pairs_without_ties_the_interval_is_wilsons():
    found = improvement([[1, 1, 1, 1, 1]], [[0, 0, 0, 0, 2]], paired=True)
    right = binomtest(4, 5).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((right.low, right.high))


def test_three_seeds_that_are_all_better_leave_open_by_chance_which_method_is():
    """rliable's interval has no length here; three against three are apart so in 1 of 10 studies by chance."""
    found = improvement([[4, 5, 6]], [[1, 2, 3]], paired=False)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(binomtest(3, 3).proportion_ci(method="wilson").low)
    assert found.low < 0.5


def test_shared_luck_is_seen_in_pairs_alone():
    luck = np.arange(10.0) * 10
    assert improvement([luck + 1], [luck], paired=True).low > 0.7
    assert improvement([luck + 1], [luck], paired=False).low < 0.5


def test_failed_runs_lose_to_all_and_tie_with_each_other():
    assert improvement([[math.nan, math.nan]], [[math.nan, -1e9]], paired=False).value == 0.25


def test_problems_weigh_the_same():
    found = improvement([[2.0] * 9, [0.0]], [[1.0], [1.0] * 9], paired=False)
    assert found.value == 0.5


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(BadInput, match="different problems"):
        improvement([[1]], [[1], [2]], paired=False)
    with pytest.raises(BadInput, match="as many seeds"):
        improvement([[1, 2]], [[1]], paired=True)
    with pytest.raises(BadInput, match="without scores"):
        improvement([[1, 2]], [[]], paired=False)
