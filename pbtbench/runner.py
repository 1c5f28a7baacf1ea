"""Runs a study: what is not kept yet, each run in a child process that may hang or die alone.

The child (see `worker`) is kept from run to run and replaced when it ends. A failed run is recorded
with its cause, and the study goes on.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Protocol

from pbtbench import engines
from pbtbench.errors import BadInput
from pbtbench.process import kill_tree
from pbtbench.run import Run
from pbtbench.store import Store
from pbtbench.study import Study
from pbtbench.trace import Recorder

GRACE_S = 20.0
"""How long past its limit a run may take to be ended by its own watchdog."""


class Observer(Protocol):
    """Whoever wants to know how a study goes."""

    def planned(self, kept: int, runs: int) -> None:
        """A study starts: `kept` of its `runs` are there already."""
        ...

    def started(self, run: Run) -> None:
        """A run starts."""
        ...

    def progressed(self, progress: dict[str, Any]) -> None:
        """Some of the current run is done (`Progress.to_dict`)."""
        ...

    def ended(self, run: Run, done: dict[str, Any]) -> None:
        """The current run has been stored; `done` has its cause, message and wall seconds."""
        ...


def run_study(study: Study, store: Store, observer: Observer) -> None:
    """Execute the runs of `study` that `store` doesn't hold yet. Failed ones are tried again.

    Raises `BadInput` if an engine finds the study can't be run, `KeyboardInterrupt` when
    interrupted; what was finished before is kept either way.
    """
    missing = [run for run in study.runs if not store.completed(run)]
    observer.planned(len(study.runs) - len(missing), len(study.runs))
    with _child(store) as child:
        for run in missing:
            observer.started(run)
            observer.ended(run, child.execute(run, observer))


@contextmanager
def _child(store: Store) -> Iterator[_Child]:
    with (store.path / "log.txt").open("ab") as log:
        child = _Child(store, log)
        try:
            yield child
        finally:
            child.close()
            shutil.rmtree(store.scratch, ignore_errors=True)


@dataclass
class _Child:
    """The worker process, started when needed."""

    store: Store
    log: IO[bytes]
    process: subprocess.Popen[bytes] | None = None
    messages: _Lines | None = None
    busy: bool = False

    def execute(self, run: Run, observer: Observer) -> dict[str, Any]:
        """Have the child execute a run; what its `done` message said."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.messages is not None
        started = time.perf_counter()
        self.busy = True
        try:
            self.process.stdin.write(json.dumps(run.to_dict()).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._lost(run, started, "crash", self._death())
        while True:
            message = self.messages.next(timeout_s=1.0)
            if message is None:
                if time.perf_counter() - started > run.limit_s + GRACE_S:
                    self.close(patience_s=0)
                    text = (
                        f"did not end within its limit of {run.limit_s:g} s, and had to be killed"
                    )
                    return self._lost(run, started, "hang", text)
            elif "progress" in message:
                observer.progressed(message["progress"])
            elif "bad" in message:
                raise BadInput(message["bad"])
            elif "done" in message:
                self.busy = False
                if message["done"]["cause"] == "hang":
                    self.close(patience_s=0)  # it ends itself; no run may meet it dying
                return dict(message["done"])
            else:
                return self._lost(run, started, "crash", self._death())

    def close(self, patience_s: float = 20.0) -> None:
        """End the child: ask first, then kill it with all that it started."""
        if self.process is None:
            return
        process, self.process = self.process, None
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()  # an idle child ends by this
        if self.busy:
            process.terminate()
        self.busy = False
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
        kill_tree(process.pid)
        process.wait()
        if self.messages is not None:
            self.messages.close()

    def _start(self) -> None:
        self.close(patience_s=0)
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pbtbench.worker", str(self.store.path), str(writer)],
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[writer],
            start_new_session=True,  # Ctrl-C is this process's to handle
            env={"TF_CPP_MIN_LOG_LEVEL": "2", "RAY_USAGE_STATS_ENABLED": "0", **os.environ},
        )
        os.close(writer)
        self.messages = _Lines(reader)

    def _death(self) -> str:
        assert self.process is not None
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"its process died ({how}); see {self.store.path / 'log.txt'}"

    def _lost(self, run: Run, started: float, cause: str, message: str) -> dict[str, Any]:
        """Record a run whose process is gone: no rows, but its time and cause."""
        outcome = engines.outcome(run, Recorder(start=started), cause, message)
        self.store.write(run, outcome)
        return {"cause": cause, "message": message, "wall_s": outcome.wall_s}


class _Lines:
    """Messages of a pipe, with a time-out."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(descriptor, selectors.EVENT_READ)

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """The next message; None if none came in time; `{}` at the end."""
        while b"\n" not in self._pending:
            if not self._selector.select(timeout_s):
                return None
            chunk = os.read(self._descriptor, 1 << 16)
            if not chunk:
                return {}
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        self._selector.close()
        os.close(self._descriptor)
