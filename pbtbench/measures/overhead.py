"""Where the workers' time went, and what checkpoints cost (METHOD 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pbtbench.record import KINDS, TIMED, Outcome
from pbtbench.schema import Total

CHECKPOINT = ("save", "persist", "transfer", "restore", "morph", "restart")
"""Kinds that exist because states are kept and moved; to morph a state is a part of its restore. A
`persist` row of a worker blocks it; one that goes on behind the training belongs to no worker, and does not
count."""

WORK = ("train", "evaluate")
"""Kinds that any method needs: the denominator of overheads."""


@dataclass(frozen=True)
class Overhead:
    """A run's worker-seconds by kind, and its checkpoint traffic."""

    seconds: Mapping[str, float]
    """Worker-seconds of each timed kind, and `unaccounted`: workers × wall less all of them."""
    saves: Total
    restores: Total
    forks: Total
    bytes_saved: Total
    bytes_moved: Total
    """Bytes of restores and transfers."""
    state_bytes: Total | None
    """The largest state that was saved or restored; None if none was."""

    @property
    def checkpoint_s(self) -> float:
        """Worker-seconds of checkpoints: save + blocking persist + transfer + restore + restart (METHOD 1)."""
        return sum(self.seconds[kind] for kind in CHECKPOINT)

    @property
    def work_s(self) -> float:
        """Worker-seconds of train + evaluate."""
        return sum(self.seconds[kind] for kind in WORK)

    @property
    def checkpoint_overhead(self) -> float:
        """Ω_c = `checkpoint_s` / `work_s` (METHOD 1); NaN for a run that never trained."""
        return self.checkpoint_s / self.work_s if self.work_s > 0 else math.nan

    @property
    def pbt_overhead(self) -> float:
        """Ω: what PBT adds, waits and decisions too, over `work_s` (METHOD 1)."""
        added = self.checkpoint_s + self.seconds["wait"] + self.seconds["decide"]
        return added / self.work_s if self.work_s > 0 else math.nan

    @property
    def fork_s(self) -> float:
        """What a fork costs: `checkpoint_s`, with all saves made for forks, over the forks; NaN without."""
        return self.checkpoint_s / self.forks if self.forks else math.nan


def overhead(outcome: Outcome) -> Overhead:
    """Worker-seconds and traffic of a run. Rows of worker −1 belong to no worker: their seconds don't
    count, so that for every worker kinds and `unaccounted` add up to the wall time (the
    conservation law)."""
    rows = outcome.record.timeline
    spent = np.bincount(rows.kind, rows.duration_s * (rows.worker >= 0), len(KINDS))
    seconds = dict(zip(KINDS, spent.astype(float).tolist(), strict=True))
    seconds = {kind: seconds[kind] for kind in TIMED}
    seconds["unaccounted"] = outcome.workers * outcome.wall_s - sum(seconds.values())
    size = {kind: rows.bytes[rows.of(kind)] for kind in ("save", "transfer", "restore")}
    states = np.concatenate([size["save"], size["restore"]])
    return Overhead(
        seconds=seconds,
        saves=len(size["save"]),
        restores=len(size["restore"]),
        forks=int((~outcome.record.forks.starts).sum()),
        bytes_saved=int(size["save"].sum()),
        bytes_moved=int(size["restore"].sum() + size["transfer"].sum()),
        state_bytes=int(states.max()) if len(states) else None,
    )
