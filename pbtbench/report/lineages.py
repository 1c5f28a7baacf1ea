"""Figures of one PBT run: its family tree, and what became of its hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from pbtbench.measures.lineage import Segment, as_number, living, segments
from pbtbench.report.figures import Figure, figure, first
from pbtbench.statistics.cells import Measures

FATES = {
    "died out": "extinct",
    "lives on": "survivor",
    "the best member's": "winner",
}
"""What became of a stretch of training -> colour. Later ones are drawn above earlier ones."""

DEAD, LIVING, WINNING = 400, 1000, 2000
"""Lines of each fate that are drawn at most: more can't be told apart, and would make a page of many
megabytes."""


SCHEDULES = 12
"""Hyperparameters that are drawn at most."""


@dataclass(frozen=True)
class Lines:
    """What of a family tree is drawn."""

    frame: pd.DataFrame
    """A row for each line: x, x2, y, y2, fate."""
    left_out: str
    """What isn't drawn, as the end of a caption; empty if nothing."""


def lineages(m: Measures, stem: str) -> Iterator[Figure]:
    """A family tree, and a schedule for each numeric dynamic hyperparameter that changed."""
    card = m.run.card
    tree = segments(card.objective, m.outcome.trace)
    if not any(s.parent is not None for s in tree):
        return
    who = f"{m.run.label}, seed {m.run.seed}, {m.run.engine}"
    lines = _lines(tree, [s.member for s in tree])
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
        caption + lines.left_out,
        _chart(lines.frame, y),
        max(120, min(360, 22 * members)),
    )
    changed = {name: values for name in card.dynamic if (values := _changed(tree, name))}
    for name, values in list(changed.items())[:SCHEDULES]:
        lines = _lines(tree, values)
        log = card.hyperparameters[name].startswith("Log") and min(values) > 0
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
            + lines.left_out
            + first(SCHEDULES, len(changed), "hyperparameters that changed"),
            _chart(lines.frame, y),
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


def _lines(tree: Sequence[Segment], heights: Sequence[float]) -> Lines:
    """Lines of segments, split where their fate changes, and of forks. Of the living only the ancestry of
    every so manieth member is drawn, where all would be too many lines; of the others the longest are."""
    members = sorted({s.member for s in tree})
    chosen, shown = members, [s.survives_until for s in tree]
    while len(chosen) > 1 and _count(tree, shown) > LIVING:
        chosen = chosen[::2]
        shown = living(tree, chosen)
    drawn: dict[str, list[dict[str, Any]]] = {fate: [] for fate in FATES}
    dead, alive, winner = drawn
    for s, y, until in zip(tree, heights, shown, strict=True):
        stretches = (
            (winner, s.start, s.wins_until),
            (alive, max(s.start, s.wins_until), until),
            (dead, max(s.start, s.survives_until), s.end),
        )
        for fate, x, x2 in stretches:
            if x2 > x:
                drawn[fate].append({"x": x, "x2": x2, "y": y, "y2": y, "fate": fate})
        if s.parent is None:
            continue
        at = min(s.donated_at, s.start)
        link = {"x": at, "x2": s.start, "y": heights[s.parent], "y2": y}
        if s.wins_until >= s.start:
            drawn[winner].append({**link, "fate": winner})
        elif until >= s.start:
            drawn[alive].append({**link, "fate": alive})
        elif s.survives_until < s.start:
            drawn[dead].append({**link, "fate": dead})
    left_out = ""
    if len(chosen) < len(members):
        left_out += f" Of what lives on, the ancestry of {len(chosen):,} of {len(members):,} members is drawn."
    for fate, most, told in (
        (dead, DEAD, "what died out"),
        (winner, WINNING, "the best member's lineage"),
    ):
        if (count := len(drawn[fate])) > most:
            drawn[fate] = _longest(drawn[fate], most)
            left_out += f" Of {told}, the {most:,} longest of {count:,} stretches are drawn."
    rows = [line for fate in FATES for line in drawn[fate]]
    return Lines(pd.DataFrame(rows, columns=["x", "x2", "y", "y2", "fate"]), left_out)


def _count(tree: Sequence[Segment], shown: Sequence[int]) -> int:
    """How many lines of the living there are: at most a stretch and a fork of each."""
    return sum(
        2 for s, until in zip(tree, shown, strict=True) if until >= s.start and until > s.wins_until
    )


def _longest(lines: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The longest, in their order."""
    order = sorted(range(len(lines)), key=lambda i: lines[i]["x"] - lines[i]["x2"])
    return [lines[i] for i in sorted(order[:most])]


def _changed(tree: Sequence[Segment], name: str) -> list[float]:
    """A numeric hyperparameter's value on each segment; empty if it is none, or never changed."""
    values = [as_number(s.hyperparameters.get(name)) for s in tree]
    return [] if any(map(math.isnan, values)) or len(set(values)) < 2 else values


def _ticks(members: int) -> list[int]:
    """Some nine of them, at round numbers."""
    least = max(1, members / 9)
    size = 10 ** math.floor(math.log10(least))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= least)
    return list(range(0, members, step))
