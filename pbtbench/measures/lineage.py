"""Who descends from whom: a run's family tree and its hyperparameter schedules.

A *segment* is what a member trains between two forks, with constant hyperparameters. A fork ends the
member's segment and begins one whose parent is the donor's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pbtbench.measures.rows import Rows
from pbtbench.problem import Objective
from pbtbench.record import Trace


@dataclass
class Segment:
    """A stretch of one member's training, from iteration `start` to `end`."""

    member: int
    start: int
    end: int
    hyperparameters: Mapping[str, Any]
    parent: int | None = None
    """Index of the donor's segment; None for a member's first."""
    donated_at: int = 0
    """The donor's iteration when its state was copied."""
    survives_until: int = -1
    """The last of its iterations whose state lives on in a member at the end; −1 for none."""
    wins_until: int = -1
    """The same for the member that is best at the end."""


def segments(objective: Objective, trace: Trace) -> list[Segment]:
    """The family tree, in order of time. A member's first segment comes from its `setup` row of
    iteration 0; forks of one moment were decided together, and take the states before them all."""
    rows = Rows(trace, "save", "score")
    tree: list[Segment] = []
    own: dict[int, list[int]] = {}
    starts = [i for i in trace.rows("setup").tolist() if trace.member[i] >= 0 and trace.detail[i]]
    for row in starts:
        member = int(trace.member[row])
        if member not in own:
            own[member] = [len(tree)]
            tree.append(Segment(member, 0, 0, trace.detail[row] or {}))
    for _, together in groupby(trace.rows("fork").tolist(), key=lambda i: trace.t_start_s[i]):
        forks = [i for i in together if int(trace.member[i]) in own]
        made = [found for i in forks if (found := _forked(trace, rows, i, tree, own)) is not None]
        for segment in made:
            tree[own[segment.member][-1]].end = segment.start
            own[segment.member].append(len(tree))
            tree.append(segment)
    last = {member: rows.last("score", member, math.inf) for member in own}
    for member, mine in own.items():
        row = last[member]
        tree[mine[-1]].end = tree[mine[-1]].start if row is None else int(trace.iteration[row])
    worth = {m: objective.sign * float(trace.value[i]) for m, i in last.items() if i is not None}
    worth = {member: -math.inf if math.isnan(value) else value for member, value in worth.items()}
    best = max(own, key=lambda member: worth.get(member, -math.inf), default=None)
    alive, winning = living(tree, own), living(tree, [] if best is None else [best])
    for segment, survives, wins in zip(tree, alive, winning, strict=True):
        segment.survives_until, segment.wins_until = survives, wins
    return tree


def living(tree: Sequence[Segment], members: Iterable[int]) -> list[int]:
    """For each segment the last of its iterations whose state lives on at the end in one of `members`;
    −1 for none."""
    last = {segment.member: place for place, segment in enumerate(tree)}
    until = [-1] * len(tree)
    for member in members:
        at, end = last[member], tree[last[member]].end
        while True:
            seen = until[at] >= 0
            until[at] = max(until[at], end)
            parent, end = tree[at].parent, tree[at].donated_at
            if seen or parent is None:  # of one that was seen, all that it descends from was seen
                break
            at = parent
    return until


def _forked(
    trace: Trace, rows: Rows, fork: int, tree: Sequence[Segment], own: Mapping[int, list[int]]
) -> Segment | None:
    """The segment that a fork begins; None for one from a member that nothing is known of."""
    detail, iteration = trace.detail[fork] or {}, int(trace.iteration[fork])
    donor = int(detail["donor"])
    if donor not in own:
        return None
    copied = rows.copied(trace, fork)
    copied = iteration if copied is None else copied
    parent = next((i for i in reversed(own[donor]) if tree[i].start <= copied), own[donor][0])
    member = int(trace.member[fork])
    return Segment(member, iteration, iteration, detail.get("new") or {}, parent, copied)


def winning_value(parts: Sequence[Segment], name: str, iteration: int) -> float:
    """A numeric hyperparameter with which the lineage of the member that is best at the end trained
    `iteration`; NaN if there is none."""
    for s in parts:
        if s.start < iteration <= s.wins_until:
            return as_number(s.hyperparameters.get(name))
    return math.nan


def as_number(value: object) -> float:
    """A hyperparameter's value where it is a finite number; else NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) <= sys.float_info.max else math.nan
