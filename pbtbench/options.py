"""Options with defaults, as engines and problems have them: what a study sets is checked, by name and kind
and, for a folder, by writing to it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pbtbench.errors import BadInput, invalid, unknown


class Options(BaseModel):
    """What can be set of an engine: each field is an option, with its kind and its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def chosen(owner: str, options: type[Options], given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of `options` with `given` over them, as plain data.

    Raises `BadInput` for an option that `owner` doesn't have, or a value that doesn't fit.
    """
    _check_known(owner, options.model_fields, given)
    try:
        return options(**given).model_dump()
    except ValidationError as found:
        raise invalid(owner, found) from None


def over_defaults(
    owner: str, defaults: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """`defaults` with `given` over them; a default of None takes any value.

    Raises `BadInput` for an option that `owner` doesn't have, or a value of another type.
    """
    _check_known(owner, defaults, given)
    for key, value in given.items():
        expected = type(defaults[key])
        number = expected is float and type(value) is int
        if defaults[key] is not None and type(value) is not expected and not number:
            raise BadInput(
                f"option {key} = {value!r} of {owner}: give a {expected.__name__}, "
                f"such as {defaults[key]!r}"
            )
    return {**defaults, **given}


def _check_known(owner: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for key in given:
        if not known:
            raise BadInput(f"{owner} has no options, so {key!r} can't be set")
        if key not in known:
            raise unknown(f"option of {owner}", key, known)


def check_writable(option: str, path: str) -> None:
    """Raise `BadInput` if no file can be written to the folder, or to the nearest above it that exists."""
    folder = Path(path)
    try:
        folder = folder.expanduser().absolute()
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError) as error:  # RuntimeError: `~nobody` has no home
        reason = getattr(error, "strerror", None) or error
        raise BadInput(
            f"{option} = {path!r}: {folder} can't be written to ({reason}); give another folder"
        ) from None
