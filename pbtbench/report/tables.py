"""The comparison: its rows as people read them, for the terminal, the page and files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent, score, seconds
from pbtbench.statistics import compare
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.optimism import looks


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
    iterations: str
    """Those that members made, such as `20` or `1 to 4 of 20`."""
    final: str
    """The median of the scores by which methods are compared (`Cell.score`)."""
    spread: str
    """`[min–max]`; empty for one seed."""
    kind: str
    """Of which data these are: `test` or `validation`."""
    optimism: str
    """Median selection optimism."""
    looks: str
    behind_constant: str
    """Median regret against the best constant hyperparameters."""
    targets: tuple[TargetText, ...]
    checkpoint_overhead: str
    pbt_overhead: str
    wall: str
    best: bool
    """Whether no row of its problem has a better median final score, and some have a worse one."""


def rows(cells: Sequence[Cell]) -> list[Row]:
    """The comparison, in the order of `cells`."""
    of_problem: dict[str, list[Cell]] = {}
    for cell in cells:
        of_problem.setdefault(cell.problem, []).append(cell)
    marked: set[int] = set()
    for mine in of_problem.values():
        first = compare.best(mine)
        if len(first) < len(mine):
            marked.update(map(id, first))
    targets = {
        name: list(dict.fromkeys(t.target for cell in mine for t in cell.targets))
        for name, mine in of_problem.items()
    }
    return [_row(cell, id(cell) in marked, targets[cell.problem]) for cell in cells]


def kind(cell: Cell) -> str:
    """Of which data the scores are by which a method is compared: `test` or `validation`."""
    return "test" if cell.held_out else "validation"


def distinct(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, with the cluster behind the engine where the same was run on several."""
    clusters: dict[tuple[str, str, str], set[str]] = {}
    for c in cells:
        clusters.setdefault((c.problem, c.label, c.engine), set()).add(c.cluster)
    several = {engine for (_, _, engine), of in clusters.items() if len(of) > 1}
    return [
        replace(c, engine=f"{c.engine} on {c.cluster}") if c.engine in several else c for c in cells
    ]


def iterations(low: float, high: float, budget: int) -> str:
    """Iterations that members made: `20`, or `1 to 4 of 20` where some stopped early."""
    if math.isnan(low):
        return NONE
    if low >= budget:
        return f"{budget:,}"
    made = f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
    return f"{made} of {budget:,}"


def _row(cell: Cell, best: bool, targets: Sequence[float]) -> Row:
    final = cell.score
    completed = len(cell.completed)
    seen = looks(cell.measures[0])
    return Row(
        cell=cell,
        problem=cell.problem,
        method=cell.label,
        engine=cell.engine,
        n=str(cell.n) if completed == cell.n else f"{completed} of {cell.n}",
        iterations=iterations(cell.made.low, cell.made.high, cell.run.iterations),
        final=score(final.median),
        spread=f"[{score(final.low)}, {score(final.high)}]" if final.n > 1 else "",
        kind=kind(cell),
        optimism=number(cell.optimism.median if cell.optimism else None),
        looks=NONE if seen is None else f"{seen:,}",
        behind_constant=number(cell.behind_constant),
        targets=tuple(_target(target, cell) for target in targets),
        checkpoint_overhead=percent(cell.checkpoint_overhead),
        pbt_overhead=percent(cell.pbt_overhead),
        wall=seconds(cell.wall_s),
        best=best,
    )


def _target(target: float, cell: Cell) -> TargetText:
    """The texts of a target, none where the method's runs did not try it."""
    found = cell.target(target)
    if found is None:
        return TargetText(number(target), NONE, NONE, NONE)
    return TargetText(
        number(target),
        f"{found.reached}/{found.n}",
        seconds(found.ert_s),
        number(found.ert_member_iterations),
    )


def comparison(cells: Sequence[Cell]) -> Table:
    """The comparison over all problems, a target's columns numbered; the best scores of each problem are bold.
    Iterations are a column where members stopped early, and of which data scores are where that differs."""
    table = rows(cells)
    most = max((len(row.targets) for row in table), default=0)
    early = any(row.cell.stopped for row in table)
    header = ["problem", "method", "engine", "runs", *["iterations"] * early]
    kinds = sorted({row.kind for row in table})
    mixed, optimistic = len(kinds) > 1, "test" in kinds
    header += ["score of"] * mixed + ["score" if mixed else f"{''.join(kinds)} score", "min, max"]
    header += ["selection optimism"] * optimistic
    constants = any(row.cell.run.card.best_constant is not None for row in table)
    header += ["regret against best constant"] * constants
    for i in range(most):
        name = "target" if most == 1 else f"target {i + 1}"
        header += [name, "reached", "expected time", "expected work"]
    header += ["checkpoint overhead", "all overhead", "wall"]
    blank = TargetText("", "", "", "")
    body = [
        [
            *(row.problem, row.method, row.engine, row.n, *[row.iterations] * early),
            *[row.kind] * mixed,
            *(row.final, row.spread),
            *[row.optimism] * optimistic,
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
        bold=frozenset((i, 4 + early + mixed) for i, row in enumerate(table) if row.best),
    )


def optimism(cells: Sequence[Cell]) -> Table | None:
    """By how much selection flatters: a row for each method and interval whose runs have test scores; None
    without any."""
    header = ["problem", "method", "engine", "runs", "looks", "validation score", "test score"]
    header += ["selection optimism", "min", "max"]
    body = [
        [
            *(row.problem, row.method, row.engine, row.n, row.looks),
            *(score(row.cell.final.median), row.final),
            *map(number, (known.median, known.low, known.high)),
        ]
        for row in rows(cells)
        if (known := row.cell.optimism) is not None and known.n
    ]
    return Table(header, body, left=3) if body else None
