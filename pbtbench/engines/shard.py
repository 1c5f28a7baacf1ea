"""A shard: members of a run that live in one process, and all that is done to them, row by row.

The engine `inprocess` has one, in its own process; `ray` has one, or more, in each actor. What a
shard does is timed in laps: each row starts where the one before ended, so that nothing stays open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pbtbench.engines.transport import Parcel, Transport
from pbtbench.problem import FullPopulation, Problem, State, state_bytes
from pbtbench.protocol import check_state, scores
from pbtbench.record import AGE, DONE, Recorder
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
        """A count that grows as members go on, also while an iteration lasts, where a population tells it."""
        return self.iteration + self.population.finished

    def iterate(self) -> dict[str, list[float]]:
        """Train and evaluate every member once; the scores, metric -> a number for each."""
        population, lap = self.population, self.recorder.lap
        worker, iteration = self.worker, self.iteration + 1
        traces = population.traces
        population.train(self.problem.steps_per_iteration)
        self.iteration = iteration  # only now: a donor may hand out its state meanwhile
        kind = "train" if population.traces == traces else "compile"
        lap(kind, worker=worker, iteration=iteration)
        traces = population.traces
        found = scores(population.evaluate(), self.problem.objective.metric, len(self.members))
        self._record(found)
        kind = "evaluate" if population.traces == traces else "compile"
        lap(kind, worker=worker, iteration=iteration)
        return found

    def snapshot(self, member: int) -> State:
        """A member's state, as a `save`."""
        state = self.population.state(member - self.first)
        check_state(state)
        self._lap("save", member, bytes=state_bytes(state))
        return state

    def adopt(
        self, member: int, state: State, hyperparameters: Hyperparameters, *, settle: bool = True
    ) -> None:
        """Have a member go on from a state, as a `restore`. `settle`: nobody else's adoption follows at
        once, which a population may put this one off for."""
        morphed = self.population.morph(state, hyperparameters)
        if morphed is not state:
            self._lap("morph", member, bytes=state_bytes(morphed))
            state = morphed
        self.population.adopt(member - self.first, state, hyperparameters)
        if settle:
            self.population.settle()
        self._lap("restore", member, bytes=state_bytes(state))

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

    def _lap(self, kind: str, member: int, **row: Any) -> None:
        self.recorder.lap(kind, **self.row(member), **row)

    def _record(self, found: Mapping[str, Sequence[float]]) -> None:
        """Every member's score, with the other metrics as detail."""
        moment, objective = self.recorder.now(), self.problem.objective.metric
        others = {name: values for name, values in found.items() if name != objective}
        for place, score in enumerate(found[objective]):
            detail = {
                name: values[place]
                for name, values in others.items()
                if name not in (AGE, DONE) or values[place] > 0  # only of those whom it concerns
            }
            self.recorder.add(
                "score",
                moment,
                worker=self.worker,
                member=self.first + place,
                iteration=self.iteration,
                value=score,
                detail=detail or None,
            )


def exchange(copies: Sequence[Copy], shard: Shard, transport: Transport) -> None:
    """Carry out, within a shard, copies that were decided together: each donor sends once, and all
    have sent before anybody receives."""
    parcels: dict[int, Parcel] = {}
    for copy in copies:
        if copy.donor not in parcels:
            parcels[copy.donor] = shard.send(copy.donor, transport)
    for copy in copies:
        shard.receive(copy, parcels[copy.donor], transport, settle=copy is copies[-1])
    for parcel in parcels.values():
        transport.discard(parcel)
