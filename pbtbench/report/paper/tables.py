"""A paper's tables, as floats: results by problem, the whole comparison, and what checkpoints cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pbtbench import filename
from pbtbench.report import tables
from pbtbench.report.checkpoint_costs import CheckpointCosts
from pbtbench.report.latex import escaped, row
from pbtbench.report.paper.columns import COLUMNS, Column, Row
from pbtbench.report.paper.floats import PAGE, Float, table
from pbtbench.report.texts import Table
from pbtbench.report.wording import number
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.targets import hardest, missed

ROWS = 36
"""Of a table at most: what a page holds."""

OF_ANOTHER = ("min, max", "reached", "expected time", "member-iterations")
"""Columns of the report's comparison that belong to the score or the target before them."""

LONGEST = 48
"""Characters of a name in a table; longer ones are cut in their middle, if they stay distinct."""


def results(cells: Sequence[Cell], columns: Sequence[str]) -> list[Float]:
    """The results in these columns: one table over all problems where a page holds it, else one or more for
    each problem. The engine is a column where there are several."""
    if len({c.engine for c in cells}) > 1 and "engine" not in columns:
        columns = [columns[0], "engine", *columns[1:]]
    goals = {name: goal(mine) for name, mine in by_problem(cells).items()}
    marked = zip(cells, tables.rows(cells), strict=True)
    rows = {id(c): Row(c, goals[c.problem], text.best) for c, text in marked}
    return [
        _results(name, [rows[id(c)] for c in part], columns)
        for name, part in _parts(cells, "results")
    ]


def comparisons(cells: Sequence[Cell]) -> Iterator[Float]:
    """The report's whole comparison, with all targets, in the same parts."""
    for name, part in _parts(cells, "comparison"):
        yield from _whole(name, tables.comparison(part), f"All measures of {_listed(part)}.")


def costs(found: CheckpointCosts | None) -> Iterator[Float]:
    """What checkpoints cost: the headline, stage by stage, and against the closed forms."""
    if found is not None:
        yield from _whole("overhead", found.headline, "What a fork and PBT cost, by size of state.")
        yield from _whole("stages", found.stages, "What each stage of a checkpoint takes.")
        about = "Checkpoint overhead, as measured and predicted."
        yield from _whole("closed-forms", found.details, about)


