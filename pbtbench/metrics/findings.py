"""Findings: sentences that the numbers bear out, for the top of a report.

Each says over how many seeds, and claims no more than its numbers show: a difference is called
clear only where the seeds' ranges don't overlap (with so few seeds no test would say more, METHOD 3).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pbtbench.metrics import lineage
from pbtbench.metrics.measures import Cell, TargetCell
from pbtbench.metrics.overhead import CHECKPOINT
from pbtbench.metrics.quality import Quality
from pbtbench.metrics.wording import listed, number, percent, plural, score, seconds, size

EARLY = 0.1
"""The share of the budget at which schedules are compared."""


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
    done = [c for c in cells if c.final.n]
    engines = list(dict.fromkeys(c.engine for c in done))
    for engine in engines:
        mine = [c for c in done if c.engine == engine]
        where = f"On {engine}, " if len(engines) > 1 else ""
        if len(mine) > 1:
            yield from _endings(mine, where)
        yield from _regrets(mine, where)
    yield from _targets(cells)
    yield from _costs(done, engines)
    nan = {c.label: sum(m.quality.nan_members for m in c.measures) for c in cells}
    if any(nan.values()):
        told = [f"{n} of {label}" for label, n in nan.items() if n]
        yield f"Members that diverged (scored NaN): {listed(told)}."
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


def _endings(cells: Sequence[Cell], where: str) -> Iterator[str]:
    """Final scores, the shortest interval against the best, and PBT against the best rival."""
    objective = cells[0].run.card.objective
    sign = objective.sign
    rivals = sorted((c for c in cells if c.interval is None), key=lambda c: -sign * c.final.median)
    swept = sorted((c for c in cells if c.interval is not None), key=lambda c: c.interval or 0)
    if not swept:
        order = sorted(cells, key=lambda c: -sign * c.final.median)
        yield f"{where}{_ends(order, objective.metric, sign)}."
        return
    short, best = swept[0], max(swept, key=lambda c: sign * c.final.median)
    told = [short] if best is short else [short, best]
    verdicts = [f"{c.label} {_against(c, rivals[0])}" for c in told if rivals]
    text = _ends([*told, *rivals], objective.metric, sign)
    if best is short and len(swept) > 1:
        verdicts.append(f"the shortest interval is the best of {len(swept)}")
    elif best is not short and not rivals:
        verdicts.append(f"{best.label} {_against(best, short)}")
    yield f"{where}{text}" + (f": {'; '.join(verdicts)}." if verdicts else ".")
    if best is not short and _apart(short, best):
        yield from _schedules(short, best)


def _regrets(cells: Sequence[Cell], where: str) -> Iterator[str]:
    """How far each method ends from the optimum, and from what constant hyperparameters reach, where
    that is known."""
    card = cells[0].run.card
    median = "median" if where else "Median"

    def told(of: Callable[[Quality], float | None]) -> str:
        medians = {
            c.label: float(np.median([v for m in c.completed if (v := of(m.quality)) is not None]))
            for c in cells
        }
        return listed([f"{number(median)} with {label}" for label, median in medians.items()])

    if card.objective.optimum is not None:
        optimum = f"{median} regret (distance from the optimum {number(card.objective.optimum)}): "
        yield f"{where}{optimum}{told(lambda quality: quality.regret)}."
    if card.best_constant is not None:
        constant = (
            f"{median} regret against the best constant hyperparameters, with which a member ends at "
            f"{score(card.best_constant)} (below zero: better, by a schedule or by the luck of many "
            "members): "
        )
        yield f"{where}{constant}{told(lambda quality: quality.behind_constant)}."


def _ends(cells: Sequence[Cell], metric: str, sign: int) -> str:
    """`pbt k=1 ends at 0.52, random at 0.24 (median loss of 3 seeds, lower is better)`."""
    counts = {c.final.n for c in cells}
    ends = [
        f"{c.label} {'ends ' if not i else ''}at {score(c.final.median)}"
        for i, c in enumerate(cells)
    ]
    n = (
        plural(counts.pop(), "seed")
        if len(counts) == 1
        else f"{min(counts)} to {max(counts)} seeds"
    )
    better = "higher" if sign > 0 else "lower"
    return f"{', '.join(ends)} (median {metric} of {n}, {better} is better)"


def _against(one: Cell, other: Cell) -> str:
    """How `one` fares against `other`, and whether their seeds overlap."""
    sign = one.run.card.objective.sign
    a, b = sign * one.final.median, sign * other.final.median
    if abs(a - b) <= 1e-3 * max(abs(a), abs(b)):
        return f"ties with {other.label}"
    verb = "beats" if a > b else "loses to"
    if one.final.n == 1 or other.final.n == 1:
        return f"{verb} {other.label}, with too few seeds to know the spread"
    return f"{verb} {other.label} " + (
        "in all seeds" if _apart(one, other) else "on the median, seeds overlapping"
    )


def _apart(one: Cell, other: Cell) -> bool:
    """Whether the final scores of their seeds don't overlap."""
    return one.final.low > other.final.high or one.final.high < other.final.low


