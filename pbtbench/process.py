"""Processes that a study starts: what one takes over from the driver's, and how one ends, with all that it
started."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psutil

if TYPE_CHECKING:
    from pbtbench.runs import Cluster

GONE_S = 5.0
"""How long a process that was killed may take to be gone."""


class Terminated(SystemExit):
    """The process was asked to end."""


def end(code: int, before: Iterable[threading.Thread] = ()) -> NoReturn:
    """End this process, whose work is done, also where a user's code has left threads behind, which Python
    would wait for. `before`: those that there were before that code."""
    mine = {threading.main_thread(), threading.current_thread(), *before}
    if any(not thread.daemon for thread in threading.enumerate() if thread not in mine):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    raise SystemExit(code)


@dataclass(frozen=True)
class Surroundings:
    """What of the driver's process another one needs. Plain data."""

    path: tuple[str, ...]
    """Where the driver finds modules."""
    scratch: str
    """The driver's folder for temporary files, which goes with it."""
    threads: int
    gpu: bool

    @classmethod
    def of(cls, cluster: Cluster) -> Surroundings:
        """Those of this process, for a worker of such a cluster."""
        return cls(
            path=tuple(place or str(Path.cwd()) for place in sys.path),
            scratch=tempfile.gettempdir(),
            threads=max(1, int(cluster.cpus_per_worker)),
            gpu=cluster.gpus_per_worker > 0,
        )

    def enter(self) -> None:
        """Make this process find the driver's modules, leave its temporary files with the driver's if
        that is on the same machine, and keep TensorFlow to its share: of the CPUs, and of a GPU's
        memory, which it would otherwise take whole."""
        if Path(self.scratch).is_dir():
            tempfile.tempdir = self.scratch
        sys.path += [place for place in self.path if place not in sys.path]
        if not self.gpu:
            for key in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
                os.environ.setdefault(key, str(self.threads))
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def began() -> float:
    """When this process started, on `time.perf_counter`, to a hundredth of a second."""
    since_boot = psutil.Process().create_time() - psutil.boot_time()
    return time.perf_counter() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


def terminated(signum: int, frame: object) -> NoReturn:
    """A handler for SIGTERM: what goes on is left in order, and a second one is not waited for."""
    signal.signal(signum, signal.SIG_IGN)
    raise Terminated(128 + signum)


def kill_tree(pid: int) -> None:
    """Kill a process that leads a process group, with all that it started, in its group or not, and wait
    until all are gone, for `GONE_S` at most.

    Ray's workers are left to notice that their raylet is gone, which may take them a minute.
    """
    started: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        while found := [p for p in leader.children(recursive=True) if p not in started]:
            for process in found:
                with suppress(psutil.Error):
                    process.suspend()  # one that a raylet starts meanwhile would have no parent to be found by
            started += found
    for process in started:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    psutil.wait_procs(started, timeout=GONE_S)
