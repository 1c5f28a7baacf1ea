"""The figure of where the worker-seconds went."""

from __future__ import annotations

from collections.abc import Sequence

from pbtbench.report.data import BARS, Data
from pbtbench.report.figures import Figure, figure, first, named, of_shown, pale, picked, tooltip
from pbtbench.report.palette import KINDS
from pbtbench.statistics.cells import Cell


def worker_seconds(cells: Sequence[Cell], data: Data) -> Figure | None:
    """The worker-seconds of one problem as shares, a bar for each method and engine; None without any."""
    shown = [row for row in data["cells"] if "bar" in row]
    if not shown:
        return None
    bars = [row["bar"] for row in shown]
    kinds = [kind for kind in KINDS if any(kind in row["kind"] for row in shown)]
    spec = {
        "data": {"name": "cells"},
        "params": picked("kind"),
        "transform": [
            {"filter": "isValid(datum.bar)"},
            {"flatten": ["kind", "share", "spent"]},
            {"calculate": f"indexof({kinds}, datum.kind)", "as": "order"},
        ],
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "x": {
                "field": "share",
                "type": "quantitative",
                "stack": "zero",
                "title": "share of worker-seconds",
                "axis": {"format": "%"},
                "scale": {"domain": [0, 1], "clamp": True},
            },
            "y": {
                "field": "bar",
                "type": "nominal",
                "sort": bars,
                "title": None,
                "axis": {
                    "ticks": False,
                    "domain": False,
                    "labelLimit": 190,
                    # a viewer's font may be wider than the one that the layout was measured with
                    "minExtent": min(190, 7 * max(map(len, bars))),
                },
            },
            "color": named("kind", kinds, [f"kind-{kind}" for kind in kinds]),
            "order": {"field": "order", "type": "quantitative"},
            "opacity": pale(1, 0.15),
            "tooltip": [
                *tooltip(bar="nominal", kind="nominal", share="quantitative .1%"),
                {"field": "spent", "type": "nominal", "title": "per run"},
            ],
        },
    }
    there = sum(bool(cell.shares) for cell in cells)
    return figure(
        f"{cells[0].problem}-worker-seconds",
        "Where the worker-seconds went",
        "Mean over completed runs: blue is work, green start-up, orange checkpoints, violet waits and "
        "decisions." + first(BARS, there, "rows of the table"),
        of_shown(spec),
        data,
        max(60, 26 * len(bars)),
    )
