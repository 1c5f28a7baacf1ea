"""What intervals cost: 10,000 replicates of the interquartile means of 20 methods on 10 problems, 20 seeds
each. The aim is 3 s, and 500 MB."""

from __future__ import annotations

import numpy as np
import pytest

from pbtbench.statistics.bootstrap import REPLICATES, resampled

METHODS, PROBLEMS, SEEDS = 20, 10, 20


@pytest.mark.parametrize("paired", [False, True], ids=["apart", "paired"])
def test_scores_of_many_methods_are_resampled(benchmark, paired):
    scores = np.random.default_rng(0).normal(size=(METHODS, PROBLEMS, SEEDS))
    found = benchmark.pedantic(resampled, (scores,), {"paired": paired}, rounds=3, warmup_rounds=1)
    assert found.shape == (METHODS, REPLICATES)
