"""Members in order of their scores, while scores change one after another."""

from __future__ import annotations

import numpy as np
from sortedcontainers import SortedList

Key = tuple[float, int]
"""A score, negated so that less is better, and its member, by which equal ones rank."""

SHARE = 8
"""All are sorted anew where more than one of so many have changed."""


class Ranks:
    """The members that have a score, the best first. A change or a look-up costs O(log n)."""

    def __init__(self, scores: np.ndarray) -> None:
        """`scores`: of all members, as they change; larger is better, NaN: none."""
        self._scores = scores
        self._negated = -scores
        """As the members are ordered."""
        self._order: SortedList[Key] | None = None
        self._changed: list[np.ndarray] = []
        self._moved: list[int] = []

    def changed(self, members: np.ndarray) -> None:
        """Members got other scores, which count from the next refresh on."""
        if self._order is not None:
            self._changed.append(members)
            if SHARE * sum(map(len, self._changed)) > len(self._scores):
                self._order = None

    def refresh(self) -> None:
        """Order the members by their scores of now."""
        self.changed(np.array(self._moved, np.int64))
        if self._order is None:
            self._negated = -self._scores
            self._order = SortedList(self.keys(ranking(self._scores)))
        else:
            members = np.unique(np.concatenate(self._changed))
            there = ~np.isnan(self._negated[members])
            for key in self.keys(members[there]):
                self._order.remove(key)
            self._negated[members] = -self._scores[members]
            self._order.update(self.keys(members))
        self._changed, self._moved = [], []

    def keys(self, members: np.ndarray) -> list[Key]:
        """Of members that have a score."""
        return list(zip(self._negated[members].tolist(), members.tolist(), strict=True))

    def at(self, rank: int) -> Key:
        """Who has a rank; 0 is the best."""
        assert self._order is not None
        key: Key = self._order[rank]
        return key

    def move(self, key: Key, negated: float) -> None:
        """Have a member rank by another score, negated as in keys, until the next refresh."""
        assert self._order is not None
        self._order.remove(key)
        self._order.add((negated, key[1]))
        self._negated[key[1]] = negated
        self._moved.append(key[1])


def ranking(scores: np.ndarray) -> np.ndarray:
    """The members that have a score (are not NaN), the largest first; equal ones by member."""
    found = np.argsort(-scores, kind="stable")
    return found[: np.count_nonzero(~np.isnan(scores))]
