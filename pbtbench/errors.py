"""The one exception for bad input, and the nearest name that a user may have meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class BadInput(ValueError):
    """What a user gave can't be used. The message is one line: what, where, and what would be right."""


def unknown(what: str, name: str, known: Iterable[str]) -> BadInput:
    """A `BadInput` for a name that is not among `known`, with the nearest one suggested."""
    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return BadInput(f"unknown {what} {name!r}: {hint}known: {', '.join(names)}")


def invalid(where: str, found: ValidationError, keys: Iterable[str] = ()) -> BadInput:
    """The first thing that validation `found`, as a `BadInput`: its key, its value, what would be right."""
    first = found.errors()[0]
    reason = first.get("ctx", {}).get("error")
    if isinstance(reason, BadInput):
        return reason
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return BadInput(f"{where}: {unknown('key', key, keys)}")
    remedy = re.sub(r"^Input should", "it should", first["msg"])
    return BadInput(f"{where}: {key} = {json.dumps(first['input'], default=str)}: {remedy}")
