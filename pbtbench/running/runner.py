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
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Protocol

from pbtbench import catalogue, engines
from pbtbench.adapters.trainable import TrainableStart
from pbtbench.engines import preflight
from pbtbench.errors import BadInput, Failed
from pbtbench.process import kill_tree
from pbtbench.record import Recorder
from pbtbench.run import Run
from pbtbench.running.keeping import keep
from pbtbench.store import Store
from pbtbench.study import Study

GRACE_S = 20.0
"""How long past its limit a run may say nothing, as it may still import, or its watchdog ends it."""


class Observer(Protocol):
    """Whoever wants to know how a study goes."""

    def planned(self, kept: int, runs: int) -> None:
        """A study starts: `kept` of its `runs` are there already."""
        ...

    def checking(self, run: Run) -> None:
        """The problem of that run is tried, before any run starts."""
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


def run_study(study: Study, store: Store, observer: Observer, *, again: bool = False) -> None:
    """Execute the runs of `study` that `store` doesn't hold yet. Failed ones are tried again.

    `again`: make also those anew that were kept of other code than today's. Raises `BadInput` for such
    runs otherwise, for a problem that can't be run, or if an engine finds the study can't be;
    `KeyboardInterrupt` when interrupted; what was finished before is kept either way.
    """
    _check_same(study, store)
    missing = _missing(study, store, again=again)
    observer.planned(len(study.runs) - len(missing), len(study.runs))
    with _child(store) as child:
        for run, limit_s in _to_check(missing):
            observer.checking(run)
            child.check(run, limit_s)
        store.declare(study.to_toml())
        if all(engines.engine(run.engine).distributed for run in missing):
            child.close()  # it would hold a GPU that workers need
        for run in missing:
            _check_unchanged(run)
            observer.started(run)
            observer.ended(run, child.execute(run, observer))


def _check_same(study: Study, store: Store) -> None:
    """Raise `BadInput` if the folder is another study's."""
    if store.new:
        return
    new, declared = tomllib.loads(study.to_toml()), store.declared()
    differing = sorted(k for k in {*declared, *new} if declared.get(k) != new.get(k))
    if differing:
        raise BadInput(
            f"{store.path}: belongs to another study (it differs in {', '.join(differing)}); "
            "give another --out, or the same settings to resume"
        )


def _missing(study: Study, store: Store, *, again: bool) -> list[Run]:
    """The runs to be made; `BadInput` if some are kept of other code, and are not to be made anew."""
    missing: list[Run] = []
    others: list[Run] = []
    """Runs that are kept of other code, failed ones too."""
    changed: dict[str, list[str]] = {}
    """Of these, the ones that completed -> what has changed."""
    for run in study.runs:
        kept = store.kept(run)
        if kept is None:
            missing.append(run)
            continue
        differences = run.differences(kept.run)
        if differences:
            others.append(run)
        if differences and not kept.cause:
            noted = differences if kept.run.sources else ["their files were not noted"]
            changed[run.id] = noted
        if differences or kept.cause:
            missing.append(run)
    if changed and not again:
        some = ", ".join(list(changed)[:3]) + (", …" if len(changed) > 3 else "")
        what = ", ".join(dict.fromkeys(name for names in changed.values() for name in names))
        raise BadInput(
            f"{store.path}: {len(changed)} kept runs are of other code than today's ({what}): {some}; "
            "--again makes them anew, another --out keeps them"
        )
    for run in others:
        store.discard(run)  # so that no report ever mixes them with new ones
    return missing


def _to_check(runs: Sequence[Run]) -> list[tuple[Run, float]]:
    """A run for each problem, with its options, that is to be tried, and how long that may take. Class
    trainables are tried for this process alone: elsewhere they run as they are."""
    found: dict[tuple[str, str], Run] = {}
    limits: dict[tuple[str, str], float] = {}
    for run in runs:
        key = (run.problem, json.dumps(run.problem_options))
        here = not engines.engine(run.engine).distributed
        if key not in found or here:
            found[key] = run
        limits[key] = max(run.limit_s, limits.get(key, 0.0))
    return [
        (run, limits[key])
        for key, run in found.items()
        if not engines.engine(run.engine).distributed
        or not isinstance(catalogue.problem(run.problem).start, TrainableStart)
    ]


def _check_unchanged(run: Run) -> None:
    now = catalogue.sources(run.problem, run.method_options)
    changed = sorted(f for f in {**run.sources, **now} if run.sources.get(f) != now.get(f))
    if changed:
        raise BadInput(
            f"{run.id}: {', '.join(changed)} changed while the study runs; what was made before is kept, "
            "and the same command with --again makes it anew"
        )


@contextmanager
def _child(store: Store) -> Iterator[_Child]:
    with store.log() as log:
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

    def check(self, run: Run, limit_s: float) -> None:
        """Have the child try the problem of a run; `BadInput` for one that can't be run."""
        what = f"problem {run.problem!r}: a first step of {preflight.SIZE} members"
        if not self._asked({"check": run.to_dict()}):
            raise BadInput(f"{what}: {self._death()}")
        asked = time.perf_counter()
        while (message := self._message()) is None:
            if time.perf_counter() - asked > limit_s + GRACE_S:
                self.close(patience_s=0)
                raise BadInput(
                    f"{what} did not end within the limit of {limit_s:g} s; --limit-s gives it more"
                )
        if "checked" not in message:
            raise BadInput(f"{what}: {self._death()}")
        self.busy = False
        if message["checked"]:
            raise BadInput(f"problem {run.problem!r}: {message['checked']}")

    def execute(self, run: Run, observer: Observer) -> dict[str, Any]:
        """Have the child execute a run; what its `done` message said."""
        started = heard = time.perf_counter()
        if not self._asked({"run": run.to_dict()}):
            return self._lost(run, started, "crash", self._death())
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
                if message["done"]["cause"] == "hang":
                    self.close(patience_s=0)  # it ends itself; no run may meet it dying
                return dict(message["done"])
            else:
                return self._lost(run, started, "crash", self._death())

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
        return f"its process died ({how}); see {self.store.path / 'log.txt'}"

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
