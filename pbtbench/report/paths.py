"""The figure of members' paths in a problem's plane, as in figure 2 of the PBT paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from pbtbench.report.data import Data, Row, numbers
from pbtbench.report.figures import (
    Figure,
    figure,
    of_methods,
    of_shown,
    pale,
    picked,
    real,
    tooltip,
)
from pbtbench.report.palette import Series
from pbtbench.report.texts import clean
from pbtbench.report.wording import listed
from pbtbench.statistics.cells import Cell

POINTS = 1500
"""Places that are drawn at most on an engine."""


def places(drawn: Sequence[tuple[Cell, pd.DataFrame]]) -> list[Row]:
    """A row for each method's first run and its places (`measures.paths`), with `count`, how many there were
    on its engine before a sample was taken."""
    rows: list[Row] = []
    for engine in dict.fromkeys(cell.engine for cell, _ in drawn):
        mine = [(cell, frame) for cell, frame in drawn if cell.engine == engine]
        count = sum(len(frame) for _, frame in mine)
        for cell, frame in mine:
            shown = frame
            if count > POINTS:
                share = max(1, POINTS * len(frame) // count)
                shown = frame.sample(share, random_state=0).sort_index()
            lists = {name: numbers(shown[name].tolist(), 4) for name in ("x", "y", "score")}
            lists |= {name: shown[name].tolist() for name in ("member", "iteration")}
            about = clean({"label": cell.label, "engine": engine})
            seed = cell.completed[0].run.seed
            rows.append({**about, "seed": seed, "count": count, **lists})
    return rows


def paths(
    problem: str, plane: Sequence[str], data: Data, colours: Sequence[Series]
) -> Iterator[Figure]:
    """Where the members of one run of each method were, a figure for each engine."""
    for engine in dict.fromkeys(row["engine"] for row in data["places"]):
        rows = [row for row in data["places"] if row["engine"] == engine]
        seeds = sorted({row["seed"] for row in rows})
        which = f"seed{'s' * (len(seeds) > 1)} {listed([str(seed) for seed in seeds])}"
        caption = f"One run of each method ({which}); a point is a member after an iteration."
        shown, there = sum(len(row["x"]) for row in rows), rows[0]["count"]
        if shown < there:
            caption += f" Drawn are {shown:,} of {there:,}, chosen at random."
        spec = {
            "data": {"name": "places"},
            "params": picked("label"),
            "transform": [
                {"filter": {"field": "engine", "equal": engine}},
                {"flatten": ["member", "iteration", "x", "y", "score"]},
            ],
            "mark": {"type": "circle", "size": 16},
            "encoding": {
                "x": real("x", plane[0], padding=10),
                "y": real("y", plane[1], padding=10),
                "color": of_methods([row["label"] for row in rows], colours),
                "opacity": pale(0.75, 0.05),
                "tooltip": tooltip(
                    label="nominal",
                    member="ordinal",
                    iteration="quantitative",
                    score="quantitative",
                ),
            },
        }
        yield figure(
            f"{problem}-{engine}-paths",
            f"Where the members were, {engine}",
            caption,
            of_shown(spec),
            data,
        )
