"""Options with defaults, as problems and engines have them: what a study sets is checked by name and type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pbtbench.errors import BadInput, unknown


def over_defaults(
    owner: str, defaults: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """`defaults` with `given` over them; a default of None takes any value.

    Raises `BadInput` for an option that `owner` doesn't have, or a value of another type.
    """
    for key, value in given.items():
        if not defaults:
            raise BadInput(f"{owner} has no options, so {key!r} can't be set")
        if key not in defaults:
            raise unknown(f"option of {owner}", key, defaults)
        expected = type(defaults[key])
        number = expected is float and type(value) is int
        if defaults[key] is not None and type(value) is not expected and not number:
            raise BadInput(
                f"option {key} = {value!r} of {owner}: give a {expected.__name__}, "
                f"such as {defaults[key]!r}"
            )
    return {**defaults, **given}
