"""Figures of what the perturbation interval does: final score, time to target, checkpoint overhead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pbtbench.report.data import SEEDS, Data, Row
from pbtbench.report.figures import Figure, Spec, figure, named, real, tooltip
from pbtbench.report.palette import HUES, Series
from pbtbench.report.tables import kind
from pbtbench.report.wording import number
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.targets import compared_target

SHOWN = "A point for each seed, a line through their medians."


def by_interval(cells: Sequence[Cell], data: Data, colours: Sequence[Series]) -> Iterator[Figure]:
    """Final score, time to target and checkpoint overhead of one problem against the interval."""
    swept = [c for c in cells if c.interval is not None]
    if len({c.interval for c in swept}) < 2:
        return
    objective = cells[0].run.card.objective
    relation = "≥" if objective.sign > 0 else "≤"
    target = number(compared_target(cells))
    kinds = [
        ("final", f"Final {kind(cells[0])} {objective.metric}", ""),
        (
            "seconds",
            f"Seconds to {objective.metric} {relation} {target}",
            " Misses have no point, and count as infinite in the medians.",
        ),
        ("overhead", "Checkpoint overhead", " Checkpoint time over training and evaluation."),
    ]
    there = sum(c.n for c in swept)
    sampled = f" Drawn are {SEEDS:,} of {there:,} runs, chosen at random." if there > SEEDS else ""
    for key, title, about in kinds:
        if not any(value is not None for row in data["runs"] for value in row[key]):
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
            SHOWN + about + dashed + sampled,
            _by_interval(data, key, title, rivals, colours),
            data,
            220,
        )


def _by_interval(
    data: Data, key: str, title: str, rivals: Sequence[Row], colours: Sequence[Series]
) -> Spec:
    intervals = sorted({row["interval"] for row in data["runs"]})
    values = [v for row in data["runs"] for v in row[key] if v is not None]
    values += [row[key] for row in rivals]
    log = min(values) > 0 and max(values) / min(values) > 50
    share = key == "overhead"
    x = real("interval", "perturbation interval, iterations", log=True, padding=14)
    x["axis"] = {"values": intervals, "format": "d", "grid": False}
    y = real(key, title.lower() if share else title, log=log, **_scale(log, share))
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


def _scale(log: bool, share: bool) -> Spec:
    return {"padding": 10} if log else {"zero": share, "nice": True}


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
