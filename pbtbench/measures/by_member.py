"""A table's rows by member, in order of time: what came first after a moment, or last before.

All answers are for many questions at once, as arrays: a row for each, −1 where there is none.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from pbtbench.record import Record

MOST_MEMBERS = 10_000_000
"""A record that numbers its members higher is none: arrays have a place for each."""


def size(record: Record) -> int:
    """One more than the highest number of a member in a record; `ValueError` if no population is so large."""
    tables = (record.timeline, record.scores, record.forks)
    found = max(int(table.member.max(initial=-1)) for table in tables) + 1
    if found > MOST_MEMBERS:
        raise ValueError(f"a member is numbered {found - 1}; {MOST_MEMBERS} members is the most")
    return found


def search(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """As `np.searchsorted`, quicker for many: what is looked for in order stays in the processor's cache."""
    order = np.argsort(wanted)
    places = np.empty(len(wanted), np.int64)
    places[order] = np.searchsorted(keys, wanted[order])
    return places


class ByMember:
    """Rows of a table that is in order of time. `first`, `last` and `numbered` give places in it, int64."""

    def __init__(self, members: np.ndarray, times: np.ndarray) -> None:
        """The table's columns, shape (rows,): whose each row is, and when it starts, in ascending seconds."""
        self._times = times
        self._order = np.argsort(members, kind="stable")
        self._members = members[self._order].astype(np.int64)
        self._keys = self._members * (len(members) + 1) + self._order

    def first(self, members: np.ndarray, since: np.ndarray) -> np.ndarray:
        """Each member's first row that starts at or after a moment."""
        return self._found(members, self._place(members, since, "left"))

    def last(self, members: np.ndarray, until: np.ndarray) -> np.ndarray:
        """Each member's last row that starts at or before a moment."""
        return self._found(members, self._place(members, until, "right") - 1)

    def numbered(
        self, members: np.ndarray, wanted: np.ndarray, iterations: np.ndarray
    ) -> np.ndarray:
        """Each member's last row of an iteration; `iterations`: those of the table's rows."""
        width = int(max(iterations.max(initial=0), wanted.max(initial=0))) + 2
        order = self._order
        keys = self._members * width + (iterations[order] + 1)
        if bool((np.diff(keys) < 0).any()):  # a member that made an iteration again
            again = np.argsort(keys, kind="stable")
            keys, order = keys[again], order[again]
        keyed = members.astype(np.int64) * width + (wanted + 1)
        places = search(keys, keyed + 1) - 1
        known = (places >= 0) & (wanted >= 0)
        known[known] = keys[places[known]] == keyed[known]
        return np.where(known, order[places] if len(order) else -1, -1)

    def _place(
        self, members: np.ndarray, times: np.ndarray, side: Literal["left", "right"]
    ) -> np.ndarray:
        before: np.ndarray = np.searchsorted(self._times, times, side=side)
        keys = members.astype(np.int64) * (len(self._times) + 1) + before
        return search(self._keys, keys)

    def _found(self, members: np.ndarray, places: np.ndarray) -> np.ndarray:
        known = (places >= 0) & (places < len(self._order))
        known[known] = self._members[places[known]] == members[known]
        return np.where(known, self._order[places * known] if len(self._order) else -1, -1)
