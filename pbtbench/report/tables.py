"""The comparison: its rows as people read them, for the terminal, the page and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.metrics import Cell
from pbtbench.metrics.measures import spread
from pbtbench.metrics.wording import number, percent, score, seconds
from pbtbench.report.texts import Table


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
    behind_constant: str
    """Median regret against the best constant hyperparameters."""
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
        behind_constant=number(
            spread([m.quality.behind_constant or 0.0 for m in cell.completed]).median
            if cell.run.card.best_constant is not None
            else None
        ),
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


def comparison(cells: Sequence[Cell]) -> Table:
    """The comparison over all problems, a target's columns numbered; the best final score of each
    problem is bold."""
    table = rows(cells)
    most = max((len(row.targets) for row in table), default=0)
    header = ["problem", "method", "engine", "runs", "final score", "min, max"]
    constants = any(row.cell.run.card.best_constant is not None for row in table)
    header += ["regret against best constant"] * constants
    for i in range(most):
        name = "target" if most == 1 else f"target {i + 1}"
        header += [name, "reached", "expected time", "member-iterations"]
    header += ["checkpoint overhead", "all overhead", "wall"]
    blank = TargetText("", "", "", "")
    body = [
        [
            *(row.problem, row.method, row.engine, row.n, row.final, row.spread),
            *([row.behind_constant] * constants),
            *(
                text
                for t in [*row.targets, *[blank] * (most - len(row.targets))]
                for text in (t.target, t.reached, t.ert, t.work)
            ),
            *(row.checkpoint_overhead, row.pbt_overhead, row.wall),
        ]
        for row in table
    ]
    return Table(
        header,
        [[" ".join(text.split()) for text in line] for line in body],
        left=3,
        bold=frozenset((i, 4) for i, row in enumerate(table) if row.best),
    )
