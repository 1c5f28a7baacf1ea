"""The one exception for bad input, and the nearest name that a user may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BadInput(ValueError):
    """What a user gave can't be used. The message is one line: what, where, and what would be right."""


def unknown(what: str, name: str, known: Iterable[str]) -> BadInput:
    """A `BadInput` for a name that is not among `known`, with the nearest one suggested."""
    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return BadInput(f"unknown {what} {name!r}: {hint}known: {', '.join(names)}")
