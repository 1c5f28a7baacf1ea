"""The actor: one worker, which holds shards of the population and does what the driver asks in batches.

A call runs a shard for a whole interval, and carries out the forks that were decided before it. The
actor's main thread does one call after another, in the driver's order; its group `io` answers beside
it, so that a donor can hand out a state while it trains.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray

from pbtbench import catalogue
from pbtbench.engines import transport
from pbtbench.engines.held_out import Tested, tested
from pbtbench.engines.shard import Copy, Shard
from pbtbench.population import state_bytes
from pbtbench.problem import member_seed
from pbtbench.process import Surroundings
from pbtbench.process_memory import Memory
from pbtbench.recorder import Batch, Recorder
from pbtbench.space import Hyperparameters
from pbtbench.user_code.tracebacks import contained

IO = "io"

STATE_S = 60.0
"""How long a state may take to arrive."""


@dataclass(frozen=True)
class Assignment:
    """What an actor needs to know of the run. Plain data."""

    problem: str
    problem_options: Mapping[str, Any]
    seed: int
    transport: str
    folder: str
    """Where states go that travel by disk."""
    start: float
    """The run's zero on the driver's clock."""
    surroundings: Surroundings
    summaries: str | None
    """As the driver's recorder has it."""
    offsets: Mapping[str, float]
    """Node -> what its clock shows more than the driver's, in seconds."""


@dataclass(frozen=True)
class Report:
    """What came of a call."""

    scores: np.ndarray
    """Of the objective, shape (iterations, members)."""
    batch: Batch
    """What the actor has recorded since its last report."""
    lapped: float
    """When the actor's last row ended, in seconds since the start of the run."""
    lost: tuple[int, ...] = ()
    """Members whose donor's state did not arrive: they went on from their own."""


Incoming = Mapping[int, list[Any]]
"""Donor -> a list of one: the reference of its state, which arrives when it is asked for."""


class OrderedLock:
    """A lock that is given in the order in which it is asked for."""

    def __init__(self) -> None:
        self._held, self._next = threading.Lock(), threading.Lock()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._next:
            self._held.acquire()
        try:
            yield
        finally:
            self._held.release()


