"""How far a run is, from what is recorded so far: what a live view shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pbtbench.problem import Objective
from pbtbench.record import CODES, NOBODY, Forks, Scores
from pbtbench.recorder import Recorder

SHOWN = 12
"""Members of whom more than their number is said: the best."""


@dataclass
class Progress:
    """A running tally over what a recorder collects; reading takes each row and block once."""

    recorder: Recorder
    objective: Objective
    saves: int = 0
    restores: int = 0
    forks: int = 0
    _read: tuple[int, int, int] = (0, 0, 0)
    """Rows, blocks of scores and blocks of forks that were taken in."""
    _latest: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)))
    """Of each member, shape (members, 5): iteration, score, when that was recorded, how often it forked,
    from whom last (−1: never)."""

    def update(self) -> None:
        """Take in what was recorded since the last call."""
        found, (rows, scores, forks) = self.recorder.collected, self._read
        new_rows, new_scores, new_forks = (
            found.rows[rows:],
            found.scores[scores:],
            found.forks[forks:],
        )
        self._read = rows + len(new_rows), scores + len(new_scores), forks + len(new_forks)
        kinds = [row[5] for row in new_rows]
        self.saves += kinds.count(CODES["save"])
        self.restores += kinds.count(CODES["restore"])
        for block in new_scores:
            self._score(block)
        for made in new_forks:
            self._fork(made.at(~made.starts))

    def to_dict(self) -> dict[str, Any]:
        """As plain data: counts, and the best `SHOWN` members, the best first, each as [member, iteration,
        score, seconds since the start of the run, forks, last donor or None]."""
        self.update()
        return {
            "elapsed": self.recorder.now(),
            "saves": self.saves,
            "restores": self.restores,
            "forks": self.forks,
            "members": len(self._latest),
            "best": [self._member(member) for member in self._best()],
        }

    def _best(self) -> list[int]:
        cost = -self.objective.sign * self._latest[:, 1]
        cost[np.isnan(cost)] = np.inf
        some = np.argpartition(cost, SHOWN)[:SHOWN] if len(cost) > SHOWN else np.arange(len(cost))
        found: list[int] = some[np.lexsort((some, cost[some]))].tolist()
        return found

    def _member(self, member: int) -> list[Any]:
        iteration, score, seconds, forks, donor = self._latest[member].tolist()
        return [
            member,
            int(iteration),
            score,
            seconds,
            int(forks),
            None if donor < 0 else int(donor),
        ]

    def _score(self, block: Scores) -> None:
        self._make_room(block.member)
        self._latest[block.member, 0] = block.iteration
        self._latest[block.member, 1] = block.metrics.get(self.objective.metric, np.nan)
        self._latest[block.member, 2] = block.t_s

    def _fork(self, made: Forks) -> None:
        self._make_room(made.member)
        self.forks += len(made)
        np.add.at(self._latest[:, 3], made.member, 1)
        self._latest[made.member, 4] = made.donor

    def _make_room(self, members: np.ndarray) -> None:
        """Have room for each of the members in the tally."""
        missing = int(members.max(initial=-1)) + 1 - len(self._latest)
        if missing > 0:
            fresh = np.tile([0.0, np.nan, 0.0, 0.0, NOBODY], (missing, 1))
            self._latest = np.concatenate([self._latest, fresh])
