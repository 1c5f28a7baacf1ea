"""Ray Tune's search spaces become ours: `param_space` and `hyperparam_mutations`, as they are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from pbtbench.adapters.nesting import Leaf, Nesting, Path, is_drawn, leaves
from pbtbench.errors import BadInput
from pbtbench.space import (
    Choice,
    Constant,
    Derived,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Sampler,
    Space,
    Uniform,
)
from pbtbench.space.hyperparameters import Hyperparameter, NotDrawn, named, plain


def space(param_space: Mapping[str, Any], mutations: Mapping[str, Any]) -> Space:
    """The space of a study on Tune: what `hyperparam_mutations` has may change while a member trains,
    what only `param_space` has may not; without mutations, all that isn't constant, in a list or
    drawn from others may. Members start with what `param_space` draws, where it has something.

    Nested ones are named by their path, as `model/dropout`. Raises `BadInput` for what has no place here.
    """
    declared = leaves(param_space, mutations)
    shape, names = nesting(param_space, mutations), [leaf.name for leaf in declared]
    found: dict[str, Hyperparameter] = {}
    starts: dict[str, Hyperparameter] = {}
    for leaf in declared:
        if leaf.mutation:
            found[leaf.name] = _mutation(leaf, leaf.mutation[0])
            if leaf.start:
                starts[leaf.name] = _start(leaf, leaf.start[0], True, shape, names)
        elif leaf.start:
            dynamic = not mutations and not any(isinstance(key, int) for key in leaf.path)
            found[leaf.name] = _start(leaf, leaf.start[0], dynamic, shape, names)
    return Space(found, starts)


def nesting(param_space: Mapping[str, Any], mutations: Mapping[str, Any]) -> Nesting:
    """Where the space's hyperparameters stand in the configuration that a trainable gets."""
    found = leaves(param_space, mutations)
    return Nesting({leaf.name: leaf.path for leaf in found if len(leaf.path) > 1})


def _start(
    leaf: Leaf, declared: Any, dynamic: bool, shape: Nesting, names: Sequence[str]
) -> Hyperparameter:
    """What `param_space` has; of all `names`, a function sees those drawn so far."""
    from ray.tune.search import sample

    with named(leaf.name):
        function = declared.func if isinstance(declared, sample.Function) else declared
        if callable(function) and is_drawn(function) and _takes_configuration(function):
            return Derived(partial(_derived, function, shape, names))
        if isinstance(declared, Mapping) and set(declared) == {"eval"}:
            raise BadInput(f"{dict(declared)}: give tune.sample_from(lambda config: …) instead")
        if is_drawn(declared):
            return _hyperparameter(declared, dynamic)
        return Constant(declared)


def _mutation(leaf: Leaf, declared: Any) -> Hyperparameter:
    """What `hyperparam_mutations` has."""
    from ray.tune.search import sample

    with named(leaf.name):
        if isinstance(declared, sample.Function):
            raise BadInput("Ray's PBT takes no sample_from to mutate; give a domain or a function")
        if isinstance(declared, list | tuple):
            return Choice(declared)
        if not is_drawn(declared):
            raise BadInput(
                f"hyperparam_mutations has {declared!r}; give a domain of Ray Tune's, a list or a "
                "function, or leave it to param_space"
            )
        if not isinstance(declared, sample.Domain | Mapping) and _takes_configuration(declared):
            raise BadInput("Ray's PBT calls a function to mutate without arguments; it takes some")
        return _hyperparameter(declared, True)


def _hyperparameter(declared: Any, dynamic: bool) -> Hyperparameter:
    from ray.tune.search import sample

    if isinstance(declared, Mapping):
        return Choice(list(declared["grid_search"]), dynamic)
    if isinstance(declared, sample.Categorical):
        return Choice(declared.categories, dynamic)
    if isinstance(declared, sample.Float | sample.Integer):
        return _number(declared, dynamic)
    function = declared.func if isinstance(declared, sample.Function) else declared
    return Sampler(partial(_drawn, function), dynamic)


def _number(domain: Any, dynamic: bool) -> Hyperparameter:
    """A real or whole number, with its bounds and step; a normal one as it draws, with its step."""
    from ray.tune.search import sample

    drawn, step = domain.get_sampler(), None
    if isinstance(drawn, sample.Quantized):
        drawn, step = drawn.get_sampler(), plain(drawn.q)
    if not isinstance(drawn, sample.Uniform | sample.LogUniform):
        return Sampler(partial(_normal, domain), dynamic, step)
    log = isinstance(drawn, sample.LogUniform)
    low, high = plain(domain.lower), plain(domain.upper)
    if isinstance(domain, sample.Integer):
        if step in (None, 1):
            step, high = 1, high - 1  # Tune leaves out the upper bound
        low, high = _multiples(low, high, step)
        if low == high:
            return Constant(int(low))
        kind = LogIntUniform if log else IntUniform
        return kind(int(low), int(high), dynamic, int(step))
    if step is not None:
        low, high = _multiples(low, high, step)
    if low == high:
        return Constant(float(low))
    return (LogUniform if log else Uniform)(low, high, dynamic, step)


def _multiples(low: float, high: float, step: float) -> tuple[float, float]:
    """The least and the greatest multiple of `step` within bounds, as Tune has them."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if first > last:
        raise BadInput(f"there is no multiple of {step} between {low} and {high}")
    return first * step, last * step


def _normal(domain: Any, rng: np.random.Generator) -> Any:
    return domain.sample(random_state=rng)


def _takes_configuration(function: Callable[..., Any]) -> bool:
    """Whether a function wants an argument, as Tune sees it."""
    try:
        signature(function).bind({})
    except (TypeError, ValueError):
        return False
    return True


def _drawn(draw: Callable[..., Any], rng: np.random.Generator, *configuration: Any) -> Any:
    """What a user's callable draws, from the global generators that it knows: seeded for it, and put
    back."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed = int(rng.integers(2**32))
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        return draw(*configuration)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def _derived(
    draw: Callable[..., Any],
    shape: Nesting,
    names: Sequence[str],
    others: Mapping[str, Any],
    rng: np.random.Generator,
) -> Any:
    """What a user's function makes of the configuration drawn so far."""
    pending = [shape.path(name) for name in names if name not in others]
    seen = _Configuration(shape.nested(others), pending)
    try:
        return _drawn(draw, rng, seen)
    except NotDrawn:
        raise
    except Exception as error:
        raise BadInput(
            f"its function raised {type(error).__name__}: {error}; it is called with the "
            f"configuration drawn so far: {', '.join(others)}"
        ) from None


class _Configuration(dict[str, Any]):
    """The configuration drawn so far, as `config["x"]`, `config.x`, `spec.config.x` and the like. Asking for
    what isn't drawn yet raises `NotDrawn`."""

    def __init__(
        self, drawn: Mapping[str, Any], pending: Sequence[Path], root: bool = True
    ) -> None:
        below: dict[Any, list[Path]] = {}
        for first, *rest in pending:
            if rest and isinstance(rest[0], str):
                below.setdefault(first, []).append(tuple(rest))
        super().__init__(drawn)
        for key in dict.fromkeys([*drawn, *below]):
            inner = drawn.get(key, {})
            if isinstance(inner, dict):
                self[key] = _Configuration(inner, below.get(key, []), root=False)
        self._root = root
        self._pending = {path[0] for path in pending} - set(below)

    def __getitem__(self, key: str) -> Any:
        if key in self._pending:
            raise NotDrawn(key)
        if self._root and key == "config" and key not in self:
            return self
        return super().__getitem__(key)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(*error.args) from None

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default
