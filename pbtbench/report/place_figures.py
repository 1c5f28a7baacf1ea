"""Figures of several studies beside each other: what a method took at each place. A colour is a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pbtbench.report import places
from pbtbench.report.data import Data, Row, number
from pbtbench.report.figures import Figure, Spec, figure, named, real, tooltip
from pbtbench.report.palette import HUES
from pbtbench.report.texts import clean
from pbtbench.report.wording import number as shown
from pbtbench.statistics.places import Comparable
from pbtbench.statistics.targets import hardest

MOST = 25
"""Methods of a figure at most."""


def by_place(of: Comparable, name: str) -> Iterator[Figure]:
    """Expected time to the hardest target that is reached anywhere, and checkpoint overhead, where there are
    several places, and not more than colours. `name`: what the figures' names begin with."""
    if not 1 < len(of.places) <= len(HUES):
        return
    data: dict[str, list[Row]] = {"places": _rows(of)}
    objective = of.rows[0].cell.run.card.objective
    hits = hardest([row.cell for row in of.rows])
    if hits and any(row["seconds"] for row in data["places"]):
        relation = "≥" if objective.sign > 0 else "≤"
        target = f"{objective.metric} {relation} {shown(hits[0].target.target)}"
        yield figure(
            f"{name}-seconds",
            f"Expected time to {target}, by place",
            "Compare within a colour: seconds of different places are of different machines or sittings. What "
            "never reached it has no point.",
            _points(of, data, "seconds", "seconds, log scale"),
            data,
            _height(data["places"], "seconds"),
        )
    if any(row["overhead"] for row in data["places"]):
        yield figure(
            f"{name}-overhead",
            "Checkpoint overhead, by place",
            "Checkpoint time over training and evaluation, median over the seeds. What made none has no point.",
            _points(of, data, "overhead", "checkpoint overhead, log scale"),
            data,
            _height(data["places"], "overhead"),
        )


def _rows(of: Comparable) -> list[Row]:
    hits = hardest([row.cell for row in of.rows])
    found = []
    for row in of.rows:
        target = row.cell.target(hits[0].target.target) if hits else None
        values = {
            "seconds": target.ert_s if target else None,
            "overhead": row.cell.checkpoint_overhead,
        }
        found.append(
            clean({"method": places.name(row, of), "place": places.where(row.place, of)})
            | {key: number(value) or None for key, value in values.items()}
        )
    return found


def _points(of: Comparable, data: Data, key: str, title: str) -> Spec:
    names = [clean(places.where(place, of)) for place in of.places]
    drawn = _methods(data["places"], key)
    return {
        "data": {"name": "places"},
        "transform": [{"filter": {"and": [f"isValid(datum.{key})", {"field": "method", "oneOf": drawn}]}}],
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.9},
        "encoding": {
            "x": real(key, title, log=True, nice=True),
            "y": {"field": "method", "type": "nominal", "sort": drawn, "title": None, "axis": {"grid": True}},
            "yOffset": {"field": "place", "type": "nominal", "sort": names},
            "color": named("place", names, HUES[: len(names)]),
            "tooltip": tooltip(method="nominal", place="nominal", **{key: "quantitative .3s"}),
        },
    }  # fmt: skip


def _methods(rows: Sequence[Row], key: str) -> list[str]:
    """The methods that have a point, the first of them where they are many."""
    return list(dict.fromkeys(row["method"] for row in rows if row[key]))[:MOST]


def _height(rows: Sequence[Row], key: str) -> int:
    return max(60, 26 * len(_methods(rows, key)))
