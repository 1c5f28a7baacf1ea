"""The ratio of times measured in rounds, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mstats, ttest_1samp

from pbtbench.statistics.ratios import paired_ratio


def ratios(n, seed=0, scatter=0.1):
    return np.exp(scatter * np.random.default_rng(seed).standard_normal(n))


def test_of_few_pairs_it_is_students_t():
    of = ratios(9)
    found, right = paired_ratio(np.ones(9), of, 0.01), ttest_1samp(np.log(of), 0)
    interval = right.confidence_interval(0.99)
    assert np.log([found.low, found.high]) == pytest.approx([interval.low, interval.high])
    assert found.value == pytest.approx(np.exp(np.log(of).mean()))


def test_of_ten_and_more_it_is_the_trimmed_means_interval():
    of = ratios(20)
    found = paired_ratio(np.ones(20), of, 0.01)
    interval = mstats.trimmed_mean_ci(np.log(of), (0.1, 0.1), alpha=0.01)
    assert np.log([found.low, found.high]) == pytest.approx([*interval])


def test_a_stall_moves_it_no_further_than_the_slowest_of_the_others():
    of = ratios(20, scatter=0.02)
    stalled = np.where(of == of.max(), 50.0, of)
    base = np.ones(20)
    assert paired_ratio(base, stalled, 0.01) == paired_ratio(base, of, 0.01)


def test_the_interval_holds_the_ratio_as_often_as_it_says():
    """Of 2,000 samples with outliers, one in ten stalled either way; at 5% by chance no more than 130 miss."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(2000):
        logs = 0.03 * rng.standard_normal(20)
        logs += np.where(rng.random(20) < 0.1, rng.choice([-0.5, 0.5], 20), 0)
        found = paired_ratio(np.ones(20), 1.1 * np.exp(logs), 0.05)
        missed += not found.low <= 1.1 <= found.high
    assert missed <= 130


def test_of_one_pair_nothing_is_sure():
    found = paired_ratio(np.ones(1), np.full(1, 2.0), 0.05)
    assert (found.value, found.low, found.high, found.n) == (2.0, 0.0, np.inf, 1)
