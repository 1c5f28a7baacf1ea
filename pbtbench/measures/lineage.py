"""Who descends from whom: a run's family tree and its hyperparameter schedules.

A *segment* is what a member trains between two forks, with constant hyperparameters. A fork ends the
member's segment and begins one whose parent is the donor's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from pbtbench.measures.by_member import ByMember, search, size
from pbtbench.measures.quality import objective_scores, to_maximise
from pbtbench.problem import Objective
from pbtbench.record import Forks, Record
from pbtbench.space.columns import Columns, taken

MOST_BACK = 1000
"""Segments of its donor that a fork's state may be behind: engines keep the last one or two."""


@dataclass(frozen=True)
class Lineage:
    """A family tree, as columns, each of shape (segments,), in order of time; parents stand before their
    children. First come the segments that members start with."""

    member: np.ndarray
    """Whose it is, int32."""
    start: np.ndarray
    """The iteration after which it begins, int64 as the five below."""
    end: np.ndarray
    """Its last iteration."""
    parent: np.ndarray
    """The donor's segment, a row of this table; −1 for what a member starts with."""
    donated_at: np.ndarray
    """The donor's iteration when its state was copied; 0 without a donor."""
    survives_until: np.ndarray
    """The last of its iterations whose state lives on in a member at the end; −1 for none."""
    wins_until: np.ndarray
    """The same for the member that is best at the end."""
    hyperparameters: Columns
    """Those that it trains with: name -> values."""

    def __len__(self) -> int:
        return len(self.member)

    def numbers(self, name: str) -> np.ndarray:
        """A hyperparameter's values, NaN where it is no finite number, float64."""
        values = self.hyperparameters[name]
        if values.dtype == object:
            return np.array([as_number(value) for value in values.tolist()], np.float64)
        numbers = values.astype(np.float64)
        return np.where(np.isfinite(numbers), numbers, math.nan)


def segments(objective: Objective, record: Record) -> Lineage:
    """A run's family tree. Forks of one moment were decided together, and take the states before them all.
    Forks of or from a member that nothing is known of are left out.

    Raises `ValueError` for a record that numbers members beyond reason, or copies states from long ago.
    """
    forks, members = record.forks, size(record)
    begins, rows = _rows(forks, members)
    member, donor = forks.member[rows], forks.donor[rows]
    start = forks.iteration[rows].astype(np.int64)
    donated_at = np.where(np.arange(len(rows)) < begins, 0, copied(record)[rows])
    donated_at = np.where(donated_at < 0, start, donated_at)  # saved for the fork, and never seen
    parent = _parents(member, donor, start, donated_at, forks.t_s[rows], begins)
    last_score = np.full(members, -1)
    last_score[record.scores.member] = np.arange(len(record.scores))
    end, last = _ends(member, start, record.scores.iteration, last_score)
    mine = member[:begins]
    worth = np.full(begins, -math.inf)
    scored = last_score[mine] >= 0
    values = objective_scores(objective, record.scores)
    worth[scored] = to_maximise(objective, values[last_score[mine[scored]]])
    tree = Lineage(
        *(member, start, end, parent, donated_at),
        survives_until=np.zeros(0, np.int64),
        wins_until=np.zeros(0, np.int64),
        hyperparameters=taken(forks.new, rows),
    )
    best = mine[[np.argmax(worth)]] if begins else mine
    return replace(
        tree,
        survives_until=_living(tree, last),
        wins_until=_living(tree, last[np.isin(member[last], best)]),
    )


def living(tree: Lineage, members: Iterable[int]) -> np.ndarray:
    """For each segment the last of its iterations whose state lives on at the end in one of `members`;
    −1 for none. Shape (segments,)."""
    last = np.zeros(int(tree.member.max(initial=-1)) + 1, np.int64)
    last[tree.member] = np.arange(len(tree))
    return _living(tree, last[np.fromiter(members, np.int64)])


