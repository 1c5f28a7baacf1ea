"""Explore: how a donor's hyperparameters are changed after they were copied (Jaderberg et al. 2017, 4.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.space import Hyperparameters, Space
from pbtbench.space.columns import Columns, columns, placed, rows
from pbtbench.space.hyperparameters import plain
from pbtbench.user_code import loading

Explore = Callable[[Hyperparameters, Space, np.random.Generator], Hyperparameters]
"""A user's explore function: a donor's hyperparameters -> the fork's."""


def perturb(
    donors: Columns,
    space: Space,
    rng: np.random.Generator,
    resample_probability: float,
    factors: Sequence[float],
) -> Columns:
    """Each dynamic hyperparameter is drawn anew with `resample_probability`, else moved by one of
    `factors`; always within bounds."""
    changed = dict(donors)
    for name in space.dynamic:
        h, values = space[name], donors[name]
        anew = rng.random(len(values)) < resample_probability
        drawn = np.array(factors)[rng.integers(len(factors), size=len(values))]
        moved = h.perturb(values, drawn, rng)
        changed[name] = placed(moved, anew, h.sample(rng, int(anew.sum())))
    return changed


def each(explore: Explore, donors: Columns, space: Space, rng: np.random.Generator) -> Columns:
    """What a user's function makes of donors' hyperparameters, one by one."""
    return columns([explore(hyperparameters, space, rng) for hyperparameters in rows(donors)])


@cache
def user_explore(reference: str) -> Explore:
    """The function that `package.module:name` or `./file.py:name` names."""
    place, name = loading.split(reference)
    if not place or not name:
        raise BadInput(
            f"explore {reference!r}: give 'perturb', 'package.module:name' or './file.py:name'"
        )
    failure = f"explore {reference!r} can't be loaded"
    module = loading.module(place, failure)
    if not hasattr(module, name):
        raise BadInput(f"{failure}: {place} has no {name!r}")
    function = getattr(module, name)
    if not callable(function):
        raise BadInput(f"explore {reference!r} is no function")
    return _checked(function, reference)


def _checked(function: Explore, reference: str) -> Explore:
    def explore(
        hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator
    ) -> Hyperparameters:
        changed = function(hyperparameters, space, rng)
        if set(changed) != set(hyperparameters):
            raise BadInput(
                f"explore {reference!r} returned the hyperparameters {sorted(changed)}; "
                f"it must return {sorted(hyperparameters)}"
            )
        kept: Hyperparameters = plain(dict(changed))
        return kept

    return explore
