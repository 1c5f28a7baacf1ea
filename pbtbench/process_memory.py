"""The most memory that this process holds: of the machine, and of its first GPU where TensorFlow has one."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from pbtbench.recorder import Recorder

GROWN = 1.01
"""By what factor a process's memory must have grown to be worth another row."""


class Memory:
    """The most bytes that this process has held since this was made, as rows `memory`.

    The system keeps one peak for a process's whole life, and hands it on to what the process starts. Linux
    starts it anew on demand. Where it is still what it was at first, what the process holds now counts.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", "ascii")
        self._before = _peak()
        self._noted = 0
        if _has_gpu():
            import tensorflow as tf

            tf.config.experimental.reset_memory_stats("GPU:0")

    def note(self, recorder: Recorder, **row: Any) -> None:
        """Add a row if the most has grown since the last one."""
        peak = _peak()
        most = peak if peak > self._before else psutil.Process().memory_info().rss
        if most > GROWN * self._noted:
            self._noted = most
            recorder.add("memory", recorder.now(), **row, bytes=most, value=_device_memory())


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _has_gpu() -> bool:
    """Whether TensorFlow is loaded here, and sees a GPU."""
    if "tensorflow" not in sys.modules:
        return False
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


def _device_memory() -> float:
    """The most bytes that TensorFlow has held on this process's first GPU; NaN without one."""
    if not _has_gpu():
        return float("nan")
    import tensorflow as tf

    return float(tf.config.experimental.get_memory_info("GPU:0")["peak"])
