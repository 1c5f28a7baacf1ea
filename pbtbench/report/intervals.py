"""Figures of what the perturbation interval does: final score, time to target, checkpoint overhead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pbtbench.report.data import SEEDS, Data, Row
from pbtbench.report.figures import Figure, Spec, figure, named, of_shown, real, tooltip
from pbtbench.report.palette import HUES, Series
from pbtbench.report.tables import kind
from pbtbench.report.wording import number
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.targets import compared_target

SHOWN = "A point for each seed, a line through their medians with 95% intervals."

EXPECTED = (
    "A point for each seed, a line through expected times (all that was spent over the number of successes) "
    "with 95% intervals. Misses have no point."
)

ROOM = 0.2
"""Of the height that values take, on either side of them."""


def by_interval(cells: Sequence[Cell], data: Data, colours: Sequence[Series]) -> Iterator[Figure]:
    """Final score, time to target and checkpoint overhead of one problem against the interval."""
    swept = [c for c in cells if c.interval is not None]
    if len({c.interval for c in swept}) < 2:
        return
    objective = cells[0].run.card.objective
    relation = "≥" if objective.sign > 0 else "≤"
    target = number(compared_target(cells))
    kinds = [
        ("final", f"Final {kind(cells[0])} {objective.metric}", SHOWN),
        (
            "seconds",
            f"Seconds to {objective.metric} {relation} {target}",
            EXPECTED,
        ),
        (
            "overhead",
            "Checkpoint overhead",
            f"{SHOWN} Checkpoint time over training and evaluation.",
        ),
    ]
    there = sum(c.n for c in swept)
    sampled = f" Drawn are {SEEDS:,} of {there:,} runs, chosen at random." if there > SEEDS else ""
    for key, title, about in kinds:
        if sum(value is not None for row in data["runs"] for value in row[key]) < 2:
            continue
        rivals = [
            row
            for row in data["cells"]
            if row["interval"] is None and row[key] is not None and key != "overhead"
        ]
        dashed = " Dashed: methods without an interval." if rivals else ""
        yield figure(
            f"{cells[0].problem}-interval-{key}",
            f"{title} against perturbation interval",
            about + dashed + sampled,
            of_shown(_by_interval(data, key, title, rivals, colours)),
            data,
            220,
        )


def _by_interval(
    data: Data, key: str, title: str, rivals: Sequence[Row], colours: Sequence[Series]
) -> Spec:
    intervals = sorted({row["interval"] for row in data["runs"]})
    values = [v for row in data["runs"] for v in row[key] if v is not None]
    values += [row[key] for row in rivals]
    values += [row[key] for row in data["cells"] if row[key] is not None]
    log = min(values) > 0 and max(values) / min(values) > 50
    share = key == "overhead"
    low, high = _ends(values, log, share)
    x = real("interval", "perturbation interval, iterations", log=True, padding=14)
    x["axis"] = {"values": intervals, "format": "d", "grid": False}
    y = real(key, title.lower() if share else title, log=log, domain=[low, high])
    y["axis"] = {"format": "~%"} if share else {}
    colour = _colours(data, rivals, colours)
    encoding = {"x": x, "y": y, "color": colour}
    layers: list[Spec] = [
        {
            "data": {"name": "cells"},
            "transform": [{"filter": {"field": "interval", "valid": True}}],
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {**encoding, "detail": [{"field": "engine"}, {"field": "method"}]},
        },
        {
            "data": {"name": "cells"},
            "transform": [
                {"filter": {"field": f"{key}_low", "valid": True}},
                {"filter": {"field": f"{key}_high", "valid": True}},
                {"calculate": f"max(datum.{key}_low, {low})", "as": "from"},
                {"calculate": f"min(datum.{key}_high, {high})", "as": "to"},
            ],
            "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.7},
            "encoding": {**encoding, "y": {**y, "field": "from"}, "y2": {"field": "to"}},
        },
        {
            "data": {"name": "runs"},
            "transform": [{"flatten": ["seed", key]}, {"filter": {"field": key, "valid": True}}],
            "mark": {"type": "point", "filled": True, "size": 34, "opacity": 0.55},
            "encoding": {
                **encoding,
                "tooltip": tooltip(
                    label="nominal", engine="nominal", seed="quantitative", **{key: "quantitative"}
                ),
            },
        },
    ]
    if rivals:
        layers.append(
            {
                "data": {"name": "cells"},
                "transform": [
                    {"filter": "datum.interval === null"},
                    {"filter": {"field": key, "valid": True}},
                ],
                "mark": {"type": "rule", "strokeWidth": 1.5, "strokeDash": [5, 4]},
                "encoding": {
                    "y": y,
                    "color": colour,
                    "tooltip": tooltip(label="nominal", engine="nominal", **{key: "quantitative"}),
                },
            }
        )
    return {"layer": layers}


def _ends(values: Sequence[float], log: bool, share: bool) -> tuple[float, float]:
    """Of the scale: what is shown, and some room on either side, where longer intervals are cut."""
    low, high = min(values), max(values)
    if log:
        room = (high / low) ** ROOM
        return low / room, high * room
    room = ROOM * (high - low) or ROOM * abs(high) or 1.0
    below = low - room
    return (0.0 if share or below < 0 <= low else below), high + room


def _several(data: Data) -> bool:
    return len({row["engine"] for row in data["cells"]}) > 1


def _colours(data: Data, rivals: Sequence[Row], colours: Sequence[Series]) -> Spec:
    """By engine, where there are several; else by method, in the colour of its longest interval."""
    if _several(data):
        engines = sorted({row["engine"] for row in data["cells"]})
        return named("engine", engines, [HUES[i % len(HUES)] for i in range(len(engines))])
    order = {series.label: series.variable for series in colours}
    shown = [row for row in data["cells"] if row["interval"] is not None] + list(rivals)
    variables = {
        row["method"]: order[row["label"]]
        for row in sorted(shown, key=lambda row: row["interval"] or 0)
    }
    ranked = sorted(variables, key=lambda method: list(order.values()).index(variables[method]))
    return named("method", ranked, [variables[method] for method in ranked])
