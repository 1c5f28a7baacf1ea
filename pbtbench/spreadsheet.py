"""Text of others in a table that a spreadsheet may open."""

from __future__ import annotations

from pbtbench.errors import plain

FORMULA = ("=", "+", "-", "@")


def cell(text: str) -> str:
    """Text as a CSV file's cell has it: on one line, and behind an apostrophe where a spreadsheet would take
    it for a formula."""
    line = plain(text)
    return f"'{line}" if line.lstrip().startswith(FORMULA) else line
