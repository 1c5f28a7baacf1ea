"""Options with defaults, as problems and engines have them: what a study sets is checked, by name and type
and, for a folder, by writing to it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
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


def check_writable(option: str, path: str) -> None:
    """Raise `BadInput` if no file can be written to the folder, or to the nearest above it that exists."""
    folder = Path(path).expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(
            f"{option} = {path!r}: {folder} can't be written to ({error.strerror}); give another folder"
        ) from None
