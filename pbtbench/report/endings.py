"""How methods end on a problem, in sentences: scores, regrets, and the schedules that led there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pbtbench.report.claims import Claim, claim, claimed, how, tie
from pbtbench.report.tables import kind
from pbtbench.report.wording import counted, listed, number, score
from pbtbench.statistics.baselines import compared
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.compare import against, apart, best, early_difference


def endings(cells: Sequence[Cell], where: str) -> Iterator[str]:
    """Scores of the cells of one engine: PBT at the shortest interval and at the best, against
    the best rival and other methods that have an interval, and against each other."""
    sign = cells[0].run.card.objective.sign
    rivals = sorted((c for c in cells if c.interval is None), key=lambda c: -sign * c.score.median)
    families: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda c: c.interval or 0):
        if cell.interval is not None:
            families.setdefault(cell.method, []).append(cell)
    if not families:
        yield f"{where}{_ends(rivals)}."
        return
    tops = {method: best(family)[0] for method, family in families.items()}
    top = best(list(tops.values()))[0]
    family = families[top.method]
    short = family[0]
    shown = [short] if top is short else [short, top]
    others = [c for c in tops.values() if c is not top]
    among = max(1, len(compared(cells)))
    claims = [claim(against(c, rivals), among) for c in shown if rivals]
    if others:
        claims.append(claim(against(top, others), among))
    if len({c.interval for c in family}) > 1:
        claims.append(_of_intervals(family, among))
    text = _ends([*shown, *others, *rivals])
    yield f"{where}{text}: {claimed(claims)}." if claims else f"{where}{text}."
    if top is not short and apart(short, top):
        yield from _schedules(short, top)


def _of_intervals(family: Sequence[Cell], among: int) -> Claim:
    """Which of a method's intervals is best, from the shortest on."""
    count, first = len({c.interval for c in family}), best(family)
    names = listed([c.label for c in first])
    if len(first) == len(family):
        each = "both" if count == 2 else f"all {count}"
        return f"{each} intervals of {family[0].method} {tie(first)}", ""
    if len(first) > 1:
        return f"{names} {tie(first)} as the best of its {count} intervals", ""
    shortest = ", the shortest," if first[0] is family[0] else ""
    rest = [c for c in family if c is not first[0]]
    return f"{names}{shortest} is the best of {count} intervals", how(first[0], rest, among)


def regrets(cells: Sequence[Cell], where: str) -> Iterator[str]:
    """How far each method ends from the optimum, and from what constant hyperparameters reach, where
    that is known: by validation scores."""
    card = cells[0].run.card
    counts = {c.final.n for c in cells}
    on = " on validation data" if cells[0].held_out else ""
    what = f"{'median ' * (max(counts) > 1)}regret{on} of {counted(counts, 'seed')}"
    what = f"{where}{what}" if where else what.capitalize()

    def each(medians: Sequence[float | None]) -> str:
        pairs = zip(medians, cells, strict=True)
        return listed([f"{number(median)} with {c.label}" for median, c in pairs])

    if card.objective.optimum is not None:
        optimum = number(card.objective.optimum)
        yield f"{what} (distance from the optimum {optimum}): {each([c.regret for c in cells])}."
    if card.best_constant is not None:
        yield (
            f"{what} against the best constant hyperparameters, with which a member ends at "
            f"{score(card.best_constant)} (below zero: better, by a schedule or by the luck of many "
            f"members): {each([c.behind_constant for c in cells])}."
        )


def _ends(cells: Sequence[Cell]) -> str:
    """`pbt k=1 ends at 0.52, random at 0.24 (median test loss of 3 seeds, lower is better)`."""
    objective = cells[0].run.card.objective
    counts = {c.score.n for c in cells}
    ends = [
        f"{c.label} {'ends ' if not i else ''}at {score(c.score.median)}"
        for i, c in enumerate(cells)
    ]
    what = f"{'median ' * (max(counts) > 1)}{kind(cells[0])} {objective.metric}"
    better = "higher" if objective.sign > 0 else "lower"
    return f"{', '.join(ends)} ({what} of {counted(counts, 'seed')}, {better} is better)"


def _schedules(short: Cell, top: Cell) -> Iterator[str]:
    """What of the winning lineages differs most early on."""
    if found := early_difference(short, top):
        a, b = number(found.one), number(found.other)
        seeds = counted({len(short.completed), len(top.completed)}, "seed")
        yield (
            f"What differs early on: at iteration {found.iteration:,} of {short.run.iterations:,} the "
            f"lineage of the best member trains with {found.name} {a} under {short.label}, {b} under "
            f"{top.label} (median of {seeds})."
        )
