"""Where the workers' time went, and what checkpoints cost (METHOD 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pbtbench.record import TIMED, Outcome

CHECKPOINT = ("save", "persist", "transfer", "restore", "restart")
"""Kinds that exist because states are kept and moved. A `persist` row of a worker blocks it; one
that goes on behind the training belongs to no worker, and does not count."""

WORK = ("train", "evaluate")
"""Kinds that any method needs: the denominator of overheads."""


@dataclass(frozen=True)
class Overhead:
    """A run's worker-seconds by kind, and its checkpoint traffic."""

    seconds: Mapping[str, float]
    """Worker-seconds of each timed kind, and `unaccounted`: workers × wall less all of them."""
    saves: int
    restores: int
    forks: int
    bytes_saved: int
    bytes_moved: int
    """Bytes of restores and transfers."""
    state_bytes: int | None
    """The largest state that was saved or restored; None if none was."""

    @property
    def checkpoint_overhead(self) -> float:
        """Ω_c = (save + blocking persist + transfer + restore + restart) / (train + evaluate), in
        worker-seconds (METHOD 1); NaN for a run that never trained."""
        return self._over_work(CHECKPOINT)

    @property
    def pbt_overhead(self) -> float:
        """Ω: what PBT adds, morphisms, waits and decisions too, over (train + evaluate) (METHOD 1)."""
        return self._over_work((*CHECKPOINT, "morph", "wait", "decide"))

    def _over_work(self, kinds: tuple[str, ...]) -> float:
        work = sum(self.seconds[kind] for kind in WORK)
        return sum(self.seconds[kind] for kind in kinds) / work if work > 0 else math.nan


def overhead(outcome: Outcome) -> Overhead:
    """Worker-seconds and traffic of a run. Rows of worker −1 belong to no worker: their seconds don't
    count, so that for every worker kinds and `unaccounted` add up to the wall time (the
    conservation law)."""
    trace = outcome.trace
    on_worker = trace.worker >= 0
    seconds = {
        kind: float(trace.duration_s[on_worker & (trace.kind == kind)].sum()) for kind in TIMED
    }
    seconds["unaccounted"] = outcome.workers * outcome.wall_s - sum(seconds.values())
    size = {kind: trace.bytes[trace.rows(kind)] for kind in ("save", "transfer", "restore")}
    states = [*size["save"].tolist(), *size["restore"].tolist()]
    return Overhead(
        seconds=seconds,
        saves=len(size["save"]),
        restores=len(size["restore"]),
        forks=len(trace.rows("fork")),
        bytes_saved=int(size["save"].sum()),
        bytes_moved=int(size["restore"].sum() + size["transfer"].sum()),
        state_bytes=max(states) if states else None,
    )


def after_setup_s(outcome: Outcome) -> float:
    """Wall seconds from when the first worker has begun to train; 0 if none has."""
    trace = outcome.trace
    begun = trace.t_start_s[np.isin(trace.kind, ("train", "compile")) & (trace.worker >= 0)]
    return outcome.wall_s - float(begun.min(initial=outcome.wall_s))
