"""Objects of Tune's own classes, from a study's options: names are checked, a refusal is one line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from pbtbench.errors import BadInput, unknown
from pbtbench.schema import Number, Reference, Truth, checked

OURS = {
    "metric", "mode", "time_attr", "space", "points_to_evaluate", "evaluated_rewards",
    "perturbation_interval", "hyperparam_bounds",
}  # fmt: skip
"""Arguments that a study can't set: they follow from the problem and from the study's other keys."""


def accepted(cls: type[Any]) -> dict[str, Any]:
    """The arguments of a class's constructor, with their defaults."""
    parameters = inspect.signature(cls).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {p.name: p.default for p in named}


def constructed(
    name: str, cls: type[Any], options: Mapping[str, Any], ours: Mapping[str, Any]
) -> Any:
    """`cls` with a study's options over `ours`, of which those count that it has.

    Raises `BadInput` for an option that it doesn't have, a value that it refuses, or a package that
    it misses.
    """
    known = accepted(cls)
    free = set(known) - OURS
    for key in options:
        if key not in free:
            raise unknown(f"option of method 'tune:{name}'", key, free)
        checked(_kind(known[key]), options[key], f"method 'tune:{name}': {key}")
    try:
        return cls(**{**{k: v for k, v in ours.items() if k in known}, **options})
    except Exception as error:
        raise refused(name, error) from None


def _kind(default: object) -> Any:
    """What an argument may be, after its default: Tune's classes themselves check few."""
    if isinstance(default, bool):
        return Truth
    if isinstance(default, int | float):
        return Annotated[Number, Field(le=1_000_000), Field(ge=0) if default == 0 else Field(gt=0)]
    return Reference if isinstance(default, str) else Any


def refused(name: str, error: Exception) -> BadInput:
    """What one of Tune's classes has against its arguments."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return BadInput(f"method 'tune:{name}': {reason[:300]}")
