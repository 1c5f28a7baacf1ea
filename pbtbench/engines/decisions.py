"""A method's decisions in the course of a run, the same for every engine that asks: what members score
goes in, copies to be made come out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pbtbench.engines.shard import Copy
from pbtbench.methods import Method
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.problem import Problem, method_rng
from pbtbench.recorder import Recorder
from pbtbench.runs import Run
from pbtbench.space import Value
from pbtbench.space.columns import rows, taken


class Decisions:
    """The method at work in a run: its generator, and the leaderboard that it sees."""

    def __init__(self, run: Run, problem: Problem, method: Method) -> None:
        self._run, self._method, self._space = run, method, problem.space
        self._rng = method_rng(run.seed)
        self.proposed = method.propose(problem.space, run.population, self._rng)
        """The members' starting hyperparameters; a grid may have fewer than were asked for."""
        self._board = Leaderboard(self.proposed, problem.objective.sign, method.history)

    @property
    def size(self) -> int:
        """How many members there are."""
        return self._board.size

    def begun(self, recorder: Recorder) -> None:
        """Record what every member starts with."""
        recorder.started(self.proposed)

    def hyperparameters(self, members: Iterable[int]) -> list[dict[str, Value]]:
        """What members train with now."""
        return rows(taken(self._board.hyperparameters, list(members)))

    def due(self, iteration: int) -> bool:
        """Whether members decide after that iteration; after the last one it would lead to nothing."""
        every = self._method.interval
        return every is not None and iteration % every == 0 and iteration < self._run.iterations

    def report(self, members: np.ndarray, scores: np.ndarray, iteration: int) -> None:
        """What members scored at an iteration."""
        self._board.report(members, scores, iteration)

    def decide(self, members: np.ndarray, recorder: Recorder, iteration: int) -> list[Copy]:
        """The copies that members decide to make after an iteration, in order; recorded as forks.

        Those of a synchronous method have one time, and take the states of that iteration. Others are
        recorded one after another, within the time that deciding took.
        """
        together = self._method.synchronous
        start = recorder.now()
        forks = self._method.decide(members, self._board, self._space, self._rng)
        if not len(forks):
            return []
        recorder.forked(
            forks.members,
            forks.donors,
            iteration,
            old=taken(self._board.hyperparameters, forks.members),
            new=forks.hyperparameters,
            t_s=recorder.now()
            if together
            else np.linspace(start, recorder.now(), len(forks) + 1)[1:],
            copied_iteration=iteration if together else -1,
        )
        self._board.forked(forks, together)
        return [
            Copy(member, donor, hyperparameters)
            for member, donor, hyperparameters in zip(
                forks.members.tolist(),
                forks.donors.tolist(),
                rows(forks.hyperparameters),
                strict=True,
            )
        ]
