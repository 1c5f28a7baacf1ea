"""Figures: a Vega-Lite specification each, drawn as SVG for files, and by a page's script in a browser.

A specification names the rows that it draws from and holds none of them: they stand once in a page
(`data`). Single views without facets, so that a page can give them the width it has. Colours are CSS
variables (`palette`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

from pbtbench import filename
from pbtbench.machine import usable_cores
from pbtbench.report import vega
from pbtbench.report.data import Data
from pbtbench.report.palette import Series
from pbtbench.report.texts import clean

WIDTH, HEIGHT = 460, 250

MANY, MOST_PROCESSES = 20, 4
"""From how many figures on several processes draw them, each of which takes a moment to start; and how many of
these there are at most."""

Spec = dict[str, Any]


@dataclass
class Chart:
    """A specification, drawn when its SVG is asked for first, or by `draw` before."""

    spec: Spec
    data: Data
    done: str = ""
    """The SVG; empty while there is none."""

    @property
    def whole(self) -> Spec:
        """With its rows and `CONFIG`."""
        rows = {name: self.data[name] for name in _names(self.spec)}
        return {**self.spec, "datasets": rows, "config": CONFIG}

    def svg(self) -> str:
        """The SVG. What can't be drawn becomes one that says so: it costs nobody the rest of a report."""
        if not self.done:
            try:
                self.done = drawn(self.spec, self.data)
            except Exception as error:  # Vega knows no common one
                why = " ".join(f"{type(error).__name__}: {error}".split())[:100]
                mark = {"type": "text", "text": clean(f"not drawn: {why}"), "color": "var(--ink)"}
                self.spec = {"data": {"values": [{}]}, "width": WIDTH, "height": 40, "mark": mark}
                self.done = drawn(self.spec, {})
        return self.done


@dataclass(frozen=True)
class Figure:
    """A chart with its words."""

    name: str
    """Of its file, and of its element in a page."""
    title: str
    caption: str
    chart: Chart

    @property
    def svg(self) -> str:
        """The chart."""
        return self.chart.svg()

    @property
    def spec(self) -> Spec:
        """Vega-Lite, without `CONFIG` and without rows; of what can't be drawn one that says so."""
        self.chart.svg()
        return self.chart.spec

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the rows that it draws from."""
        return tuple(_names(self.spec))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the SVG, in pixels."""
        head = self.svg[: self.svg.find(">")]
        width, height = (head.partition(f' {side}="')[2] for side in ("width", "height"))
        return round(float(width.partition('"')[0])), round(float(height.partition('"')[0]))


def figure(
    name: str, title: str, caption: str, spec: Spec, data: Data, height: int = HEIGHT
) -> Figure:
    """The figure of a specification, its name made fit for a file's."""
    whole: Spec = clean({"width": WIDTH, "height": height, **spec})
    return Figure(filename.part(name), clean(title), clean(caption), Chart(whole, data))


def draw(figures: Sequence[Figure]) -> None:
    """Draw them all, many by several processes."""
    waiting = [f.chart for f in figures if not f.chart.done]
    shares = min(usable_cores(), MOST_PROCESSES) if len(waiting) >= MANY else 1
    given = [waiting[i::shares] for i in range(1, shares)]
    made = [vega.drawing([one.whole for one in mine]) for mine in given]
    for one in waiting[::shares]:
        one.svg()
    for mine, drawing in zip(given, made, strict=True):
        for one, svg in zip(mine, vega.svgs(drawing), strict=False):
            one.done = svg or ""


def drawn(spec: Spec, data: Data, config: Mapping[str, Any] | None = None) -> str:
    """The SVG of a specification."""
    rows = {name: data[name] for name in _names(spec)}
    whole = {**spec, "datasets": rows, "config": CONFIG if config is None else config}
    return str(vl_convert.vegalite_to_svg(whole))


def real(field: str, title: str | None, *, log: bool = False, **scale: Any) -> Spec:
    """A channel along a number line. `scale`: properties of Vega-Lite's."""
    kind = {"type": "log"} if log else {}
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {**kind, "nice": False, **scale},
    }


def named(field: str, names: Sequence[str], variables: Sequence[str], **channel: Any) -> Spec:
    """A colour for each name, by CSS variables, with a legend in their order."""
    scale = {"domain": list(names), "range": [f"var(--{variable})" for variable in variables]}
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "sort": list(names),
        "scale": scale,
        **channel,
    }


def of_methods(labels: Sequence[str], colours: Sequence[Series], field: str = "label") -> Spec:
    """The methods' own colours, in the report's order."""
    wanted = set(labels)
    shown = [s for s in colours if s.label in wanted]
    return named(field, [s.label for s in shown], [s.variable for s in shown])


def dashes(labels: Sequence[str], colours: Sequence[Series]) -> Spec:
    """The methods' own dashes, for lines whose colours are those of `of_methods`: one legend shows both."""
    wanted = set(labels)
    shown = [s for s in colours if s.label in wanted]
    names = [s.label for s in shown]
    scale = {"domain": names, "range": [list(s.dash) or [1, 0] for s in shown]}
    return {"field": "label", "type": "nominal", "title": None, "sort": names, "scale": scale}


def tooltip(**fields: str) -> list[Spec]:
    """What a pointer shows: field -> its type and maybe a format, such as `quantitative .3s`."""
    shown = []
    for field, about in fields.items():
        kind, _, form = about.partition(" ")
        shown.append({"field": field, "type": kind, **({"format": form} if form else {})})
    return shown


def picked(field: str) -> list[Spec]:
    """A legend that picks: a click on a name leaves the others pale, and one on another picks that, too."""
    select = {"type": "point", "fields": [field], "toggle": "true"}
    return [{"name": "pick", "select": select, "bind": "legend"}]


def of_shown(spec: Spec) -> Spec:
    """The specification without the methods that a page hides: it puts their labels into the parameter
    `hidden`."""
    left = {"filter": "indexof(hidden, datum.label) < 0"}

    def filtered(part: Spec) -> Spec:
        found = {**part}
        if "data" in part:
            found["transform"] = [left, *part.get("transform", [])]
        if "layer" in part:
            found["layer"] = [filtered(layer) for layer in part["layer"]]
        return found

    hidden = {"name": "hidden", "value": []}
    return {**filtered(spec), "params": [*spec.get("params", []), hidden]}


def pale(opacity: float, otherwise: float) -> Spec:
    """Opacity of what is picked, and of the rest."""
    return {"condition": {"param": "pick", "value": opacity}, "value": otherwise}


def first(shown: int, there: int, what: str) -> str:
    """The end of a caption: that only the first are drawn, if so."""
    return f" Drawn are the first {shown:,} of {there:,} {what}." if there > shown else ""


def _names(spec: Any) -> Iterator[str]:
    """The names of data in a specification, each once."""
    found: dict[str, None] = {}
    parts = [spec]
    while parts:
        part = parts.pop(0)
        if isinstance(part, dict):
            data = part.get("data")
            if isinstance(data, dict) and "name" in data:
                found[data["name"]] = None
            parts += part.get("layer", [])
    return iter(found)


CONFIG: Mapping[str, Any] = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "background": "transparent",
    "padding": {"left": 10, "right": 8, "top": 4, "bottom": 4},
    "axis": {
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
    },
    "axisY": {"titleAlign": "right", "titleAnchor": "end"},
    "legend": {
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
    },
    "view": {"stroke": None},
    "aria": False,
}
"""The style of all figures, once in a page."""
