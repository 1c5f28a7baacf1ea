"""The plot of who trained, saved and waited when: a row for each worker of a run."""

from __future__ import annotations

import numpy as np

from pbtbench.measures import Measures
from pbtbench.measures.occupation import busiest, occupation
from pbtbench.record import TIMED, Record
from pbtbench.report.plots import Axis, Mark, Path, Plot, Tick, boxes
from pbtbench.report.wording import percent

WORKERS = 24
"""Rows that are drawn at most."""

EXACT = 1500
"""Timed rows up to which each is drawn as it was; of more, shares of their bins."""

BOXES, FEWEST_BINS, MOST_BINS = 12_000, 40, 400
"""Rectangles of a plot at most, about, and the bins that this comes to."""

GAP = 0.18
"""Of a row's height."""


def timeline(measures: Measures, record: Record) -> Plot | None:
    """The plot; None of a run without timed rows."""
    rows, wall_s = record.timeline, measures.wall_s
    workers = busiest(rows, WORKERS)
    kinds = [kind for kind in TIMED if measures.overhead.seconds[kind] > 0]
    if not workers or not kinds or not wall_s > 0:
        return None
    there = len(np.unique(rows.worker[rows.worker >= 0]))
    spent = sum(measures.overhead.seconds.values())
    shown = np.flatnonzero(np.isin(rows.worker, workers) & rows.of(*TIMED))
    caption = "Each worker's time from the start of the run to its end; what no colour covers was not timed."
    if len(shown) <= EXACT:
        paths = _exact(measures, record, workers, kinds)
    else:
        bins = min(MOST_BINS, max(FEWEST_BINS, BOXES // (len(workers) * len(kinds))))
        paths = _binned(measures, record, workers, kinds, bins)
        caption += f" In {bins} slices of the time, each split by what it was spent on."
    if there > len(workers):
        caption += f" Drawn are the {len(workers)} busiest of {there:,} workers."
    axis = Axis(0.0, wall_s)
    return Plot(
        title="Workers over time",
        caption=caption,
        paths=paths,
        key=[
            Mark(f"{kind} {percent(measures.overhead.seconds[kind] / spent)}", f"kind-{kind}")
            for kind in kinds
        ],
        x=axis.ticks(),
        x_title="seconds",
        y=[
            Tick(round(100 * (i + 0.5) / len(workers), 2), f"worker {worker}")
            for i, worker in enumerate(workers)
        ],
        height=max(3.0, 1.9 * len(workers)),
        grid=False,
    )


def _exact(measures: Measures, record: Record, workers: list[int], kinds: list[str]) -> list[Path]:
    rows, axis = record.timeline, Axis(0.0, measures.wall_s)
    found = []
    for kind in kinds:
        mine = rows.at(np.flatnonzero(rows.of(kind) & np.isin(rows.worker, workers)))
        place = np.searchsorted(workers, mine.worker)
        start, end = axis.share(mine.t_start_s), axis.share(mine.t_start_s + mine.duration_s)
        top = (place + GAP / 2) / len(workers)
        d = boxes(start, end, top, top + (1 - GAP) / len(workers))
        found.append(Path(d, f"kind-{kind}"))
    return found


def _binned(
    measures: Measures, record: Record, workers: list[int], kinds: list[str], bins: int
) -> list[Path]:
    spent = occupation(record.timeline, measures.wall_s, workers, kinds, bins)
    share = np.clip(spent * bins / measures.wall_s, 0.0, 1.0)
    ends = np.minimum(np.cumsum(share, axis=1), 1.0)
    edges = np.linspace(0.0, 1.0, bins + 1)
    row = np.arange(len(workers))[:, None]
    found = []
    for j, kind in enumerate(kinds):
        begin = ends[:, j] - share[:, j]
        top, bottom = (
            (row + GAP / 2 + (1 - GAP) * of) / len(workers) for of in (begin, ends[:, j])
        )
        x, x2 = (np.broadcast_to(of, top.shape).ravel() for of in (edges[:-1], edges[1:]))
        found.append(Path(boxes(x, x2, top.ravel(), bottom.ravel()), f"kind-{kind}"))
    return found
