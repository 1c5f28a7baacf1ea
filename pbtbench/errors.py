"""The one exception for bad input, and the nearest name that a user may have meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that break a line, a terminal or a file."""

LONGEST = 1500
"""Characters of a message: what a user gave may be of any length."""

SHOWN = 100
"""Characters of a value that is shown in a message."""


class BadInput(ValueError):
    """What a user gave can't be used. The message is one line: what, where, and what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


class Failed(Exception):
    """Something could not be done. The message is one line: where, and why. `whole`: the traceback of what a
    worker raised, where that is the reason."""

    whole: str = ""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


class RunsFailed(Exception):
    """Runs of a benchmark that crashed or hung: which, and why, a line each."""


def plain(text: object, longest: int = LONGEST) -> str:
    """Text from outside as one line that is safe in a terminal, a file and a page: lines are joined, control
    characters shown as their codes, and what is too long is cut in its middle."""
    line = CONTROL.sub(lambda found: ascii(found[0])[1:-1], " ".join(str(text).splitlines()))
    return line if len(line) <= longest else f"{line[: longest - 300]} … {line[-297:]}"


def unknown(what: str, name: str, known: Iterable[str]) -> BadInput:
    """A `BadInput` for a name that is not among `known`, with the nearest one suggested."""
    names = sorted(known)
    name = name if len(name) <= SHOWN else f"{name[:SHOWN]}…"
    return BadInput(f"unknown {what} {name!r}: {nearest(name, names)}known: {', '.join(names)}")


def nearest(name: object, known: Iterable[str]) -> str:
    """A question for the one of `known` that is nearest to `name`, with a space behind; else nothing."""
    found = get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}? " if found else ""


def invalid(where: str, found: ValidationError, keys: Iterable[str] = ()) -> BadInput:
    """The first thing that validation `found`, as a `BadInput`: its key, its value, what would be right."""
    first = found.errors()[0]
    reason = first.get("ctx", {}).get("error")
    if isinstance(reason, BadInput):
        return reason
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return BadInput(f"{where}: {unknown('key', key, keys)}")
    remedy = re.sub(
        r"^(Input|String|List|Dictionary|Tuple|Value) should", "it should", first["msg"]
    )
    if first["type"] == "literal_error":
        choices = re.findall("'([^']*)'", first["ctx"]["expected"])
        remedy = nearest(first["input"], choices) + remedy
    named = f"{where}: {key}" if key else where
    return BadInput(f"{named} = {_shown(first['input'])}: {remedy}")


def _shown(value: object) -> str:
    """A value as a study file has it, if it isn't too long for a line."""
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        return "…"
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}…{text[-SHOWN // 4 :]}"
