"""The comparison table, as text: for the terminal, the page, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.metrics import Cell
from pbtbench.metrics.wording import NONE, number, percent, score, seconds


@dataclass(frozen=True)
class TargetText:
    """A target's cells of a row."""

    target: str
    reached: str
    ert: str
    work: str


@dataclass(frozen=True)
class Row:
    """A row of the comparison, as people read it."""

    cell: Cell
    problem: str
    method: str
    engine: str
    n: str
    final: str
    spread: str
    """`[min–max]`; empty for one seed."""
    targets: tuple[TargetText, ...]
    checkpoint_overhead: str
    pbt_overhead: str
    wall: str
    best: bool
    """Whether no row of its problem has a better median final score."""


def rows(cells: Sequence[Cell]) -> list[Row]:
    """The comparison, in the order of `cells`."""
    best: dict[str, float] = {}
    for cell in cells:
        worth = cell.run.card.objective.sign * cell.final.median
        if worth > best.get(cell.problem, float("-inf")):
            best[cell.problem] = worth
    return [_row(cell, best.get(cell.problem)) for cell in cells]


def _row(cell: Cell, best: float | None) -> Row:
    final = cell.final
    completed = len(cell.completed)
    return Row(
        cell=cell,
        problem=cell.problem,
        method=cell.label,
        engine=cell.engine,
        n=str(cell.n) if completed == cell.n else f"{completed} of {cell.n}",
        final=score(final.median),
        spread=f"[{score(final.low)}, {score(final.high)}]" if final.n > 1 else "",
        targets=tuple(
            TargetText(
                number(t.target),
                f"{t.reached}/{t.n}",
                seconds(t.ert_s),
                number(t.member_iterations),
            )
            for t in cell.targets
        ),
        checkpoint_overhead=percent(cell.checkpoint_overhead),
        pbt_overhead=percent(cell.pbt_overhead),
        wall=seconds(cell.wall_s),
        best=cell.run.card.objective.sign * final.median == best,
    )


def grid(table: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of plain text over all problems, a target's columns numbered."""
    most = max((len(row.targets) for row in table), default=0)
    header = ["problem", "method", "engine", "runs", "final score", "min, max"]
    for i in range(most):
        name = "target" if most == 1 else f"target {i + 1}"
        header += [name, "reached", "expected time", "member-iterations"]
    header += ["checkpoint overhead", "all overhead", "wall"]
    blank = TargetText("", "", "", "")
    body = [
        [
            *(row.problem, row.method, row.engine, row.n, row.final, row.spread),
            *(
                text
                for t in [*row.targets, *[blank] * (most - len(row.targets))]
                for text in (t.target, t.reached, t.ert, t.work)
            ),
            *(row.checkpoint_overhead, row.pbt_overhead, row.wall),
        ]
        for row in table
    ]
    return header, [[" ".join(text.split()) for text in line] for line in body]


def markdown(cells: Sequence[Cell]) -> str:
    """A GitHub-flavoured table; the best final score of each problem is bold."""
    table = rows(cells)
    header, body = grid(table)
    for line, row in zip(body, table, strict=True):
        line[:] = [re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text) for text in line]
        if row.best:
            line[4] = f"**{line[4]}**"
    ruler = ["---"] * 3 + ["--:"] * (len(header) - 3)
    return "".join(f"| {' | '.join(line)} |\n" for line in [header, ruler, *body])


_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "∞": r"$\infty$",
    "−": "$-$",
    "–": "--",
    "µ": r"$\mu$",
    "<": "$<$",
    ">": "$>$",
}


def latex(cells: Sequence[Cell]) -> str:
    """A `tabular` with the rules of the package booktabs."""
    table = rows(cells)
    header, body = grid(table)

    def escaped(text: str) -> str:
        return "".join(_LATEX.get(c, c) for c in text)

    lines = [[escaped(text) for text in line] for line in [header, *body]]
    for line, row in zip(lines[1:], table, strict=True):
        if row.best:
            line[4] = rf"\textbf{{{line[4]}}}"
    first, *rest = [" & ".join(line) + r" \\" for line in lines]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{'l' * 3}{'r' * (len(header) - 3)}}}",
            *(r"\toprule", first, r"\midrule", *rest, r"\bottomrule"),
            "\\end{tabular}\n",
        ]
    )


def as_csv(cells: Sequence[Cell]) -> str:
    """The same as CSV, empty where nothing applies. For exact numbers take `summary.csv`."""
    header, body = grid(rows(cells))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([["" if value == NONE else value for value in line] for line in body])
    return text.getvalue()
