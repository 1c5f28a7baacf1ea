"""A trace's rows by kind and member, in order of time: what came first after a moment, or last before."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pbtbench.record import Trace

NONE = np.zeros(0, int)


class Rows:
    """The rows of some kinds. Looking one up takes the logarithm of their number."""

    def __init__(self, trace: Trace, *kinds: str) -> None:
        self._start = trace.t_start_s
        self._iteration = trace.iteration
        self._by: dict[tuple[str, int], np.ndarray] = {}
        for kind in kinds:
            by: dict[int, list[int]] = defaultdict(list)
            rows = trace.rows(kind)
            for row, member in zip(rows.tolist(), trace.member[rows].tolist(), strict=True):
                by[member].append(row)
            self._by |= {(kind, member): np.array(mine) for member, mine in by.items()}

    def first(self, kind: str, member: int, since: float) -> int | None:
        """The member's first row of a kind that starts at or after `since`."""
        rows = self._by.get((kind, member), NONE)
        place = int(np.searchsorted(self._start[rows], since))
        return int(rows[place]) if place < len(rows) else None

    def last(self, kind: str, member: int, until: float) -> int | None:
        """The member's last row of a kind that starts at or before `until`."""
        rows = self._by.get((kind, member), NONE)
        place = int(np.searchsorted(self._start[rows], until, side="right"))
        return int(rows[place - 1]) if place else None

    def copied(self, trace: Trace, fork: int) -> int | None:
        """The donor's iteration whose state a fork copies: as the fork tells, where the state was
        saved before; else that of the save made for it; None if that never came."""
        detail = trace.detail[fork] or {}
        if "copied" in detail:
            return int(detail["copied"])
        save = self.first("save", int(detail["donor"]), trace.t_start_s[fork])
        return None if save is None else int(self._iteration[save])
