"""Collects the record of a run while it goes on, on the run's clock: blocks, as arrays of a shard and an
interval, or single rows."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from pbtbench.record import CODES, NOBODY, Forks, Notes, Record, Scores, Table, Timeline
from pbtbench.space.columns import Columns, joined

T = TypeVar("T", bound=Table)

Row = tuple[float, float, int, int, int, int, int, float]
"""A row of the timeline while it is collected: its columns' values, in their order."""


@dataclass
class Batch:
    """What a recorder has collected since it was emptied: on its way from one process to another."""

    rows: list[Row] = field(default_factory=list)
    scores: list[Scores] = field(default_factory=list)
    """Blocks, as `forks`."""
    forks: list[Forks] = field(default_factory=list)
    notes: list[tuple[Any, ...]] = field(default_factory=list)
    """Single rows of `Notes`."""


@dataclass
class Advance:
    """Whether a run goes on: how far each member has come, by all that is collected."""

    _furthest: dict[tuple[int, int], int] = field(default_factory=dict)
    """(member, kind) -> the highest iteration of such a row."""
    _scored: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    """The highest iteration at which each member scored."""
    _read: tuple[int, int] = (0, 0)
    _unrecorded: int = 0
    _at: float = 0.0

    def still_s(self, collected: Batch, unrecorded: int, now: float) -> float:
        """Seconds since it was last seen to go on."""
        rows, scores = collected.rows[self._read[0] :], collected.scores[self._read[1] :]
        self._read = self._read[0] + len(rows), self._read[1] + len(scores)
        moved = [self._row(row) for row in rows] + [self._block(block) for block in scores]
        if any(moved) or unrecorded != self._unrecorded:
            self._unrecorded, self._at = unrecorded, now
        return now - self._at

    def _row(self, row: Row) -> bool:
        key, iteration = (row[3], row[5]), row[4]
        further = iteration > self._furthest.get(key, -2)
        if further:
            self._furthest[key] = iteration
        return further

    def _block(self, block: Scores) -> bool:
        members, iterations = block.member, block.iteration
        if not len(members):
            return False
        if (needed := int(members.max()) + 1 - len(self._scored)) > 0:
            self._scored = np.append(self._scored, np.zeros(needed, np.int32))
        further = bool((iterations > self._scored[members]).any())
        np.maximum.at(self._scored, members, iterations)
        return further


