"""The trace: one row for each timed thing of a run. All that an engine emits.

A `Recorder` collects rows while a run goes on, on the run's clock; a `Trace` is what remains, as
columns. Rows of one worker never overlap; what a worker's rows leave open is `idle` where an
engine says so by its `lanes`, and `unaccounted` otherwise (see `measures.overhead`).
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pbtbench.errors import BadInput

TIMED = (
    "setup",  # process start, imports, model build
    "compile",  # a call that compiled something
    "train",
    "evaluate",
    "save",  # blocking snapshot
    "persist",  # write behind it
    "transfer",
    "restore",
    "restart",  # actor or graph rebuilt
    "morph",  # a state made to fit another width
    "wait",  # barrier, pause or queue
    "decide",
    "idle",  # a worker with nothing left to do
)
"""Kinds of rows that take a worker's time."""

MARKS = ("fork", "score", "error", "memory")
"""Kinds of rows that say what happened, at a moment: `fork` (detail: donor, old, new, and `copied`, the
iteration of the donor's state where it was saved before), `score`
(value: the objective), `error` (detail: cause, message), `memory` (bytes: the most that the worker's
process has held so far; value: the same of its device)."""

AGE, DONE = "score_age", "done"
"""Details of a `score` row that was not measured in its iteration: the iterations since it was, where a
trainable's metric comes only now and then; and that the member had made its last iteration before."""

KINDS = TIMED + MARKS


class Event(NamedTuple):
    """One row of a trace. Seconds count from the start of the run; -1 stands for 'none' in the
    whole-number columns and NaN for 'no value'."""

    t_start_s: float
    duration_s: float
    worker: int
    member: int
    iteration: int
    kind: str
    bytes: int = 0
    value: float = math.nan
    detail: Mapping[str, Any] | None = None


