"""What TensorBoard shows of a run while it goes on: a member's file grows by what its recorder has collected.

Once a second, and for a fiftieth of the time at most, in a thread beside the run: who scores more than some
hundred times a second is shown with a delay. What is still to be written when the run ends is, after its clock
has stopped.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pbtbench.errors import BadInput, Failed
from pbtbench.record import Outcome, Record
from pbtbench.recorder import Batch, Recorder
from pbtbench.runs import Run
from pbtbench.store.files import Folder
from pbtbench.store.reading import events_place
from pbtbench.tensorboard.events import Event, MemberEvents, encoded, header
from pbtbench.tensorboard.files import MOST_MEMBERS, by_member, place_of, wall_seconds

PERIOD_S = 1.0
SHARE = 0.02
"""Of the time, at most."""

AT_ONCE, IN_THE_END = 300, 10_000
"""Scores that are taken at once while the run goes on, in some 15 ms, and when it has ended."""

FINISH_S = 5.0
"""How long what is left may take at the end of a run; the rest is written with the study's other files."""


class Live:
    """Writes a run's files while it goes on. A disk that is full, or something else in the way, ends that, and
    not the run: whoever writes the study's files at its end is told."""

    def __init__(self, study: Path, run: Run) -> None:
        """Deletes what is there of an attempt before. Where a link is in the way, nothing is written."""
        self._folder, self._run = Folder(study), run
        self._members: dict[int, MemberEvents] = {}
        self._read = (0, 0)
        """Blocks of forks and of scores that were taken."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        place = events_place(run.id)
        self._summaries: str | None = None
        with suppress(BadInput, Failed):
            self._folder.remove(place)
            self._summaries = str(study / place)

    def watch(self, recorder: Recorder, started: datetime) -> None:
        """Start writing. `started`: when the run started."""
        self._recorder = recorder
        self._began = wall_seconds(started.isoformat(timespec="milliseconds"))  # as it is kept
        recorder.summaries = self._summaries
        self._thread.start()

    def finish(self, outcome: Outcome) -> None:
        """Write the rest of a run that has ended."""
        self._over.set()
        if self._thread.ident is None:
            return
        self._thread.join(FINISH_S)
        end = time.perf_counter() + FINISH_S
        with suppress(BadInput, Failed):
            while self._take(IN_THE_END) and time.perf_counter() < end:
                pass
            for member, events in self._members.items():
                self._append(member, [events.end(outcome.wall_s, outcome.cause)])

    def _loop(self) -> None:
        pause = PERIOD_S
        with suppress(BadInput, Failed):
            while not self._over.wait(pause):
                began = time.perf_counter()
                self._take(AT_ONCE)
                pause = max(PERIOD_S, (time.perf_counter() - began) / SHARE)

    def _take(self, most: int) -> bool:
        """Write what has come in, up to some scores; whether there is more."""
        collected, (forks, scores) = self._recorder.collected, self._read
        new_scores, rows = [], 0
        for block in collected.scores[scores:]:
            if rows >= most:
                break
            new_scores.append(block)
            rows += min(len(block), MOST_MEMBERS)
        new_forks = collected.forks[forks:]
        self._read = forks + len(new_forks), scores + len(new_scores)
        self._write(Recorder(collected=Batch(scores=new_scores, forks=new_forks)).record())
        return self._read[1] < len(collected.scores)

    def _write(self, new: Record) -> None:
        forks, scores = by_member(new.forks, new.scores)
        for member in sorted(forks.keys() | scores.keys()):
            if member not in self._members:
                self._members[member] = MemberEvents(self._run, member, self._began)
                start = encoded([header(self._began)])
                self._folder.write(place_of(self._run, member), start)
            own = new.forks.at(forks[member]), new.scores.at(scores[member])
            self._append(member, list(self._members[member].of(*own)))

    def _append(self, member: int, events: list[Event]) -> None:
        with self._folder.appending(place_of(self._run, member)) as file:
            file.write(encoded(events))
