"""Hyperparameters: what is drawn, perturbed or laid as levels stays within bounds and on its step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spaces import (
    SIZE,
    bounded,
    choices_of_numbers,
    factors,
    ints,
    logs,
    one,
    ordered,
    reals,
    seeds,
    stepped,
    steps,
)

from pbtbench import (
    BadInput,
    Choice,
    Constant,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Sampler,
    Uniform,
)
from pbtbench.space.columns import column


@given(bounded, seeds, st.lists(factors, min_size=1, max_size=10))
def test_a_value_stays_within_bounds_however_often_it_is_perturbed(hyperparameter, seed, moves):
    rng = np.random.default_rng(seed)
    values = hyperparameter.sample(rng, SIZE)
    for factor in moves:
        values = hyperparameter.perturb(values, np.array([1, factor, 1 / factor, factor]), rng)
        assert all(map(hyperparameter.contains, values.tolist()))


@given(bounded, seeds, st.lists(factors, min_size=SIZE, max_size=SIZE))
def test_perturbing_makes_a_new_column_and_leaves_the_old_one_alone(hyperparameter, seed, moves):
    rng = np.random.default_rng(seed)
    values = hyperparameter.sample(rng, SIZE)
    before = values.tolist()
    changed = hyperparameter.perturb(values, np.array(moves), rng)
    assert values.tolist() == before
    assert len(changed) == SIZE
    assert not np.shares_memory(changed, values)


@given(
    st.one_of(reals, logs, ints, steps, choices_of_numbers),
    seeds,
    st.lists(factors, min_size=SIZE, max_size=SIZE),
)
def test_members_are_moved_side_by_side_as_alone(hyperparameter, seed, moves):
    values = hyperparameter.sample(np.random.default_rng(seed), SIZE)
    _, moved = one(hyperparameter, seed)
    together = hyperparameter.perturb(values, np.array(moves), np.random.default_rng(0)).tolist()
    alone = [moved(value, factor) for value, factor in zip(values.tolist(), moves, strict=True)]
    assert together == alone
    assert list(map(type, together)) == list(map(type, alone))


@given(st.one_of(reals, logs), seeds, factors)
def test_a_real_number_is_multiplied_unless_a_bound_is_in_the_way(real, seed, factor):
    value, moved = one(real, seed)
    assert moved(value, factor) in (value * factor, real.low, real.high)


@given(ordered(st.integers(0, 50)), seeds, factors.filter(lambda f: f != 1))
def test_a_whole_number_always_moves_the_factors_way_unless_it_is_at_a_bound(bounds, seed, factor):
    whole = IntUniform(*bounds)
    old, moved = one(whole, seed)
    new = moved(old, factor)
    assert isinstance(new, int)
    if factor > 1:
        assert new > old or old == whole.high
    else:
        assert new < old or old == whole.low


def on_step(number, value):
    count = (value - number.low) / number.step
    return count == pytest.approx(round(count), abs=1e-6)


@given(steps, seeds, st.lists(factors, min_size=1, max_size=10))
def test_a_number_with_a_step_stays_on_it(number, seed, moves):
    value, moved = one(number, seed)
    for factor in moves:
        assert on_step(number, value)
        assert type(value) is (int if isinstance(number, IntUniform) else float)
        value = moved(value, factor)


@given(
    st.one_of(
        stepped(IntUniform, st.integers(0, 50), st.integers(1, 16)),
        stepped(LogIntUniform, st.integers(1, 50), st.integers(1, 16)),
        stepped(Uniform, st.floats(0, 10), st.floats(0.01, 5)),
    ),
    seeds,
    factors.filter(lambda f: f != 1),
)
def test_a_factor_that_rounds_to_nothing_moves_by_one_step(number, seed, factor):
    old, moved = one(number, seed)
    new = moved(old, factor)
    if factor > 1:
        assert new > old or old == number.high
    else:
        assert new < old or old == number.low


@given(steps, st.data())
def test_levels_on_a_step_differ_and_are_in_order(number, data):
    count = data.draw(st.integers(1, number.most_levels))
    levels = number.levels(count)
    assert levels == sorted(set(levels))
    assert len(levels) == count
    assert all(on_step(number, level) and number.contains(level) for level in levels)


@given(steps, st.floats(-100, 100))
def test_no_value_is_nearer_than_the_nearest(number, value):
    values = [number.low + i * number.step for i in range(number.most_levels)]
    nearest = min(abs(each - value) for each in values)
    assert abs(number.nearest(value) - value) == pytest.approx(nearest, abs=1e-9)


def test_a_log_uniform_whole_number_falls_in_each_octave_equally_often():
    prior = LogIntUniform(1, 15)
    rng = np.random.default_rng(0)
    octaves = np.floor(np.log2(prior.sample(rng, 4000)))
    assert np.unique(octaves, return_counts=True)[1] == pytest.approx([1000] * 4, rel=0.1)


def test_a_whole_number_on_a_step_takes_each_value_equally_often():
    rng = np.random.default_rng(0)
    drawn = IntUniform(16, 64, step=16).sample(rng, 4000)
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [16, 32, 48, 64]
    assert counts == pytest.approx([1000] * 4, rel=0.1)


@given(choices_of_numbers, seeds, factors)
def test_a_choice_of_numbers_moves_to_its_neighbour(choice, seed, factor):
    ladder = sorted(choice.values)
    value, moved = one(choice, seed)
    old = ladder.index(value)
    new = ladder.index(moved(value, factor))
    step = 0 if factor == 1 else 1 if factor > 1 else -1
    assert new == min(max(old + step, 0), len(ladder) - 1)


def test_a_choice_of_names_is_drawn_anew():
    names = Choice(["adam", "rmsprop", "sgd"])
    rng = np.random.default_rng(0)
    adam = column(["adam"] * 100)
    assert set(names.perturb(adam, np.full(100, 1.2), rng)) == set(names.values)
    assert set(names.perturb(adam, np.ones(100), rng)) == {"adam"}


@pytest.mark.parametrize(
    "hyperparameter", [Uniform(0, 1), IntUniform(2, 8, step=2), Choice([0.25, 0.5])]
)
def test_a_member_that_started_outside_comes_in_when_it_is_perturbed(hyperparameter):
    rng = np.random.default_rng(0)
    outside = column(["auto", 9, 0.5, None])
    changed = hyperparameter.perturb(outside, np.array([1.2, 0.8, 1.2, 1.2]), rng)
    assert all(map(hyperparameter.contains, changed.tolist()))


def test_truth_values_are_no_numbers():
    assert not Uniform(0, 1).contains(True)
    assert not IntUniform(0, 1).contains(True)


def test_a_log_uniform_draw_falls_in_each_decade_equally_often():
    prior = LogUniform(1e-4, 1.0)
    rng = np.random.default_rng(0)
    decades = np.floor(np.log10(prior.sample(rng, 4000)))
    assert np.unique(decades, return_counts=True)[1] == pytest.approx([1000] * 4, rel=0.1)


@given(st.one_of(reals, logs), st.integers(1, 20))
def test_levels_are_in_order_and_within_bounds(real, count):
    levels = real.levels(count)
    assert len(levels) == count
    assert levels == sorted(levels)
    assert all(real.contains(level) for level in levels)


@given(ints, st.data())
def test_levels_of_whole_numbers_differ(whole, data):
    count = data.draw(st.integers(1, whole.most_levels))
    levels = whole.levels(count)
    assert len(set(levels)) == count
    assert all(whole.contains(level) for level in levels)


@pytest.mark.parametrize(("low", "high"), [(0, 2**53), (-(2**52), 2**52), (1 - 2**53, 0)])
def test_the_widest_range_of_whole_numbers_skips_none(low, high):
    widest, rng = IntUniform(low, high), np.random.default_rng(0)
    values = np.array([low, low + 1, low + 2, high - 2, high - 1, high])
    assert widest.perturb(values, np.ones(6), rng).tolist() == values.tolist()
    assert {value % 2 for value in widest.sample(rng, 40).tolist()} == {0, 1}


def test_a_callable_of_whole_numbers_stays_whole_when_perturbed():
    _, moved = one(Sampler(lambda rng: 10), 0)
    assert moved(10, 1.26) == 13
    _, moved = one(Sampler(lambda rng: "relu"), 0)
    assert moved("tanh", 1.2) == "relu"


def test_a_callable_may_return_unlike_values_which_stay_what_they_are():
    unlike = column([10, 0.5, True, None, "tanh", 10**20])
    rng = np.random.default_rng(0)
    changed = Sampler(lambda rng: "relu").perturb(unlike, np.full(6, 2.0), rng).tolist()
    assert changed == [20, 1.0, "relu", "relu", "relu", 2 * 10**20]
    assert [type(value) for value in changed[:2]] == [int, float]


@given(st.integers(-20, 20), factors.filter(lambda f: f != 1))
def test_whole_numbers_of_a_callable_move_by_one_at_least_and_never_to_zero(old, factor):
    value, moved = one(Sampler(lambda rng: old), 0)
    assert value == old
    new = moved(old, factor)
    assert type(new) is int
    if factor > 1:
        assert abs(new) > abs(old)
    else:
        assert abs(new) < abs(old) or abs(old) <= 1
    assert new * old > 0 or old == 0


@given(st.integers(-20, 20), factors)
def test_a_callable_with_a_step_is_perturbed_on_it(count, factor):
    value, moved = one(Sampler(lambda rng: count * 0.25, step=0.25), 0)
    new = moved(value, factor)
    assert new / 0.25 == round(new / 0.25)


def test_bounds_and_steps_of_numpy_become_plain():
    number = IntUniform(np.int64(16), np.int32(64), step=np.int16(16))
    assert {type(n) for n in (number.low, number.high, number.step)} == {int}
    real = Uniform(np.float32(0), np.float64(1))
    assert {type(n) for n in (real.low, real.high)} == {float}


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\ud800"])
def test_a_text_that_no_terminal_shows_is_no_value(text):
    for declared in (lambda: Choice(["a", text]), lambda: Constant([text])):
        with pytest.raises(BadInput, match="holds a control character; leave it out"):
            declared()
