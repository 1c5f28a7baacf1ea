"""What is reported beside the overhead, and never folded into it (METHOD 1): stale and discarded steps,
process starts, memory, and how members score before and after they take another's state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pbtbench.measures.lineage import segments
from pbtbench.measures.rows import Rows
from pbtbench.record import Outcome, Trace
from pbtbench.run import Run


@dataclass(frozen=True)
class Jump:
    """A fork's restore, by the scores around it; NaN where there is none."""

    member: int
    iteration: int
    donor: int
    before: float
    """The member's last score before."""
    copied: float
    """The donor's score at the iteration whose state was copied."""
    after: float
    """The member's first score after."""
    stale_steps: float
    """Iterations by which the donor had moved on when its state was restored; NaN if not known."""
    out_of_bounds: bool
    """Whether the new hyperparameters are."""


@dataclass(frozen=True)
class ForkEffects:
    """A run's figures beside its overhead."""

    stale_steps: float
    """Mean over the forks; NaN without forks."""
    discarded: float
    """Share of all member-iterations that live on in no member: trained, then overwritten."""
    process_starts: int
    """Processes that were started for the members."""
    lost: int
    """States, of members or of their donors, that were lost with a worker or trial."""
    peak_memory_bytes: Mapping[int, int]
    """Worker -> the most that a process of it held."""
    peak_device_bytes: float
    """The same on its device; NaN without one."""
    jumps: tuple[Jump, ...]
    never_perturbed: int
    """Members that never forked from another."""


def fork_effects(run: Run, outcome: Outcome) -> ForkEffects:
    """A run's figures."""
    trace = outcome.trace
    tree = segments(run.card.objective, trace)
    made = sum(s.end - s.start for s in tree)
    lost = sum(s.end - max(s.start, min(s.end, s.survives_until)) for s in tree)
    jumps = tuple(_jumps(trace))
    stale = [jump.stale_steps for jump in jumps if not math.isnan(jump.stale_steps)]
    memory = trace.rows("memory")
    device = trace.value[memory][~np.isnan(trace.value[memory])]
    members = set(trace.member[trace.member >= 0].tolist())
    return ForkEffects(
        stale_steps=float(np.mean(stale)) if stale else math.nan,
        discarded=lost / made if made else math.nan,
        process_starts=_starts(outcome),
        lost=sum(
            "unpersisted" not in (trace.detail[row] or {}) for row in trace.rows("error").tolist()
        ),
        peak_memory_bytes={
            worker: int(trace.bytes[memory][trace.worker[memory] == worker].max())
            for worker in np.unique(trace.worker[memory]).tolist()
        },
        peak_device_bytes=float(device.max()) if len(device) else math.nan,
        jumps=jumps,
        never_perturbed=len(members - {jump.member for jump in jumps}),
    )


def _jumps(trace: Trace) -> Iterator[Jump]:
    """Every fork's restore, with the scores around it."""
    rows = Rows(trace, "save", "restore", "score")
    scored = trace.rows("score")
    keys = zip(trace.member[scored].tolist(), trace.iteration[scored].tolist(), strict=True)
    score = dict(zip(keys, trace.value[scored].tolist(), strict=True))

    def value(row: int | None) -> float:
        return math.nan if row is None else float(trace.value[row])

    for fork in trace.rows("fork").tolist():
        detail = trace.detail[fork] or {}
        member, donor, moment = int(trace.member[fork]), int(detail["donor"]), trace.t_start_s[fork]
        restored = rows.first("restore", member, moment)
        end = moment if restored is None else trace.t_start_s[restored] + trace.duration_s[restored]
        now, copied = rows.last("score", donor, end), rows.copied(trace, fork)
        known = copied is not None and now is not None
        yield Jump(
            member=member,
            iteration=int(trace.iteration[fork]),
            donor=donor,
            before=value(rows.last("score", member, moment)),
            copied=score.get((donor, copied), math.nan) if copied is not None else math.nan,
            after=value(rows.first("score", member, end)),
            stale_steps=float(trace.iteration[now] - copied) if known else math.nan,
            out_of_bounds=bool(detail.get("out_of_bounds")),
        )


def _starts(outcome: Outcome) -> int:
    """Distinct processes, where their rows tell them apart; else one for each worker and each restart."""
    trace = outcome.trace
    rows = [*trace.rows("setup").tolist(), *trace.rows("restart").tolist()]
    told = {d["process"] for row in rows if (d := trace.detail[row]) and "process" in d}
    return len(told) or outcome.workers + len(trace.rows("restart"))
