"""Hyperparameters and spaces of any kind, for laws that hold for all of them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from pbtbench import (
    Choice,
    Constant,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Space,
    Uniform,
)
from pbtbench.errors import CONTROL
from pbtbench.space.columns import column

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
