"""Where a series comes to a new level: steps are found at their place, noise and outliers are none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pbtbench.regression.change_points import LEAST, change_points

ANNOTATED = Path(__file__).parent / "performance_series" / "series.json"


def noise(n, seed, spread=0.03, stays=0.0):
    """Factors about 1, shape (n,); `stays`: how much of it a point has from the one before."""
    fresh = np.random.default_rng(seed).standard_normal(n)
    found = fresh.copy()
    for i in range(1, n):
        found[i] = stays * found[i - 1] + math.sqrt(1 - stays**2) * fresh[i]
    return np.exp(spread * found)


@pytest.mark.parametrize("factor", [1.2, 1 / 1.2])
def test_a_step_is_found_where_it_is(factor):
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, 100))
        place = int(rng.integers(5, n - 4))
        values = noise(n, seed)
        values[place:] *= factor
        (found,) = change_points(values)
        assert abs(found - place) <= 3


def test_several_steps_are_found():
    values = noise(90, 0) * np.repeat([1.0, 1.3, 1.0, 0.8], [20, 30, 20, 20])
    assert change_points(values) == pytest.approx([20, 50, 70], abs=1)


@pytest.mark.parametrize(("points", "most"), [(8, 8), (20, 4), (60, 2), (200, 2)])
def test_noise_has_a_step_in_few_of_two_hundred_series(points, most):
    alarms = sum(bool(change_points(noise(points, seed))) for seed in range(200))
    assert alarms <= most


@pytest.mark.parametrize("points", [60, 200])
def test_noise_that_stays_for_a_while_has_one_in_some(points):
    """Half of it from one point to the next: runs of like values look like levels."""
    alarms = sum(bool(change_points(noise(points, seed, stays=0.5))) for seed in range(200))
    assert alarms <= 30


@pytest.mark.parametrize("many", range(1, LEAST))
def test_outliers_are_no_step(many):
    for place in (0, 13, 30 - many):
        values = noise(30, place)
        values[place : place + many] *= 3
        assert change_points(values) == []


def test_one_more_than_an_outlier_has_is_a_new_level():
    found = 0
    for seed in range(50):
        values = noise(30, seed)
        values[-LEAST - 1 :] *= 1.3
        found += change_points(values) == [30 - LEAST - 1]
    assert found >= 40


def test_a_step_to_missed_targets_is_found_and_nothing_among_them():
    values = noise(20, 0)
    values[12:] = math.inf
    assert change_points(values) == [12]
    assert change_points(np.full(20, math.inf)) == []


def test_a_stage_that_begins_is_a_step():
    values = noise(20, 0)
    values[:8] = 0
    assert change_points(values) == [8]
    assert change_points(np.zeros(20)) == []


def test_what_hardly_scatters_has_no_step_of_a_thousandth():
    values = np.repeat([1.0, 1.0005], 20)
    assert change_points(values) == []
    assert change_points(np.repeat([1.0, 1.05], 20)) == [20]


@given(arrays(float, st.integers(0, 60), elements=st.floats(0, allow_nan=False)))
def test_no_level_is_shorter_than_the_least(values):
    bounds = [0, *change_points(values), len(values)]
    assert len(bounds) == 2 or np.diff(bounds).min() >= LEAST


@pytest.mark.parametrize("seed", range(10))
def test_backwards_and_in_other_units_the_steps_are_the_same(seed):
    values = noise(80, seed)
    values[30:] *= 1.3
    values[50:] *= 0.9
    assert change_points(1000 * values) == change_points(values), "in milliseconds, too"
    backwards = [len(values) - place for place in change_points(values[::-1])]
    assert sorted(backwards) == change_points(values)


def test_what_people_marked_is_found():
    """One series, and a rough sketch: a smoke test."""
    (series,) = json.loads(ANNOTATED.read_text("utf-8"))
    found = change_points(np.array(series["values"], float))
    for place in series["annotations"]["otava-maintainer"]:
        assert min(abs(place - at) for at in found) <= 3
    assert len(found) <= 10
