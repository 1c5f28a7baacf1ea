"""Where a problem's own calls of `tf.summary` go, in a study that is run with `--tensorboard`: to the log of
the member that trains, `tensorboard/<run id>/<member>/problem`, on every engine. The default step is the
iteration.

    tf.summary.scalar("gradient_norm", norm)

A member's log is the default writer while the member trains and is evaluated. That holds for members of a
`LoopedPopulation`; of `keras_population`, also for what a layer or a `train_step` writes in the graph that
members share; and for trainables, where the iteration is Ray Tune's `training_iteration`. A population that
loops over its members itself says by `of_member` who is at work. There is no log where all members train in
one call (stacked), in code that XLA compiles, and before TensorFlow is loaded. Without `--tensorboard` there is
none at all, and `tf.summary` does nothing.

On a cluster the study's folder must be one that all machines share. Nobody gets TensorFlow imported for this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

PROBLEM = "problem"
"""The folder, in a member's, of what its problem writes."""

_NOTHING = nullcontext()


@dataclass(frozen=True)
class _Iteration:
    """What members of a process make now."""

    folder: str
    first: int
    number: int


_now: _Iteration | None = None
_writer: Any = None
"""The process's `MemberWriter`, once it is needed."""


def at(folder: str | None, first: int, iteration: int) -> AbstractContextManager[None]:
    """While it lasts, a population of members `first`, `first + 1`, … makes that iteration. `folder`: that of
    the run's events; None where nobody asked for any."""
    return _NOTHING if folder is None else _at(_Iteration(folder, first, iteration))


@contextmanager
def _at(now: _Iteration) -> Iterator[None]:
    global _now  # noqa: PLW0603 — as TensorFlow's default writer is a process's
    _now = now
    if _writer is not None:
        _writer.step.assign(now.number)
    try:
        yield
    finally:
        _now = None
        if _writer is not None:
            _writer.flush()


def of_member(place: int) -> AbstractContextManager[None]:
    """While it lasts, what `tf.summary` writes is of the population's member at that place."""
    if _now is None or "tensorflow" not in sys.modules:
        return _NOTHING
    return _of_member(_now, place)


@contextmanager
def _of_member(now: _Iteration, place: int) -> Iterator[None]:
    global _writer  # noqa: PLW0603
    if _writer is None:
        from pbtbench.adapters.tensorflow_internals import member_writer

        _writer = member_writer()
        _writer.step.assign(now.number)
    _writer.turn_to(now.folder, f"{now.folder}/{now.first + place}/{PROBLEM}")
    with _writer.as_default(_writer.step):
        yield
