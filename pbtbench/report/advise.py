"""Which perturbation interval to set, in words: the time to a target decides, not the overhead alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pbtbench.report.texts import Table
from pbtbench.report.wording import (
    NONE,
    listed,
    number,
    percent,
    plural,
    score,
    seconds,
    signed,
    times,
)
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.interval_choice import FEWEST, Choice, IntervalCost, choices

NOTE = (
    "expected time = work · seconds of an iteration's train and evaluate · (1 + Ω) / workers: start-up and "
    "compilation are not in it. Intervals are 95%, over seeds."
)


def sentences(cells: Sequence[Cell]) -> Iterator[str]:
    """For a report: the interval to set, of each method that reached a target at one of several."""
    for choice in choices(cells):
        if choice.recommended is not None:
            yield recommendation(choice, choice.recommended)


def said(choice: Choice) -> str:
    """The recommendation, or why there is none and what to do."""
    if choice.recommended is not None:
        return recommendation(choice, choice.recommended)
    return _nothing(choice)


def recommendation(choice: Choice, to: IntervalCost) -> str:
    """`Set perturbation_interval to 5 (toy.x, pbt on tune): accuracy ≥ 0.95 in 12 s expected …`."""
    about = f"{_goal(choice)} in {seconds(to.seconds.value)} expected"
    if choice.seeds > 1:
        about += (
            f" ({_between(to.seconds)}), cheapest in {percent(to.cheapest)} of resampled studies"
        )
    parts = [about, *_others(choice, to)]
    sentence = f"Set perturbation_interval to {to.interval} ({_where(choice)}): {'; '.join(parts)}."
    return " ".join([sentence, *_remarks(choice, to)])


def table(choice: Choice) -> Table:
    """A row for each interval."""
    header = ["interval", "reached", "work", "Ω", "expected time", "cheapest", "costs more"]
    body = []
    for c in choice.costs:
        time, more = seconds(c.seconds.value), signed(c.regret.value)
        if choice.seeds > 1 and math.isfinite(c.seconds.value):
            time += f" ({_between(c.seconds)})"
            more += f" ({_shares(c.regret)})"
        body.append(
            [
                str(c.interval),
                f"{c.reached}/{choice.seeds}",
                number(c.work),
                percent(c.overhead),
                time,
                percent(c.cheapest) if choice.recommended else NONE,
                NONE if c is choice.recommended else more,
            ]
        )
    bold = frozenset(
        (i, j)
        for i, c in enumerate(choice.costs)
        if c is choice.recommended
        for j in range(len(header))
    )
    return Table(header, body, left=0, bold=bold)


def title(choice: Choice) -> str:
    """What the table is of: `toy.x, pbt on tune (local-2cpu, 8 members, …): accuracy ≥ 0.95 within …`."""
    run = choice.cell.run
    sizes = (
        f"{plural(run.population, 'member')}, {plural(choice.cell.measures[0].workers, 'worker')}"
    )
    where = f"{_where(choice)} ({choice.cell.cluster}, {sizes})"
    return f"{where}: {_goal(choice)} within {plural(choice.iterations, 'iteration')}"


def _where(choice: Choice) -> str:
    return f"{choice.cell.problem}, {choice.cell.method} on {choice.cell.engine}"


def _goal(choice: Choice) -> str:
    objective = choice.cell.run.card.objective
    if math.isnan(choice.target):
        return f"{objective.metric}, no target"
    return f"{objective.metric} {'≥' if objective.sign > 0 else '≤'} {number(choice.target)}"


def _others(choice: Choice, to: IntervalCost) -> Iterator[str]:
    """The neighbours, the intervals that can't be told apart, and the dearest of the others."""
    place = choice.costs.index(to)
    beside = [c for c in choice.costs[max(0, place - 1) : place + 2] if c is not to]
    named = ", ".join(_regret(c, choice.seeds) for c in beside)
    alike = [str(c.interval) for c in choice.alike]
    if choice.seeds > 1 and len(alike) > 1:
        named += f": these seeds can't tell {listed(alike)} apart"
    yield named
    rest = [c for c in choice.costs if c is not to and c not in beside]
    if rest:
        dearest = max(rest, key=lambda c: c.seconds.value)
        yield _regret(dearest, 1)


def _regret(c: IntervalCost, seeds: int) -> str:
    """`2 costs 8% more (−5% to 20%)`, `1 costs 2.1× as much`; the interval of more than one seed."""
    ratio = 1 + c.regret.value
    if math.isinf(ratio):
        return f"{c.interval} never got there"
    if ratio >= 2:
        between = Estimate(ratio, 1 + c.regret.low, 1 + c.regret.high, c.regret.n)
        text = f"{c.interval} costs {times(ratio)} as much"
        return f"{text} ({number(between.low)} to {times(between.high)})" if seeds > 1 else text
    text = f"{c.interval} costs {percent(c.regret.value)} more"
    return f"{text} ({_shares(c.regret)})" if seeds > 1 else text


def _remarks(choice: Choice, to: IntervalCost) -> Iterator[str]:
    if choice.seeds == 1:
        yield "It is one seed: nothing can be said of how sure that is; run more."
    elif choice.seeds < FEWEST:
        yield f"{choice.seeds} seeds are too few to be sure."
    if to is choice.costs[-1]:
        yield f"{to.interval} is the longest interval that was run: a longer one may cost less."
    elif to is choice.costs[0] and to.interval > 1:
        yield f"{to.interval} is the shortest interval that was run: a shorter one may cost less."


def _nothing(choice: Choice) -> str:
    """Why no interval is recommended, how far they came, and what would help."""
    metric = choice.cell.run.card.objective.metric
    within = f"within {plural(choice.iterations, 'iteration')}"
    if math.isnan(choice.target):
        why = f"No target is given ({_where(choice)}), and so no time to it: the data can't tell."
    elif any(c.reached for c in choice.costs):
        return (
            f"No training was timed ({_where(choice)}): the data can't tell what an interval costs. Run the "
            "study again."
        )
    else:
        why = (
            f"No interval reached {_goal(choice)} {within} ({_where(choice)}): the data can't tell which "
            "one to set."
        )
    known = [c for c in choice.costs if not math.isnan(c.best_score)]
    if not known:
        return f"{why} No interval has a score in half of its seeds."
    each = [f"{score(c.best_score)} at {c.interval}" for c in known]
    how = "median of " + plural(choice.seeds, "seed") if choice.seeds > 1 else "one seed"
    sign = choice.cell.run.card.objective.sign
    return (
        f"{why} Best {metric} {within}, {how}: {listed(each)}. Give a --target that was reached, such as "
        f"{_not_beyond(choice.best.best_score, sign)}, or run more iterations."
    )


def _not_beyond(value: float, sign: int) -> str:
    """A score in three significant digits, as an option takes it, that is no better than `value`."""
    if not value:
        return "0"
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return f"{sign * math.floor(sign * value / step) * step:.6g}"


def _between(found: Estimate) -> str:
    """`9 to 16 s`: the unit once where it is the same."""
    low, high = seconds(found.low), seconds(found.high)
    number_, _, unit = low.partition(" ")
    return f"{number_ if unit and high.endswith(f' {unit}') else low} to {high}"


def _shares(found: Estimate) -> str:
    return f"{percent(found.low)} to {percent(found.high)}"
