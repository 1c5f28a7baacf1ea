"""What came with the forks: how they went, how old the states were, how members scored around them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from pbtbench.measures import Measures
from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent, score, size
from pbtbench.statistics.cells import Cell

HEADER = (
    *("problem", "method", "engine", "runs", "forks", "exploits skipped", "out of bounds"),
    *("never perturbed", "states lost", "score before", "donor's", "score after", "stale steps"),
    *("discarded", "process starts", "memory of a worker"),
)


def forks(cells: Sequence[Cell]) -> Table | None:
    """A row for each method, interval and engine; None where no method has an interval. Counts are
    totals over the runs, scores and shares medians."""
    shown = [cell for cell in cells if cell.interval is not None and cell.completed]
    if not shown:
        return None
    devices = [[m.forks.peak_device_bytes for m in cell.completed] for cell in shown]
    known = any(not math.isnan(peak) for peaks in devices for peak in peaks)
    header = [*HEADER, *["memory of a device"] * known]
    body = [
        [*_row(cell), *[_range(peaks)] * known] for cell, peaks in zip(shown, devices, strict=True)
    ]
    return Table(header, body, left=3)


def _row(cell: Cell) -> list[str]:
    runs = cell.completed

    def total(of: Callable[[Measures], int]) -> str:
        return f"{sum(map(of, runs)):,}"

    def median(of: Callable[[Measures], float]) -> float:
        known = [value for m in runs if not math.isnan(value := of(m))]
        return float(np.median(known)) if known else math.nan

    return [
        *(cell.problem, cell.label, cell.engine, str(len(runs))),
        total(lambda m: m.overhead.forks),
        total(lambda m: m.quality.exploits_skipped),
        total(lambda m: m.quality.out_of_bounds),
        f"{total(lambda m: m.forks.never_perturbed)} of {total(lambda m: m.population)}",
        total(lambda m: m.forks.lost),
        score(median(lambda m: m.forks.before)),
        score(median(lambda m: m.forks.copied)),
        score(median(lambda m: m.forks.after)),
        number(median(lambda m: m.forks.stale_steps)),
        percent(median(lambda m: m.forks.discarded)),
        number(median(lambda m: m.forks.process_starts)),
        _range(peak for m in runs for peak in m.forks.peak_memory_bytes.values()),
    ]


def _range(peaks: Iterable[float]) -> str:
    """`480 MB`, or the least and the most; NaN are left out."""
    known = [peak for peak in peaks if not math.isnan(peak)]
    if not known:
        return NONE
    low, high = size(min(known)), size(max(known))
    return low if low == high else f"{low} to {high}"
