"""Methods ranked over problems: ranks, tests, groups, and when so few problems decide nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import friedmanchisquare

from pbtbench.errors import BadInput
from pbtbench.statistics.ranks import critical_difference, holm, ranks

NAMES = ("a", "b", "c", "d")
TABLE = np.array(
    [
        [2.04, -2.26, 1.42, 1.43],
        [-0.45, 0.08, -1.02, 1.77],
        [-0.87, 3.62, 1.23, 1.65],
        [-0.28, -0.37, -0.06, 1.61],
        [0.48, 0.06, 1.96, 1.8],
        [0.02, 1.85, 1.55, 1.49],
        [-0.18, 0.84, 2.94, 1.73],
        [-0.24, 1.3, 0.11, 1.71],
    ]
)
tables = arrays(float, st.tuples(st.integers(2, 8), st.integers(3, 5)), elements=st.integers(0, 3))


@given(tables)
def test_friedmans_test_is_scipys_with_ties(scores):
    assume(any(len(set(row)) > 1 for row in scores.tolist()))
    found, right = ranks("abcde"[: scores.shape[1]], scores), friedmanchisquare(*scores.T)
    assert (found.statistic, found.p) == pytest.approx((right.statistic, right.pvalue))


def test_two_methods_can_be_ranked():
    """Of 10 problems one wins 9: χ² = (9 − 1)²/10."""
    found = ranks("ab", np.array([[1, 0]] * 9 + [[0, 1]]))
    assert found.statistic == pytest.approx(6.4)
    assert found.means == pytest.approx((1.1, 1.9))
    assert found.groups == ()


@pytest.mark.parametrize(
    ("methods", "problems", "difference"),
    [(3, 5, 1.48), (3, 20, 0.74), (4, 14, 1.25), (2, 1, 1.96), (10, 1, 3.164 * (110 / 6) ** 0.5)],
)
def test_the_critical_difference_is_nemenyis(methods, problems, difference):
    """Of METHOD's three methods, and of Demšar 2006: his example, and the ends of his table 5a."""
    assert critical_difference(methods, problems) == pytest.approx(difference, abs=0.01)


def test_what_the_critical_difference_tells_apart_has_a_p_value_below_the_level():
    """scikit-posthocs 0.17.1, `posthoc_nemenyi_friedman(-TABLE)`: the least p is 0.0926, of a and d."""
    found = ranks(NAMES, TABLE)
    apart = dict(zip(found.methods, found.means, strict=True))
    assert apart["a"] - apart["d"] == pytest.approx(1.5)
    assert apart["a"] - apart["d"] < found.critical_difference
    from scipy.stats import studentized_range

    z = (apart["a"] - apart["d"]) / math.sqrt(4 * 5 / (6 * 8)) * math.sqrt(2)
    assert studentized_range.sf(z, 4, math.inf) == pytest.approx(0.092643, abs=1e-5)


def test_groups_are_the_largest_that_cannot_be_told_apart():
    """Four methods always in one order, on 12 problems: neighbours are 1 apart, and it takes 1.35."""
    found = ranks(NAMES, np.tile([1.0, 2.0, 3.0, 4.0], (12, 1)))
    assert found.methods == ("d", "c", "b", "a")
    assert found.groups == (("d", "c"), ("c", "b"), ("b", "a"))
    assert found.decidable


def test_where_friedmans_test_rejects_nothing_all_are_one_group():
    found = ranks(NAMES, TABLE)
    assert found.p == pytest.approx(0.13567846171436632)
    assert found.groups == (found.methods,)


def test_so_they_are_though_two_are_apart_by_more_than_the_critical_difference():
    """The chance of any pair so far apart and Friedman's of all ranks are not the same."""
    found = ranks("abcde", np.array([[2, 1, 3, 0, 4], [2, 3, 1, 0, 4], [0, 3, 2, 1, 4]]))
    assert found.means[-1] - found.means[0] > found.critical_difference
    assert found.p > 0.05
    assert found.groups == (found.methods,)


@pytest.mark.parametrize(("problems", "decidable"), [(2, False), (3, True)])
def test_too_few_problems_decide_nothing_however_they_come_out(problems, decidable):
    """Of three methods ranks differ by 2; the critical difference is 2.34 at two problems, 1.91 at three."""
    found = ranks("abc", np.tile([1.0, 2.0, 3.0], (problems, 1)))
    assert found.decidable is decidable
    assert (("c", "b", "a") in found.groups) is not decidable


def test_a_method_without_a_score_is_worst_and_methods_that_all_tie_are_one_group():
    found = ranks("abc", np.array([[math.nan, 1, 2], [-math.inf, math.nan, 2]]))
    assert dict(zip(found.methods, found.means, strict=True)) == {"c": 1, "b": 2.25, "a": 2.75}
    tied = ranks("abc", np.ones((5, 3)))
    assert (tied.p, tied.means, tied.groups) == (1, (2, 2, 2), (("a", "b", "c"),))


@given(tables, st.randoms())
def test_ranks_know_nothing_of_units_of_problems_order_and_of_names(scores, random):
    names = "abcde"[: scores.shape[1]]
    found = ranks(names, scores)
    assert sum(found.means) == pytest.approx(len(names) * (len(names) + 1) / 2)
    assert list(found.means) == sorted(found.means)
    grown = ranks(names, np.exp(scores) * np.arange(1, len(scores) + 1)[:, None])
    assert grown == found
    rows = random.sample(range(len(scores)), len(scores))
    assert ranks(names, scores[rows]).means == pytest.approx(found.means)
    assert all(len(group) > 1 for group in found.groups)


def test_holm_raises_p_values_as_his_paper_does():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_keeps_the_order_and_lowers_nothing(p):
    raised = holm(p)
    assert (raised >= np.array(p)).all()
    assert (np.diff(raised[np.argsort(p)]) >= 0).all()
    assert raised.max() <= 1


def test_one_method_or_no_problem_has_no_ranks():
    with pytest.raises(BadInput, match="two methods"):
        ranks("a", np.ones((3, 1)))
    with pytest.raises(BadInput, match="two methods"):
        ranks("ab", np.ones((0, 2)))