@dataclass
class Recorder:
    """Collects the rows of a run. Appending takes about a microsecond."""

    start: float = field(default_factory=time.perf_counter)
    """The run's zero on `time.perf_counter`, which all processes of a machine share on Linux."""
    events: list[Event] = field(default_factory=list)
    lapped: float = 0.0
    """When the last lap ended, in seconds since the start of the run."""
    cluster: str = f"local-{os.cpu_count()}cpu"
    """A short label of where the run is executed."""
    nodes: list[Mapping[str, Any]] = field(default_factory=list)
    """The machines of a Ray cluster, each with its clock's offset: for `machine.json`."""
    unrecorded: Callable[[], int] = lambda: 0
    """A count that grows with what is done between two rows, for who wants to know whether a run goes on."""
    _seen: set[tuple[int, int, str]] = field(default_factory=set)
    _looked_at: int = 0
    _progress: tuple[int, int] = (0, 0)
    _progress_at: float = 0.0

    def now(self) -> float:
        """Seconds since the start of the run."""
        return time.perf_counter() - self.start

    def still_s(self) -> float:
        """For how many seconds the run has made no progress, as far as it was asked: nothing was done that
        it had not done before. What a member does again, as it was lost, is none."""
        events = self.events[self._looked_at :]
        self._looked_at += len(events)
        self._seen.update((event.member, event.iteration, event.kind) for event in events)
        progress = (len(self._seen), self.unrecorded())
        if progress != self._progress:
            self._progress, self._progress_at = progress, self.now()
        return self.now() - self._progress_at

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
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Append one row."""
        self.events.append(
            Event(t_start_s, duration_s, worker, member, iteration, kind, bytes, value, detail)
        )

    def lap(self, kind: str, **row: Any) -> None:
        """Append what happened since the last lap, or since the start, as one row; `row` as for `add`.

        Laps leave no gap: the bookkeeping between two calls counts to the later one.
        """
        end = self.now()
        self.add(kind, self.lapped, end - self.lapped, **row)
        self.lapped = end

    def trace(self, run: str) -> Trace:
        """All rows so far as columns, in order of their start."""
        events = sorted(self.events, key=lambda e: e.t_start_s)
        columns = list(zip(*events, strict=True)) or [()] * len(Event._fields)
        t, duration, worker, member, iteration, kind, size, value, detail = columns
        return Trace(
            run=run,
            t_start_s=np.array(t, float),
            duration_s=np.array(duration, float),
            worker=np.array(worker, np.int32),
            member=np.array(member, np.int32),
            iteration=np.array(iteration, np.int32),
            kind=np.array(kind, "U10"),
            bytes=np.array(size, np.int64),
            value=np.array(value, float),
            detail=tuple(detail),
        )


@dataclass(frozen=True)
class Trace:
    """A run's rows as columns of equal length; `detail` holds a mapping or None."""

    run: str
    t_start_s: np.ndarray
    duration_s: np.ndarray
    worker: np.ndarray
    member: np.ndarray
    iteration: np.ndarray
    kind: np.ndarray
    bytes: np.ndarray
    value: np.ndarray
    detail: tuple[Mapping[str, Any] | None, ...]

    def __len__(self) -> int:
        return len(self.kind)

    def rows(self, kind: str) -> np.ndarray:
        """Indices of the rows of `kind`, in order of time."""
        return np.flatnonzero(self.kind == kind)

    def write(self, path: Path) -> None:
        """Write as Parquet with the columns `run, t_start_s, …, detail` (detail as JSON)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        def or_null(column: np.ndarray) -> Any:
            return pa.array(column, mask=column < 0)

        table = pa.table(
            {
                "run": pa.array([self.run] * len(self)).dictionary_encode(),
                "t_start_s": self.t_start_s,
                "duration_s": self.duration_s,
                "worker": or_null(self.worker),
                "member": or_null(self.member),
                "iteration": or_null(self.iteration),
                "kind": pa.array(self.kind.tolist(), pa.string()).dictionary_encode(),
                "bytes": self.bytes,
                "value": self.value,
                "detail": [None if d is None else json.dumps(d) for d in self.detail],
            },
            schema=_schema(),
        )
        pq.write_table(table, path, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> Trace:
        """Read what `write` wrote; `BadInput` for a file that is damaged or no trace."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path).select(_schema().names).cast(_schema())
            columns = {name: table.column(name) for name in table.column_names}
            details: list[Mapping[str, Any] | None] = [None] * len(table)
            for row in np.flatnonzero(columns["detail"].is_valid()).tolist():
                details[row] = json.loads(columns["detail"][row].as_py())
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0][:100]
            raise BadInput(
                f"{path}: damaged or not a trace ({reason}); delete its folder and run again"
            ) from None

        def numbers(name: str) -> np.ndarray:
            column = columns[name]
            return np.asarray(column.fill_null(-1) if column.null_count else column)

        def names(name: str) -> np.ndarray:
            column = columns[name].combine_chunks()
            categories = np.array([*column.dictionary.to_pylist(), ""], "U")
            named: np.ndarray = categories[np.asarray(column.indices)]
            return named

        return cls(
            run=str(names("run")[0]) if len(table) else "",
            t_start_s=numbers("t_start_s"),
            duration_s=numbers("duration_s"),
            worker=numbers("worker"),
            member=numbers("member"),
            iteration=numbers("iteration"),
            kind=names("kind").astype("U10"),
            bytes=numbers("bytes"),
            value=np.asarray(columns["value"]),
            detail=tuple(details),
        )


def _schema() -> Any:
    """The file's columns."""
    import pyarrow as pa

    name = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        {
            "run": name,
            "t_start_s": pa.float64(),
            "duration_s": pa.float64(),
            "worker": pa.int32(),
            "member": pa.int32(),
            "iteration": pa.int32(),
            "kind": name,
            "bytes": pa.int64(),
            "value": pa.float64(),
            "detail": pa.string(),
        }
    )


@dataclass(frozen=True)
class Outcome:
    """What came of a run: its trace, and what holds for all of its rows."""

    trace: Trace
    wall_s: float
    """Seconds from the start of the run to its end, on the same clock as the rows."""
    workers: int
    transport: str
    cluster: str
    cause: str = ""
    """Empty if the run completed, else `crash` or `hang`."""
    message: str = ""


Watch = Callable[[Recorder], None]
"""Called when a run starts, with the recorder that it fills: whoever watches may read its rows."""
