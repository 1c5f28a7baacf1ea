"""The record: what an engine emits of a run, and all that it emits. Tables of columns, without a row object.

A `Recorder` (`recorder`) collects them while a run goes on; a `Record` is what remains. Timed rows of one
worker never overlap; what a worker's rows leave open is `idle` where an engine says so, and `unaccounted`
otherwise (see `measures.overhead`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from pbtbench.space.columns import Columns

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

MARKS = ("error", "memory")
"""Kinds of rows that say what happened, at a moment: `error` (value: iterations that were lost by it; its
cause and message are a note), `memory` (bytes: the most that the worker's process has held so far; value:
the same of its device)."""

KINDS = TIMED + MARKS
CODES: Mapping[str, int] = {kind: code for code, kind in enumerate(KINDS)}
"""Kind -> its number in a timeline."""

NOBODY = -1
"""The donor of the values that members start with; and no worker, no member, no iteration."""


@dataclass(frozen=True)
class Table:
    """Columns of equal length, in order of time."""

    COLUMNS: ClassVar[Mapping[str, Any]]
    """The columns that all tables of the kind have, the time first -> their types."""

    @classmethod
    def ordered(cls, *columns: Any) -> Self:
        """The table of these columns, put in order of time where they aren't."""
        table = cls(*columns)
        times = table.times
        if len(times) > 1 and bool((np.diff(times) < 0).any()):
            table = table.at(np.argsort(times, kind="stable"))
        return table

    @property
    def times(self) -> np.ndarray:
        """The first column, in seconds since the start of the run."""
        times: np.ndarray = getattr(self, next(iter(self.COLUMNS)))
        return times

    def __len__(self) -> int:
        return len(self.times)

    def at(self, places: Any) -> Self:
        """The rows at some places: indices, a slice or a mask."""

        def chosen(values: Any) -> Any:
            if isinstance(values, Mapping):
                return {name: column[places] for name, column in values.items()}
            return values[places]

        return type(self)(*(chosen(getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True)
class Timeline(Table):
    """The timed rows and marks. −1 stands for 'none' in the whole-number columns, NaN for 'no value'."""

    COLUMNS: ClassVar[Mapping[str, Any]] = {
        "t_start_s": np.float64,
        "duration_s": np.float64,
        "worker": np.int32,
        "member": np.int32,
        "iteration": np.int32,
        "kind": np.int8,
        "bytes": np.int64,
        "value": np.float64,
    }
    t_start_s: np.ndarray
    """Seconds since the start of the run."""
    duration_s: np.ndarray
    worker: np.ndarray
    """−1: what no worker spends its time on."""
    member: np.ndarray
    iteration: np.ndarray
    kind: np.ndarray
    """A place in `KINDS`."""
    bytes: np.ndarray
    value: np.ndarray

    def rows(self, *kinds: str) -> np.ndarray:
        """Indices of the rows of these kinds, in order of time."""
        return np.flatnonzero(self.of(*kinds))

    def of(self, *kinds: str) -> np.ndarray:
        """A mask of the rows of these kinds."""
        found: np.ndarray = self.kind == CODES[kinds[0]]
        for kind in kinds[1:]:
            found |= self.kind == CODES[kind]
        return found


@dataclass(frozen=True)
class Scores(Table):
    """What members scored: a row for each member and iteration."""

    COLUMNS: ClassVar[Mapping[str, Any]] = {
        "t_s": np.float64,
        "member": np.int32,
        "iteration": np.int32,
        "age": np.int32,
        "done": np.bool_,
    }
    t_s: np.ndarray
    member: np.ndarray
    iteration: np.ndarray
    age: np.ndarray
    """Iterations since the score was measured: above 0 where a trainable's metric comes only now and
    then, and the score stands from before."""
    done: np.ndarray
    """Whether the member had made its last iteration before."""
    metrics: Columns
    """Metric -> its values, float64; the objective among them."""


@dataclass(frozen=True)
class Forks(Table):
    """Who took whose state. The values that members start with are forks from nobody, at iteration 0."""

    COLUMNS: ClassVar[Mapping[str, Any]] = {
        "t_s": np.float64,
        "member": np.int32,
        "donor": np.int32,
        "iteration": np.int32,
        "copied_iteration": np.int32,
        "out_of_bounds": np.bool_,
    }
    t_s: np.ndarray
    """Those of one moment were decided together, and take the states before them all."""
    member: np.ndarray
    donor: np.ndarray
    """−1: nobody."""
    iteration: np.ndarray
    """How many the member had made."""
    copied_iteration: np.ndarray
    """How many the donor had made whose state it is, where the state was saved before; −1 where it is saved
    for the fork."""
    out_of_bounds: np.ndarray
    """Whether new values are beyond the space's bounds."""
    old: Columns
    """Hyperparameter -> the member's values before (of a start: the same as after)."""
    new: Columns

    @property
    def starts(self) -> np.ndarray:
        """A mask of those from nobody."""
        mask: np.ndarray = self.donor == NOBODY
        return mask


NOTES: Mapping[str, str] = {
    "crash": "why something was lost (text), and the iterations that were lost with it (value)",
    "hang": "the same",
    "unpersisted": "why a state was not written behind the training (text)",
    "exploits_skipped": "exploits that Ray Tune left out, as the donor had no checkpoint yet (value)",
    "stopped": "a scheduler ended the member before its budget",
    "spilled_beyond": "a state was larger than the object store, whose bytes are the value",
    "process": "the process that holds the member (text), for telling processes apart",
    "members": "how members train, `looped` or `stacked` (text)",
    "test": "the member's score after its last iteration, on data that no decision saw (value)",
    "untested": "why members have no such score, though there are such data (text)",
}
"""Name of a note -> what it says."""


@dataclass(frozen=True)
class Notes(Table):
    """What is rare and has words."""

    COLUMNS: ClassVar[Mapping[str, Any]] = {
        "t_s": np.float64,
        "worker": np.int32,
        "member": np.int32,
        "iteration": np.int32,
        "name": np.object_,
        "value": np.float64,
        "text": np.object_,
    }
    t_s: np.ndarray
    worker: np.ndarray
    member: np.ndarray
    iteration: np.ndarray
    name: np.ndarray
    """One of `NOTES`."""
    value: np.ndarray
    text: np.ndarray

    def named(self, *names: str) -> np.ndarray:
        """Indices of the notes of these names, in order of time."""
        return np.flatnonzero(np.isin(self.name.astype("U32"), names))


@dataclass(frozen=True)
class Record:
    """A run as it went."""

    timeline: Timeline
    scores: Scores
    forks: Forks
    notes: Notes


@dataclass(frozen=True)
class Outcome:
    """What came of a run: its record, and what holds for all of it."""

    record: Record
    wall_s: float
    """Seconds from the start of the run to its end, on the same clock as the record."""
    workers: int
    transport: str
    cluster: str
    cause: str = ""
    """Empty if the run completed, else `crash` or `hang`."""
    message: str = ""
