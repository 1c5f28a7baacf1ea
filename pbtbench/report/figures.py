"""Figures: a Vega-Lite specification each, drawn as SVG for files, and by a page's script in a browser.

A specification names the rows that it draws from and holds none of them: they stand once in a page
(`data`). Single views without facets, so that a page can give them the width it has. Colours are CSS
variables (`palette`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import vl_convert

from pbtbench import filename
from pbtbench.report.data import Data
from pbtbench.report.palette import Series
from pbtbench.report.texts import clean

WIDTH, HEIGHT = 460, 250

BUNDLE_S = 120
"""Seconds that `bundle` takes at most."""

Spec = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A chart with its words."""

    name: str
    """Of its file, and of its element in a page."""
    title: str
    caption: str
    spec: Spec
    """Vega-Lite, without `CONFIG` and without rows."""
    uses: tuple[str, ...]
    """Names of the rows that it draws from."""
    svg: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the SVG, in pixels."""
        head = self.svg[: self.svg.find(">")]
        width, height = (head.partition(f' {side}="')[2] for side in ("width", "height"))
        return round(float(width.partition('"')[0])), round(float(height.partition('"')[0]))


def figure(
    name: str, title: str, caption: str, spec: Spec, data: Data, height: int = HEIGHT
) -> Figure:
    """The figure of a specification, its name made fit for a file's.

    What can't be drawn becomes a figure that says so: it costs nobody the rest of a report.
    """
    whole: Spec = clean({"width": WIDTH, "height": height, **spec})
    try:
        svg = drawn(whole, data)
    except Exception as error:  # Vega knows no common one
        why = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        mark = {"type": "text", "text": clean(f"not drawn: {why}"), "color": "var(--ink)"}
        whole = {"data": {"values": [{}]}, "width": WIDTH, "height": 40, "mark": mark}
        svg = drawn(whole, {})
    return Figure(
        filename.part(name), clean(title), clean(caption), whole, tuple(_names(whole)), svg
    )


def drawn(spec: Spec, data: Data, config: Mapping[str, Any] | None = None) -> str:
    """The SVG of a specification."""
    rows = {name: data[name] for name in _names(spec)}
    whole = {**spec, "datasets": rows, "config": CONFIG if config is None else config}
    return str(vl_convert.vegalite_to_svg(whole))


@cache
def bundling() -> Future[str]:
    """Vega, Vega-Lite and Vega-Embed as one script, in the making: by a process of its own, as it takes as
    long, and as much memory, as the drawing of many figures."""
    code = (
        "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"
    )

    def bundled() -> str:
        command = [sys.executable, "-P", "-c", code]
        try:
            made = subprocess.run(command, capture_output=True, check=True, timeout=BUNDLE_S)
        except (OSError, subprocess.SubprocessError):  # no room for another process, say
            return str(vl_convert.javascript_bundle())
        return made.stdout.decode()

    pool = ThreadPoolExecutor(1)
    making = pool.submit(bundled)
    pool.shutdown(wait=False)
    return making


def bundle() -> str:
    """That script."""
    return bundling().result()


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