@dataclass
class Recorder:
    """Collects what a run emits. A single row takes about a microsecond, and so does a block."""

    start: float = field(default_factory=time.perf_counter)
    """The run's zero on `time.perf_counter`, which all processes of a machine share on Linux."""
    lapped: float = 0.0
    """When the last lap ended, in seconds since the start of the run."""
    cluster: str = f"local-{os.cpu_count()}cpu"
    """A short label of where the run is executed."""
    nodes: list[Mapping[str, Any]] = field(default_factory=list)
    """The machines of a Ray cluster, each with its clock's offset: for `machine.json`."""
    summaries: str | None = None
    """The folder of the run's events, where what the problem writes by `tf.summary` goes; None for nowhere."""
    unrecorded: Callable[[], int] = lambda: 0
    """A count that grows with what is done between two rows, for who wants to know whether a run goes on."""
    paused_s: float | None = None
    """What the run's clock shows while it is paused; None while it goes on."""
    collected: Batch = field(default_factory=Batch)
    """All so far. Lists only grow at their end while a run goes on: others may read along."""
    _advance: Advance = field(default_factory=Advance)

    def now(self) -> float:
        """Seconds since the start of the run."""
        return time.perf_counter() - self.start if self.paused_s is None else self.paused_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The run's clock stands still: what is done meanwhile is none of its time."""
        self.paused_s = at = self.now()
        try:
            yield
        finally:
            self.start, self.paused_s = time.perf_counter() - at, None

    def still_s(self) -> float:
        """For how many seconds the run has made no progress, as far as it was asked: nothing was done that
        it had not done before. What a member does again, as it was lost, is none."""
        now = time.perf_counter() - self.start  # it may hang while the run's clock is paused, too
        return self._advance.still_s(self.collected, self.unrecorded(), now)

    def add(
        self,
        kind: str,
        t_start_s: float,
        duration_s: float = 0.0,
        *,
        worker: int = 0,
        member: int = -1,
        iteration: int = -1,
        bytes: int = 0,
        value: float = math.nan,
    ) -> None:
        """Append one row to the timeline."""
        self.collected.rows.append(
            (t_start_s, duration_s, worker, member, iteration, CODES[kind], bytes, value)
        )

    def lap(self, kind: str, **row: Any) -> None:
        """Append what happened since the last lap, or since the start, as one row; `row` as for `add`.

        Laps leave no gap: the bookkeeping between two calls counts to the later one.
        """
        end = self.now()
        self.add(kind, self.lapped, end - self.lapped, **row)
        self.lapped = end

    def scored(
        self,
        members: np.ndarray,
        iteration: int | np.ndarray,
        metrics: Columns,
        *,
        t_s: float | np.ndarray | None = None,
        age: np.ndarray | None = None,
        done: np.ndarray | None = None,
    ) -> None:
        """Append what members scored, now or at `t_s`: metric -> values, shape (members,)."""
        own = _filled(
            Scores,
            len(members),
            t_s=self.now() if t_s is None else t_s,
            member=members,
            iteration=iteration,
            age=0 if age is None else age,
            done=False if done is None else done,
        )
        self.collected.scores.append(Scores(**own, metrics=metrics))

    def started(self, hyperparameters: Columns, first: int = 0) -> None:
        """Append what members `first`, … start with: forks from nobody."""
        n = len(next(iter(hyperparameters.values())))
        members = np.arange(first, first + n)
        self.forked(members, NOBODY, 0, old=hyperparameters, new=hyperparameters)

    def forked(
        self,
        members: np.ndarray,
        donors: int | np.ndarray,
        iteration: int | np.ndarray,
        *,
        old: Columns,
        new: Columns,
        t_s: float | np.ndarray | None = None,
        copied_iteration: int | np.ndarray = -1,
        out_of_bounds: bool | np.ndarray = False,
    ) -> None:
        """Append forks, of now or of `t_s`: those of one moment were decided together."""
        own = _filled(
            Forks,
            len(members),
            t_s=self.now() if t_s is None else t_s,
            member=members,
            donor=donors,
            iteration=iteration,
            copied_iteration=copied_iteration,
            out_of_bounds=out_of_bounds,
        )
        self.collected.forks.append(Forks(**own, old=old, new=new))

    def note(
        self,
        name: str,
        text: str = "",
        value: float = math.nan,
        *,
        worker: int = -1,
        member: int = -1,
        iteration: int = -1,
    ) -> None:
        """Append a note (`NOTES`)."""
        self.collected.notes.append((self.now(), worker, member, iteration, name, value, text))

    def lost(
        self,
        cause: str,
        message: str,
        *,
        worker: int = -1,
        member: int = -1,
        iteration: int = -1,
        iterations: float = math.nan,
    ) -> None:
        """Append an `error`, and the note that says why. `iterations`: how many were lost by it."""
        at = {"worker": worker, "member": member, "iteration": iteration}
        self.add("error", self.now(), value=iterations, **at)
        self.note(cause, message, iterations, **at)

    def take(self) -> Batch:
        """Hand out all that is collected so far, and forget it. Others may add meanwhile."""
        taken = Batch()
        for name, collected in vars(self.collected).items():
            found = list(collected)
            del collected[: len(found)]
            setattr(taken, name, found)
        return taken

    def put(self, batch: Batch) -> None:
        """Take in what another recorder of the run has handed out."""
        for name, collected in vars(self.collected).items():
            collected.extend(getattr(batch, name))

    def record(self) -> Record:
        """All so far, in order of time."""
        found = self.collected
        return Record(
            timeline=_of_rows(Timeline, list(found.rows)),
            scores=_scores(list(found.scores)),
            forks=_forks(list(found.forks)),
            notes=_of_rows(Notes, list(found.notes)),
        )


def _filled(table: type[Table], n: int, **values: Any) -> dict[str, np.ndarray]:
    """A table's own columns, each from an array of n values, or from one value for all of them."""
    return {
        name: given.astype(kind, copy=False)
        if isinstance(given := values[name], np.ndarray)
        else np.full(n, given, kind)
        for name, kind in table.COLUMNS.items()
    }


def _of_rows(table: type[T], rows: Sequence[tuple[Any, ...]]) -> T:
    """A table of single rows."""
    kinds = table.COLUMNS.values()
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return table.ordered(
        *(np.array(values, kind) for values, kind in zip(columns, kinds, strict=True))
    )


def _scores(blocks: Sequence[Scores]) -> Scores:
    metrics = {}
    for name in dict.fromkeys(name for block in blocks for name in block.metrics):
        parts = [
            np.asarray(block.metrics[name], np.float64)
            if name in block.metrics
            else np.full(len(block), math.nan)
            for block in blocks
        ]
        metrics[name] = np.concatenate(parts)
    return Scores.ordered(*_own(Scores, blocks), metrics)


def _forks(blocks: Sequence[Forks]) -> Forks:
    old, new = (joined([getattr(block, name) for block in blocks]) for name in ("old", "new"))
    return Forks.ordered(*_own(Forks, blocks), old, new)


def _own(table: type[Table], blocks: Sequence[Table]) -> list[np.ndarray]:
    """A table's own columns: each block's behind the one before."""
    return [
        np.concatenate([getattr(block, name) for block in blocks]) if blocks else np.zeros(0, kind)
        for name, kind in table.COLUMNS.items()
    ]


Watch = Callable[[Recorder], None]
"""Called when a run starts, with the recorder that it fills: whoever watches may read along."""
