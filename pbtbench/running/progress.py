"""How far a run is, from the rows recorded so far: what a live view shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pbtbench.record import Recorder


@dataclass
class MemberProgress:
    """One member's latest."""

    iteration: int = 0
    score: float = math.nan
    seconds: float = 0.0
    """When its latest score was recorded, since the start of the run."""
    forks: int = 0
    donor: int | None = None
    """Whom it copied last."""


@dataclass
class Progress:
    """A running tally over a recorder's rows; reading takes each row once."""

    recorder: Recorder
    members: dict[int, MemberProgress] = field(default_factory=dict)
    saves: int = 0
    restores: int = 0
    forks: int = 0
    _read: int = 0

    def update(self) -> None:
        """Take in the rows recorded since the last call."""
        end = len(self.recorder.events)
        for event in self.recorder.events[self._read : end]:
            if event.kind == "score":
                member = self.members.setdefault(event.member, MemberProgress())
                member.iteration, member.score = event.iteration, event.value
                member.seconds = event.t_start_s
            elif event.kind == "save":
                self.saves += 1
            elif event.kind == "restore":
                self.restores += 1
            elif event.kind == "fork" and event.detail is not None:
                self.forks += 1
                member = self.members.setdefault(event.member, MemberProgress())
                member.forks += 1
                member.donor = event.detail["donor"]
        self._read = end

    def to_dict(self) -> dict[str, Any]:
        """As plain data: counts, and for each member [iteration, score, seconds, forks, donor]."""
        self.update()
        return {
            "elapsed": self.recorder.now(),
            "saves": self.saves,
            "restores": self.restores,
            "forks": self.forks,
            "members": {
                member: [p.iteration, p.score, p.seconds, p.forks, p.donor]
                for member, p in sorted(self.members.items())
            },
        }