def _schedules(short: Cell, best: Cell) -> Iterator[str]:
    """The numeric hyperparameter whose value in the winning lineages differs most, as a ratio, early on."""
    at = max(1, round(EARLY * short.run.iterations))
    values = {
        name: (_winning(short, name, at), _winning(best, name, at))
        for name in short.run.card.dynamic
    }
    ratios = {name: abs(math.log(a / b)) for name, (a, b) in values.items() if a > 0 and b > 0}
    name = max(ratios, key=ratios.__getitem__, default="")
    if name and ratios[name] > math.log(1.25):
        a, b = map(number, values[name])
        yield (
            f"What differs early on: at iteration {at:,} of {short.run.iterations:,} the lineage of "
            f"the best member trains with {name} {a} under {short.label}, {b} under {best.label} "
            f"(median of {plural(len(short.completed), 'seed')})."
        )


def _winning(cell: Cell, name: str, iteration: int) -> float:
    """Median over the seeds of the winning lineage's value at an iteration; NaN where there is none."""
    trees = [lineage.segments(m.run.card.objective, m.outcome.trace) for m in cell.completed]
    values = [lineage.winning_value(tree, name, iteration) for tree in trees]
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _targets(cells: Sequence[Cell]) -> Iterator[str]:
    """Who takes least for the hardest target that anyone reaches, in work and in wall time."""
    objective = cells[0].run.card.objective
    relation = "≥" if objective.sign > 0 else "≤"
    tried = [(cell, target) for cell in cells for target in cell.targets]
    hit = [(cell, target) for cell, target in tried if target.reached]
    if hit:
        hardest = max((t.target for _, t in hit), key=lambda target: objective.sign * target)
        hit = [(cell, t) for cell, t in hit if t.target == hardest]
        several = len({c.engine for c in cells}) > 1
        work = min(hit, key=lambda h: h[1].ert_member_iterations)
        wall = min(hit, key=lambda h: h[1].ert_s)
        yield (
            f"{objective.metric} {relation} {number(hardest)} takes least work with "
            f"{_named(*work, several)}: {number(work[1].ert_member_iterations)} member-iterations; "
            f"least wall time with {_named(*wall, several)}: {seconds(wall[1].ert_s)} "
            "(expected times, misses counted in)."
        )
    missed = {t.target for _, t in tried} - {t.target for _, t in tried if t.reached}
    if missed:
        told = " or ".join(f"{relation} {number(t)}" for t in sorted(missed))
        yield f"No run reached {objective.metric} {told} within its budget."


def _named(cell: Cell, target: TargetCell, several_engines: bool) -> str:
    on = f" on {cell.engine}" if several_engines else ""
    return f"{cell.label}{on} ({target.reached} of {plural(target.n, 'seed')})"


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
        yield f"Checkpoints cost, relative to training and evaluation: {'; '.join(told)}."
    for label in dict.fromkeys(c.label for c in swept):
        forks = {c.engine: _fork_seconds(c) for c in swept if c.label == label}
        forks = {engine: cost for engine, cost in forks.items() if cost > 0}
        if len(forks) > 1:
            dear, cheap = max(forks, key=forks.__getitem__), min(forks, key=forks.__getitem__)
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
