"""What checkpoints cost, in sentences, and the intervals that follow from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pbtbench.measures.checkpoints import BEHIND
from pbtbench.report.wording import (
    listed,
    medians,
    number,
    once,
    percent,
    plural,
    seconds,
    signed,
    size,
    times,
)
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.checkpoint_costs import ENGINES, Costs, agreement, headline
from pbtbench.statistics.intervals import BUDGET, least_intervals

NAMES = dict(zip(ENGINES, ("Ray Tune", "ours", "in process"), strict=True))
"""What the engines of the headline are called there."""

CACHE = 50_000_000
"""Bytes that a processor may hold in its caches, where a copy is faster than the memory's limit."""


def at_interval(c: Costs) -> str:
    """`k=1`: the interval at which a cost was measured."""
    return f"k={c.cell.interval}"


def sentences(costs: Sequence[Costs]) -> Iterator[str]:
    """What was found."""
    by_size = headline(costs)
    several = {s: of for s, of in by_size.items() if len(of) > 1}
    if several:
        state, engines = max(several.items(), key=lambda item: (len(item[1]), item[0]))
        yield from _fork(state, engines)
        yield from _taxes(state, engines)
    yield from _intervals(by_size)
    yield from _agreement(costs)


def _fork(state: int, engines: Mapping[str, Costs]) -> Iterator[str]:
    each = [
        f"{seconds(c.fork_s)} {_on(e)} at {at_interval(c)} "
        f"({', '.join(filter(None, [medians([len(c.cell.completed)]), _copies(c)]))})"
        for e, c in engines.items()
        if c.fork_s > 0
    ]
    limit_s = next(iter(engines.values())).limit_s
    copy = f", which takes {seconds(limit_s)} to copy once," if limit_s > 0 else ""
    if each:
        yield (
            f"With a state of {size(state)}{copy} a fork and all saves made for it keep workers from "
            f"training for {listed(each)}."
        )


def _copies(c: Costs) -> str:
    """A fork's cost in copies of the state; where it is less than one, why it can be."""
    if not c.limit_s > 0:
        return ""
    if c.fork_s >= c.limit_s:
        return times(c.fork_s / c.limit_s)
    if c.cell.engine == "tune":
        return "less than a copy took when the study began"
    if any(c.stages[name].rows for name in BEHIND):
        return "less than a copy: the rest of it goes on behind the training"
    if c.state_bytes <= CACHE:
        return "less than a copy: so small a state stays in the processor's cache, or is shared"
    return "less than a copy: members of one process share the state's memory"


def _taxes(state: int, engines: Mapping[str, Costs]) -> Iterator[str]:
    known = {e: c for e, c in engines.items() if not math.isnan(c.tax.median)}
    if known:
        some = next(iter(known.values()))
        each = [(f"{signed(c.tax.median)} {_on(e)}", medians([c.tax.n])) for e, c in known.items()]
        texts, seeds = once(each)
        about = "; ".join(filter(None, ["PBT tax, start-up counted in", seeds]))
        yield (
            f"At {size(state)}, the wall time of {some.cell.label} against that of {some.control} on the "
            f"same engine: {listed(texts)} ({about})."
        )


def _intervals(by_size: Mapping[int, Mapping[str, Costs]]) -> Iterator[str]:
    advised: dict[str, list[str]] = {}
    for state, engines in by_size.items():
        for engine, c in engines.items():
            if c.least_interval is not None and c.least_interval > 1:
                advised.setdefault(engine, []).append(
                    f"{number(c.least_interval)} at {size(state)}"
                )
    if advised:
        each = [f"{listed(of)} {_on(engine)}" for engine, of in advised.items()]
        yield (
            f"For checkpoints to stay within {BUDGET:.0%} of the time, the interval must be at "
            f"least, in iterations: {'; '.join(each)}."
        )


def intervals_of_problem(cells: Sequence[Cell]) -> Iterator[str]:
    """The intervals that keep the checkpoints of a problem within the budget, on each engine."""
    each = []
    for engine, (cell, least) in least_intervals(cells).items():
        state = size(cell.state_bytes) if cell.state_bytes else "unknown size"
        about = [cell.label, f"state of {state}", medians([len(cell.completed)])]
        if least > cell.run.iterations:
            about.append(f"more than the budget of {cell.run.iterations:,}")
        each.append(f"{least:,} {_on(engine)} ({', '.join(about)})")
    if each:
        yield (
            f"For checkpoints to stay within {BUDGET:.0%} of the time, the interval must be at least, in "
            f"iterations: {listed(each)}."
        )


def _agreement(costs: Sequence[Costs]) -> Iterator[str]:
    if found := agreement(costs):
        off, worst = found.off, found.worst.cell
        yield (
            f"The closed forms, calibrated at the shortest interval, are off by {percent(off.median)} in the "
            f"median of {plural(off.n, 'longer interval')}, at worst by {percent(off.high)} "
            f"({worst.problem}, {worst.label} on {worst.engine})."
        )


def _on(engine: str) -> str:
    names = {"tune": "on Ray Tune", "ray": "on the ray engine", "inprocess": "in process"}
    return names.get(engine, f"on {engine}")
