"""Ray Tune's search spaces become ours: `param_space` and `hyperparam_mutations`, as they are."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.space import Choice, Constant, IntUniform, LogUniform, Sampler, Space, Uniform


def space(param_space: Mapping[str, Any], mutations: Mapping[str, Any]) -> Space:
    """The space of a study on Tune: what `hyperparam_mutations` has may change while a member trains,
    what only `param_space` has may not; without mutations, all that isn't constant may.

    `BadInput` for what has no place here, such as nested spaces.
    """
    static = {name: d for name, d in param_space.items() if name not in mutations}
    found = {
        **{n: _hyperparameter(n, d, not mutations, constants=True) for n, d in static.items()},
        **{n: _hyperparameter(n, d, dynamic=True) for n, d in mutations.items()},
    }
    return Space(found)


def _hyperparameter(name: str, declared: Any, dynamic: bool, constants: bool = False) -> Any:
    from ray.tune.search import sample

    if isinstance(declared, Mapping) and set(declared) == {"grid_search"}:
        return Choice(declared["grid_search"], dynamic)
    if isinstance(declared, sample.Categorical):
        return Choice(declared.categories, dynamic)
    if isinstance(declared, sample.Float | sample.Integer):
        return _number(declared, dynamic)
    if isinstance(declared, sample.Function):
        return Sampler(partial(_drawn, declared.func), dynamic)
    if callable(declared):
        return Sampler(partial(_drawn, declared), dynamic)
    if isinstance(declared, list | tuple) and not constants:
        return Choice(declared, dynamic)
    if isinstance(declared, int | float | str):
        return Constant(declared)
    raise BadInput(
        f"hyperparameter {name!r}: {declared!r}: give a domain of Ray Tune's, a callable, a number or "
        "text; what else a trainable needs is better a constant of its class"
    )


def _number(domain: Any, dynamic: bool) -> Any:
    """A real or whole number: with bounds where they are all there is to it, else as it draws."""
    from ray.tune.search import sample

    drawn, low, high = domain.get_sampler(), domain.lower, domain.upper
    uniform = isinstance(drawn, sample.Uniform)
    if isinstance(domain, sample.Integer):
        if uniform:
            return IntUniform(low, high - 1, dynamic)  # Tune leaves out the upper bound
    elif uniform:
        return Uniform(low, high, dynamic)
    elif isinstance(drawn, sample.LogUniform):
        return LogUniform(low, high, dynamic)
    return Sampler(lambda rng: _plain(domain.sample(random_state=rng)), dynamic)


def _drawn(draw: Callable[..., Any], rng: np.random.Generator) -> Any:
    """What a user's callable draws, from the global generators that it knows: seeded for it, and put
    back. One that takes an argument gets an empty configuration."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed = int(rng.integers(2**32))
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        return _plain(draw({}) if signature(draw).parameters else draw())
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
