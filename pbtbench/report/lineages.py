"""Figures of one PBT run: its family tree, and what became of its hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from pbtbench.metrics import Measures
from pbtbench.metrics.lineage import Segment, segments
from pbtbench.report.figures import Figure, figure

FATES = {
    "died out": "extinct",
    "lives on": "survivor",
    "the best member's": "winner",
}
"""What became of a stretch of training -> colour. Later ones are drawn above earlier ones."""

SHORT = 400
"""Lines of the dead that are drawn at most, the longest first; the living are drawn whole."""


def lineages(m: Measures, stem: str) -> Iterator[Figure]:
    """A family tree, and a schedule for each numeric dynamic hyperparameter that changed."""
    card = m.run.card
    tree = segments(card.objective, m.outcome.trace)
    if not any(s.parent is not None for s in tree):
        return
    who = f"{m.run.label}, seed {m.run.seed}, {m.run.engine}"
    lines, dropped = _lines(tree, [s.member for s in tree])
    left_out = f" {dropped:,} short stretches that died out are left out." if dropped else ""
    caption = "Each member trains along its row; a link is a fork, from the donor to who takes over its state."
    members = len({s.member for s in tree})
    y = alt.Y(
        "y:Q",
        title="member",
        axis=alt.Axis(grid=False, format="d", values=_ticks(members)),
        scale=alt.Scale(padding=8, nice=False),
    )
    yield figure(
        f"{stem}-tree",
        f"Family tree: {who}",
        caption + left_out,
        _chart(lines, y),
        max(120, min(360, 22 * members)),
    )
    for name in card.dynamic:
        values: list[Any] = [s.hyperparameters.get(name) for s in tree]
        if not all(_is_number(v) for v in values) or len(set(values)) < 2:
            continue
        lines, dropped = _lines(tree, values)
        log = card.hyperparameters[name].startswith("LogUniform") and min(values) > 0
        y = alt.Y(
            "y:Q",
            title=name,
            scale=alt.Scale(type="log", nice=False, padding=6)
            if log
            else alt.Scale(zero=False, nice=False, padding=6),
        )
        yield figure(
            f"{stem}-{name}",
            f"Schedule of {name}: {who}",
            "The lineage of the member that is best at the end is the schedule that PBT found."
            + left_out,
            _chart(lines, y),
            220,
        )


def _chart(lines: pd.DataFrame, y: Any) -> Any:
    fates = [f for f in FATES if f in set(lines["fate"])]
    colour = alt.Color(
        "fate:N",
        title=None,
        sort=fates[::-1],
        scale=alt.Scale(domain=fates[::-1], range=[f"var(--{FATES[f]})" for f in fates[::-1]]),
    )
    pick = alt.selection_point(fields=["fate"], bind="legend")
    layers = [
        alt.Chart(lines[lines["fate"] == fate])
        .mark_rule(strokeWidth=width, strokeCap="round")
        .encode(
            x=alt.X("x:Q", title="iteration", scale=alt.Scale(nice=False)),
            x2="x2:Q",
            y=y,
            y2="y2:Q",
            color=colour,
            opacity=alt.condition(pick, alt.value(1), alt.value(0.08)),
        )
        for fate, width in zip(FATES, (1, 1.4, 2.4), strict=True)
        if fate in fates
    ]
    layers[0] = layers[0].add_params(pick)
    return alt.layer(*layers)


def _lines(tree: list[Segment], heights: list[Any]) -> tuple[pd.DataFrame, int]:
    """Lines of segments, split where their fate changes, and of forks; and how many were dropped."""
    lines = []
    for s, y in zip(tree, heights, strict=True):
        corners = [s.start, max(s.start, s.wins_until), max(s.start, s.survives_until), s.end]
        for fate, x, x2 in zip(list(FATES)[::-1], corners, corners[1:], strict=False):
            if x2 > x:
                lines.append({"x": x, "x2": x2, "y": y, "y2": y, "fate": fate})
        if s.parent is not None:
            wins, lives = s.wins_until >= s.start, s.survives_until >= s.start
            fate = list(FATES)[wins + lives]
            at = min(s.donated_at, s.start)
            lines.append({"x": at, "x2": s.start, "y": heights[s.parent], "y2": y, "fate": fate})
    frame = pd.DataFrame(lines, columns=["x", "x2", "y", "y2", "fate"])
    dead = frame[frame["fate"] == next(iter(FATES))]
    length = (dead["x2"] - dead["x"]).sort_values(ascending=False, kind="stable")
    drop = length.index[SHORT:]
    return frame.drop(index=drop), len(drop)


def _ticks(members: int) -> list[int]:
    step = 1 + members // 9
    return list(range(0, members, step))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
