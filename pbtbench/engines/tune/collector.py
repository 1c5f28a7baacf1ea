"""The way of the rows from the trials' actors to the run's recorder: an actor that keeps them, and a
thread that fetches them twice a second, so that they are there even while Tune's driver is blocked."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Self

import ray

from pbtbench.engines.tune.lanes import DRIVER, ActorRow, laid, numbered
from pbtbench.record import Event, Recorder

PERIOD_S = 0.4
LIMIT_S = 10.0


class Collector:
    """Keeps a run's rows until they are drained."""

    def __init__(self) -> None:
        self.rows: list[ActorRow] = []

    def record(self, rows: list[ActorRow]) -> None:
        """Keep rows."""
        self.rows += rows

    def drain(self) -> list[ActorRow]:
        """Hand out the rows kept so far."""
        rows, self.rows = self.rows, []
        return rows


class Inbox:
    """A run's rows as they come in. A context: within it, they are fetched."""

    def __init__(self, recorder: Recorder) -> None:
        self.collector = ray.remote(num_cpus=0)(Collector).remote()
        self._recorder = recorder
        self._rows: list[ActorRow] = []
        self._made: dict[int, int] = defaultdict(int)
        self._noted: list[ActorRow] = []
        self._actors: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(LIMIT_S)

    def note(self, row: Event) -> None:
        """Take in an `error` row of the driver's, after which a member counts anew."""
        self._noted.append((DRIVER, row))

    def _loop(self) -> None:
        over = False
        while not over:
            over = self._over.wait(PERIOD_S)
            try:
                rows = ray.get(self.collector.drain.remote(), timeout=LIMIT_S)
            except Exception:
                return  # Ray is gone; what came in is there
            rows += [self._noted.pop(0) for _ in range(len(self._noted))]
            self._rows += rows
            live = numbered(rows, self._made)
            worker = [self._actors.setdefault(actor, len(self._actors)) for actor, _ in live]
            self._recorder.events += [
                row._replace(worker=w) for w, (_, row) in zip(worker, live, strict=True)
            ]

    def settle(self, workers: int) -> None:
        """Give all rows their final place: actors on lanes, what lies between them filled in."""
        ours: list[Event] = [row for row in self._recorder.events if row.worker < 0]
        lanes = laid(numbered(self._rows), workers, self._recorder.now())
        self._recorder.events[:] = ours + lanes
