"""The members' scores and hyperparameters as a method sees them, in arrays."""

from __future__ import annotations

import math

import numpy as np

from pbtbench.methods.forks import Forks, before, roots
from pbtbench.methods.ranks import Ranks, ranking
from pbtbench.space.columns import Columns, placed


class Leaderboard:
    """Scores and hyperparameters of all members, at the member's place.

    Scores are negated where smaller is better, and NaN is worst of all (−∞). Equal scores rank by
    member. A member that has no score yet has no rank.
    """

    def __init__(self, hyperparameters: Columns, sign: int, history: int = 1) -> None:
        """`sign`: +1 where larger scores are better, −1 where smaller are. `history`: how many of the
        latest scores are kept."""
        self.hyperparameters = {name: values.copy() for name, values in hyperparameters.items()}
        self.size = len(next(iter(hyperparameters.values())))
        """How many members there are."""
        self.scores = np.full((self.size, history), math.nan)
        """The latest scores of each member's lineage, oldest first; NaN: none."""
        self.iterations = np.zeros(self.size, np.int64)
        """Iterations that each member had made at its latest score."""
        self._sign = sign
        self._scored = 0
        self._ranks = Ranks(self.latest)

    def __len__(self) -> int:
        """How many members have a score."""
        return self._scored

    @property
    def latest(self) -> np.ndarray:
        """Each member's latest score; NaN: none."""
        scores: np.ndarray = self.scores[:, -1]
        return scores

    def report(self, members: np.ndarray, scores: np.ndarray, iteration: int) -> None:
        """New scores of members, after `iteration` iterations."""
        self._scored += int(np.isnan(self.latest[members]).sum())
        self.scores[members, :-1] = self.scores[members, 1:]
        worth = self._sign * np.asarray(scores, float)
        self.scores[members, -1] = np.where(np.isnan(worth), -math.inf, worth)
        self.iterations[members] = iteration
        self._ranks.changed(members)

    def forked(self, forks: Forks, together: bool) -> None:
        """Members took donors' states, all at once (`together`) or one after another, and go on with new
        hyperparameters. A score belongs to a state, so the donors' scores come along."""
        members, donors = forks.members, forks.donors
        if not together:
            donors = donors[roots(before(members, donors))]
        self.scores[members] = self.scores[donors]
        for name, values in forks.hyperparameters.items():
            self.hyperparameters[name] = placed(self.hyperparameters[name], members, values)
        self._ranks.changed(members)

    def others(self, members: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Of each member, another one that has a score: the one at a drawn place, below `len(board) − 1`."""
        if len(self) < self.size:
            scored = np.flatnonzero(~np.isnan(self.latest))
            found: np.ndarray = scored[drawn + (drawn >= np.searchsorted(scored, members))]
        else:
            found = drawn + (drawn >= members)
        return found

    def ranking(self) -> np.ndarray:
        """The members that have a score, the best first."""
        return ranking(self.latest)

    def ranks(self) -> Ranks:
        """The ranking, for who decides one by one: forks may be tried out on it, which the next call
        takes back."""
        self._ranks.refresh()
        return self._ranks
