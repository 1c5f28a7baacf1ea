"""The way of what the trials' actors record to the run's recorder: an actor that keeps it, and a thread
that fetches it twice a second, so that it is there even while Tune's driver is blocked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

import numpy as np
import ray

from pbtbench.engines.tune.lanes import Counts, TimelineRow, laid
from pbtbench.population import State
from pbtbench.record import NOBODY, Scores
from pbtbench.recorder import Batch, Recorder, Row

PERIOD_S = 0.4
"""How often it fetches."""

LIMIT_S = 60.0
"""How long that may take: the actor may only be starting, on a machine that is busy."""

Sent = tuple[str, Batch]
"""An actor's name, and what it has recorded since it last sent some."""


Last = tuple[Mapping[str, Any], State]
"""A member's last configuration and state."""


class Collector:
    """Keeps what a run's actors send until it is drained, and the last states of members to be tested."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.last_steps: set[str] = set()
        self.last: dict[int, Last] = {}

    def keep(self, actor: str, batch: Batch) -> None:
        """Keep what an actor sends."""
        self.sent.append((actor, batch))

    def drain(self) -> list[Sent]:
        """Hand out what is kept."""
        sent, self.sent = self.sent, []
        return sent

    def end(self, step: str) -> None:
        """A step was the last one of some member."""
        self.last_steps.add(step)

    def was_last(self, step: str) -> bool:
        """Whether it was."""
        return step in self.last_steps

    def set_aside(self, member: int, config: Mapping[str, Any], state: State) -> None:
        """Keep a member's last state."""
        copied = {name: np.array(array) for name, array in state.items()}  # which outlive its actor
        self.last[member] = config, copied

    def set_asides(self) -> dict[int, Last]:
        """The last states, by member."""
        return self.last


class Inbox:
    """What a run's actors have recorded, as it comes in. A context: within it, it is fetched, and with it
    the actor ends that keeps it."""

    def __init__(self, recorder: Recorder) -> None:
        self.collector = ray.remote(num_cpus=0)(Collector).remote()
        self._recorder = recorder
        self._counts = Counts()
        self._rows: list[tuple[str, TimelineRow]] = []
        self._lost: list[tuple[int, float, int]] = []
        """Members, when each lost iterations, and how many: what the counts don't have yet."""
        self._actors: dict[str, int] = {}
        """Name -> its number, which stands for a worker while the run goes on."""
        self._complete = False
        """Whether what was sent before the run ended has been fetched."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(LIMIT_S)
        with suppress(Exception):  # Ray may be gone
            ray.kill(self.collector)

    def last_step(self, step: str) -> None:
        """A step was the last one of some member, whose actor may ask for it from now on."""
        with suppress(ray.exceptions.RayError):  # then the member is not tested
            ray.get(self.collector.end.remote(step), timeout=LIMIT_S)

    def last(self) -> dict[int, Last]:
        """The last configurations and states of members that are to be tested."""
        found: dict[int, Last] = ray.get(self.collector.set_asides.remote(), timeout=LIMIT_S)
        return found

    def lost(self, member: int, t_s: float, iterations: int) -> None:
        """Take a member's count back, from a moment on."""
        self._lost.append((member, t_s, iterations))

    def missing(self, made: Mapping[int, int]) -> int:
        """How many of the iterations that each member made have not come in: none, once all has."""
        if not self._complete:
            return sum(made.values())
        came = Counter(int(block.member[0]) for block in self._recorder.collected.scores)
        return sum(max(0, count - came[member]) for member, count in made.items())

    def settle(self, workers: int) -> None:
        """Give all that came in its final place: iterations counted by all scores, actors on lanes, what
        lies between them filled in."""
        kept, counts = self._recorder.collected, self._counts
        rows = [(actor, counts.numbered(row)) for actor, row in self._rows]
        drivers = [row for row in kept.rows if TimelineRow(*row).worker == NOBODY]
        kept.rows[:] = [*drivers, *laid(rows, workers, self._recorder.now())]
        kept.scores[:] = [self._counted(block) for block in kept.scores]

    def _loop(self) -> None:
        over = False
        while not over:
            over = self._over.wait(PERIOD_S)
            try:
                sent = ray.get(self.collector.drain.remote(), timeout=LIMIT_S)
            except Exception:
                return  # Ray is gone, or too slow: `missing` tells
            self._take(sent)
        self._complete = True

    def _take(self, sent: list[Sent]) -> None:
        """Put on record what came in, with iterations and workers as far as they can be known."""
        for _ in range(len(self._lost)):
            member, t_s, iterations = self._lost.pop(0)
            self._counts.add(member, t_s, -iterations)
        for _, batch in sent:
            for block in batch.scores:
                self._counts.add(int(block.member[0]), float(block.t_s[0]))
        for actor, batch in sent:
            worker = self._actors.setdefault(actor, len(self._actors))
            rows = [TimelineRow(*row) for row in batch.rows]
            self._rows += [(actor, row) for row in rows]
            live: list[Row] = [self._counts.numbered(row)._replace(worker=worker) for row in rows]
            scores = [self._counted(block) for block in batch.scores]
            self._recorder.put(replace(batch, rows=live, scores=scores))

    def _counted(self, block: Scores) -> Scores:
        """An actor's score with its member's iteration."""
        iteration = self._counts.at(int(block.member[0]), float(block.t_s[0]))
        return replace(block, iteration=np.array([iteration], np.int32))
