"""Whoever wants to know how a study goes: the live view, tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pbtbench.running.time_left import TimeLeft
from pbtbench.runs import Run
from pbtbench.study.growth import Growth


class Observer:
    """What a runner says, as it happens. This one lets it pass."""

    def reading(self, ids: Sequence[str]) -> Iterable[str]:
        """The ids of the kept runs, each when the one before it has been read."""
        return ids

    def planned(self, growth: Growth, left: TimeLeft) -> None:
        """A study starts, or goes on. `left` is kept up to date while it does."""

    def checking(self, run: Run) -> None:
        """The problem of that run is tried, before any run starts."""

    def started(self, run: Run) -> None:
        """A run starts."""

    def progressed(self, progress: dict[str, Any]) -> None:
        """Some of the current run is done (`Progress.to_dict`)."""

    def ended(self, run: Run, done: dict[str, Any]) -> None:
        """The current run has been stored; `done` has its cause, message and wall seconds."""
