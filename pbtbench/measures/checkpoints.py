"""What the checkpoints of a run took, stage by stage, and what closed forms need to know of it (METHOD 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pbtbench.measures.overhead import CHECKPOINT, WORK
from pbtbench.record import CODES, Outcome, Timeline
from pbtbench.runs import Run
from pbtbench.schema import Total

BLOCKING = tuple(kind for kind in CHECKPOINT if kind != "morph")
"""The stages that keep a worker from training. Morphing is a part of `restore`."""

BEHIND = ("persist behind", "transfer behind")
"""The stages that go on behind the training, and take no worker's time."""

STAGES = (*BLOCKING, *BEHIND)


@dataclass(frozen=True)
class Stage:
    """What one stage of checkpoints took."""

    seconds: float
    rows: Total
    """How often it was gone through."""
    bytes: Total
    """What was saved, moved or restored in all."""

    @property
    def s_per_gb(self) -> float:
        """Seconds for 10⁹ bytes; NaN for a stage that moves none."""
        return 1e9 * self.seconds / self.bytes if self.bytes else math.nan

    @property
    def s_each(self) -> float:
        """Seconds of one; NaN without any."""
        return self.seconds / self.rows if self.rows else math.nan

    def __add__(self, other: Stage) -> Stage:
        """The two together."""
        return Stage(self.seconds + other.seconds, self.rows + other.rows, self.bytes + other.bytes)


@dataclass(frozen=True)
class Checkpoints:
    """What the checkpoints of a run took."""

    stages: Mapping[str, Stage]
    """Of `STAGES`, worker-seconds, or seconds of nobody's time for those that go on behind."""
    trained: Total
    """How often workers trained an iteration of what they train as one."""
    least_persist_s: float
    """The shortest `persist` that kept a worker waiting; infinite without one."""
    pauses: Total
    """Intervals after which all went on, of those that end before the run does."""
    pause_s: float
    """The sum over these of the seconds from when the last worker had made the interval until all trained
    again, less those of their own decisions: saves and restores as everybody pays for them, with messages."""
    squares: float
    """Of the seconds that workers took for the same iteration: the sum of squares about their mean."""
    freedom: Total
    """And its degrees of freedom."""
    waits_s: float
    """Worker-seconds of waits since each worker began to train."""
    after_setup_s: float
    """Wall seconds since the first worker began to train; 0 if none did."""
    last_save: Total
    """The highest iteration after which a state was saved; 0 if none was."""
    spills: Total
    """States that were larger than the object store."""
    store_bytes: Total
    """That store's size, the largest if several were told of; 0 without a spill."""


def checkpoints(run: Run, outcome: Outcome) -> Checkpoints:
    """What the checkpoints of a run took (METHOD 1), by its timeline's rows."""
    rows = outcome.record.timeline
    on_worker = rows.worker >= 0
    iterations = _Iterations.of(rows)
    pauses, pause_s = iterations.pauses(run.interval, run.iterations)
    squares, freedom = iterations.differences()
    blocked = rows.duration_s[rows.of("persist") & on_worker]
    training = rows.of("train", "compile") & on_worker
    saved = rows.iteration[rows.of("save")]
    notes = outcome.record.notes
    stores = notes.value[notes.named("spilled_beyond")]
    return Checkpoints(
        stages=_stages(rows, on_worker),
        trained=int((rows.of("train") & on_worker).sum()),
        least_persist_s=float(blocked.min(initial=math.inf)),
        pauses=pauses,
        pause_s=pause_s,
        squares=squares,
        freedom=freedom,
        waits_s=iterations.waits_s(rows),
        after_setup_s=outcome.wall_s - float(rows.t_start_s[training].min(initial=outcome.wall_s)),
        last_save=int(saved.max(initial=0)),
        spills=len(stores),
        store_bytes=int(np.nan_to_num(stores).max(initial=0.0)),
    )


def _stages(rows: Timeline, on_worker: np.ndarray) -> dict[str, Stage]:
    found = {}
    for name in STAGES:
        chosen = rows.of(name.partition(" ")[0]) & (~on_worker if name in BEHIND else on_worker)
        seconds = rows.duration_s[chosen].sum()
        if name == "restore":
            seconds += rows.duration_s[rows.of("morph") & on_worker].sum()
        found[name] = Stage(float(seconds), int(chosen.sum()), int(rows.bytes[chosen].sum()))
    return found


