"""A shard: members of a run that live in one process, and all that is done to them.

The engine `inprocess` has one, in its own process; `ray` has one, or more, in each actor. What a
shard does is timed in laps: each row starts where the one before ended, so that nothing stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pbtbench import summaries
from pbtbench.engines.transport import Parcel, Transport
from pbtbench.population import FullPopulation, State, state_bytes
from pbtbench.problem import Problem
from pbtbench.protocol import AGE, DONE, check_state, scores
from pbtbench.recorder import Recorder
from pbtbench.space import Hyperparameters


@dataclass(frozen=True)
class Copy:
    """A fork, as those see it who carry it out: `member` goes on from `donor`'s state."""

    member: int
    donor: int
    hyperparameters: Hyperparameters


@dataclass
class Shard:
    """Members `first`, `first + 1`, … of a run, side by side in one process."""

    problem: Problem
    population: FullPopulation
    recorder: Recorder
    first: int = 0
    worker: int = 0
    iteration: int = 0
    """Iterations made so far."""
    members: range = field(init=False)

    def __post_init__(self) -> None:
        self.members = range(self.first, self.first + self.population.size)
        self.recorder.unrecorded = self.progress

    def progress(self) -> int:
        """A count that grows as members go on, also while an iteration lasts, where a population counts."""
        return self.iteration + self.population.finished

    def iterate(self) -> dict[str, np.ndarray]:
        """Train and evaluate every member once, and record the scores: metric -> values, shape (members,)."""
        with summaries.at(self.recorder.summaries, self.first, self.iteration + 1):
            return self._iterate()

    def _iterate(self) -> dict[str, np.ndarray]:
        population, recorder, members = self.population, self.recorder, self.members
        worker, iteration = self.worker, self.iteration + 1
        traces = population.traces
        population.train(self.problem.steps_per_iteration)
        self.iteration = iteration  # only now: a donor may hand out its state meanwhile
        kind = "train" if population.traces == traces else "compile"
        recorder.lap(kind, worker=worker, iteration=iteration)
        traces = population.traces
        found = scores(population.evaluate(), self.problem.objective.metric, len(members))
        age, done = found.pop(AGE, None), found.pop(DONE, None)
        recorder.scored(
            np.arange(members.start, members.stop), iteration, found, age=age, done=done
        )
        kind = "evaluate" if population.traces == traces else "compile"
        recorder.lap(kind, worker=worker, iteration=iteration)
        return found

    def snapshot(self, member: int) -> State:
        """A member's state, as a `save`."""
        state = self.population.state(member - self.first)
        check_state(state)
        self._lap("save", member, state)
        return state

    def adopt(
        self, member: int, state: State, hyperparameters: Hyperparameters, *, settle: bool = True
    ) -> None:
        """Have a member go on from a state, as a `restore`. `settle`: nobody else's adoption follows at
        once, which a population may put this one off for."""
        morphed = self.population.morph(state, hyperparameters)
        if morphed is not state:
            self._lap("morph", member, morphed)
            state = morphed
        self.population.adopt(member - self.first, state, hyperparameters)
        if settle:
            self.population.settle()
        self._lap("restore", member, state)

    def send(self, member: int, transport: Transport) -> Parcel:
        """A member's state, on its way."""
        return transport.send(self.snapshot(member), self.recorder, **self.row(member))

    def receive(
        self, copy: Copy, parcel: Parcel, transport: Transport, *, settle: bool = True
    ) -> None:
        """Have a member take the state that arrives."""
        state = transport.receive(parcel, self.recorder, **self.row(copy.member))
        self.adopt(copy.member, state, copy.hyperparameters, settle=settle)

    def row(self, member: int) -> dict[str, int]:
        """Where a row about a member belongs."""
        return {"worker": self.worker, "member": member, "iteration": self.iteration}

    def _lap(self, kind: str, member: int, state: State) -> None:
        self.recorder.lap(
            kind,
            worker=self.worker,
            member=member,
            iteration=self.iteration,
            bytes=state_bytes(state),
        )


def exchange(
    copies: Sequence[Copy], shard: Shard, transport: Transport, *, settle: bool = True
) -> None:
    """Carry out, within a shard, copies that were decided together: each donor sends once, and all
    have sent before anybody receives. `settle`: no other copies follow at once."""
    parcels: dict[int, Parcel] = {}
    for copy in copies:
        if copy.donor not in parcels:
            parcels[copy.donor] = shard.send(copy.donor, transport)
    for copy in copies:
        last = settle and copy is copies[-1]
        shard.receive(copy, parcels[copy.donor], transport, settle=last)
    for parcel in parcels.values():
        transport.discard(parcel)