def copied(record: Record) -> np.ndarray:
    """For each fork the donor's iteration whose state it copies: as the fork says, where the state was
    saved before; else that of the save made for it; −1 if that never came. Shape (forks,), int64."""
    forks, timeline = record.forks, record.timeline
    found = forks.copied_iteration.astype(np.int64)
    saves = timeline.at(timeline.rows("save"))
    open_ = np.flatnonzero((found < 0) & ~forks.starts)
    made = ByMember(saves.member, saves.t_start_s).first(forks.donor[open_], forks.t_s[open_])
    found[open_] = -1
    found[open_[made >= 0]] = saves.iteration[made[made >= 0]]
    return found


def winning_values(tree: Lineage, iteration: int) -> dict[str, float]:
    """The numeric hyperparameters with which the lineage of the member that is best at the end trained
    `iteration`, by name; empty where it trained no such one."""
    at = np.flatnonzero((tree.start < iteration) & (iteration <= tree.wins_until))[:1]
    values = {
        name: as_number(column[at].tolist()[0])
        for name, column in tree.hyperparameters.items()
        if len(at)
    }
    return {name: value for name, value in values.items() if not math.isnan(value)}


def as_number(value: object) -> float:
    """A hyperparameter's value where it is a finite number; else NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) <= sys.float_info.max else math.nan


def _rows(forks: Forks, members: int) -> tuple[int, np.ndarray]:
    """How many members there are that something is known of, and the forks that begin a segment: each
    one's first start, then the forks among them."""
    starts = np.flatnonzero(forks.starts & (forks.member >= 0))
    starts = np.sort(starts[np.unique(forks.member[starts], return_index=True)[1]])
    known = np.zeros(members + 1, bool)  # the last place, which −1 means, is nobody's
    known[forks.member[starts]] = True
    donors = np.where(forks.donor < members, forks.donor, -1)
    real = np.flatnonzero(~forks.starts & known[forks.member] & known[donors])
    return len(starts), np.concatenate([starts, real])


def _parents(
    member: np.ndarray,
    donor: np.ndarray,
    start: np.ndarray,
    donated_at: np.ndarray,
    t_s: np.ndarray,
    begins: int,
) -> np.ndarray:
    """The donor's latest segment, of those that there were before the fork's moment, that had begun at the
    iteration of the copied state; its first one if none had."""
    times = np.where(np.arange(len(t_s)) < begins, -math.inf, t_s)
    order = np.argsort(member, kind="stable")
    keys = member[order].astype(np.int64) * (len(member) + 1) + order
    before = np.searchsorted(times, t_s[begins:])
    places = search(keys, donor[begins:].astype(np.int64) * (len(member) + 1) + before) - 1
    rows = order[places]
    early = np.arange(len(rows))
    for _ in range(MOST_BACK):
        early = early[(start[rows[early]] > donated_at[begins + early]) & (rows[early] >= begins)]
        if not len(early):
            return np.concatenate([np.full(begins, -1), rows])
        places[early] -= 1
        rows[early] = order[places[early]]
    raise ValueError(f"a fork copies a state from before the last {MOST_BACK} forks of its donor")


def _ends(
    member: np.ndarray, start: np.ndarray, iterations: np.ndarray, last_score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where segments end: at the start of the member's next, the last one at its last score. And the
    members' last segments."""
    order = np.argsort(member, kind="stable")
    final = np.append(np.diff(member[order]) != 0, True)[: len(order)]
    end = np.empty_like(start)
    end[order[:-1]] = start[order[1:]]
    last = order[final]
    row = last_score[member[last]]
    end[last] = start[last]
    end[last[row >= 0]] = iterations[row[row >= 0]]
    return end, last


def _living(tree: Lineage, last: np.ndarray) -> np.ndarray:
    """As `living`, of members by their last segments."""
    until = np.full(len(tree), -1)
    until[last] = tree.end[last]
    found, parents, donated_at = until.tolist(), tree.parent.tolist(), tree.donated_at.tolist()
    back = last.tolist()
    while back:  # few of the segments: lineages meet
        at = back.pop()
        parent = parents[at]
        if parent >= 0:
            if found[parent] < 0:
                back.append(parent)
            found[parent] = max(found[parent], donated_at[at])
    return np.array(found, np.int64)
