"""Findings: sentences that the numbers bear out, for the top of a report.

Each says over how many seeds, and claims no more than its numbers show (`compare` says what ties, and
what a difference has to be).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.measures.overhead import CHECKPOINT
from pbtbench.measures.target import Attempt
from pbtbench.report.advice import least_intervals
from pbtbench.report.endings import endings, regrets
from pbtbench.report.wording import listed, number, percent, plural, seconds, size
from pbtbench.statistics.cells import Cell, TargetCell
from pbtbench.statistics.compare import tied

SAME_TIME = 1.1
"""Expected times of which the longer is at most so many times the shorter count as equal: clocks, and
machines that do other things besides, tell no finer."""

NAMED = 3
"""Methods that tie and are named; more are counted."""


@dataclass(frozen=True)
class Finding:
    """What was measured on a problem, in a few sentences."""

    problem: str
    """The problem; empty for the study as a whole."""
    measured: tuple[str, ...]
    known: str = ""
    """What is known of the problem, from its card: not a result of this study."""


def findings(cells: Sequence[Cell]) -> list[Finding]:
    """One finding for each problem, and one for the study (failures, states too large for the
    object store) if there is something to say."""
    by_problem: dict[str, list[Cell]] = {}
    for cell in cells:
        by_problem.setdefault(cell.problem, []).append(cell)
    found = [
        Finding(name, tuple(_of_problem(mine)), mine[0].run.card.finding)
        for name, mine in by_problem.items()
    ]
    overall = (*_failures(cells), *_spills(cells))
    return [*([Finding("", overall)] if overall else []), *found]


def _of_problem(cells: Sequence[Cell]) -> Iterator[str]:
    done = [c for c in cells if c.scored]
    engines = list(dict.fromkeys(c.engine for c in done))
    for engine in engines:
        mine = [c for c in done if c.engine == engine]
        where = f"On {engine}, " if len(engines) > 1 else ""
        if len(mine) > 1:
            yield from endings(mine, where)
        yield from regrets(mine, where)
    yield from _targets(cells)
    yield from _costs(done, engines)
    yield from least_intervals(cells)
    yield from _divergence(cells)
    yield from _standing(cells)
    yield from _early_stops(cells)
    for engine in engines:
        runs = [m for c in done if c.engine == engine for m in c.completed]
        forks, outside = (
            sum(m.overhead.forks for m in runs),
            sum(m.quality.out_of_bounds for m in runs),
        )
        if outside:
            yield f"On {engine}, {outside} of {plural(forks, 'fork')} left the hyperparameters' bounds."
        if skipped := sum(m.quality.exploits_skipped for m in runs):
            verb = "was" if skipped == 1 else "were"
            yield (
                f"On {engine}, {plural(skipped, 'exploit')} {verb} skipped: the donor had no checkpoint."
            )
    beyond = sum(m.quality.beyond_bound for c in cells for m in c.measures)
    if beyond:
        yield f"{plural(beyond, 'score')} beat the bound of the problem: its bound or code is wrong."


def _targets(cells: Sequence[Cell]) -> Iterator[str]:
    """Who takes least for the hardest target that anyone reaches, in work and in wall time."""
    objective = cells[0].run.card.objective
    relation = "≥" if objective.sign > 0 else "≤"
    tried = [(cell, target) for cell in cells for target in cell.targets]
    reached = [(cell, target) for cell, target in tried if target.reached]
    if reached:
        hardest = max((t.target for _, t in reached), key=lambda target: objective.sign * target)
        several = len({c.engine for c in cells}) > 1
        hits = [Hit(c, t, several) for c, t in reached if t.target == hardest]
        alone = sum(t.target == hardest for _, t in tried) > 1
        yield f"{objective.metric} {relation} {number(hardest)} {_least(hits, alone)}"
    missed = {t.target for _, t in tried} - {t.target for _, t in reached}
    if missed:
        told = " or ".join(f"{relation} {number(t)}" for t in sorted(missed))
        yield f"No run reached {objective.metric} {told} within its budget."


@dataclass(frozen=True)
class Hit:
    """A method that reached a target."""

    cell: Cell
    target: TargetCell
    several_engines: bool

    @property
    def name(self) -> str:
        on = f" on {self.cell.engine}" if self.several_engines else ""
        return f"{self.cell.label}{on} ({self.target.reached} of {plural(self.target.n, 'seed')})"


def _least(hits: Sequence[Hit], others: bool) -> str:
    """`takes least work with …`, or who reached a target alone, where others tried; the end of a sentence."""
    least_work = min(hit.target.ert_member_iterations for hit in hits)
    least_s = min(hit.target.ert_s for hit in hits)
    unit = "member-iteration" if least_work == 1 else "member-iterations"
    spent = f"{number(least_work)} {unit}", seconds(least_s)
    many = max(hit.target.n for hit in hits) > 1
    told = "expected, misses counted in" if many else "one seed: too few to know the spread"
    if len(hits) == 1:
        alone = " alone" if others else ""
        return f"is reached with {hits[0].name}{alone}, in {spent[0]} and {spent[1]} ({told})."
    work = [hit for hit in hits if tied(hit.target.ert_member_iterations, least_work)]
    wall = [hit for hit in hits if hit.target.ert_s <= SAME_TIME * least_s]
    if len(work) == len(wall) == len(hits):
        return f"takes the same work and wall time with {_names(hits, hits)}: {' and '.join(spent)} ({told})."
    by_work, by_wall = _by(work, hits, "work"), _by(wall, hits, "wall time")
    overlap = [
        _overlap(work, hits, lambda a: a.member_iterations),
        _overlap(wall, hits, lambda a: a.seconds),
    ]
    return f"takes {by_work}: {spent[0]}{overlap[0]}; {by_wall}: {spent[1]}{overlap[1]} ({told})."


def _overlap(
    least: Sequence[Hit], hits: Sequence[Hit], spent: Callable[[Attempt], float | None]
) -> str:
    """That the seeds of those that take least and of the others overlap, where they do; a miss is infinite."""

    def taken(some: Sequence[Hit]) -> list[float]:
        found = [
            spent(a)
            for h in some
            for m in h.cell.measures
            for a in m.attempts
            if a.target == h.target.target
        ]
        return [math.inf if value is None else value for value in found]

    others = [hit for hit in hits if not any(hit is one for one in least)]
    several = max(hit.target.n for hit in hits) > 1
    overlap = others and several and max(taken(least)) >= min(taken(others))
    return ", seeds overlapping" if overlap else ""


def _by(least: Sequence[Hit], hits: Sequence[Hit], what: str) -> str:
    """`least work with random (3 of 3 seeds)`, or who ties."""
    same = "the same" if len(least) == len(hits) else "least"
    tie = ", which tie" if 1 < len(least) < len(hits) else ""
    return f"{same} {what} with {_names(least, hits)}{tie}"


def _names(some: Sequence[Hit], hits: Sequence[Hit]) -> str:
    """Their names, or how many they are."""
    if len(some) <= NAMED:
        return listed([hit.name for hit in some])
    return (
        f"all {len(some)} that reach it"
        if len(some) == len(hits)
        else f"{len(some)} of {len(hits)} that reach it"
    )


def _costs(done: Sequence[Cell], engines: Sequence[str]) -> Iterator[str]:
    """What checkpoints cost at the shortest and longest interval, and a fork on each engine."""
    swept = [c for c in done if c.interval is not None]
    told = []
    for engine in engines:
        mine = sorted((c for c in swept if c.engine == engine), key=lambda c: c.interval or 0)
        mine = [c for c in mine if c.checkpoint_overhead > 0]
        ends = [mine[0], mine[-1]] if len(mine) > 1 else mine
        if ends:
            costs = listed([f"{percent(c.checkpoint_overhead)} with {c.label}" for c in ends])
            told.append(f"{costs} on {engine}")
    if told:
        n = max(len(c.completed) for c in swept)
        median = f" (median of {plural(n, 'seed')})" if n > 1 else ""
        yield f"Checkpoints cost, relative to training and evaluation: {'; '.join(told)}{median}."
    for label in dict.fromkeys(c.label for c in swept):
        forks = {c.engine: _fork_seconds(c) for c in swept if c.label == label}
        forks = {engine: cost for engine, cost in forks.items() if cost > 0}
        if len(forks) > 1:
            dear, cheap = max(forks, key=forks.__getitem__), min(forks, key=forks.__getitem__)
            if forks[dear] <= SAME_TIME * forks[cheap]:
                continue
            yield (
                f"With {label}, a fork (with all saves made for it) costs {seconds(forks[dear])} on "
                f"{dear}, {seconds(forks[cheap])} on {cheap}: "
                f"{number(forks[dear] / forks[cheap])} times."
            )
            break


def _fork_seconds(cell: Cell) -> float:
    """Median over runs of: worker-seconds of checkpoints over forks; NaN without forks."""
    costs = [
        sum(m.overhead.seconds[kind] for kind in CHECKPOINT) / m.overhead.forks
        for m in cell.completed
        if m.overhead.forks
    ]
    return float(np.median(costs)) if costs else math.nan


def _divergence(cells: Sequence[Cell]) -> Iterator[str]:
    """Members whose score was no finite number, and runs that ended without any."""
    diverged = [(c, sum(m.quality.nan_members for m in c.measures)) for c in cells]
    told = [f"{n:,} of {_on(c, cells)}" for c, n in diverged if n]
    if told:
        yield f"Members that diverged (scored NaN or infinite): {listed(told)}."
    without = [(c, sum(math.isnan(m.quality.final_score) for m in c.completed)) for c in cells]
    told = [f"{n} of {plural(len(c.completed), 'run')} of {_on(c, cells)}" for c, n in without if n]
    if told:
        yield f"No member of these ended with a score, and they count as worst: {listed(told)}."


def _standing(cells: Sequence[Cell]) -> Iterator[str]:
    """Scores of iterations that measured none."""
    told = [
        f"{n:,} of {scores:,} of {_on(c, cells)}"
        for c in cells
        if (n := sum(m.quality.standing for m in c.measures))
        for scores in [sum(len(m.outcome.trace.rows("score")) for m in c.measures)]
    ]
    if told:
        metric = cells[0].run.card.objective.metric
        yield f"Iterations that gave no {metric}, so that the last one stands: {listed(told)}."


def _early_stops(cells: Sequence[Cell]) -> Iterator[str]:
    """Members that made fewer iterations than their budget: methods that stop them do that, Tune's
    `stop`, and trainables that say that they are done."""
    told = []
    for c in cells:
        if not c.stopped_early:
            continue
        made = [made for m in c.completed for made in m.made]
        early = [i for i in made if i < c.run.iterations]
        after = f"{min(early):,}" if len(set(early)) == 1 else f"{min(early):,} to {max(early):,}"
        told.append(
            f"{len(early):,} of {len(made):,} of {_on(c, cells)} after {after} of {c.run.iterations:,}"
        )
    if told:
        yield f"Members that stopped early, by iterations made: {'; '.join(told)}."


def _on(cell: Cell, cells: Sequence[Cell]) -> str:
    """A cell's label, with its engine where there are several."""
    return f"{cell.label} on {cell.engine}" if len({c.engine for c in cells}) > 1 else cell.label


def _failures(cells: Sequence[Cell]) -> Iterator[str]:
    runs = [m for c in cells for m in c.measures]
    failed = [m for m in runs if m.outcome.cause]
    if failed:
        causes = Counter(m.outcome.cause for m in failed)
        told = listed([f"{n} by {cause}" for cause, n in causes.items()])
        yield f"{len(failed)} of {plural(len(runs), 'run')} failed: {told}."


def _spills(cells: Sequence[Cell]) -> Iterator[str]:
    for engine in dict.fromkeys(c.engine for c in cells):
        traces = [m.outcome.trace for c in cells if c.engine == engine for m in c.measures]
        given = [
            (int(t.bytes[row]), int(detail["spilled_beyond"]))
            for t in traces
            for row in t.rows("transfer").tolist()
            if (detail := t.detail[row]) and "spilled_beyond" in detail
        ]
        if given:
            most, holds = max(given)
            yield (
                f"On {engine}, {plural(len(given), 'state')} of up to {size(most)} did not fit into the "
                f"object store of {size(holds)}: Ray spilled to disk. Start Ray with a larger "
                "--object-store-memory, or take transport disk."
            )
