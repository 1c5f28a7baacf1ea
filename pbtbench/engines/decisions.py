"""A method's decisions in the course of a run, the same for every engine that asks: what members score
goes in, copies to be made come out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pbtbench.engines.shard import Copy
from pbtbench.methods import Method
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.problem import Problem, method_rng
from pbtbench.record import Recorder
from pbtbench.run import Run
from pbtbench.space import Hyperparameters


class Decisions:
    """The method at work in a run: its generator, and the leaderboard that it sees."""

    def __init__(self, run: Run, problem: Problem, method: Method) -> None:
        self._run, self._method, self._space = run, method, problem.space
        self._rng = method_rng(run.seed)
        self.proposed: Sequence[Hyperparameters] = method.propose(
            problem.space, run.population, self._rng
        )
        """The members' starting hyperparameters; a grid may have fewer than were asked for."""
        self._board = Leaderboard(self.proposed, problem.objective.sign)

    def begun(self, recorder: Recorder) -> None:
        """Note what every member starts with, as rows `setup` at iteration 0."""
        for member, hyperparameters in enumerate(self.proposed):
            detail = dict(hyperparameters)
            recorder.add(
                "setup", recorder.now(), worker=-1, member=member, iteration=0, detail=detail
            )

    def hyperparameters(self, member: int) -> Hyperparameters:
        """What a member trains with now."""
        return self._board.hyperparameters[member]

    def due(self, iteration: int) -> bool:
        """Whether members decide after that iteration; after the last one it would lead to nothing."""
        every = self._method.interval
        return every is not None and iteration % every == 0 and iteration < self._run.iterations

    def report(self, members: Iterable[int], scores: Sequence[float], iteration: int) -> None:
        """What members scored at an iteration."""
        for member, score in zip(members, scores, strict=True):
            self._board.report(member, score, iteration)

    def together(self) -> list[Copy]:
        """All members decide on the same scores."""
        copies = [self.alone(member) for member in range(self._board.size)]
        return [copy for copy in copies if copy]

    def alone(self, member: int) -> Copy | None:
        """A member decides on what the board shows now."""
        fork = self._method.decide(member, self._board, self._space, self._rng)
        return Copy(member, fork.donor, fork.hyperparameters) if fork else None

    def shuffled(self, members: Sequence[int]) -> list[int]:
        """Members that are to decide one after another, in random order."""
        return [members[place] for place in self._rng.permutation(len(members)).tolist()]

    def made(self, copies: Sequence[Copy], recorder: Recorder, iteration: int, worker: int) -> None:
        """Note copies, decided together: as `fork` rows, and on the board."""
        moment = recorder.now()
        for copy in copies:
            detail = {
                "donor": copy.donor,
                "old": self.hyperparameters(copy.member),
                "new": copy.hyperparameters,
            }
            recorder.add(
                "fork",
                moment,
                worker=worker,
                member=copy.member,
                iteration=iteration,
                detail=detail,
            )
        self._board.forked((c.member, c.donor, c.hyperparameters) for c in copies)
