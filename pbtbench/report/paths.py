"""The figure of members' paths in a problem's plane, as in figure 2 of the PBT paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import altair as alt
import pandas as pd

from pbtbench.measures.paths import path
from pbtbench.report.figures import Figure, colour, figure
from pbtbench.report.palette import Series
from pbtbench.report.wording import listed
from pbtbench.statistics.cells import Cell

POINTS = 1500
"""Places that are drawn at most."""


def paths(cells: Sequence[Cell], colours: Sequence[Series]) -> Iterator[Figure]:
    """Where the members of one run of each method were, a figure for each engine."""
    plane = cells[0].run.card.plane
    for engine in dict.fromkeys(c.engine for c in cells):
        shown = [c.completed[0] for c in cells if c.engine == engine and c.completed]
        frames = [frame for m in shown if not (frame := path(m)).empty]
        if plane is None or not frames:
            continue
        places = pd.concat(frames, ignore_index=True)
        seeds = sorted({m.run.seed for m in shown})
        which = f"seed{'s' * (len(seeds) > 1)} {listed([str(seed) for seed in seeds])}"
        told = f"One run of each method ({which}); a point is a member after an iteration."
        if (count := len(places)) > POINTS:
            places = places.sample(POINTS, random_state=0).sort_index()
            told += f" Drawn are {POINTS:,} of {count:,}, chosen at random."
        pick = alt.selection_point(fields=["method"], bind="legend")
        chart = (
            alt.Chart(places)
            .mark_circle(size=16)
            .encode(
                x=alt.X("x:Q", title=plane[0], scale=alt.Scale(nice=False, padding=10)),
                y=alt.Y("y:Q", title=plane[1], scale=alt.Scale(nice=False, padding=10)),
                color=colour("method", places["method"].unique(), colours),
                opacity=alt.condition(pick, alt.value(0.75), alt.value(0.05)),
                tooltip=["method:N", "member:O", "iteration:Q", "score:Q"],
            )
            .add_params(pick)
        )
        yield figure(
            f"{cells[0].problem}-{engine}-paths",
            f"Where the members were, {engine}",
            told,
            chart,
        )
