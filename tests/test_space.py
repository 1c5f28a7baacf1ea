"""Spaces: members are drawn within bounds, grids are as full as promised, and declarations are checked."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spaces import SIZE, seeds, spaces

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
from pbtbench.space.columns import rows
from pbtbench.space.hyperparameters import Derived, NotDrawn


@given(spaces, seeds)
def test_a_sample_is_within_bounds(space, seed):
    members = rows(space.sample(np.random.default_rng(seed), SIZE))
    assert len(members) == SIZE
    assert all(map(space.contains, members))


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
        (lambda: IntUniform(1, 2**53 + 1), "bounds must be within ±2**53"),
        (lambda: IntUniform(-1, 2**53), "and at most 2**53 apart"),
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
