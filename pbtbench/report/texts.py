"""Texts for reports: what comes from outside made fit to be shown, and tables as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pbtbench import spreadsheet
from pbtbench.errors import CONTROL
from pbtbench.report.latex import escaped, row
from pbtbench.report.wording import NONE


def clean(value: Any) -> Any:
    """A text, or plain data with texts in it, without control characters: figures and pages can't have them.
    Lists of numbers are left as they are."""
    if isinstance(value, str):
        return CONTROL.sub(" ", value)
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(v, str | dict | list) for v in value):
        return [clean(item) for item in value]
    return value


def marked_down(text: str) -> str:
    """Text of others as Markdown has it."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text)


@dataclass(frozen=True)
class Table:
    """A header and rows of equal length."""

    header: Sequence[str]
    body: Sequence[Sequence[str]]
    left: int = 1
    """How many columns, from the first, are text; the others are numbers."""
    bold: frozenset[tuple[int, int]] = frozenset()
    """(row, column) of cells that stand out."""

    def files(self, name: str) -> dict[str, str]:
        """File -> text, in every format."""
        return {
            f"{name}.md": self.markdown(),
            f"{name}.tex": self.latex(),
            f"{name}.csv": self.csv(),
        }

    def markdown(self) -> str:
        """A GitHub-flavoured table."""
        lines = self._marked(marked_down, "**{}**")
        ruler = ["---"] * self.left + ["--:"] * (len(self.header) - self.left)
        return "".join(f"| {' | '.join(line)} |\n" for line in [self.header, ruler, *lines])

    def latex(self) -> str:
        """A `tabular` with the rules of the package booktabs."""
        lines = [[*map(escaped, self.header)], *self._marked(escaped, r"\textbf{{{}}}")]
        first, *rest = map(row, lines)
        columns = "l" * self.left + "r" * (len(self.header) - self.left)
        ruled = [r"\toprule", first, r"\midrule", *rest, r"\bottomrule"]
        return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *ruled, "\\end{tabular}\n"])

    def csv(self) -> str:
        """CSV, empty where nothing applies. For exact numbers take `summary.csv`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        for line in self.body:
            names = map(spreadsheet.cell, line[: self.left])
            writer.writerow([*names, *("" if cell == NONE else cell for cell in line[self.left :])])
        return text.getvalue()

    def _marked(self, plain: Callable[[str], str], bold: str) -> list[list[str]]:
        return [
            [
                bold.format(plain(clean(text))) if (i, j) in self.bold else plain(clean(text))
                for j, text in enumerate(line)
            ]
            for i, line in enumerate(self.body)
        ]
