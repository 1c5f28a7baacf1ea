"""The fleet: a run's actors, which of them holds which members, and what happens when one is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from pbtbench import catalogue
from pbtbench.engines import RunFailed
from pbtbench.engines.decisions import Decisions
from pbtbench.engines.formats import TransportFailed
from pbtbench.engines.ray.actor import IO, Assignment, Report, Worker
from pbtbench.engines.ray.survival import Survivors
from pbtbench.engines.shard import Copy
from pbtbench.errors import BadInput
from pbtbench.process import Surroundings
from pbtbench.recorder import Recorder
from pbtbench.runs import Run
from pbtbench.user_code.tracebacks import line, whole

TICK_S = 0.5
"""How often hanging calls are looked for."""

START_S = 60.0
"""How long the actors may take to start, and a replacement to find its place."""

FINISH_S = 30.0
"""How long an actor may take to hand in its last report."""


@dataclass
class Actor:
    """An actor of the fleet, on its lane."""

    handle: Any
    worker: int
    lapped: float = 0.0
    """When its last row ended."""
    alive: bool = True
    asked: Any = None
    """The call that asks how far it is."""
    progress: int = 0


@dataclass
class Unit:
    """A shard as the driver sees it: members that train as one, on some actor."""

    members: range
    actor: Actor
    iteration: int = 0
    groups: list[tuple[list[Copy], dict[int, list[Any]]]] = field(default_factory=list)
    steps: int = 0
    """Iterations of the call under way."""
    call: Any = None
    sent: float = 0.0
    pace_s: float = 0.0
    """Seconds of an iteration, at the latest call."""


class Fleet:
    """A run's actors. A context: they end with it."""

    def __init__(self, run: Run, decisions: Decisions, recorder: Recorder, folder: Path) -> None:
        self._run, self._decisions, self._recorder = run, decisions, recorder
        self._options = run.engine_options
        self._assignment = Assignment(
            problem=catalogue.absolute(run.problem),
            problem_options=run.problem_options,
            seed=run.seed,
            transport=run.transport,
            folder=str(folder),
            start=recorder.start,
            summaries=recorder.summaries,
            surroundings=Surroundings.of(run.cluster),
            offsets={clock["id"]: clock["clock_offset_s"] for clock in recorder.nodes},
        )
        self._failures = 0
        recorder.unrecorded = lambda: sum(actor.progress for actor in self.actors)
        self._survivors = Survivors(run, recorder, folder)
        self._group: Any = None
        self.actors: list[Actor] = []
        self.units: list[Unit] = []
        self._unit_of: list[Unit] = []
        """Of each member."""

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        size = self._decisions.size
        count = min(self._run.workers, size)
        needs = self._run.cluster
        bundle = {"CPU": needs.cpus_per_worker, "GPU": needs.gpus_per_worker}
        bundle = {key: value for key, value in bundle.items() if value}
        self._group = placement_group([bundle] * count, strategy="PACK")
        if not self._group.wait(START_S):
            raise RunFailed(
                "crash",
                f"the cluster has no room for {count} workers of {bundle} within {START_S:g} s: "
                "others hold it",
            )
        self.actors = [self._started(worker, 0.0) for worker in range(count)]
        shards = np.array_split(np.arange(size), count)
        for actor, shard in zip(self.actors, shards, strict=True):
            members = range(int(shard[0]), int(shard[-1]) + 1)
            self.units.append(Unit(members, actor))
        self._unit_of = [unit for unit in self.units for _ in unit.members]
        self._await_start()
        hosting = [self._hosted(unit, {}, "setup") for unit in self.units]
        for unit, call in zip(self.units, hosting, strict=True):
            self._taken(unit, self._answered(call, unit))

    def __exit__(self, *error: object) -> None:
        for actor in self.actors:
            with suppress(Exception):
                ray.kill(actor.handle)
        with suppress(Exception):
            remove_placement_group(self._group)
        end = self._recorder.now()
        lanes = {actor.worker: actor.lapped for actor in self.actors}
        for worker in range(self._run.workers):
            since = lanes.get(worker, 0.0)
            self._recorder.add("idle", since, max(0.0, end - since), worker=worker)

    def send(self, unit: Unit, groups: Sequence[Sequence[Copy]], steps: int) -> None:
        """Have a unit carry out groups of copies, then make `steps` iterations."""
        unit.groups = [(list(copies), self._incoming(unit, copies)) for copies in groups]
        unit.steps = steps
        self._submit(unit)

    def give(self, copies: Sequence[Copy], aside: bool) -> None:
        """Have the donors of these copies hand out their states, where a member of another actor
        wants them: each once, however many want it."""
        wanted: dict[int, dict[int, int]] = {}
        donors: dict[int, list[int]] = {}
        for copy in copies:
            unit, giver = self._unit_of[copy.member], self._unit_of[copy.donor]
            if unit.actor is giver.actor:
                continue
            if copy.donor not in wanted:
                donors.setdefault(giver.members.start, []).append(copy.donor)
            wanted.setdefault(copy.donor, {})[copy.member] = unit.iteration
        for unit in self.units:
            mine = donors.get(unit.members.start, [])
            references = self._state_references(unit, mine, aside) if mine else {}
            for donor, reference in references.items():
                self._survivors.donated(donor, wanted[donor], unit.iteration, reference)

    def persist(self, unit: Unit) -> None:
        """Have a unit's states written behind the training."""
        members = list(unit.members)
        for member, reference in self._state_references(unit, members, aside=True).items():
            self._survivors.persist(member, unit.iteration, reference)

    def reports(self) -> Iterator[tuple[Unit, Report]]:
        """The units whose calls have ended, as they end, until no call is under way. Units that were
        lost with their actor are started again, and answer later."""
        while calls := {unit.call: unit for unit in self.units if unit.call is not None}:
            done, _ = ray.wait(list(calls), timeout=TICK_S)
            self._survivors.collect()
            if not done:
                self._ask_progress()
            for call in done:
                unit = calls[call]
                if unit.call is not call:
                    continue  # sent again meanwhile
                report = self._ended(unit)
                if report is not None:
                    yield unit, report
            self._end_hanging()

    def _ask_progress(self) -> None:
        """Have the recorder know how far the actors are whose calls last long."""
        for actor in self.actors:
            if actor.asked is None and actor.alive:
                actor.asked = actor.handle.progress.options(concurrency_group=IO).remote()
            if actor.asked is not None and ray.wait([actor.asked], timeout=0)[0]:
                with suppress(ray.exceptions.RayError):
                    actor.progress = ray.get(actor.asked)
                actor.asked = None

    def by_unit(self, copies: Sequence[Copy]) -> dict[int, list[Copy]]:
        """First member of a unit -> the copies that its members make, in order."""
        found: dict[int, list[Copy]] = {unit.members.start: [] for unit in self.units}
        for copy in copies:
            found[self._unit_of[copy.member].members.start].append(copy)
        return found

    def finish(self) -> None:
        """Collect the last reports."""
        calls = [a.handle.finish.remote() for a in self.actors if a.alive]
        for actor, call in zip([a for a in self.actors if a.alive], calls, strict=True):
            with suppress(ray.exceptions.RayError):
                report = ray.get(call, timeout=FINISH_S)
                self._recorder.put(report.batch)
                actor.lapped = report.lapped
        self._survivors.close()

    def _started(self, worker: int, lapped: float) -> Actor:
        """A new actor in the place of that worker. It may take a while to be there."""
        needs = self._run.cluster
        place = PlacementGroupSchedulingStrategy(self._group, worker)
        made = ray.remote(
            num_cpus=needs.cpus_per_worker,
            num_gpus=needs.gpus_per_worker,
            concurrency_groups={IO: 1},
            scheduling_strategy=place,
            runtime_env=self._options["runtime_env"] or None,
        )(Worker)
        return Actor(made.remote(self._assignment, worker, lapped), worker, lapped)

    def _await_start(self) -> None:
        """Until all actors are there, within limits: only then an iteration's limit holds. What keeps one from
        starting is raised by what it is asked to do next."""
        ray.wait(
            [actor.handle.ready.remote() for actor in self.actors],
            num_returns=len(self.actors),
            timeout=START_S,
        )

    def _hosted(self, unit: Unit, states: Mapping[int, list[Any]], kind: str) -> Any:
        """Have the unit's actor start its members."""
        hyperparameters = self._decisions.hyperparameters(unit.members)
        try:
            return unit.actor.handle.host.remote(
                unit.members[0], hyperparameters, unit.iteration, states, kind
            )
        except TypeError as error:
            raise BadInput(
                f"{self._run.problem}: its hyperparameters can't be sent to the workers "
                f"({' '.join(str(error).split())[:120]}); give plain values"
            ) from None

    def _answered(self, call: Any, unit: Unit) -> Report:
        """A call's report, for one that mustn't fail."""
        try:
            report: Report = ray.get(call, timeout=self._options["hang_s"])
        except ray.exceptions.GetTimeoutError:
            raise RunFailed("hang", f"{_named(unit)} did not start in time") from None
        except ray.exceptions.RayTaskError as error:
            raise _own(error, unit) from None
        except ray.exceptions.RayError as error:
            raise RunFailed(
                "crash", f"{_named(unit)} did not start: {line(error)}", whole(error)
            ) from None
        return report

    def _taken(self, unit: Unit, report: Report) -> None:
        self._recorder.put(report.batch)
        unit.actor.lapped = report.lapped
        self._survivors.arrived(unit.members)
        for member in report.lost:
            message = "the donor's state was lost; the member went on from its own"
            self._recorder.lost("crash", message, member=member, iteration=unit.iteration)

    def _submit(self, unit: Unit) -> None:
        unit.call = unit.actor.handle.advance.remote(unit.members[0], unit.groups, unit.steps)
        unit.sent = time.perf_counter()

    def _incoming(self, unit: Unit, copies: Sequence[Copy]) -> dict[int, list[Any]]:
        """The references of the donors' states that come from other actors."""
        return {
            copy.donor: [self._survivors.latest(copy.donor)]
            for copy in copies
            if self._unit_of[copy.donor].actor is not unit.actor
        }

    def _state_references(self, unit: Unit, members: Sequence[int], aside: bool) -> dict[int, Any]:
        """The references of the states that a unit's members give, which fill later."""
        group = {"concurrency_group": IO} if aside else {}
        give = unit.actor.handle.give.options(num_returns=len(members) + 1, **group)
        *references, batch = give.remote(list(members), aside)
        self._survivors.expect(batch)
        return dict(zip(members, references, strict=True))

    def _ended(self, unit: Unit) -> Report | None:
        """The report of a call that has ended; None if its actor was lost, and started again."""
        try:
            report: Report = ray.get(unit.call)
        except ray.exceptions.RayTaskError as error:
            raise _own(error, unit) from None
        except ray.exceptions.RayError as error:
            self._replace(unit.actor, line(error))
            return None
        unit.call = None
        unit.iteration += unit.steps
        unit.pace_s = (time.perf_counter() - unit.sent) / max(1, unit.steps)
        self._taken(unit, report)
        return report

    def _end_hanging(self) -> None:
        limit = self._options["hang_s"]
        for unit in self.units:
            if unit.call is None or ray.wait([unit.call], timeout=0)[0]:
                continue  # it may have ended while another was replaced
            ahead = sum(u.steps for u in self.units if u.actor is unit.actor and u.call)
            if time.perf_counter() - unit.sent > limit * max(1, ahead):
                self._replace(unit.actor, f"no iteration within hang_s = {limit:g}", "hang")

    def _replace(self, lost: Actor, why: str, cause: str = "crash") -> None:
        """Start what an actor held again, from the most recent states that survive: on a new actor in
        its place, or where the cluster has no room for one, on the actor that holds least."""
        with suppress(Exception):
            ray.kill(lost.handle)
        lost.alive = False
        self._failures += 1
        units = [unit for unit in self.units if unit.actor is lost]
        names = ", ".join(_named(unit) for unit in units)
        if self._failures > self._options["max_failures"]:
            raise RunFailed(
                cause,
                f"the worker of {names} was lost ({why}), the {self._failures}. failure; "
                f"max_failures is {self._options['max_failures']}",
            )
        heir = self._heir(lost, names)
        for unit in units:
            unit.actor = heir
            states = {}
            for member in unit.members:
                made, reference = self._survivors.of(member)
                self._recorder.lost(
                    cause,
                    f"its worker was lost: {why}",
                    member=member,
                    iteration=unit.iteration,
                    iterations=float(unit.iteration - made),
                )
                if reference is not None:
                    states[member] = [reference]
            self._taken(unit, self._answered(self._hosted(unit, states, "restart"), unit))
            if unit.call is not None:
                self._submit(unit)

    def _heir(self, lost: Actor, names: str) -> Actor:
        if self._has_room():
            fresh = self._started(lost.worker, lost.lapped)
            try:
                ray.get(fresh.handle.ready.remote(), timeout=START_S)
            except ray.exceptions.RayError:
                with suppress(Exception):
                    ray.kill(fresh.handle)
            else:
                self.actors[lost.worker] = fresh
                return fresh
        alive = [actor for actor in self.actors if actor.alive]
        if not alive:
            raise RunFailed("crash", f"no worker is left for {names}")
        return min(alive, key=lambda a: sum(unit.actor is a for unit in self.units))

    def _has_room(self) -> bool:
        """Whether what is left of the cluster still has the place that a lost actor had."""
        needs, left = self._run.cluster, ray.cluster_resources()
        each = {"CPU": needs.cpus_per_worker, "GPU": needs.gpus_per_worker}
        return all(left.get(key, 0.0) >= n * len(self.actors) for key, n in each.items())


def _named(unit: Unit) -> str:
    first, last = unit.members[0], unit.members[-1]
    return f"member {first}" if first == last else f"members {first} to {last}"


def _own(error: Any, unit: Unit) -> Exception:
    """What was raised in an actor, with where it came from."""
    if isinstance(error.cause, TransportFailed):
        return error.cause
    where = f"{_named(unit)} at iteration {unit.iteration + 1} or after"
    return RunFailed("crash", f"{where}: {line(error)}", whole(error))
