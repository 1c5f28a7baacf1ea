"""The process that works (see `worker`), as the one that runs a study sees it: asked by lines of JSON, replaced
when it ends, ended when it says nothing for too long."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from pbtbench import engines
from pbtbench.engines import preflight
from pbtbench.errors import BadInput, Failed
from pbtbench.process import kill_tree
from pbtbench.recorder import Recorder
from pbtbench.running.keeping import keep
from pbtbench.running.observer import Observer
from pbtbench.runs import Run
from pbtbench.store import Store

GRACE_S = 20.0
"""How long past its limit a run may say nothing, as it may still import, or its watchdog ends it."""


LONGEST_LOG = 2**40
"""Bytes of a log that is looked at."""


@dataclass
class Child:
    """The worker process, started when needed."""

    store: Store
    log: IO[bytes]
    tensorboard: bool = False
    """Whether it writes a run's events while it goes on."""
    process: subprocess.Popen[bytes] | None = None
    messages: _Lines | None = None
    busy: bool = False
    logged: int = 0
    """Bytes of the log when it was started."""

    def check(self, run: Run, limit_s: float) -> None:
        """Have the child try the problem of a run; `BadInput` for one that can't be run."""
        what = f"problem {run.problem!r}: a first step of {preflight.SIZE} members"
        if not self._asked({"check": run.to_dict()}):
            raise BadInput(f"{what}: {self._death()}{self._last_words()}")
        asked = time.perf_counter()
        while (message := self._message()) is None:
            if time.perf_counter() - asked > limit_s + GRACE_S:
                self.close(patience_s=0)
                raise BadInput(
                    f"{what} did not end within the limit of {limit_s:g} s; --limit-s gives it more"
                )
        if "checked" not in message:
            raise BadInput(f"{what}: {self._death()}{self._last_words()}")
        self.busy = False
        if message["checked"]:
            raise BadInput(f"problem {run.problem!r}: {message['checked']}")

    def execute(self, run: Run, observer: Observer) -> dict[str, Any]:
        """Have the child execute a run; what its `done` message said."""
        started = heard = time.perf_counter()
        if not self._asked({"run": run.to_dict(), "tensorboard": self.tensorboard}):
            return self._lost(run, started, "crash", self._logged_death())
        while True:
            message = self._message()
            if message is None:
                if time.perf_counter() - heard > run.limit_s + GRACE_S:
                    self.close(patience_s=0)
                    text = f"{engines.no_progress(run)}; it had to be killed"
                    return self._lost(run, started, "hang", text)
                continue
            heard = time.perf_counter()
            if "progress" in message:
                observer.progressed(message["progress"])
            elif "bad" in message:
                raise BadInput(message["bad"])
            elif "failed" in message:
                raise Failed(message["failed"])
            elif "done" in message:
                self.busy = False
                if message["last"]:
                    self.close(patience_s=0)  # it ends itself; no run may meet it dying
                return dict(message["done"])
            else:
                return self._lost(run, started, "crash", self._logged_death())

    def _asked(self, what: dict[str, Any]) -> bool:
        """Send a line to the child, which is started if need be; whether it could be sent."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        self.busy = True
        try:
            self.process.stdin.write(json.dumps(what).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def _message(self) -> dict[str, Any] | None:
        """The child's next message; None if none comes within a second, `{}` if it has ended."""
        assert self.messages is not None
        return self.messages.next(timeout_s=1.0)

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
        self.logged = os.fstat(self.log.fileno()).st_size
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "pbtbench.running.worker",
                str(self.store.path),
                str(writer),
            ],
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[writer],
            start_new_session=True,  # Ctrl-C is this process's to handle
            env={
                "TF_CPP_MIN_LOG_LEVEL": "2",
                "RAY_USAGE_STATS_ENABLED": "0",
                **os.environ,
                "PYTHONIOENCODING": "utf-8:backslashreplace",  # the log's, whatever the terminal's is
            },
        )
        os.close(writer)
        self.messages = _Lines(reader)

    def _death(self) -> str:
        assert self.process is not None
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"its process died ({how})"

    def _logged_death(self) -> str:
        return f"{self._death()}; see {self.store.path / 'log.txt'}"

    def _last_words(self) -> str:
        """What the child wrote last: of a folder that is no study's yet, no log remains."""
        with self.store.folder.open("log.txt", LONGEST_LOG) as log:
            log.seek(self.logged)
            said = log.read().decode("utf-8", "replace").strip()
        return f": {said.splitlines()[-1]}" if said else ""

    def _lost(self, run: Run, started: float, cause: str, message: str) -> dict[str, Any]:
        """Record a run whose process is gone: no rows, but its time and cause."""
        outcome = engines.outcome(run, Recorder(start=started), cause, message)
        ago = timedelta(seconds=time.perf_counter() - started)
        outcome = keep(self.store, run, outcome, datetime.now(UTC) - ago)
        return {"cause": cause, "message": outcome.message, "wall_s": outcome.wall_s}


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
