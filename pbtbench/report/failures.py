"""What failed, each reason once with the runs that it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pbtbench.measures import Measures


@dataclass(frozen=True)
class Failure:
    """A reason, and the runs that failed by it."""

    cause: str
    message: str
    runs: tuple[str, ...]
    """Their ids."""

    @property
    def which(self) -> str:
        """`toy.plain/pbt/ray/k1/s0`, or `toy.plain/pbt/ray/k1/s0 and 5 more`."""
        more = f" and {len(self.runs) - 1:,} more" if len(self.runs) > 1 else ""
        return self.runs[0] + more

    @property
    def reason(self) -> str:
        """`crash: …`, with the count of the runs where there are several."""
        count = f" ({len(self.runs):,} runs)" if len(self.runs) > 1 else ""
        return f"{self.cause}{count}: {self.message}"


def failures(measures: Sequence[Measures]) -> list[Failure]:
    """Every reason of a failure, in the order of its first run."""
    found: dict[tuple[str, str], list[str]] = {}
    for m in measures:
        if m.cause:
            found.setdefault((m.cause, m.message), []).append(m.run.id)
    return [Failure(*reason, tuple(runs)) for reason, runs in found.items()]
