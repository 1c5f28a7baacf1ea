"""The clock of benchmarks: it goes on by what runs say that they took, so that what pbtbench does around a run
counts nowhere, and a simulated run counts by its own clock."""

from __future__ import annotations

_seconds = 0.0


def run_seconds() -> float:
    """Seconds of all runs that this process's benchmarks have made, on each run's own clock."""
    return _seconds


def advance(seconds: float) -> None:
    """A run took so long."""
    global _seconds  # noqa: PLW0603 a clock is one for all, as pytest-benchmark's timers are
    _seconds += seconds