class Worker:
    """One worker of a run."""

    def __init__(self, assignment: Assignment, worker: int, lapped: float) -> None:
        """`worker`: its number in the record. `lapped`: when the last row of that number ended."""
        assignment.surroundings.enter()
        offset = assignment.offsets.get(ray.get_runtime_context().get_node_id(), 0.0)
        self._assignment, self._worker = assignment, worker
        self._recorder = Recorder(
            start=assignment.start + offset, lapped=lapped, summaries=assignment.summaries
        )
        self._transport = transport.transport(assignment.transport, Path(assignment.folder))
        self._shards: dict[int, Shard] = {}
        self._lock = OrderedLock()
        self._memory = Memory()

    def ready(self) -> None:
        """Answers as soon as the actor is there."""

    def host(
        self,
        first: int,
        hyperparameters: Sequence[Hyperparameters],
        iteration: int,
        states: Incoming,
        kind: str,
    ) -> Report:
        """Start the shard of members `first`, …, which have made `iteration` iterations, from the
        `states` that there are; as rows of `kind` (`setup` or `restart`)."""
        members = range(first, first + len(hyperparameters))
        seeds = [member_seed(self._assignment.seed, member) for member in members]
        with contained():
            problem = catalogue.problem(self._assignment.problem)
            population = problem.population(
                hyperparameters, seeds, self._assignment.problem_options
            )
            shard = Shard(problem, population, self._recorder, first, self._worker, iteration)
            self._shards[first] = shard
            self._recorder.lap(kind, worker=self._worker, iteration=iteration)
            copies = [Copy(m, m, hyperparameters[m - first]) for m in members if m in states]
            lost = [copy.member for copy in copies if not self._received(copy, states[copy.member])]
        return self._report(np.zeros((0, len(members))), lost)

    def advance(
        self, first: int, groups: Sequence[tuple[Sequence[Copy], Incoming]], iterations: int
    ) -> Report:
        """Carry out groups of copies, then train and evaluate the shard for `iterations`."""
        shard = self._shards[first]
        self._recorder.lap("wait", worker=self._worker, iteration=shard.iteration)
        objective = shard.problem.objective.metric
        table = []
        with contained():
            lost = [member for group in groups for member in self._copied(*group)]
            for _ in range(iterations):
                with self._guard(shard):
                    table.append(shard.iterate()[objective])
        return self._report(np.array(table), lost)

    def progress(self) -> int:
        """A count that grows while the shards go on, however long a call lasts."""
        return sum(shard.progress() for shard in [*self._shards.values()])

    def give(self, members: Sequence[int], aside: bool = False) -> Iterator[Any]:
        """Yield each member's state, on its way; then what was recorded. `aside`: beside the main thread."""
        recorder = self._recorder
        worker = self._worker
        if aside:
            recorder = Recorder(start=recorder.start, lapped=recorder.now())
            worker = -1
        else:
            recorder.lap("wait", worker=worker)
        for member in members:
            shard = self._holder(member)
            with contained(), self._guard(shard) if aside else nullcontext():
                own = replace(shard, recorder=recorder, worker=worker)
                parcel = own.send(member, self._transport)
            yield parcel
            if self._assignment.transport == "object-store":  # Ray has put it there by now
                recorder.lap("transfer", **own.row(member), bytes=state_bytes(parcel))
        yield recorder.take()

    def finish(self) -> Report:
        """The last report."""
        self._recorder.lap("wait", worker=self._worker)
        self._transport.close()
        return self._report(np.zeros((0, 0)))

    def test(self) -> list[Tested]:
        """What comes of testing the members, who end here, with what they hold on disk, as the actor will be
        killed."""
        shards = [self._shards.pop(first) for first in list(self._shards)]
        found = [tested(s.population, s.problem.objective.metric, s.members) for s in shards]
        return [one for one in found if one is not None]

    def _copied(self, copies: Sequence[Copy], incoming: Incoming) -> list[int]:
        """Carry out copies that were decided together; the members whose state did not arrive."""
        parcels = {}
        for donor in dict.fromkeys(c.donor for c in copies if c.donor not in incoming):
            parcels[donor] = self._holder(donor).send(donor, self._transport)
        lost = []
        for copy in copies:
            if copy.donor in parcels:
                self._holder(copy.member).receive(copy, parcels[copy.donor], self._transport)
            elif not self._received(copy, incoming[copy.donor]):
                lost.append(copy.member)
        for parcel in parcels.values():
            self._transport.discard(parcel)
        return lost

    def _received(self, copy: Copy, reference: list[Any]) -> bool:
        """Whether a state arrived for a member; if not, the member goes on from its own."""
        shard = self._holder(copy.member)
        row = shard.row(copy.member)
        try:
            ray.wait(reference, timeout=STATE_S, fetch_local=False)
            self._recorder.lap("wait", **row)
            parcel = ray.get(reference[0], timeout=STATE_S)
        except ray.exceptions.RayTaskError as error:  # the donor lives, but its state can't be had
            raise (error.cause or error) from None
        except (ray.exceptions.RayError, TimeoutError):
            shard.population.adopt(copy.member - shard.first, None, copy.hyperparameters)
            self._recorder.lap("wait", **row)
            return False
        if self._assignment.transport == "object-store":
            self._recorder.lap("transfer", **row, bytes=state_bytes(parcel))
        shard.receive(copy, parcel, self._transport)
        return True

    def _holder(self, member: int) -> Shard:
        return next(shard for shard in self._shards.values() if member in shard.members)

    def _guard(self, shard: Shard) -> AbstractContextManager[None]:
        """Keeps training and reading a state apart, where a population needs that."""
        return nullcontext() if shard.population.concurrent else self._lock()

    def _report(self, scores: np.ndarray, lost: Sequence[int] = ()) -> Report:
        self._memory.note(self._recorder, worker=self._worker)
        return Report(scores, self._recorder.take(), self._recorder.lapped, tuple(lost))
