"""The members' scores and hyperparameters as a method sees them, in arrays."""

from __future__ import annotations

import math

import numpy as np
from sortedcontainers import SortedList

from pbtbench.methods.forks import Forks, before, roots
from pbtbench.space.columns import Columns, placed


class Leaderboard:
    """Scores and hyperparameters of all members. Index: the member.

    Scores are turned so that larger is better, and NaN is worst of all (-inf). Equal scores rank by
    member. A member that has no score yet has no rank.
    """

    def __init__(self, hyperparameters: Columns, sign: int, history: int = 1) -> None:
        """`sign`: +1 where larger scores are better, -1 where smaller are. `history`: how many of the
        latest scores are kept."""
        self.hyperparameters = {name: values.copy() for name, values in hyperparameters.items()}
        self.size = len(next(iter(hyperparameters.values())))
        """How many members there are."""
        self.scores = np.full((self.size, history), math.nan)
        """The latest scores of each member's lineage, oldest first; NaN: none."""
        self.iterations = np.zeros(self.size, np.int64)
        """Iterations that each member had made at its latest score."""
        self._sign = sign

    @property
    def latest(self) -> np.ndarray:
        """Each member's latest score."""
        scores: np.ndarray = self.scores[:, -1]
        return scores

    def __len__(self) -> int:
        """How many members have a score."""
        return int(np.count_nonzero(~np.isnan(self.latest)))

    def report(self, members: np.ndarray, scores: np.ndarray, iteration: int) -> None:
        """New scores of members, after `iteration` iterations."""
        turned = np.where(np.isnan(scores), -math.inf, self._sign * scores)
        self.scores[members, :-1] = self.scores[members, 1:]
        self.scores[members, -1] = turned
        self.iterations[members] = iteration

    def forked(self, forks: Forks, together: bool) -> None:
        """Members took donors' states, all at once (`together`) or one after another, and go on with new
        hyperparameters. A score belongs to a state, so the donors' scores come along."""
        members, donors = forks.members, forks.donors
        if not together:
            donors = donors[roots(before(members, donors, self.size))]
        self.scores[members] = self.scores[donors]
        for name, values in forks.hyperparameters.items():
            self.hyperparameters[name] = placed(self.hyperparameters[name], members, values)

    def ranking(self) -> np.ndarray:
        """The members that have a score, the best first."""
        return np.argsort(-self.latest, kind="stable")[: len(self)]

    def ranked(self) -> SortedList[tuple[float, int]]:
        """The members that have a score, the best first, as (score turned back, member)."""
        ranking = self.ranking()
        return SortedList(zip((-self.latest[ranking]).tolist(), ranking.tolist(), strict=True))
