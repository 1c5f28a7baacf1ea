"""Colours, for light and dark. Figures name CSS variables; a page defines them, a file has them replaced.

Intervals of a method run from light to dark through several hues: they are in order, and neighbours differ at
a glance, for colour-blind people too. What they are held against is grey.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pbtbench.report.texts import clean
from pbtbench.statistics.cells import Cell

Shades = tuple[str, str]
"""A colour in the light and in the dark theme."""

Dash = tuple[int, ...]
"""Lengths of a line's strokes and gaps; empty for a line without gaps."""

BASE: dict[str, Shades] = {
    "paper": ("#ffffff", "#14171b"),
    "ink": ("#1c2430", "#e4e8ee"),
    "muted": ("#5d6878", "#9aa5b4"),
    "rule": ("#d5dae1", "#343b45"),
    "grid": ("#eceff3", "#252b33"),
    "winner": ("#d1495b", "#ff7b86"),
    "survivor": ("#3b6fb6", "#7fb0f5"),
    "extinct": ("#c3cad4", "#47505d"),
    "accent": ("#2356a8", "#86b4f7"),
    "better": ("#1d7a5f", "#4fd1a5"),
    "worse": ("#b3283c", "#ff7b86"),
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

_RAMPS: tuple[tuple[Shades, ...], ...] = (
    (
        ("#d5a10c", "#f2e79d"),
        ("#d45707", "#f8c308"),
        ("#993829", "#fe8138"),
        ("#613c69", "#c67ad1"),
        ("#2b24a7", "#a052d2"),
        ("#012941", "#695b81"),
    ),
    (
        ("#7fae2e", "#d9f0a3"),
        ("#3d9a4f", "#9fdc7c"),
        ("#1b8577", "#4fc59b"),
        ("#176f8c", "#35a5b5"),
        ("#1c5080", "#4b86bd"),
        ("#173058", "#5b6f9e"),
    ),
)
"""Methods with several intervals, each with a ramp of its own, the shortest interval the lightest. The first is
the most distinct that a search in OKLab found, also as people see it whose eyes lack a kind of cone (Machado
et al. 2009), and beside the greys."""

_SHOWN = ((4,), (1, 4), (0, 2, 4), (0, 1, 3, 4), (0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5))
"""Of how many intervals which of a ramp's colours are taken."""

_SINGLE: tuple[Shades, ...] = (
    ("#2b24a7", "#a79bff"),
    ("#d45707", "#fe8138"),
    ("#00876c", "#3cc9a5"),
    ("#b0306a", "#ff8fbe"),
    ("#d5a10c", "#f8c308"),
    ("#3f8fc4", "#7cc4f5"),
    ("#993829", "#e08a76"),
    ("#613c69", "#c67ad1"),
)
"""Methods with one interval, where no method has several."""

_PLAIN: tuple[tuple[Shades, Dash], ...] = (
    (("#5b6573", "#c9d1db"), (6, 3)),
    (("#9aa3ae", "#7d8794"), (2, 2)),
    (("#8a6d00", "#cdb65a"), (8, 3, 2, 3)),
    (("#00876c", "#3cc9a5"), (4, 4)),
    (("#b0306a", "#ff8fbe"), (1, 3)),
)
"""Methods without an interval, in the order that they come, random search first: what others are held against
is grey, and its lines have dashes."""


@dataclass(frozen=True)
class Series:
    """A name in legends, the CSS variable of its colour, and the colour's shades."""

    label: str
    variable: str
    shades: Shades
    dash: Dash = ()


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
    looks = {label: _PLAIN[i % len(_PLAIN)] for i, label in enumerate(plain)}
    several = any(len(steps) > 1 for steps in swept.values())
    for i, method in enumerate(sorted(swept)):
        labels = [label for _, label in sorted(swept[method])]
        ramp = _RAMPS[i % len(_RAMPS)]
        shades = _along(ramp, len(labels)) if several else [_SINGLE[i % len(_SINGLE)]]
        looks |= {label: (of, ()) for label, of in zip(labels, shades, strict=True)}
    return [
        Series(clean(label), f"series-{i}", *look) for i, (label, look) in enumerate(looks.items())
    ]


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


def _along(ramp: Sequence[Shades], count: int) -> list[Shades]:
    """So many colours of a ramp, in its order; of more than it has, mixtures of neighbours, too."""
    if count <= len(_SHOWN):
        return [ramp[place] for place in _SHOWN[count - 1]]
    found = []
    for i in range(count):
        place, share = divmod(i * (len(ramp) - 1) / (count - 1), 1)
        one, other = ramp[int(place)], ramp[min(int(place) + 1, len(ramp) - 1)]
        found.append((_mixed(one[0], other[0], share), _mixed(one[1], other[1], share)))
    return found


def _mixed(one: str, other: str, share: float) -> str:
    channels = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in channels)
