"""What outlives an actor: of each member, the most recent state that isn't the actor's alone.

In the object store that is a state it gave as a donor, or took in a fork: kept until a newer one takes
its place, or until all kept ones would fill a quarter of the store. On disk it is one persisted in the
background. What travels by disk is deleted once all who wanted it have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from pbtbench.engines import cluster, transport
from pbtbench.problem import state_bytes
from pbtbench.record import Event, Recorder
from pbtbench.run import Run

LIMIT_S = 60.0
"""How long a state or the last rows may take to arrive."""

SHARE = 0.25
"""Of the cluster's object store that kept states may fill."""


@dataclass(frozen=True)
class Kept:
    """A member's state, as of some iteration of its own."""

    iteration: int
    reference: Any
    """In the object store; None for one on disk."""
    parcel: Any = None
    """On disk."""


class Survivors:
    """The states that survive, and those on their way."""

    def __init__(self, run: Run, recorder: Recorder, folder: Path) -> None:
        self._recorder = recorder
        self._by_store = run.transport == "object-store"
        self._travel = transport.transport(run.transport, folder)
        self._disk = transport.transport("disk-npz", folder / "persisted")
        self._writer = ThreadPoolExecutor(1)
        self._kept: dict[int, Kept] = {}
        self._given: dict[int, Any] = {}
        self._awaited: list[tuple[Any, set[int]]] = []
        self._rows: list[Any] = []
        self._room = SHARE * ray.cluster_resources().get("object_store_memory", 0.0)
        self._store = cluster.store_bytes()
        self._state_bytes = 1

    def given(self, donor: int, recipients: dict[int, int], iteration: int, reference: Any) -> None:
        """A donor gives its state of `iteration` to recipients (member -> its iteration)."""
        self._given[donor] = reference
        if not self._by_store:
            self._awaited.append((reference, set(recipients)))
            return
        for member, made in {**recipients, donor: iteration}.items():
            self._kept.pop(member, None)  # the newest last
            self._kept[member] = Kept(made, reference)
        while len({id(k.reference) for k in self._kept.values()}) * self._state_bytes > self._room:
            self._kept.pop(next(iter(self._kept)))

    def latest(self, donor: int) -> Any:
        """The reference of the state that a donor gave last."""
        return self._given[donor]

    def arrived(self, members: Iterable[int]) -> None:
        """These members have what was on its way to them."""
        for reference, waiting in self._awaited:
            waiting.difference_update(members)
            if not waiting:
                with suppress(ray.exceptions.RayError):
                    self._travel.discard(ray.get(reference, timeout=LIMIT_S))
        self._awaited = [pair for pair in self._awaited if pair[1]]

    def persist(self, member: int, iteration: int, reference: Any) -> None:
        """Write a state, once it is there, behind whatever else goes on."""
        self._writer.submit(self._persist, member, iteration, reference)

    def of(self, member: int) -> tuple[int, Any]:
        """The iteration of a member's latest state, and its reference; (0, None) without one."""
        kept = self._kept.get(member)
        if kept is None:
            return 0, None
        if kept.parcel is None:
            return kept.iteration, kept.reference
        state = self._disk.receive(kept.parcel, Recorder())
        return kept.iteration, ray.put(state)

    def expect(self, rows: Any) -> None:
        """Rows of a donor that will arrive."""
        self._rows.append(rows)

    def collect(self, timeout_s: float = 0.0) -> None:
        """Take the rows that have arrived."""
        if not self._rows:
            return
        done, self._rows = ray.wait(self._rows, num_returns=len(self._rows), timeout=timeout_s)
        for reference in done:
            with suppress(ray.exceptions.RayError):
                rows = [self._told(row) for row in ray.get(reference)]
                self._recorder.events += rows
                self._state_bytes = max([self._state_bytes, *(row.bytes for row in rows)])

    def close(self) -> None:
        """Wait for what is under way, within limits."""
        self._writer.shutdown(wait=True)
        self.collect(LIMIT_S)
        self._travel.close()

    def _told(self, row: Event) -> Event:
        """The row, which says if its bytes were more than an object store holds: Ray then maps them
        from a file, and spills what else is there."""
        if self._by_store and row.kind == "transfer" and row.bytes > self._store:
            return row._replace(detail={**(row.detail or {}), "spilled_beyond": self._store})
        return row

    def _persist(self, member: int, iteration: int, reference: Any) -> None:
        with suppress(ray.exceptions.RayError, TimeoutError), self._noted(member, iteration):
            parcel = ray.get(reference, timeout=LIMIT_S)
            if self._by_store:
                aside = Recorder(start=self._recorder.start, lapped=self._recorder.now())
                row = {"worker": -1, "member": member, "iteration": iteration}
                aside.lap("transfer", **row, bytes=state_bytes(parcel))
                parcel = self._disk.send(parcel, aside, **row)
                self._recorder.events += aside.events
            old, self._kept[member] = self._kept.get(member), Kept(iteration, None, parcel)
            if old is not None and old.parcel is not None:
                self._disk.discard(old.parcel)

    @contextmanager
    def _noted(self, member: int, iteration: int) -> Iterator[None]:
        """A state that can't be written is an `error` row; the training goes on without it."""
        try:
            yield
        except transport.TransportFailed as failure:
            self._recorder.add(
                "error",
                self._recorder.now(),
                worker=-1,
                member=member,
                iteration=iteration,
                detail={
                    "cause": "crash",
                    "message": f"its state was not persisted: {failure}",
                    "unpersisted": True,
                },
            )
