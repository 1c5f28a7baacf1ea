"""What outlives an actor: of each member, the most recent state that isn't the actor's alone.

In the object store that is a state it gave as a donor, or took in a fork: kept until a newer one takes
its place, or until all kept ones would fill a quarter of the store. On disk it is one persisted in the
background. What travels by disk is deleted once all who wanted it have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray

from pbtbench.engines import cluster, transport
from pbtbench.engines.formats import TransportFailed
from pbtbench.population import state_bytes
from pbtbench.record import CODES
from pbtbench.recorder import Batch, Recorder
from pbtbench.runs import Run

LIMIT_S = 60.0
"""How long a state or the last rows may take to arrive."""

SHARE = 0.25
"""Of the cluster's object store that kept states may fill."""


class Survivors:
    """The states that survive, and those on their way."""

    def __init__(self, run: Run, recorder: Recorder, folder: Path) -> None:
        self._recorder = recorder
        self._by_store = run.transport == "object-store"
        self._travel = transport.transport(run.transport, folder)
        self._disk = transport.transport("disk-npz", folder / "persisted")
        self._writer = ThreadPoolExecutor(1)
        self._donated: dict[int, Any] = {}
        self._in_store: dict[int, tuple[int, Any]] = {}
        """Member -> the iteration of its latest state there, and the reference; the newest last."""
        self._held_by: Counter[Any] = Counter()
        """Reference in the object store -> how many members' latest state there it is."""
        self._on_disk: dict[int, tuple[int, Any]] = {}
        """Member -> the iteration of its latest state there, and the parcel."""
        self._awaited: list[tuple[Any, set[int]]] = []
        self._batches: list[Any] = []
        self._room = SHARE * ray.cluster_resources().get("object_store_memory", 0.0)
        self._store = cluster.store_bytes()
        self._state_bytes = 1

    def donated(
        self, donor: int, recipients: dict[int, int], iteration: int, reference: Any
    ) -> None:
        """A donor gives its state of `iteration` to recipients (member -> its iteration)."""
        self._donated[donor] = reference
        if not self._by_store:
            self._awaited.append((reference, set(recipients)))
            return
        for member, made in {**recipients, donor: iteration}.items():
            self._forget(member)
            self._in_store[member] = made, reference
            self._held_by[reference] += 1
        while len(self._held_by) * self._state_bytes > self._room:
            self._forget(next(iter(self._in_store)))

    def latest(self, donor: int) -> Any:
        """The reference of the state that a donor gave last."""
        return self._donated[donor]

    def arrived(self, members: range) -> None:
        """These members have what was on its way to them."""
        for reference, waiting in self._awaited:
            waiting.difference_update([member for member in waiting if member in members])
            if not waiting:
                with suppress(ray.exceptions.RayError):
                    self._travel.discard(ray.get(reference, timeout=LIMIT_S))
        self._awaited = [pair for pair in self._awaited if pair[1]]

    def persist(self, member: int, iteration: int, reference: Any) -> None:
        """Write a state, once it is there, behind whatever else goes on."""
        self._writer.submit(self._persist, member, iteration, reference)

    def of(self, member: int) -> tuple[int, Any]:
        """The iteration of a member's latest state, and its reference; (0, None) without one."""
        made, reference = self._in_store.get(member, (0, None))
        written, parcel = self._on_disk.get(member, (0, None))
        if written <= made:
            return made, reference
        return written, ray.put(self._disk.receive(parcel, Recorder()))

    def expect(self, batch: Any) -> None:
        """What a donor records, which will arrive."""
        self._batches.append(batch)

    def collect(self, timeout_s: float = 0.0) -> None:
        """Take what has arrived of the donors' records."""
        if not self._batches:
            return
        done, self._batches = ray.wait(
            self._batches, num_returns=len(self._batches), timeout=timeout_s
        )
        for reference in done:
            with suppress(ray.exceptions.RayError):
                batch: Batch = ray.get(reference)
                self._recorder.put(batch)
                self._weigh(batch)

    def close(self) -> None:
        """Wait for what is under way, within limits."""
        self._writer.shutdown(wait=True)
        self.collect(LIMIT_S)
        self._travel.close()

    def _weigh(self, batch: Batch) -> None:
        """See how large states are, and note those that are larger than an object store: Ray then maps
        them from a file, and spills what else is there."""
        for _, _, worker, member, iteration, kind, size, _ in batch.rows:
            self._state_bytes = max(self._state_bytes, size)
            if self._by_store and kind == CODES["transfer"] and size > self._store:
                self._recorder.note(
                    "spilled_beyond",
                    value=self._store,
                    worker=worker,
                    member=member,
                    iteration=iteration,
                )

    def _forget(self, member: int) -> None:
        """Keep no state of that member in the object store any more."""
        _, reference = self._in_store.pop(member, (0, None))
        if reference is not None:
            self._held_by[reference] -= 1
            if not self._held_by[reference]:
                del self._held_by[reference]

    def _persist(self, member: int, iteration: int, reference: Any) -> None:
        with suppress(ray.exceptions.RayError, TimeoutError), self._noted(member, iteration):
            parcel = ray.get(reference, timeout=LIMIT_S)
            if self._by_store:
                aside = Recorder(start=self._recorder.start, lapped=self._recorder.now())
                row = {"worker": -1, "member": member, "iteration": iteration}
                aside.lap("transfer", **row, bytes=state_bytes(parcel))
                parcel = self._disk.send(parcel, aside, **row)
                self._recorder.put(aside.collected)
            _, old = self._on_disk.get(member, (0, None))
            self._on_disk[member] = iteration, parcel
            if old is not None:
                self._disk.discard(old)

    @contextmanager
    def _noted(self, member: int, iteration: int) -> Iterator[None]:
        """Note a state that can't be written; the training goes on without it."""
        try:
            yield
        except TransportFailed as failure:
            why = f"its state was not persisted: {failure}"
            self._recorder.note("unpersisted", why, member=member, iteration=iteration)