def by_problem(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Problem -> its cells."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.problem, []).append(cell)
    return found


def goal(cells: Sequence[Cell]) -> float | None:
    """Of one problem's targets that which tables show: the hardest that any method reached; the easiest, where
    none was reached; None where none was tried."""
    if hits := hardest(cells):
        return hits[0].target.target
    sign = cells[0].run.card.objective.sign
    return min(missed(cells), key=lambda target: sign * target, default=None)


def _parts(cells: Sequence[Cell], stem: str) -> Iterator[tuple[str, Sequence[Cell]]]:
    """Names of tables, and the cells of each."""
    of_problem = by_problem(cells)
    if len(cells) + len(of_problem) <= ROWS:
        if cells:
            yield stem, [c for mine in of_problem.values() for c in mine]
        return
    names = filename.distinct(f"{stem}-{filename.part(problem)}" for problem in of_problem)
    for name, mine in zip(names, of_problem.values(), strict=True):
        for i in range(0, len(mine), ROWS):
            yield f"{name}-part{i // ROWS + 1}" if i else name, mine[i : i + ROWS]


def _results(name: str, rows: Sequence[Row], columns: Sequence[str]) -> Float:
    shown = [COLUMNS[c] for c in columns]
    of_problem: dict[str, list[Row]] = {}
    for r in rows:
        of_problem.setdefault(r.cell.problem, []).append(r)
    short = shortened([t for r in rows for t in (r.cell.problem, r.cell.label, r.cell.engine)])
    texts = [[c.header for c in shown]]
    lines: list[str] = []
    for problem, mine in of_problem.items():
        if len(of_problem) > 1:
            about = escaped(f"{short[problem]} ({_scale(mine[0])})")
            lines += [r"\addlinespace"] * bool(lines)
            lines.append(row([rf"\multicolumn{{{_span(shown)}}}{{l}}{{\emph{{{about}}}}}"]))
        for r in mine:
            texts.append([short.get(text, text) for text in (c.text(r) for c in shown)])
            bold = [c == "score" and r.best for c in columns]
            lines.append(row(_line(shown, texts[-1], bold)))
    alignment = {"left": "l", "right": "r", "decimal": "r@{}l"}
    tabular = [
        rf"\begin{{tabular}}{{{''.join(alignment[c.align] for c in shown)}}}",
        *(r"\toprule", row(_header(shown)), r"\midrule", *lines, r"\bottomrule"),
        "\\end{tabular}\n",
    ]
    one = f" ({_scale(rows[0])})" if len(of_problem) == 1 else ""
    legend = "; ".join(f"{c.header}: {c.meaning}" for c in shown)
    caption = f"Results on {_listed([r.cell for r in rows])}{one}. {legend[0].upper()}{legend[1:]}."
    width = sum(max(map(len, column)) + 2 for column in zip(*texts, strict=True))
    return table(name, "\n".join(tabular), caption, width)


def _scale(of: Row) -> str:
    """By what a problem's rows are judged: `accuracy, higher is better, target ≥ 0.7`."""
    objective = of.cell.run.card.objective
    better, relation = ("higher", "≥") if objective.sign > 0 else ("lower", "≤")
    target = "" if of.goal is None else f", target {relation} {number(of.goal)}"
    return f"{cut(objective.metric)}, {better} is better{target}"


def _span(shown: Sequence[Column]) -> int:
    """LaTeX's columns of a table: a number with a decimal point takes two."""
    return sum(1 + (c.align == "decimal") for c in shown)


def _header(shown: Sequence[Column]) -> list[str]:
    return [
        rf"\multicolumn{{2}}{{c}}{{{escaped(c.header)}}}"
        if c.align == "decimal"
        else escaped(c.header)
        for c in shown
    ]


def _line(shown: Sequence[Column], texts: Sequence[str], bold: Sequence[bool]) -> list[str]:
    found = []
    for c, text, stands_out in zip(shown, texts, bold, strict=True):
        style = r"\textbf{{{}}}" if stands_out else "{}"
        found += decimal(text, style) if c.align == "decimal" else [style.format(escaped(text))]
    return found


def shortened(names: Sequence[str]) -> dict[str, str]:
    """The names -> what a table has for them: cut in their middle where they are long, unless two would then be
    the same."""
    found = {name: cut(name) for name in names}
    return found if len(set(found.values())) == len(found) else {name: name for name in names}


def cut(text: str) -> str:
    """The text, cut in its middle where it is long."""
    half = LONGEST // 2 - 1
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def decimal(text: str, style: str = "{}") -> list[str]:
    """A number as LaTeX, in two cells that meet at its decimal point; what is no number in one over both.
    `style`: what is put around each."""
    parts = re.fullmatch(r"(\D*\d[\d,]*)(\.\d+)?(?:e([+−]?\d+))?", text)
    if parts is None:  # none, infinite or nothing
        return [rf"\multicolumn{{2}}{{c}}{{{style.format(escaped(text))}}}"]
    power = parts[3] and rf"\ensuremath{{\cdot10^{{{int(parts[3].replace('−', '-'))}}}}}"
    end = (parts[2] or "") + (power or "")
    return [style.format(escaped(parts[1])), end and style.format(end)]


def _listed(cells: Sequence[Cell]) -> str:
    problems = list(by_problem(cells))
    return shortened(problems)[problems[0]] if len(problems) == 1 else f"{len(problems)} problems"


def _whole(name: str, shown: Table, caption: str) -> Iterator[Float]:
    """A table of the report, its names shortened, as floats of which each has as many of its columns as fit."""
    short = shortened([text for line in shown.body for text in line[: shown.left]])
    body = [[*(short[t] for t in line[: shown.left]), *line[shown.left :]] for line in shown.body]
    columns = list(zip(shown.header, *body, strict=True))
    widths = [max(map(len, column)) + 2 for column in columns]
    blocks: list[list[int]] = [[]]
    for unit in _units(shown):
        places = [*range(shown.left), *blocks[-1], *unit]
        if blocks[-1] and sum(widths[p] for p in places) > PAGE:
            blocks.append([])
        blocks[-1] += unit
    for i, block in enumerate(blocks):
        places = [*range(shown.left), *block]
        header, *lines = zip(*(columns[p] for p in places), strict=True)
        bold = frozenset((line, places.index(p)) for line, p in shown.bold if p in places)
        text = Table(header, lines, left=shown.left, bold=bold).latex()
        more = f" Part {i + 1} of {len(blocks)} of its columns." if len(blocks) > 1 else ""
        width = sum(widths[p] for p in places)
        yield table(f"{name}-columns{i + 1}" if i else name, text, caption + more, width)


def _units(shown: Table) -> list[list[int]]:
    """The places of a table's columns of numbers, those together that say nothing alone."""
    found: list[list[int]] = []
    for place in range(shown.left, len(shown.header)):
        if found and shown.header[place] in OF_ANOTHER:
            found[-1].append(place)
        else:
            found.append([place])
    return found
