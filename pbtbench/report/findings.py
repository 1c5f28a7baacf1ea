"""Findings: sentences that the numbers bear out, for the top of a report.

Each says over how many seeds, and claims no more than its numbers show (`compare` says what ties, and
what a difference has to be).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pbtbench.report.advice import least_intervals
from pbtbench.report.endings import endings, regrets
from pbtbench.report.wording import listed, number, percent, plural, seconds, size, times
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.targets import SAME_TIME, Hit, hardest, least_time, least_work, missed

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
    if hits := hardest(cells):
        target = hits[0].target.target
        alone = sum(t.target == target for cell in cells for t in cell.targets) > 1
        several = len({c.engine for c in cells}) > 1
        yield f"{objective.metric} {relation} {number(target)} {_least(hits, alone, several)}"
    if never := missed(cells):
        targets = " or ".join(f"{relation} {number(t)}" for t in never)
        yield f"No run reached {objective.metric} {targets} within its budget."


def _name(hit: Hit, several: bool) -> str:
    on = f" on {hit.cell.engine}" if several else ""
    return f"{hit.cell.label}{on} ({hit.target.reached} of {plural(hit.target.n, 'seed')})"


def _least(hits: Sequence[Hit], others: bool, several: bool) -> str:
    """`takes least work with …`, or who reached a target alone, where others tried; the end of a sentence."""
    work, wall = least_work(hits), least_time(hits)
    unit = "member-iteration" if work.spent == 1 else "member-iterations"
    spent = f"{number(work.spent)} {unit}", seconds(wall.spent)
    many = max(hit.target.n for hit in hits) > 1
    how = "expected, misses counted in" if many else "one seed: too few to know the spread"
    names = [_name(hit, several) for hit in hits]
    if len(hits) == 1:
        alone = " alone" if others else ""
        return f"is reached with {names[0]}{alone}, in {spent[0]} and {spent[1]} ({how})."
    if len(work.hits) == len(wall.hits) == len(hits):
        return f"takes the same work and wall time with {_names(names, hits)}: {' and '.join(spent)} ({how})."
    by_work, by_wall = (
        _by([_name(hit, several) for hit in least.hits], hits, what)
        for least, what in ((work, "work"), (wall, "wall time"))
    )
    overlap = [", seeds overlapping" if least.overlap else "" for least in (work, wall)]
    return f"takes {by_work}: {spent[0]}{overlap[0]}; {by_wall}: {spent[1]}{overlap[1]} ({how})."


def _by(names: Sequence[str], hits: Sequence[Hit], what: str) -> str:
    """`least work with random (3 of 3 seeds)`, or who ties."""
    same = "the same" if len(names) == len(hits) else "least"
    tie = ", which tie" if 1 < len(names) < len(hits) else ""
    return f"{same} {what} with {_names(names, hits)}{tie}"


def _names(names: Sequence[str], hits: Sequence[Hit]) -> str:
    """The names, or how many they are."""
    if len(names) <= NAMED:
        return listed(names)
    return (
        f"all {len(names)} that reach it"
        if len(names) == len(hits)
        else f"{len(names)} of {len(hits)} that reach it"
    )


def _costs(done: Sequence[Cell], engines: Sequence[str]) -> Iterator[str]:
    """What checkpoints cost at the shortest and longest interval, and a fork on each engine."""
    swept = [c for c in done if c.interval is not None]
    each = []
    for engine in engines:
        mine = sorted((c for c in swept if c.engine == engine), key=lambda c: c.interval or 0)
        mine = [c for c in mine if c.checkpoint_overhead > 0]
        ends = [mine[0], mine[-1]] if len(mine) > 1 else mine
        if ends:
            costs = listed([f"{percent(c.checkpoint_overhead)} with {c.label}" for c in ends])
            each.append(f"{costs} on {engine}")
    if each:
        n = max(len(c.completed) for c in swept)
        median = f" (median of {plural(n, 'seed')})" if n > 1 else ""
        yield f"Checkpoints cost, relative to training and evaluation: {'; '.join(each)}{median}."
    for label in dict.fromkeys(c.label for c in swept):
        forks = {c.engine: c.fork_s for c in swept if c.label == label}
        forks = {engine: cost for engine, cost in forks.items() if cost > 0}
        if len(forks) > 1:
            dear, cheap = max(forks, key=forks.__getitem__), min(forks, key=forks.__getitem__)
            if forks[dear] <= SAME_TIME * forks[cheap]:
                continue
            yield (
                f"With {label}, a fork (with all saves made for it) costs {seconds(forks[dear])} on "
                f"{dear}, {seconds(forks[cheap])} on {cheap}: "
                f"{times(forks[dear] / forks[cheap])}."
            )
            break


def _divergence(cells: Sequence[Cell]) -> Iterator[str]:
    """Members whose score was no finite number, and runs that ended without any."""
    diverged = [(c, sum(m.quality.nan_members for m in c.measures)) for c in cells]
    each = [f"{n:,} of {_on(c, cells)}" for c, n in diverged if n]
    if each:
        yield f"Members that diverged (scored NaN or infinite): {listed(each)}."
    without = [(c, sum(math.isnan(m.quality.final_score) for m in c.completed)) for c in cells]
    each = [f"{n} of {plural(len(c.completed), 'run')} of {_on(c, cells)}" for c, n in without if n]
    if each:
        yield f"No member of these ended with a score, and they count as worst: {listed(each)}."


def _standing(cells: Sequence[Cell]) -> Iterator[str]:
    """Scores of iterations that measured none."""
    each = [
        f"{n:,} of {scores:,} of {_on(c, cells)}"
        for c in cells
        if (n := sum(m.quality.standing for m in c.measures))
        for scores in [sum(m.quality.scores for m in c.measures)]
    ]
    if each:
        metric = cells[0].run.card.objective.metric
        yield f"Iterations that gave no {metric}, so that the last one stands: {listed(each)}."


def _early_stops(cells: Sequence[Cell]) -> Iterator[str]:
    """Members that made fewer iterations than their budget: methods that stop them do that, Tune's
    `stop`, and trainables that say that they are done."""
    each = []
    for c in cells:
        if not c.stopped_early:
            continue
        early = {i: n for i, n in c.iterations_made.items() if i < c.run.iterations}
        after = f"{min(early):,}" if len(early) == 1 else f"{min(early):,} to {max(early):,}"
        each.append(
            f"{sum(early.values()):,} of {c.made.n:,} of {_on(c, cells)} after {after} of "
            f"{c.run.iterations:,}"
        )
    if each:
        yield f"Members that stopped early, by iterations made: {'; '.join(each)}."


def _on(cell: Cell, cells: Sequence[Cell]) -> str:
    """A cell's label, with its engine where there are several."""
    return f"{cell.label} on {cell.engine}" if len({c.engine for c in cells}) > 1 else cell.label


def _failures(cells: Sequence[Cell]) -> Iterator[str]:
    runs = [m for c in cells for m in c.measures]
    failed = [m for m in runs if m.cause]
    if failed:
        causes = Counter(m.cause for m in failed)
        each = listed([f"{n} by {cause}" for cause, n in causes.items()])
        yield f"{len(failed)} of {plural(len(runs), 'run')} failed: {each}."


def _spills(cells: Sequence[Cell]) -> Iterator[str]:
    for engine in dict.fromkeys(c.engine for c in cells):
        spilled = [
            m for c in cells if c.engine == engine for m in c.measures if m.checkpoints.spills
        ]
        if spilled:
            count = sum(m.checkpoints.spills for m in spilled)
            most = max(m.overhead.state_bytes or 0 for m in spilled)
            holds = max(m.checkpoints.store_bytes for m in spilled)
            yield (
                f"On {engine}, {plural(count, 'state')} of up to {size(most)} did not fit into the "
                f"object store of {size(holds)}: Ray spilled to disk. Start Ray with a larger "
                "--object-store-memory, or take transport disk."
            )
