"""Findings: sentences that the numbers bear out, for the top of a report.

Each says over how many seeds, and claims no more than its numbers show (`compare` says what ties, and
what a difference has to be).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pbtbench.report.advise import sentences as advised
from pbtbench.report.cost_sentences import intervals_of_problem
from pbtbench.report.endings import endings, regrets
from pbtbench.report.optimism import optimism, untested
from pbtbench.report.wording import (
    listed,
    medians,
    number,
    once,
    percent,
    plural,
    seconds,
    size,
    times,
)
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.forks import fork_costs
from pbtbench.statistics.targets import Hit, hardest, least_time, least_work, missed
from pbtbench.statistics.totals import spills, totals

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
        yield from optimism(mine, where)
        yield from regrets(mine, where)
    yield from _targets(cells)
    yield from _costs(done, engines)
    yield from intervals_of_problem(cells)
    yield from advised(cells)
    yield from untested(cells)
    yield from _divergence(cells)
    yield from _standing(cells)
    yield from _early_stops(cells)
    for engine in engines:
        counted = totals([c for c in done if c.engine == engine])
        if outside := counted.out_of_bounds:
            forks = plural(counted.forks, "fork")
            yield f"On {engine}, {outside} of {forks} left the hyperparameters' bounds."
        if skipped := counted.exploits_skipped:
            verb = "was" if skipped == 1 else "were"
            yield (
                f"On {engine}, {plural(skipped, 'exploit')} {verb} skipped: the donor had no checkpoint."
            )
    if beyond := totals(cells).beyond_bound:
        yield f"{plural(beyond, 'score')} beat the bound of the problem: its bound or code is wrong."


def _targets(cells: Sequence[Cell]) -> Iterator[str]:
    """Who takes least for the hardest target that anyone reaches, in work and in wall time."""
    objective = cells[0].run.card.objective
    relation = "≥" if objective.sign > 0 else "≤"
    metric = f"validation {objective.metric}" if cells[0].held_out else objective.metric
    if hits := hardest(cells):
        target = hits[0].target.target
        others = sum(cell.target(target) is not None for cell in cells) > 1
        several = len({c.engine for c in cells}) > 1
        begin = metric[0].upper() + metric[1:] if cells[0].held_out else metric
        yield f"{begin} {relation} {number(target)} {_least(hits, others, several)}"
    if never := missed(cells):
        targets = " or ".join(f"{relation} {number(t)}" for t in never)
        yield f"No run reached {metric} {targets} within its budget."


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
    swept = sorted((c for c in done if c.interval is not None), key=lambda c: c.interval or 0)
    each = []
    for engine in engines:
        mine = [c for c in swept if c.engine == engine and c.checkpoint_overhead > 0]
        if ends := mine[:1] + mine[1:][-1:]:
            costs = listed([f"{percent(c.checkpoint_overhead)} with {c.label}" for c in ends])
            each.append((f"{costs} on {engine}", medians(len(c.completed) for c in ends)))
    if each:
        texts, seeds = once(each)
        end = f" ({seeds})" if seeds else ""
        yield f"Checkpoints cost, relative to training and evaluation: {'; '.join(texts)}{end}."
    if found := fork_costs([c for c in done if c.interval is not None]):
        texts, seeds = once(
            [
                (f"{seconds(c.fork_s)} on {c.engine}", medians([len(c.completed)]))
                for c in (found.dear, found.cheap)
            ]
        )
        end = f" ({seeds})" if seeds else ""
        yield (
            f"With {found.dear.label}, a fork (with all saves made for it) costs {', '.join(texts)}: "
            f"{times(found.times)}{end}."
        )


def _divergence(cells: Sequence[Cell]) -> Iterator[str]:
    """Members whose score was no finite number, and runs that ended without any."""
    counted = [(c, totals([c])) for c in cells]
    each = [f"{of.nan_members:,} of {_on(c, cells)}" for c, of in counted if of.nan_members]
    if each:
        yield f"Members that diverged (scored NaN or infinite): {listed(each)}."
    each = [
        f"{of.unscored} of {plural(len(c.completed), 'run')} of {_on(c, cells)}"
        for c, of in counted
        if of.unscored
    ]
    if each:
        yield f"No member of these ended with a score, and they count as worst: {listed(each)}."


def _standing(cells: Sequence[Cell]) -> Iterator[str]:
    """Scores of iterations that measured none."""
    counted = [(c, totals([c])) for c in cells]
    each = [
        f"{of.standing:,} of {of.scores:,} of {_on(c, cells)}" for c, of in counted if of.standing
    ]
    if each:
        metric = cells[0].run.card.objective.metric
        yield f"Iterations that gave no {metric}, so that the last one stands: {listed(each)}."


def _early_stops(cells: Sequence[Cell]) -> Iterator[str]:
    """Members that made fewer iterations than their budget: methods that stop them do that, Tune's
    `stop`, and trainables that say that they are done."""
    each = []
    for c in cells:
        if early := c.stopped:
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
    counted = totals(cells)
    if failed := counted.failures:
        each = listed([f"{n} by {cause}" for cause, n in counted.failed.items()])
        yield f"{failed} of {plural(counted.runs, 'run')} failed: {each}."


def _spills(cells: Sequence[Cell]) -> Iterator[str]:
    for engine in dict.fromkeys(c.engine for c in cells):
        if found := spills([c for c in cells if c.engine == engine]):
            yield (
                f"On {engine}, {plural(found.states, 'state')} of up to {size(found.state_bytes)} did not "
                f"fit into the object store of {size(found.store_bytes)}: Ray spilled to disk. Start Ray "
                "with a larger --object-store-memory, or take transport disk."
            )
