"""A paper's figures: those of the report, from the same specifications, at the widths of columns.

Each is drawn for one column and for both, as PDF with its font embedded and as SVG; a pixel of the drawing is a
point of the paper, so that type has the size that it says. Colours are those of the light theme.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import vl_convert

from pbtbench import filename
from pbtbench.report import data, intervals, palette, progress, spending
from pbtbench.report.checkpoint_costs import CheckpointCosts
from pbtbench.report.data import Data
from pbtbench.report.figures import CONFIG, Figure, Spec, drawn
from pbtbench.report.palette import Series
from pbtbench.report.paper.floats import Float, figure
from pbtbench.report.paper.tables import by_problem, shortened
from pbtbench.statistics.cells import Cell
from pbtbench.store import Store

POINTS = 72
"""In an inch."""

WIDTHS = {"single": int(3.3 * POINTS), "double": int(6.9 * POINTS)}
"""In points: of one column, and of both."""

HEIGHTS = {"single": 0.5, "double": 0.7}
"""Of a figure's height in the page."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first is the one that vl-convert brings, and embeds."""

TYPE = 7.5
"""Points."""

SHRUNK = TYPE / CONFIG["axis"]["labelFontSize"]
"""Type against that of the page."""


@dataclass(frozen=True)
class Drawing:
    """A figure, and what it is drawn from."""

    name: str
    """Without dots, which some versions of graphicx take for the beginning of an ending."""
    caption: str
    spec: Spec
    data: Data
    wide: bool
    """Whether the document shows it over both columns."""


def drawings(
    store: Store, cells: Sequence[Cell], costs: CheckpointCosts | None, colours: Sequence[Series]
) -> list[Drawing]:
    """The figures of a study, problem by problem, then those of what checkpoints cost."""
    found: list[Drawing] = []
    for problem, mine in by_problem(cells).items():
        rows = data.of_problem(mine)
        about = f"{shortened([problem])[problem]}: "
        curves = [
            *progress.progress(mine, rows, colours),
            *intervals.by_interval(mine, rows, colours),
        ]
        found += [_drawing(about, f, rows) for f in curves]
        if (spent := spending.worker_seconds(mine, rows)) is not None:
            found.append(_drawing(about, spent, rows, wide=True))
    if costs is not None:
        found += [_drawing("", f, costs.data) for f in costs.figures]
    names = filename.distinct(d.name for d in found)
    return [replace(d, name=name) for name, d in zip(names, found, strict=True)]


def _drawing(about: str, f: Figure, rows: Data, *, wide: bool = False) -> Drawing:
    return Drawing(f.name.replace(".", "-"), f"{about}{f.title}. {f.caption}", f.spec, rows, wide)


def files(drawing: Drawing, colours: Sequence[Series]) -> dict[str, str | bytes]:
    """File in `figures/` -> what is in it."""
    found: dict[str, str | bytes] = {}
    light = palette.variables(colours, dark=False)
    for column, width in WIDTHS.items():
        spec = _fitted(drawing.spec, column)
        svg = palette.resolved(drawn(spec, drawing.data, _config(spec, width)), light)
        found[f"{drawing.name}-{column}.pdf"] = vl_convert.svg_to_pdf(svg)
        found[f"{drawing.name}-{column}.svg"] = _in_points(svg)
    return found


def floats(drawings: Sequence[Drawing]) -> Iterator[Float]:
    """The figures for the document, each at the width that suits it."""
    for d in drawings:
        column = "double" if d.wide else "single"
        yield figure(d.name, f"figures/{d.name}-{column}.pdf", d.caption, wide=d.wide)


def _fitted(spec: Spec, column: str) -> Spec:
    """A specification at a column's width."""
    found: Spec = _shrunk(spec)
    height = max(90, round(spec["height"] * HEIGHTS[column]))
    fit = {"type": "fit-x", "contains": "padding"}
    return {**found, "width": WIDTHS[column], "height": height, "autosize": fit}


def _shrunk(part: Any) -> Any:
    """A specification with the lengths that hold text as much smaller as the type."""
    if isinstance(part, Mapping):
        return {
            key: round(value * SHRUNK) if key in ("minExtent", "labelLimit") else _shrunk(value)
            for key, value in part.items()
        }
    return [_shrunk(item) for item in part] if isinstance(part, list) else part


def _config(spec: Spec, width: int) -> Spec:
    """The report's style in print: smaller type, and as many names of a legend beside one another as fit."""
    longest = max(map(len, _names(spec)), default=1)
    limit = round(CONFIG["legend"]["labelLimit"] * SHRUNK)
    name = min(limit, longest * 0.5 * TYPE) + 22  # with its symbol and the space behind
    return {
        **CONFIG,
        "font": FONT,
        "padding": 1,
        "axis": {
            **CONFIG["axis"],
            "labelFontSize": TYPE,
            "titleFontSize": TYPE + 0.5,
            "titlePadding": 4,
            "tickCount": 5,
        },
        "legend": {
            **CONFIG["legend"],
            "labelFontSize": TYPE,
            "titleFontSize": TYPE,
            "symbolSize": 40,
            "symbolStrokeWidth": 2,
            "columns": max(1, int(width // name)),
            "labelLimit": limit,
            "columnPadding": 8,
            "rowPadding": 1,
            "offset": 4,
        },
        "text": {"fontSize": TYPE},
    }


def _names(spec: Any) -> Iterator[str]:
    """The names in a specification's legends."""
    if isinstance(spec, Mapping):
        domain = spec.get("domain", ())
        if isinstance(domain, list):
            yield from filter(lambda name: isinstance(name, str), domain)
        for part in spec.values():
            yield from _names(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from _names(part)


def _in_points(svg: str) -> str:
    """An SVG as large as its PDF: viewers take a number without a unit for 1/96 inch."""
    head, rest = svg.split(">", 1)
    for side in ("width", "height"):
        before, _, after = head.partition(f' {side}="')
        size, _, end = after.partition('"')
        head = f'{before} {side}="{size}pt"{end}'
    return f"{head}>{rest}"
