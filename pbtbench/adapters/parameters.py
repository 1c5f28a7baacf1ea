"""What `tune.with_parameters` gave a trainable: Tune keeps it in the object store of one Ray, and a study
may start several."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

_HELD: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
"""A registry of Tune's -> all that it was given."""


class Parameters:
    """The parameters of a trainable, held here so that each Ray can be given them anew."""

    def __init__(self, trainable: Any) -> None:
        """`trainable`: a class or function, which `tune.with_parameters` may have made."""
        self._registries = list(_registries(trainable))
        for registry in self._registries:
            if registry not in _HELD:
                names = [*registry.to_flush, *registry.references]
                _HELD[registry] = {name: registry.get(name) for name in names}

    def put(self) -> None:
        """Put them into the object store of the Ray that runs now; without one, where Tune looks then."""
        import ray

        for registry in self._registries:
            registry.to_flush.update(_HELD[registry])
            if ray.is_initialized():
                registry.flush()

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameters:
        return self


def _registries(trainable: Any) -> Iterator[Any]:
    """Where Tune keeps the parameters: in what its wrappers close over."""
    if inspect.isclass(trainable):
        functions = [vars(cls).get("setup") for cls in trainable.__mro__]
    else:
        functions = [trainable]
    for function in functions:
        if inspect.isfunction(function):
            around = inspect.getclosurevars(function).nonlocals
            if "parameter_registry" in around:
                yield around["parameter_registry"]
                if not inspect.isclass(trainable):  # wrapped twice
                    yield from _registries(around["trainable"])
