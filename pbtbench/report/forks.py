"""What came with the forks: how they went, how old the states were, how members scored around them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence

import numpy as np

from pbtbench.measures.forks import ForkEffects, Jump
from pbtbench.report.texts import Table
from pbtbench.report.wording import NONE, number, percent, score, size
from pbtbench.statistics.cells import Cell, Measures

Told = Sequence[tuple[Cell, Sequence[tuple[Measures, ForkEffects]]]]
"""Each cell that has an interval, with its completed runs' figures."""

HEADER = (
    *("problem", "method", "engine", "runs", "forks", "exploits skipped", "out of bounds"),
    *("never perturbed", "states lost", "score before", "donor's", "score after", "stale steps"),
    *("discarded", "process starts", "memory of a worker"),
)


def forks(told: Told) -> Table | None:
    """A row for each method, interval and engine; None where no method has an interval. Counts are
    totals over the runs, scores and shares medians."""
    told = [(cell, of_runs) for cell, of_runs in told if of_runs]
    if not told:
        return None
    devices = [[b.peak_device_bytes for _, b in of_runs] for _, of_runs in told]
    known = any(not math.isnan(peak) for peaks in devices for peak in peaks)
    header = [*HEADER, *["memory of a device"] * known]
    body = [
        [*_row(cell, of_runs), *[_range(peaks)] * known]
        for (cell, of_runs), peaks in zip(told, devices, strict=True)
    ]
    return Table(header, body, left=3)


def _row(cell: Cell, of_runs: Sequence[tuple[Measures, ForkEffects]]) -> list[str]:
    measures, besides = [m for m, _ in of_runs], [b for _, b in of_runs]
    jumps = [jump for b in besides for jump in b.jumps]

    def total(of: Callable[[Measures], int]) -> str:
        return f"{sum(map(of, measures)):,}"

    def median(of: Callable[[Jump], float]) -> float:
        known = [value for jump in jumps if not math.isnan(value := of(jump))]
        return float(np.median(known)) if known else math.nan

    stale = [b.stale_steps for b in besides if not math.isnan(b.stale_steps)]
    return [
        *(cell.problem, cell.label, cell.engine, str(len(measures))),
        total(lambda m: m.overhead.forks),
        total(lambda m: m.quality.exploits_skipped),
        total(lambda m: m.quality.out_of_bounds),
        f"{sum(b.never_perturbed for b in besides):,} of {sum(m.population for m in measures):,}",
        f"{sum(b.lost for b in besides):,}",
        *(score(median(lambda j: j.before)), score(median(lambda j: j.copied))),
        score(median(lambda j: j.after)),
        number(float(np.mean(stale))) if stale else NONE,
        percent(float(np.median([b.discarded for b in besides]))),
        number(float(np.median([b.process_starts for b in besides]))),
        _range([p for b in besides for p in b.peak_memory_bytes.values()]),
    ]


def _range(peaks: Sequence[float]) -> str:
    """`480 MB`, or the least and the most; NaN are left out."""
    known = [peak for peak in peaks if not math.isnan(peak)]
    if not known:
        return NONE
    low, high = size(min(known)), size(max(known))
    return low if low == high else f"{low} to {high}"


def restores(told: Told) -> str:
    """CSV: every fork, with the scores around its restore."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [name for name in Jump.__dataclass_fields__ if name != "iteration"]
    writer.writerow(["run", "iteration", *columns])
    for _, of_runs in told:
        for m, b in of_runs:
            for jump in b.jumps:
                values = [getattr(jump, name) for name in columns]
                plain = ["" if isinstance(v, float) and math.isnan(v) else v for v in values]
                writer.writerow([m.run.id, jump.iteration, *plain])
    return text.getvalue()
