"""Where text from outside becomes a name of a file: of a problem, a label, a method, a hyperparameter."""

from __future__ import annotations

import hashlib
import re

LONGEST = 160
"""Bytes of a part of a name. File systems take 255, of which some are for endings."""


def part(text: str) -> str:
    """A part of a file's name for `text`: the same for the same text, and another for any other.

    Letters, digits, spaces, dots, `_` and `-` stay as they are; `@` and `+`, which pbtbench itself puts
    into names, become `-`. Where anything else is lost, a digest of the text stands at the end.
    """
    plain = re.sub("[@+]", "-", text)
    kept = re.sub(r"[^\w .-]+", "-", plain).strip(" .")
    kept = kept.encode()[:LONGEST].decode(errors="ignore")
    if kept == plain:
        return kept
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{kept}-{digest}" if kept else digest
