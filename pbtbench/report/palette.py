"""Colours, for light and dark. Figures name CSS variables; a page defines them, a file has them replaced.

Hues are those of Okabe and Ito (2008), which colour-blind people can tell apart. Intervals of a
method are shades of one hue, the darkest the longest; in the dark theme the brightest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pbtbench.report.texts import clean
from pbtbench.statistics.cells import Cell

Shades = tuple[str, str]
"""A colour in the light and in the dark theme."""

BASE: dict[str, Shades] = {
    "paper": ("#ffffff", "#14171b"),
    "ink": ("#1c2430", "#e4e8ee"),
    "muted": ("#5d6878", "#9aa5b4"),
    "rule": ("#d5dae1", "#343b45"),
    "grid": ("#eceff3", "#252b33"),
    "winner": ("#d1495b", "#ff7b86"),
    "survivor": ("#3b6fb6", "#7fb0f5"),
    "extinct": ("#c3cad4", "#47505d"),
}

FATES = {
    "died out": "extinct",
    "lives on": "survivor",
    "the best member's": "winner",
}
"""What became of a stretch of training -> its variable. Later ones are drawn above earlier ones."""

HUES = ("survivor", "kind-persist", "kind-compile", "kind-wait")
"""Variables of colours for engines."""

KINDS: dict[str, Shades] = {
    "train": ("#2f6db3", "#4a8fdb"),
    "evaluate": ("#8fbbe8", "#9cc7f2"),
    "compile": ("#5b8c7b", "#6fae98"),
    "setup": ("#a9c9bd", "#3f6b5d"),
    "save": ("#b5451b", "#f2894f"),
    "persist": ("#d96f32", "#d9682f"),
    "transfer": ("#eb9b57", "#b9541f"),
    "restore": ("#f3bd8a", "#f7b98a"),
    "restart": ("#8f3413", "#fbd9bd"),
    "morph": ("#6b7f2a", "#b9cc6f"),
    "wait": ("#8661a8", "#b18fd4"),
    "decide": ("#c4a8dc", "#74518f"),
    "idle": ("#d3d8df", "#4b535e"),
    "unaccounted": ("#9aa3ae", "#7b8592"),
}
"""Work in blue, start-up in green, checkpoints in orange, morphisms in olive, waits and decisions in violet,
nothing in grey."""

_RAMPS: tuple[tuple[Shades, Shades], ...] = (
    (("#7fbbe6", "#0b4f86"), ("#2f6ea3", "#a8dcff")),
    (("#d99bc2", "#7d2a62"), ("#93487a", "#f3b9dd")),
    (("#8fcdb8", "#0a5f4a"), ("#2b7d68", "#a5ead3")),
)
"""Methods with intervals: (shortest, longest) in light, then in dark."""

_PLAIN: tuple[Shades, ...] = (
    ("#d97a00", "#ffab40"),
    ("#00876c", "#3cc9a5"),
    ("#8a6d00", "#e8cf4a"),
    ("#6b7280", "#a7b0bd"),
    ("#b0306a", "#ff8fbe"),
)
"""Methods without, in the order that they come, random search first."""


@dataclass(frozen=True)
class Series:
    """A name in legends, the CSS variable of its colour, and the colour's shades."""

    label: str
    variable: str
    shades: Shades


def series(cells: Sequence[Cell]) -> list[Series]:
    """A colour for each method with its interval, the same all over a report."""
    found: dict[str, tuple[str, int | None]] = {c.label: (c.method, c.interval) for c in cells}
    plain = sorted(
        (label for label, (_, k) in found.items() if k is None),
        key=lambda name: (name != "random", name),
    )
    swept: dict[str, list[tuple[int, str]]] = {}
    for label, (method, k) in found.items():
        if k is not None:
            swept.setdefault(method, []).append((k, label))
    shades = {label: _PLAIN[i % len(_PLAIN)] for i, label in enumerate(plain)}
    for i, method in enumerate(sorted(swept)):
        light, dark = _RAMPS[i % len(_RAMPS)]
        steps = sorted(swept[method])
        for j, (_, label) in enumerate(steps):
            share = j / (len(steps) - 1) if len(steps) > 1 else 0.8
            shades[label] = (_mixed(*light, share), _mixed(*dark, share))
    return [Series(clean(label), f"series-{i}", s) for i, (label, s) in enumerate(shades.items())]


def variables(shown: Iterable[Series], dark: bool) -> dict[str, str]:
    """CSS variable -> colour."""
    kinds = {f"kind-{kind}": shades for kind, shades in KINDS.items()}
    own = {s.variable: s.shades for s in shown}
    return {name: shades[dark] for name, shades in {**BASE, **kinds, **own}.items()}


def resolved(svg: str, colours: dict[str, str]) -> str:
    """An SVG with its CSS variables replaced and a ground of its own, so that it stands alone."""
    ground = f'<svg style="background:{colours["paper"]}" '
    grounded = svg.replace("<svg ", ground, 1)
    return re.sub(r"var\(--([\w-]+)\)", lambda m: colours.get(m.group(1), m.group(0)), grounded)


def _mixed(one: str, other: str, share: float) -> str:
    channels = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in channels)
