"""From actors to workers: each actor gets a lane, a lane is a worker, and its time is accounted for."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from pbtbench.record import CODES, NOBODY

COUNTED = {CODES[kind] for kind in ("train", "evaluate", "compile")}
"""Kinds of rows of the iteration under way; others come after the iterations made so far."""

SETUP, RESTART, RESTORE = CODES["setup"], CODES["restart"], CODES["restore"]


class TimelineRow(NamedTuple):
    """A row of the record's timeline, its columns by name."""

    t_start_s: float
    duration_s: float
    worker: int
    member: int
    iteration: int
    kind: int
    bytes: int = 0
    value: float = math.nan


class Counts:
    """How many iterations each member had made at a moment, by its scores.

    Tune's count jumps to the donor's at an exploit, and an actor knows its part alone, so that iterations
    are numbered afterwards. What comes late is put where it belongs.
    """

    def __init__(self) -> None:
        self._times: dict[int, list[float]] = defaultdict(list)
        """Member -> when its count changed, in order."""
        self._made: dict[int, list[int]] = defaultdict(lambda: [0])
        """Member -> its count before the first change, and after each."""

    def add(self, member: int, t_s: float, iterations: int = 1) -> None:
        """Note that a member has scored, or that it lost iterations (below 0)."""
        times, made = self._times[member], self._made[member]
        place = bisect_right(times, t_s)
        times.insert(place, t_s)
        made[place + 1 :] = [n + iterations for n in made[place:]]

    def at(self, member: int, t_s: float) -> int:
        """How many it had made then, a score of that moment included."""
        return self._made[member][bisect_right(self._times[member], t_s)]

    def numbered(self, row: TimelineRow) -> TimelineRow:
        """The row with its member's iteration."""
        iteration = self.at(row.member, row.t_start_s) + (row.kind in COUNTED)
        return row._replace(iteration=iteration)


def laid(rows: Iterable[tuple[str, TimelineRow]], workers: int, end: float) -> list[TimelineRow]:
    """Actors' rows on lanes 0, 1, …, at least `workers` of them, that span [0, end].

    An actor's first row lasts from the start of its process, which may have sat idle in Ray's pool,
    until the actor has its slot: it is cut to what its lane has free, and what the lane waited for
    the process comes before it. Starting an actor for a member that has trained already, or
    resetting one, is `restart`, even if Tune then finds no use for it; but a run that restores
    nothing only has `setup`.

    An actor takes the lane that was freed last before its process started, or else before Ray gave
    the process its slot; where Tune has more actors alive than workers, there are more lanes.
    """
    actors: dict[str, list[TimelineRow]] = defaultdict(list)
    for actor, row in sorted(rows, key=lambda r: r[1].t_start_s):
        actors[actor].append(row)
    restores = any(row.kind == RESTORE for life in actors.values() for row in life)
    free = [0.0] * workers
    used = [False] * workers
    result: list[TimelineRow] = []
    for life in sorted(actors.values(), key=_slot):
        first = life[0]
        candidates = [
            lane for lane, since in enumerate(free) if since <= max(first.t_start_s, 0.0)
        ] or [lane for lane, since in enumerate(free) if since <= _slot(life)]
        # the lanes not used yet come last, so that a lone actor's successor follows it
        lane = max(candidates, key=lambda n: (used[n], free[n], -n), default=len(free))
        if lane == len(free):
            free.append(0.0)
            used.append(False)
        start, slot = max(first.t_start_s, free[lane]), _slot(life)
        until_process = first._replace(t_start_s=free[lane], duration_s=start - free[lane])
        until_slot = first._replace(t_start_s=start, duration_s=slot - start)
        begin = [row for row in (until_process, until_slot) if row.duration_s]
        result += [
            row._replace(worker=lane, kind=_kind(row, restores)) for row in (*begin, *life[1:])
        ]
        free[lane] = max(row.t_start_s + row.duration_s for row in life)
        used[lane] = True
    result += [
        TimelineRow(since, end - since, lane, NOBODY, NOBODY, CODES["idle"])
        for lane, since in enumerate(free)
        if since < end
    ]
    return result


def _kind(row: TimelineRow, restores: bool) -> int:
    """A row's kind, where a start may be `setup` or `restart`."""
    if row.kind not in (SETUP, RESTART):
        return row.kind
    return RESTART if restores and row.iteration > 0 else SETUP


def _slot(life: list[TimelineRow]) -> float:
    """When the actor surely had its slot: the end of its first row."""
    return life[0].t_start_s + life[0].duration_s