@dataclass(frozen=True)
class _Iterations:
    """When each worker began each iteration and ended it: a row for each such pair that worked."""

    worker: np.ndarray
    iteration: np.ndarray
    begun_s: np.ndarray
    """Infinite where the worker only decided, as `ended_s` is −∞."""
    ended_s: np.ndarray
    work_s: np.ndarray
    """Of `WORK`; NaN where there is none of it."""
    decided_s: np.ndarray

    @classmethod
    def of(cls, timeline: Timeline) -> _Iterations:
        kinds = (*WORK, "compile", "decide")
        rows = timeline.at(timeline.of(*kinds) & (timeline.worker >= 0))
        width = int(rows.iteration.max(initial=0)) + 2
        keys = rows.worker.astype(np.int64) * width + (rows.iteration + 1)
        found, place = np.unique(keys, return_inverse=True)
        n, busy = len(found), rows.kind != CODES["decide"]
        begun, ended = np.full(n, math.inf), np.full(n, -math.inf)
        np.minimum.at(begun, place[busy], rows.t_start_s[busy])
        np.maximum.at(ended, place[busy], (rows.t_start_s + rows.duration_s)[busy])
        working = rows.of(*WORK)
        work = np.bincount(place, rows.duration_s * working, n).astype(float)  # also of no row
        work[np.bincount(place, working, n) == 0] = math.nan
        decided = np.bincount(place, rows.duration_s * ~busy, n)
        return cls(found // width, found % width - 1, begun, ended, work, decided)

    def pauses(self, interval: int | None, iterations: int) -> tuple[int, float]:
        """How many intervals end before the run does, and the sum of the pauses after them."""
        busy = np.isfinite(self.begun_s)
        found, place = np.unique(self.iteration, return_inverse=True)
        ended = np.full(len(found), -math.inf)
        np.maximum.at(ended, place, self.ended_s)
        # rows are in order of (worker, iteration): an iteration's decisions stand right before the next
        after = np.flatnonzero(busy)
        before = after - 1
        follows = (before >= 0) & (self.worker[before] == self.worker[after])
        follows &= self.iteration[before] == self.iteration[after] - 1
        resumed_s = self.begun_s[after] - np.where(follows, self.decided_s[before], 0.0)
        at = np.searchsorted(found, self.iteration[after] - 1)
        known = (at < len(found)) & (
            found[np.minimum(at, len(found) - 1)] == self.iteration[after] - 1
        )
        resumed = np.full(len(found), -math.inf)
        np.maximum.at(resumed, at[known], resumed_s[known])
        k = interval or iterations
        paused = (found > 0) & (found % k == 0) & (found < iterations)
        paused &= np.isfinite(ended) & np.isfinite(resumed)
        return int(paused.sum()), float((resumed - ended)[paused].sum())

    def differences(self) -> tuple[float, int]:
        """What workers took for the same iteration: the sum of squares about the mean, and its degrees of
        freedom. What slows all down together keeps nobody waiting."""
        worked = ~np.isnan(self.work_s)
        seconds = self.work_s[worked]
        found, place = np.unique(self.iteration[worked], return_inverse=True)
        n = np.bincount(place, minlength=len(found))
        mean = np.bincount(place, seconds, len(found)) / np.maximum(n, 1)
        return float(((seconds - mean[place]) ** 2).sum()), int((n - 1).sum())

    def waits_s(self, timeline: Timeline) -> float:
        """Worker-seconds of waits since each worker began to train."""
        workers, place = np.unique(self.worker, return_inverse=True)
        first = np.full(len(workers) + 1, math.inf)  # the last place is of those that never did
        np.minimum.at(first, place, self.begun_s)
        waits = timeline.at(timeline.rows("wait"))
        at = np.searchsorted(workers, waits.worker)
        at[~np.isin(waits.worker, workers)] = len(workers)
        return float(waits.duration_s[waits.t_start_s >= first[at]].sum())
