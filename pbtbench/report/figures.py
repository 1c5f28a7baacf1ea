"""Figures: one Vega-Lite specification each, for the page and for SVG files.

Single views without facets, so that a page can give them the width it has. Colours are CSS
variables (`palette`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from pbtbench import filename
from pbtbench.measures.quality import QUARTILES_FROM, curves
from pbtbench.report.palette import KINDS, Series
from pbtbench.report.wording import plural, seconds
from pbtbench.statistics.cells import Cell

POINTS, ALL_POINTS = 80, 6000
"""Of a curve: what the eye can tell apart at the width of a figure; and of all curves of a figure."""

BARS = 60
"""Of a figure, at most."""

WIDTH, HEIGHT = 460, 250


@dataclass(frozen=True)
class Figure:
    """A chart with its words."""

    name: str
    """Of its file."""
    title: str
    caption: str
    spec: dict[str, Any]
    svg: str


def figure(name: str, title: str, caption: str, chart: Any, height: int = HEIGHT) -> Figure:
    """The figure of an Altair chart, in the report's style; its name made fit for a file's.

    A chart that can't be drawn becomes a figure that says so: it costs nobody the rest of a report.
    """
    try:
        spec, svg = _drawn(chart, height)
    except Exception as error:  # Altair and Vega know no common one
        why = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        told = pd.DataFrame({"told": [f"not drawn: {why}"]})
        spec, svg = _drawn(alt.Chart(told).mark_text(color="var(--ink)").encode(text="told:N"), 40)
    return Figure(filename.part(name), title, caption, spec, svg)


def _drawn(chart: Any, height: int) -> tuple[dict[str, Any], str]:
    """A chart's specification and SVG. Each kind of figure bounds what it draws; Altair's own limit, by
    which it raises, is lifted."""
    styled = chart.properties(width=WIDTH, height=height).configure(**_style())
    with alt.data_transformers.disable_max_rows():
        spec = json.loads(styled.to_json(indent=None, validate=False))
    return spec, str(vl_convert.vegalite_to_svg(spec, vl_version=_version()))


def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    return str(vl_convert.javascript_bundle(None, vl_version=_version()))


def progress(cells: Sequence[Cell], colours: Sequence[Series]) -> Iterator[Figure]:
    """Best score so far of one problem against time and against work, a pair for each engine."""
    objective = cells[0].run.card.objective
    for engine in dict.fromkeys(c.engine for c in cells):
        mine = [c for c in cells if c.engine == engine]
        pairs = [(m.run, m.outcome) for c in mine for m in c.measures]
        points = max(8, min(POINTS, ALL_POINTS // len(mine)))
        for axis, title, scale in (
            ("seconds", "wall time, seconds", "log"),
            ("member_iterations", "work, member-iterations", "linear"),
        ):
            frame = curves(pairs, axis, points)  # type: ignore[arg-type]
            if frame.empty:
                continue
            told = _of_seeds(int(frame["n"].min()), int(frame["n"].max()))
            yield figure(
                f"{cells[0].problem}-{engine}-{axis.replace('_', '-')}",
                f"Best {objective.metric} so far against {title.split(',')[0]}, {engine}",
                told,
                _progress(frame, objective.metric, title, scale, colours),
            )


def _of_seeds(least: int, most: int) -> str:
    """What a curve and its band are, of as many seeds."""
    if most == 1:
        return "One seed."
    seeds = plural(most, "seed") if least == most else f"{least} to {most} seeds"
    if least < QUARTILES_FROM <= most:
        return f"Median of {seeds}, band: quartiles, or the range of fewer than {QUARTILES_FROM}."
    return f"Median of {seeds}, band: {'quartiles' if most >= QUARTILES_FROM else 'range'}."


def _progress(
    frame: pd.DataFrame, metric: str, title: str, scale: str, colours: Sequence[Series]
) -> Any:
    slim = frame[["method", "x", "median", "low", "high"]].copy()
    for column in ("x", "median", "low", "high"):
        slim[column] = [float(f"{v:.5g}") for v in slim[column]]
    values = slim[["low", "high"]].to_numpy()
    wide = values.min() > 0 and values.max() / values.min() > 20
    pick = alt.selection_point(fields=["method"], bind="legend")
    base = alt.Chart(slim).encode(
        x=alt.X(
            "x:Q",
            title=title,
            scale=alt.Scale(type=scale, nice=False),
            axis=alt.Axis(grid=scale != "log"),
        ),
        color=colour("method", slim["method"].unique(), colours),
    )
    y_scale = alt.Scale(type="log") if wide else alt.Scale(type="linear", zero=False)
    band = base.mark_area(tooltip=False).encode(
        y=alt.Y("low:Q", scale=y_scale, title=metric),
        y2="high:Q",
        opacity=alt.condition(pick, alt.value(0.16), alt.value(0.02)),
    )
    line = base.mark_line(strokeWidth=2, interpolate="step-after").encode(
        y=alt.Y("median:Q", scale=y_scale, title=metric),
        opacity=alt.condition(pick, alt.value(1), alt.value(0.12)),
        tooltip=[alt.Tooltip("method:N"), alt.Tooltip("x:Q", title=title), alt.Tooltip("median:Q")],
    )
    return alt.layer(band, line).add_params(pick)


def worker_seconds(cells: Sequence[Cell]) -> Figure | None:
    """Where the worker-seconds of one problem went, as shares, a bar for each method and engine."""
    several = len({c.engine for c in cells}) > 1
    rows, labels = [], []
    spending = [
        (cell, done, wall)
        for cell in cells
        if (done := cell.completed)
        and (wall := sum(m.outcome.workers * m.outcome.wall_s for m in done)) > 0
    ]
    for cell, done, wall in spending[:BARS]:
        label = f"{cell.label} · {cell.engine}" if several else cell.label
        labels.append(label)
        for order, kind in enumerate(KINDS):
            spent = sum(m.overhead.seconds[kind] for m in done)
            if spent > 0:
                rows.append(
                    {
                        "run": label,
                        "kind": kind,
                        "order": order,
                        "share": float(f"{spent / wall:.4g}"),
                        "spent": seconds(spent / len(done)),
                    }
                )
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    kinds = [k for k in KINDS if k in set(frame["kind"])]
    pick = alt.selection_point(fields=["kind"], bind="legend")
    chart = (
        alt.Chart(frame)
        .mark_bar(height={"band": 0.72})
        .encode(
            x=alt.X(
                "share:Q",
                stack="zero",
                title="share of worker-seconds",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1], clamp=True),
            ),
            y=alt.Y(
                "run:N",
                sort=labels,
                title=None,
                axis=alt.Axis(
                    ticks=False,
                    domain=False,
                    labelLimit=190,
                    # a viewer's font may be wider than the one that the layout was measured with
                    minExtent=7 * max(map(len, labels)),
                ),
            ),
            color=alt.Color(
                "kind:N",
                sort=kinds,
                title=None,
                scale=alt.Scale(domain=kinds, range=[f"var(--kind-{k})" for k in kinds]),
            ),
            order="order:Q",
            opacity=alt.condition(pick, alt.value(1), alt.value(0.15)),
            tooltip=[
                "run:N",
                "kind:N",
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("spent:N", title="per run"),
            ],
        )
        .add_params(pick)
    )
    return figure(
        f"{cells[0].problem}-worker-seconds",
        "Where the worker-seconds went",
        "Mean over completed runs: blue is work, green start-up, orange checkpoints, violet waits "
        "and decisions." + first(BARS, len(spending), "rows of the table"),
        chart,
        max(60, 26 * len(labels)),
    )


def first(shown: int, there: int, what: str) -> str:
    """The end of a caption: that only the first are drawn, if so."""
    return f" Drawn are the first {shown:,} of {there:,} {what}." if there > shown else ""


def colour(field: str, names: Any, colours: Sequence[Series]) -> Any:
    """Legend and colours in the report's order; a bare method's name takes its last interval's colour."""
    wanted = list(dict.fromkeys(names))
    by_label = {s.label: s.variable for s in colours}
    by_method = {s.label.rpartition(" k=")[0]: s.variable for s in colours}
    order = {s.label: i for i, s in enumerate(colours)}
    wanted.sort(key=lambda name: order.get(name, len(order)))
    scale = [f"var(--{by_label.get(name) or by_method.get(name, 'muted')})" for name in wanted]
    return alt.Color(
        f"{field}:N", title=None, sort=wanted, scale=alt.Scale(domain=wanted, range=scale)
    )


@cache
def _version() -> str:
    return ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def _style() -> dict[str, Any]:
    font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
    axis = {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": "var(--grid)",
        "domainColor": "var(--rule)",
        "tickColor": "var(--rule)",
        "labelFontSize": 11,
        "titleFontSize": 11.5,
        "tickCount": 6,
    }
    legend = {
        "orient": "top",
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "labelFontSize": 11.5,
        "symbolStrokeWidth": 3,
        "symbolOpacity": 1,
        "columns": 5,
        "labelLimit": 190,
        "columnPadding": 16,
        "offset": 8,
    }
    return {
        "font": font,
        "background": "transparent",
        "padding": {"left": 10, "right": 8, "top": 4, "bottom": 4},
        "axis": axis,
        "axisY": {"titleAlign": "right", "titleAnchor": "end"},
        "legend": legend,
        "view": {"stroke": None},
        "aria": False,
    }
