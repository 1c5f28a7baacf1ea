"""What workers spent their time on, over the run: its timeline in bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbtbench.record import CODES, TIMED, Timeline


def occupation(
    timeline: Timeline, wall_s: float, workers: Sequence[int], kinds: Sequence[str], bins: int
) -> np.ndarray:
    """Seconds of each kind in equal bins from the start of the run to `wall_s`, shape (workers, kinds, bins). A
    row that reaches over several bins counts in each for what lies in it."""
    edges = np.linspace(0.0, wall_s, bins + 1)
    found = np.zeros((len(workers), len(kinds), bins))
    for i, worker in enumerate(workers):
        mine = timeline.at(np.flatnonzero(timeline.worker == worker))
        for j, kind in enumerate(kinds):
            rows = mine.kind == CODES[kind]
            start = mine.t_start_s[rows]
            until = _before(edges, start) - _before(edges, start + mine.duration_s[rows])
            found[i, j] = np.maximum(np.diff(until), 0.0)
    return found


def busiest(timeline: Timeline, most: int) -> list[int]:
    """The workers with the most timed rows, at most so many, by number."""
    timed = timeline.worker[(timeline.worker >= 0) & timeline.of(*TIMED)]
    workers, counts = np.unique(timed, return_counts=True)
    chosen = workers[np.argsort(-counts, kind="stable")[:most]]
    return sorted(chosen.tolist())


def _before(edges: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """The sum over the moments before each edge of how long before they are."""
    moments = np.sort(moments)
    count = np.searchsorted(moments, edges)
    found: np.ndarray = count * edges - np.concatenate([[0.0], np.cumsum(moments)])[count]
    return found
