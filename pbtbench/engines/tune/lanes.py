"""From actors to workers: each actor gets a lane, a lane is a worker, and its time is accounted for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, MutableMapping

from pbtbench.trace import Event

ActorRow = tuple[str, Event]
"""An actor's name and one of its rows."""

COUNTED = ("train", "evaluate", "compile", "score")
"""Rows of the iteration under way; others come after the iterations made so far."""


def numbered(
    rows: Iterable[ActorRow], made: MutableMapping[int, int] | None = None
) -> list[ActorRow]:
    """Rows in order of time, each with its member's own count of iterations.

    Tune's count jumps to the donor's at an exploit, and an actor knows its part alone. `made` goes
    on from one call to the next.
    """
    made = defaultdict(int) if made is None else made
    result = []
    for actor, row in sorted(rows, key=lambda r: r[1].t_start_s):
        made.setdefault(row.member, 0)
        iteration = made[row.member] + (row.kind in COUNTED)
        if row.kind == "score":
            made[row.member] = iteration
        result.append((actor, row._replace(iteration=iteration)))
    return result


def laid(rows: Iterable[ActorRow], workers: int, end: float) -> list[Event]:
    """Rows on lanes 0, 1, …, at least `workers` of them, that span [0, end].

    An actor's first row is `setup`, which may reach back to a time when its process sat idle in
    Ray's pool: it starts when its lane is free. A lane's actors after the first are `restart`s.
    An actor takes the lane that was freed last before its process started, or else before Ray gave
    the process its slot; where Tune has more actors alive than workers, there are more lanes.
    """
    actors: dict[str, list[Event]] = defaultdict(list)
    for actor, row in rows:
        actors[actor].append(row)
    lives = sorted(actors.values(), key=_ready)
    free = [0.0] * workers
    used = [False] * workers
    result: list[Event] = []
    for life in lives:
        candidates = [
            lane for lane, since in enumerate(free) if since <= max(life[0].t_start_s, 0.0)
        ] or [lane for lane, since in enumerate(free) if since <= _alive(life)]
        # the lanes not used yet come last, so that a lone actor's successor follows it
        lane = max(candidates, key=lambda n: (used[n], free[n], -n), default=len(free))
        if lane == len(free):
            free.append(0.0)
            used.append(False)
        kind = "restart" if used[lane] else "setup"
        first = life[0]
        start = min(max(first.t_start_s, free[lane]), _ready(life))
        if start > free[lane]:
            gap = Event(free[lane], start - free[lane], lane, first.member, first.iteration, kind)
            result.append(gap._replace(detail={"until": "a process starts"}))
        result.append(
            first._replace(t_start_s=start, duration_s=_ready(life) - start, worker=lane, kind=kind)
        )
        result += [row._replace(worker=lane) for row in life[1:]]
        free[lane] = max(row.t_start_s + row.duration_s for row in life)
        used[lane] = True
    result += [
        Event(since, end - since, lane, -1, -1, "idle")
        for lane, since in enumerate(free)
        if since < end
    ]
    return result


def _alive(life: list[Event]) -> float:
    """When the actor surely had its slot."""
    detail = life[0].detail or {}
    return float(detail.get("loaded_s", life[0].t_start_s))


def _ready(life: list[Event]) -> float:
    """When the actor's constructor was done."""
    return life[0].t_start_s + life[0].duration_s
