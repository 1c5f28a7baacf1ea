"""From actors to workers: each actor gets a lane, a lane is a worker, and its time is accounted for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, MutableMapping

from pbtbench.record import Event

ActorRow = tuple[str, Event]
"""An actor's name and one of its rows."""

DRIVER = ""
"""Stands for an actor's name in rows of the driver's."""

COUNTED = ("train", "evaluate", "compile", "score")
"""Rows of the iteration under way; others come after the iterations made so far."""


def numbered(
    rows: Iterable[ActorRow], made: MutableMapping[int, int] | None = None
) -> list[ActorRow]:
    """Rows in order of time, each with its member's own count of iterations.

    Tune's count jumps to the donor's at an exploit, and an actor knows its part alone. `made` goes
    on from one call to the next. A driver's `error` row takes a member's count back; it is left out.
    """
    made = defaultdict(int) if made is None else made
    result = []
    for actor, row in sorted(rows, key=lambda r: r[1].t_start_s):
        if actor == DRIVER:
            made[row.member] -= (row.detail or {})["discarded_iterations"]
            continue
        made.setdefault(row.member, 0)
        iteration = made[row.member] + (row.kind in COUNTED)
        if row.kind == "score":
            made[row.member] = iteration
        result.append((actor, row._replace(iteration=iteration)))
    return result


def laid(rows: Iterable[ActorRow], workers: int, end: float) -> list[Event]:
    """Rows on lanes 0, 1, …, at least `workers` of them, that span [0, end].

    An actor's first row lasts from the start of its process, which may have sat idle in Ray's pool,
    until the actor has its slot: it is cut to what its lane has free, and what the lane waited for
    the process comes before it. Starting an actor for a member that has trained already, or
    resetting one, is `restart`, even if Tune then finds no use for it; but a run that restores
    nothing only has `setup`.

    An actor takes the lane that was freed last before its process started, or else before Ray gave
    the process its slot; where Tune has more actors alive than workers, there are more lanes.
    """
    actors: dict[str, list[Event]] = defaultdict(list)
    for actor, row in rows:
        actors[actor].append(row)
    restores = any(row.kind == "restore" for life in actors.values() for row in life)
    lives = sorted(actors.values(), key=_slot)
    free = [0.0] * workers
    used = [False] * workers
    result: list[Event] = []
    for life in lives:
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
        Event(since, end - since, lane, -1, -1, "idle")
        for lane, since in enumerate(free)
        if since < end
    ]
    return result


def _kind(row: Event, restores: bool) -> str:
    """A row's kind, where a start may be `setup` or `restart`."""
    if row.kind not in ("setup", "restart"):
        return row.kind
    return "restart" if restores and row.iteration > 0 else "setup"


def _slot(life: list[Event]) -> float:
    """When the actor surely had its slot: the end of its first row."""
    return life[0].t_start_s + life[0].duration_s
