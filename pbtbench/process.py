"""A process of an engine's that isn't the driver's: what it must do before it touches a problem."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbtbench.run import Cluster


@dataclass(frozen=True)
class Surroundings:
    """What of the driver's process another one needs. Plain data."""

    path: tuple[str, ...]
    """Where the driver finds modules."""
    threads: int
    gpu: bool

    @classmethod
    def of(cls, cluster: Cluster) -> Surroundings:
        """Those of this process, for a worker of such a cluster."""
        return cls(
            path=tuple(place or str(Path.cwd()) for place in sys.path),
            threads=max(1, int(cluster.cpus_per_worker)),
            gpu=cluster.gpus_per_worker > 0,
        )

    def enter(self) -> None:
        """Make this process find the driver's modules, and keep TensorFlow to its share: of the CPUs,
        and of a GPU's memory, which it would otherwise take whole."""
        sys.path += [place for place in self.path if place not in sys.path]
        if not self.gpu:
            for key in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
                os.environ.setdefault(key, str(self.threads))
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def peak_memory() -> int:
    """The most bytes that this process has held in memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_memory() -> float:
    """The most bytes that TensorFlow has held on this process's first GPU; NaN without one."""
    if "tensorflow" not in sys.modules:
        return float("nan")
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return float("nan")
    return float(tf.config.experimental.get_memory_info("GPU:0")["peak"])
