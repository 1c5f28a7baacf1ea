"""What checkpoints take of the time of training: shares that machines of unlike speed can be held to.

`results/baselines/ratios.json` is what they are compared with; `tox -e bench` does it.
"""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_checkpoints_of_a_large_state(pbt_benchmark, engine):
    """16 MB, forks after each iteration of a tenth of a second."""
    pbt_benchmark(
        problem="synthetic.state_size",
        options={"state_bytes": 16_000_000, "step_s": 0.01},
        method="pbt",
        interval=1,
        engine=engine,
        population=4,
        iterations=8,
        rounds=3 if engine == "tune" else 5,
    )


@pytest.mark.parametrize("engine", ["inprocess", "ray"])
def test_checkpoints_of_a_small_network(pbt_benchmark, engine):
    pbt_benchmark(
        problem="vision.digits_mlp",
        method="pbt",
        interval=1,
        engine=engine,
        population=4,
        iterations=20,
        rounds=5,
    )
