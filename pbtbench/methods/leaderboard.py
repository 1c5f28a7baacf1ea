"""The members' scores as a method sees them, with ranks kept as scores come in."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

from sortedcontainers import SortedList

from pbtbench.space import Hyperparameters


class Leaderboard:
    """Scores, ranks and hyperparameters of `size` members. An update or a look-up costs O(log n).

    Scores are turned so that larger is better, and NaN is worst of all. Equal scores rank by
    member. A member that has no score yet has no rank.
    """

    def __init__(
        self, hyperparameters: Sequence[Hyperparameters], sign: int, history: int = 10
    ) -> None:
        """`sign`: +1 where larger scores are better, −1 where smaller are."""
        self.hyperparameters = list(hyperparameters)
        self._sign = sign
        self._scores: list[deque[float]] = [deque(maxlen=history) for _ in hyperparameters]
        self._iterations = [0] * len(hyperparameters)
        self._ranked: SortedList[tuple[float, int]] = SortedList()

    def __len__(self) -> int:
        """How many members have a score."""
        return len(self._ranked)

    @property
    def size(self) -> int:
        """How many members there are."""
        return len(self._scores)

    def report(self, member: int, score: float, iteration: int) -> None:
        """A member's new score after `iteration` iterations."""
        self._unrank(member)
        turned = -math.inf if math.isnan(score) else self._sign * score
        self._scores[member].append(turned)
        self._iterations[member] = iteration
        self._ranked.add((-turned, member))

    def forked(self, forks: Iterable[tuple[int, int, Hyperparameters]]) -> None:
        """Members took donors' states, all at once: `(member, donor, new hyperparameters)`.

        A score belongs to a state, so the donor's scores come along.
        """
        scores = [(member, tuple(self._scores[donor]), new) for member, donor, new in forks]
        for member, inherited, hyperparameters in scores:
            self._unrank(member)
            self._scores[member].clear()
            self._scores[member].extend(inherited)
            self._ranked.add((-inherited[-1], member))
            self.hyperparameters[member] = hyperparameters

    def iteration(self, member: int) -> int:
        """Iterations that the member had made at its latest score."""
        return self._iterations[member]

    def scores(self, member: int) -> tuple[float, ...]:
        """The latest scores of the member's lineage, oldest first; larger is better."""
        return tuple(self._scores[member])

    def rank(self, member: int) -> int:
        """0 for the best member."""
        return int(self._ranked.index((-self._scores[member][-1], member)))

    def at(self, rank: int) -> int:
        """The member of that rank."""
        return int(self._ranked[rank][1])

    def _unrank(self, member: int) -> None:
        if self._scores[member]:
            self._ranked.remove((-self._scores[member][-1], member))
