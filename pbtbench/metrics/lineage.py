"""Who descends from whom: a run's family tree and its hyperparameter schedules.

A *segment* is what a member trains between two forks, with constant hyperparameters. A fork ends the
member's segment and begins one whose parent is the donor's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pbtbench.problem import Objective
from pbtbench.trace import Trace


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


@dataclass
class _Growing:
    segments: list[Segment] = field(default_factory=list)
    current: dict[int, int] = field(default_factory=dict)
    saved: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Member -> (its segment, its iteration) at its latest save."""


def segments(objective: Objective, trace: Trace) -> list[Segment]:
    """The family tree, in order of time. A member's first segment comes from its `setup` row of
    iteration 0; a fork continues what its donor last saved (METHOD 1, stale steps)."""
    tree = _Growing()
    last: dict[int, int] = {}
    score: dict[int, float] = {}
    order = np.flatnonzero(np.isin(trace.kind, ("setup", "save", "fork", "score")))
    for row in order.tolist():
        kind, detail = trace.kind[row], trace.detail[row]
        member, iteration = int(trace.member[row]), int(trace.iteration[row])
        if kind == "score":
            last[member] = iteration
            score[member] = float(trace.value[row])
        elif kind == "setup" and member >= 0 and detail is not None and member not in tree.current:
            tree.current[member] = len(tree.segments)
            tree.segments.append(Segment(member, 0, 0, detail))
        elif kind == "save" and member in tree.current:
            tree.saved[member] = tree.current[member], iteration
        elif kind == "fork" and detail is not None and member in tree.current:
            _fork(tree, member, iteration, detail)
    for member, index in tree.current.items():
        tree.segments[index].end = last.get(member, tree.segments[index].start)
    _mark(tree, objective, score)
    return tree.segments


def winning_value(parts: Sequence[Segment], name: str, iteration: int) -> float:
    """A numeric hyperparameter with which the lineage of the member that is best at the end trained
    `iteration`; NaN if there is none."""
    for s in parts:
        value = s.hyperparameters.get(name)
        if s.start < iteration <= s.wins_until and _is_number(value):
            return float(value)  # type: ignore[arg-type]
    return math.nan


def _fork(tree: _Growing, member: int, iteration: int, detail: Mapping[str, Any]) -> None:
    donor = int(detail["donor"])
    if donor not in tree.current:
        return
    parent, donated = tree.saved.get(donor, (tree.current[donor], iteration))
    tree.segments[tree.current[member]].end = iteration
    tree.current[member] = len(tree.segments)
    tree.segments.append(
        Segment(member, iteration, iteration, detail.get("new") or {}, parent, donated)
    )


def _mark(tree: _Growing, objective: Objective, score: Mapping[int, float]) -> None:
    worth = {
        m: objective.sign * score[m] if not math.isnan(score.get(m, math.nan)) else -math.inf
        for m in tree.current
    }
    best = max(worth, key=lambda m: worth[m], default=None)
    for member, index in tree.current.items():
        at: int | None = index
        until = tree.segments[index].end
        while at is not None:
            segment = tree.segments[at]
            segment.survives_until = max(segment.survives_until, until)
            if member == best:
                segment.wins_until = max(segment.wins_until, until)
            at, until = segment.parent, segment.donated_at


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
