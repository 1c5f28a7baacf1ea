"""Where text from outside becomes a name of a file: of a problem, a hyperparameter, a run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

LONGEST = 100
"""Bytes. File systems take 255; endings and what stands before take some of them."""


def part(text: str) -> str:
    """A name fit for a file's and for an element's of a page; different texts have different ones.

    ASCII letters, digits, dots, `_` and `-` stay; where anything else is lost, a digest stands at the end.
    """
    plain = re.sub(r"^\.|\.$|[^\w.-]+", "-", text, flags=re.ASCII)[:LONGEST]
    if plain == text:
        return text
    return f"{plain}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def folder(text: str) -> str:
    """A name fit for a folder's: the text itself, also with spaces and letters of any language, if it is
    short and nothing in it has a meaning to a file system; else its `part`."""
    fits = re.fullmatch(r"[^\W_][\w .()+@-]*", text) and len(text.encode()) <= LONGEST
    return text if fits and not text.endswith((" ", ".")) else part(text)


def distinct(names: Iterable[str]) -> list[str]:
    """The names, with hyphens behind those that a file system which ignores case would take for an earlier
    one."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        while name.lower() in taken:
            name += "-"  # noqa: PLW2901 until nobody has it
        taken.add(name.lower())
        found.append(name)
    return found
