"""What is reported beside the overhead, and never folded into it (METHOD 1): stale and discarded steps,
actor starts, memory, and how members score before and after they take another's state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pbtbench.metrics.lineage import segments
from pbtbench.run import Run
from pbtbench.trace import Outcome, Trace


@dataclass(frozen=True)
class Jump:
    """A fork's restore, by the scores around it; NaN where there is none."""

    member: int
    before: float
    """The member's last score before."""
    donor: float
    """The donor's score at the iteration whose state was copied."""
    after: float
    """The member's first score after."""


@dataclass(frozen=True)
class Beside:
    """A run's figures beside its overhead."""

    stale_steps: float
    """Mean, over forks, of the iterations by which the donor had moved on when its state was
    restored; NaN without forks."""
    discarded: float
    """Share of all member-iterations that live on in no member: trained, then overwritten."""
    actor_starts: int
    """Processes that were started for the members."""
    peak_memory_bytes: int
    """The most that one worker's process held; 0 if that was not noted."""
    peak_device_bytes: float
    """The same on its device; NaN without one."""
    jumps: tuple[Jump, ...]
    never_perturbed: int
    """Members that never forked from another."""


def beside(run: Run, outcome: Outcome) -> Beside:
    """A run's figures."""
    trace = outcome.trace
    tree = segments(run.card.objective, trace)
    made = sum(s.end - s.start for s in tree)
    lost = sum(s.end - max(s.start, min(s.end, s.survives_until)) for s in tree)
    found = [_copied(trace, row) for row in trace.rows("fork").tolist()]
    stale = [steps for steps, _ in found if not math.isnan(steps)]
    memory = trace.rows("memory")
    device = trace.value[memory][~np.isnan(trace.value[memory])]
    members = set(trace.member[trace.member >= 0].tolist())
    return Beside(
        stale_steps=float(np.mean(stale)) if stale else math.nan,
        discarded=lost / made if made else math.nan,
        actor_starts=_starts(outcome),
        peak_memory_bytes=int(trace.bytes[memory].max(initial=0)),
        peak_device_bytes=float(device.max()) if len(device) else math.nan,
        jumps=tuple(jump for _, jump in found),
        never_perturbed=len(members - set(trace.member[trace.rows("fork")].tolist())),
    )


def _copied(trace: Trace, fork: int) -> tuple[float, Jump]:
    """How many iterations the donor had moved on when its state was restored, and the scores around.

    The state is of the iteration that the fork tells (`copied`), or of the save made for the fork.
    """
    member, moment = int(trace.member[fork]), trace.t_start_s[fork]
    detail = trace.detail[fork] or {}
    donor = int(detail["donor"])
    restored = _first(trace, "restore", member, moment)
    end = moment if restored is None else trace.t_start_s[restored] + trace.duration_s[restored]
    save, now = _first(trace, "save", donor, moment), _last(trace, "score", donor, end)
    copied = detail.get("copied", None if save is None else int(trace.iteration[save]))
    stale = at_copy = math.nan
    if now is not None and copied is not None:
        stale = float(trace.iteration[now] - copied)
        rows = trace.rows("score")
        mine = rows[(trace.member[rows] == donor) & (trace.iteration[rows] == copied)]
        at_copy = float(trace.value[mine[-1]]) if len(mine) else math.nan
    before, after = _last(trace, "score", member, moment), _first(trace, "score", member, end)
    return stale, Jump(member, _value(trace, before), at_copy, _value(trace, after))


def _starts(outcome: Outcome) -> int:
    """Distinct processes, where their rows tell them apart; else one for each worker and each restart."""
    trace = outcome.trace
    rows = [*trace.rows("setup").tolist(), *trace.rows("restart").tolist()]
    told = {d["process"] for row in rows if (d := trace.detail[row]) and "process" in d}
    return len(told) or outcome.workers + len(trace.rows("restart"))


def _first(trace: Trace, kind: str, member: int, since: float) -> int | None:
    rows = trace.rows(kind)
    rows = rows[(trace.member[rows] == member) & (trace.t_start_s[rows] >= since)]
    return int(rows[0]) if len(rows) else None


def _last(trace: Trace, kind: str, member: int, until: float) -> int | None:
    rows = trace.rows(kind)
    rows = rows[(trace.member[rows] == member) & (trace.t_start_s[rows] <= until)]
    return int(rows[-1]) if len(rows) else None


def _value(trace: Trace, row: int | None) -> float:
    return math.nan if row is None else float(trace.value[row])
