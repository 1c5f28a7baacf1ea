"""Spaces: what is drawn, perturbed or laid as a grid stays within bounds, and grids are as full as promised."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import (
    BadInput,
    Choice,
    Constant,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Sampler,
    Space,
    Uniform,
)
from pbtbench.errors import CONTROL
from pbtbench.space.columns import column, rows
from pbtbench.space.hyperparameters import Derived, NotDrawn

numbers = st.floats(-1e6, 1e6)
positive = st.floats(1e-6, 1e6)
factors = st.floats(0.1, 10)
seeds = st.integers(0, 2**32)
SIZE = 4
"""Members in a column."""


def one(hyperparameter, seed):
    """A draw, and how a value is moved by a factor: members alone, as they are in plain Python."""
    rng = np.random.default_rng(seed)

    def moved(value, factor):
        return hyperparameter.perturb(column([value]), np.array([factor]), rng).tolist()[0]

    return hyperparameter.sample(rng, 1).tolist()[0], moved


def ordered(values, apart=lambda low, high: low < high):
    return st.tuples(values, values).map(sorted).filter(lambda bounds: apart(*bounds))


reals = ordered(numbers, lambda low, high: high - low > 1e-3).map(lambda b: Uniform(*b))
logs = ordered(positive, lambda low, high: high / low > 1.001).map(lambda b: LogUniform(*b))
ints = ordered(st.integers(-50, 50)).map(lambda bounds: IntUniform(*bounds))


def stepped(kind, lows, steps):
    """Numbers of that kind from `low` on, so many steps up."""
    return st.builds(
        lambda low, step, count: kind(low, low + count * step, step=step),
        lows,
        steps,
        st.integers(1, 40),
    )


whole_steps = st.one_of(
    stepped(IntUniform, st.integers(-50, 50), st.integers(1, 16)),
    stepped(LogIntUniform, st.integers(1, 50), st.integers(1, 16)),
)
real_steps = st.one_of(
    stepped(Uniform, st.floats(-10, 10), st.floats(0.01, 5)),
    stepped(LogUniform, st.floats(0.01, 10), st.floats(0.01, 5)),
)
steps = st.one_of(whole_steps, real_steps)
choices_of_numbers = st.lists(numbers, min_size=1, max_size=5, unique=True).map(Choice)
shown = st.text(max_size=3).filter(lambda text: not CONTROL.search(text))
choices_of_names = st.lists(shown, min_size=1, max_size=5, unique=True).map(Choice)
constants = st.one_of(numbers, shown).map(Constant)
choices_of_anything = st.lists(
    st.one_of(st.none(), st.lists(st.integers(0, 9), max_size=2), st.just({"a": 1}), st.booleans()),
    min_size=1,
    max_size=5,
    unique_by=str,
).map(Choice)
bounded = st.one_of(
    reals, logs, ints, steps, choices_of_numbers, choices_of_names, choices_of_anything, constants
)
spaces = st.lists(bounded, min_size=1, max_size=4).map(
    lambda hyperparameters: Space({f"h{i}": h for i, h in enumerate(hyperparameters)})
)


@given(spaces, seeds)
def test_a_sample_is_within_bounds(space, seed):
    members = rows(space.sample(np.random.default_rng(seed), SIZE))
    assert len(members) == SIZE
    assert all(map(space.contains, members))


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


def counts_of(grid):
    """How many levels each hyperparameter has in a grid."""
    return [len(set(values.tolist())) for values in grid.values()]


@given(spaces, st.integers(1, 100))
def test_a_grid_is_a_full_factorial_of_at_most_n_points_within_bounds(space, n):
    grid = rows(space.grid(n))
    assert 1 <= len(grid) <= n
    assert all(space.contains(point) for point in grid)
    levels = [
        list({json.dumps(point[name]): point[name] for point in grid}.values()) for name in space
    ]
    assert [tuple(point.values()) for point in grid] == list(product(*levels))


@given(st.integers(1, 5), st.integers(1, 300))
def test_a_grid_of_real_numbers_is_the_largest_balanced_one(dimensions, n):
    space = Space({f"h{i}": Uniform(0, 1) for i in range(dimensions)})
    counts = counts_of(space.grid(n))
    assert max(counts) - min(counts) <= 1
    assert counts == sorted(counts, reverse=True)
    low = range(1, n + 1)
    balanced = [
        (base + 1) ** more * base ** (dimensions - more)
        for base in low
        for more in range(dimensions)
    ]
    assert math.prod(counts) == max(size for size in balanced if size <= n)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 200))
def test_a_choice_has_no_more_levels_than_values(sizes, n):
    space = Space({f"h{i}": list(range(size)) for i, size in enumerate(sizes)})
    counts = counts_of(space.grid(n))
    assert all(count <= size for count, size in zip(counts, sizes, strict=True))
    unsaturated = [c for c, size in zip(counts, sizes, strict=True) if c < size]
    assert all(c >= max(counts) - 1 for c in unsaturated)


def test_explicit_values_multiply_out_and_the_others_share_what_is_left():
    space = Space({"a": Uniform(0, 1), "b": Uniform(0, 1), "units": [16, 32, 64]})
    grid = space.grid(13, {"b": [0.25, 0.75], "units": [16, 64]})
    assert counts_of(grid) == [3, 2, 2]
    assert rows(grid)[:3] == [
        {"a": pytest.approx(1 / 6), "b": 0.25, "units": 16},
        {"a": pytest.approx(1 / 6), "b": 0.25, "units": 64},
        {"a": pytest.approx(1 / 6), "b": 0.75, "units": 16},
    ]


def test_a_callable_a_list_and_a_value_stand_for_themselves():
    space = Space({"rate": lambda rng: rng.exponential(), "units": [32, 64], "activation": "relu"})
    assert isinstance(space["rate"], Sampler)
    assert space["units"] == Choice([32, 64])
    assert space["activation"] == Constant("relu")
    first, again = (rows(space.sample(np.random.default_rng(7), SIZE)) for _ in range(2))
    assert first == again


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


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (Sampler(lambda rng: rng.integers(3, 4)), 3),
        (Sampler(lambda rng: np.float32(0.5)), 0.5),
        (Sampler(lambda rng: np.array([1, 2])), [1, 2]),
        (Sampler(lambda rng: {"a": np.int64(1)}), {"a": 1}),
        (Choice(np.array([2])), 2),
        (Choice([np.bool_(True)]), True),
        (Constant(np.float64(2.0)), 2.0),
        (np.int64(3), 3),
        (np.array([4]), 4),
        (None, None),
    ],
)
def test_numbers_of_numpy_become_plain_where_they_are_drawn(declared, expected):
    drawn = Space({"x": declared}).sample(np.random.default_rng(0), 1)["x"].tolist()[0]
    assert drawn == expected
    assert type(drawn) is type(expected)
    assert json.loads(json.dumps(drawn)) == expected


def test_bounds_and_steps_of_numpy_become_plain():
    number = IntUniform(np.int64(16), np.int32(64), step=np.int16(16))
    assert {type(n) for n in (number.low, number.high, number.step)} == {int}
    real = Uniform(np.float32(0), np.float64(1))
    assert {type(n) for n in (real.low, real.high)} == {float}


def test_grid_values_of_numpy_become_plain():
    grid = Space({"a": Uniform(0, 1)}).grid(2, {"a": np.array([0.25, 0.5])})
    assert [type(point["a"]) for point in rows(grid)] == [float, float]


def test_what_is_drawn_from_others_is_drawn_once_they_are_there():
    def double(of):
        def draw(drawn, rng):
            if of not in drawn:
                raise NotDrawn(of)
            return 2 * drawn[of]

        return Derived(draw)

    space = Space({"c": double("b"), "b": double("a"), "a": IntUniform(1, 9)})
    drawn = space.sample(np.random.default_rng(0), SIZE)
    assert list(drawn) == ["c", "b", "a"]
    assert (drawn["c"] == 2 * drawn["b"]).all()
    assert (drawn["c"] == 4 * drawn["a"]).all()
    given = space.sample(np.random.default_rng(0), 3, [{"a": 50}, {"b": 7}])
    assert given["c"].tolist() == [200, 14, 4 * given["a"][2]]
    assert space.dynamic == ("a",)
    with pytest.raises(BadInput, match="x, y are drawn from each other"):
        Space({"x": double("y"), "y": double("x")}).sample(np.random.default_rng(0), 1)


def test_members_may_start_otherwise_than_they_are_drawn_anew():
    space = Space({"a": Uniform(0, 1)}, starts={"a": Constant(5.0)})
    rng = np.random.default_rng(0)
    assert space.sample(rng, 2)["a"].tolist() == [5.0, 5.0]
    assert 0 <= space["a"].sample(rng, 1)[0] <= 1


def test_a_point_keeps_the_type_of_its_values_beside_draws_of_another():
    space = Space({"a": Uniform(0, 1), "b": IntUniform(1, 9)})
    members = rows(space.sample(np.random.default_rng(0), 3, [{"a": 1}, {"b": 3}]))
    assert [type(member["a"]) for member in members] == [int, float, float]
    assert (members[0]["a"], members[1]["b"]) == (1, 3)


def test_only_what_may_change_is_dynamic():
    space = Space({"rate": Uniform(0, 1), "units": Choice([1, 2], dynamic=False), "depth": 3})
    assert space.dynamic == ("rate",)


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: Uniform(2, 1), "Uniform(2, 1): the lower bound comes first"),
        (lambda: Uniform(0, math.inf), "Uniform(0, inf): bounds must be finite"),
        (lambda: Uniform(math.nan, 1), "Uniform(nan, 1): bounds must be finite"),
        (lambda: LogUniform(0, 1), "LogUniform(0, 1): the lower bound must be above zero; use"),
        (lambda: IntUniform(1, 2.5), "IntUniform(1, 2.5): bounds must be whole numbers"),
        (lambda: IntUniform(0, 10**20), "bounds must be within ±2**53"),
        (lambda: IntUniform(3, 3), "IntUniform(3, 3): the lower bound comes first"),
        (lambda: IntUniform("a", "b"), "IntUniform(a, b): bounds must be numbers"),
        (
            lambda: Uniform(0, 1, step=0.3),
            "step 0.3 doesn't lead from 0 to 1: give bounds that are",
        ),
        (lambda: IntUniform(1, 9, step=3), "step 3 doesn't lead from 1 to 9"),
        (lambda: Uniform(0, 1, step=-0.5), "step -0.5: give a number above zero"),
        (lambda: LogIntUniform(0, 8), "LogIntUniform(0, 8): the lower bound must be above zero"),
        (lambda: Choice([object]), "<class 'object'> is no number, text, truth value, None"),
        (
            lambda: Space({"a": lambda rng: object}).sample(np.random.default_rng(0), 1),
            "hyperparameter 'a': <class 'object'> is no number",
        ),
        (lambda: Choice([]), "Choice([]): give a list of at least one value"),
        (lambda: Choice("relu"), "Choice('relu'): give a list"),
        (lambda: Space({}), "at least one hyperparameter"),
        (lambda: Space({"units": []}), "'units': an empty list; give at least one value"),
        (lambda: Space({"units": {}}), "'units': {} is no hyperparameter"),
        (lambda: Space({"a": 1.0}).grid(0), "a grid of 0 points: give at least 1"),
        (lambda: Space({"rate": [1, 2]}).grid(4, {"rat": [1]}), "did you mean 'rate'?"),
        (lambda: Space({"a": Uniform(0, 1)}).grid(4, {"a": [2]}), "a = 2 is out of bounds"),
        (lambda: Space({"a": Uniform(0, 1)}).grid(4, {"a": []}), "'a': an empty list; give"),
        (lambda: Space({"a": Uniform(0, 1)}).grid(1, {"a": [0, 1]}), "2 points, more than the"),
        (lambda: Space({"a": lambda rng: 1.0}).grid(4), "give the grid explicit values"),
    ],
)
def test_a_bad_declaration_is_refused_in_one_line_that_names_it(declare, says):
    with pytest.raises(BadInput) as refused:
        declare()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\ud800"])
def test_a_text_that_no_terminal_shows_is_no_value(text):
    for declared in (lambda: Choice(["a", text]), lambda: Constant([text])):
        with pytest.raises(BadInput, match="holds a control character; leave it out"):
            declared()
