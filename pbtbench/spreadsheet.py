"""Text from outside as a cell of CSV."""

from __future__ import annotations

from pbtbench.errors import CONTROL


def safe(text: str) -> str:
    """The text without control characters, and quoted where a spreadsheet would take it for a formula."""
    plain = CONTROL.sub(" ", text)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain
