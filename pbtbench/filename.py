"""Where text from outside becomes a name of a file: of a problem, a hyperparameter, a run."""

from __future__ import annotations

import re
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
