"""The child process that executes runs: `python -m pbtbench.running.worker FOLDER FD`.

Lines of JSON come on standard input: `{"check": …}`, a run whose problem is to be tried (`preflight`),
and `{"run": …, "tensorboard": …}`, the latter whether its events are to be written while it goes on.
Messages go as lines of JSON to the file descriptor FD:

- `{"checked": message}`, empty where there is nothing against the problem;
- `{"progress": …}` a few times a second;
- `{"done": {cause, message, wall_s}, "last": …}` when a run has been measured and stored, and whether the
  process ends after it;
- `{"failed": message}` where it could not be stored;
- `{"bad": message}` for bad input that showed before the run's clock started.

A thread watches the run: when it makes no progress within its limit, what was recorded is measured and
stored, as a `hang` unless only its test was under way, and the process ends. Another ends the process, with
all that it started, when its parent has gone. Nothing is pickled.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pbtbench import catalogue, engines
from pbtbench.engines import preflight
from pbtbench.errors import BadInput, Failed
from pbtbench.process import Terminated, end, kill_tree, terminated
from pbtbench.record import Outcome
from pbtbench.recorder import Recorder
from pbtbench.running.keeping import keep
from pbtbench.running.progress import Progress
from pbtbench.runs import Run
from pbtbench.store import Store

if TYPE_CHECKING:
    from pbtbench.tensorboard.live import Live

PERIOD_S = 0.2


class Watchdog:
    """Reports a run's progress, and ends the process when the run is over its limit."""

    def __init__(self, run: Run, store: Store, channel: Channel, live: Live | None = None) -> None:
        self._run, self._store, self._channel, self._live = run, store, channel, live
        self._started = datetime.now(UTC)
        self._over = threading.Event()
        self._ending = threading.Lock()
        self._recorder: Recorder | None = None

    def watch(self, recorder: Recorder) -> None:
        """Start watching: called by the engine when the run's clock starts."""
        self._started = datetime.now(UTC)
        self._recorder = recorder
        if self._live is not None:
            self._live.watch(recorder, self._started)
        threading.Thread(target=self._loop, args=(recorder,), daemon=True).start()

    def finish(self, outcome: Outcome) -> None:
        """Measure and store what came of the run, unless the watchdog is doing that already."""
        with self._ending:
            self._over.set()
            self._keep(outcome)

    def stop(self) -> None:
        """Stop watching without an outcome."""
        self._over.set()

    def _loop(self, recorder: Recorder) -> None:
        progress = Progress(recorder, self._run.card.objective)
        while not self._over.wait(PERIOD_S):
            self._channel.send({"progress": progress.to_dict()})
            if recorder.still_s() > self._run.limit_s:
                self._hung(recorder)

    def _hung(self, recorder: Recorder) -> None:
        with self._ending:
            if self._over.is_set():
                return
            self._keep(engines.hung(self._run, recorder), last=True)
            _end_with_offspring()

    def _keep(self, outcome: Outcome, *, last: bool = False) -> None:
        try:
            outcome = keep(self._store, self._run, outcome, self._started)
            if self._recorder is not None and self._recorder.nodes:
                self._store.note_cluster(outcome.cluster, self._recorder.nodes)
            if self._live is not None:
                self._live.finish(outcome)
        except Failed as failure:
            self._channel.send({"failed": str(failure)})
        else:
            self._channel.done(outcome, last)


class Channel:
    """Messages to the parent: one line of JSON each."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", buffering=1)
        self._one_at_a_time = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send; a parent that has gone ends the process."""
        with self._one_at_a_time:
            try:
                self._file.write(json.dumps(message) + "\n")
            except OSError:
                _end_with_offspring()

    def done(self, outcome: Outcome, last: bool) -> None:
        """Say what came of a run; `last`: the process ends after it."""
        facts = {"cause": outcome.cause, "message": outcome.message, "wall_s": outcome.wall_s}
        self.send({"done": facts, "last": last})


def main() -> None:
    """Execute runs until standard input ends."""
    threading.Thread(target=_end_without_parent, args=(os.getppid(),), daemon=True).start()
    store = Store(Path(sys.argv[1]).resolve())
    channel = Channel(int(sys.argv[2]))
    store.scratch.mkdir(exist_ok=True)
    tempfile.tempdir = str(store.scratch)  # whoever kills this process leaves nothing elsewhere
    catalogue.include_working_directory()
    signal.signal(signal.SIGTERM, terminated)
    used: set[str] = set()
    code = 0
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            if "check" in asked:
                channel.send({"checked": preflight.refusal(Run.from_dict(asked["check"]))})
                _spare_what_stays()
            else:
                run = Run.from_dict(asked["run"])
                used.add(run.engine)
                _execute(run, store, channel, tensorboard=asked["tensorboard"])
    except Terminated as left:
        code = int(str(left.code))
    finally:
        for name in used:
            engines.engine(name).close()
    end(code)


def _spare_what_stays() -> None:
    """Have what is there by now, such as all of TensorFlow, no more looked through for garbage: that takes a
    third of a second, now and then, in the middle of whichever run it meets."""
    gc.collect()
    gc.freeze()


def _execute(run: Run, store: Store, channel: Channel, *, tensorboard: bool) -> None:
    live = None
    if tensorboard:
        from pbtbench.tensorboard.live import Live

        live = Live(store.path, run)
    watchdog = Watchdog(run, store, channel, live)
    try:
        watchdog.finish(engines.execute(run, watchdog.watch))
    except BadInput as error:
        watchdog.stop()
        channel.send({"bad": str(error)})


def _end_without_parent(parent: int) -> None:
    never = threading.Event()
    while os.getppid() == parent:
        never.wait(PERIOD_S)
    _end_with_offspring()


def _end_with_offspring() -> NoReturn:
    """End at once, with all that was started from here: nobody else will do it.

    The parent starts this process as the leader of a process group of its own.
    """
    kill_tree(os.getpid())
    raise SystemExit(1)


if __name__ == "__main__":
    main()
