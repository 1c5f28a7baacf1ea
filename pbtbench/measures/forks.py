"""What is reported beside the overhead, and never folded into it (METHOD 1): stale and discarded steps,
process starts, memory, and how members score before and after they take another's state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pbtbench.measures.by_member import ByMember
from pbtbench.measures.lineage import Lineage, copied
from pbtbench.measures.quality import objective_scores
from pbtbench.problem import Objective
from pbtbench.record import Outcome, Record, Timeline
from pbtbench.schema import Total


@dataclass(frozen=True)
class Jumps:
    """Every fork's restore, by the scores around it, as columns of shape (forks,); NaN where there is none."""

    member: np.ndarray
    iteration: np.ndarray
    donor: np.ndarray
    before: np.ndarray
    """The member's last score before."""
    copied: np.ndarray
    """The donor's score at the iteration whose state was copied."""
    after: np.ndarray
    """The member's first score after."""
    stale_steps: np.ndarray
    """Iterations by which the donor had moved on when its state was restored; NaN if not known."""
    out_of_bounds: np.ndarray
    """Whether the new hyperparameters are."""


@dataclass(frozen=True)
class ForkEffects:
    """A run's figures beside its overhead."""

    before: float
    """Median over the forks of the member's last score before; NaN without forks, as the three below."""
    copied: float
    """Of the donor's score at the iteration whose state was copied."""
    after: float
    """Of the member's first score after."""
    stale_steps: float
    """Mean over the forks: iterations by which the donor had moved on when its state was restored."""
    discarded: float
    """Share of all member-iterations that live on in no member: trained, then overwritten."""
    process_starts: Total
    """Processes that were started for the members."""
    lost: Total
    """States, of members or of their donors, that were lost with a worker or trial."""
    peak_memory_bytes: Mapping[int, Total]
    """Worker -> the most bytes that a process of it held."""
    peak_device_bytes: float
    """The same on its device; NaN without one."""
    never_perturbed: Total
    """Members that never forked from another."""


def fork_effects(
    objective: Objective, outcome: Outcome, tree: Lineage, population: int
) -> ForkEffects:
    """A run's figures (METHOD 1). `tree`: its family tree, of `population` members."""
    record = outcome.record
    made = int((tree.end - tree.start).sum())
    kept = np.maximum(tree.start, np.minimum(tree.end, tree.survives_until))
    found = jumps(objective, record)
    memory = record.timeline.at(record.timeline.rows("memory"))
    device = memory.value[~np.isnan(memory.value)]
    return ForkEffects(
        before=_median(found.before),
        copied=_median(found.copied),
        after=_median(found.after),
        stale_steps=_mean(found.stale_steps),
        discarded=int((tree.end - kept).sum()) / made if made else math.nan,
        process_starts=_starts(outcome),
        lost=len(record.timeline.rows("error")),
        peak_memory_bytes=_peaks(memory),
        peak_device_bytes=float(device.max()) if len(device) else math.nan,
        never_perturbed=population - len(np.unique(found.member)),
    )


def jumps(objective: Objective, record: Record) -> Jumps:
    """Every fork's restore, in order of the forks."""
    rows = np.flatnonzero(~record.forks.starts)
    forks, scores = record.forks.at(rows), record.scores
    values = np.append(objective_scores(objective, scores), math.nan)  # of no row
    restores = record.timeline.at(record.timeline.rows("restore"))
    restored = ByMember(restores.member, restores.t_start_s).first(forks.member, forks.t_s)
    ends = np.append(restores.t_start_s + restores.duration_s, math.nan)[restored]
    ends = np.where(restored < 0, forks.t_s, ends)
    by_member = ByMember(scores.member, scores.t_s)
    state = copied(record)[rows]
    now = by_member.last(forks.donor, ends)
    known = (state >= 0) & (now >= 0)
    stale = np.full(len(rows), math.nan)
    stale[known] = scores.iteration[now[known]] - state[known]
    return Jumps(
        member=forks.member,
        iteration=forks.iteration,
        donor=forks.donor,
        before=values[by_member.last(forks.member, forks.t_s)],
        copied=values[by_member.numbered(forks.donor, state, scores.iteration)],
        after=values[by_member.first(forks.member, ends)],
        stale_steps=stale,
        out_of_bounds=forks.out_of_bounds,
    )


def _starts(outcome: Outcome) -> int:
    """Distinct processes, where notes tell them apart; else one for each worker and each restart."""
    notes = outcome.record.notes
    processes = len(set(notes.text[notes.named("process")].tolist()))
    return processes or outcome.workers + len(outcome.record.timeline.rows("restart"))


def _peaks(memory: Timeline) -> dict[int, int]:
    workers, place = np.unique(memory.worker, return_inverse=True)
    most = np.zeros(len(workers), np.int64)
    np.maximum.at(most, place, memory.bytes)
    return dict(zip(workers.tolist(), most.tolist(), strict=True))


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
