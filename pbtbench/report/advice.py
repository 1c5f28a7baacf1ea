"""What checkpoints cost, in sentences, and the intervals that follow from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pbtbench.measures.checkpoints import BEHIND
from pbtbench.report.wording import (
    listed,
    number,
    percent,
    plural,
    seconds,
    signed,
    size,
    times,
)
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.checkpoint_costs import BUDGET, Costs, least_interval

NAMES: Mapping[str, str] = {"tune": "Ray Tune", "ray": "ours", "inprocess": "in process"}
"""Engines of the headline, and what they are called there."""

CACHE = 50_000_000
"""Bytes that a processor may hold in its caches, where a copy is faster than the memory's limit."""


def headline(costs: Sequence[Costs]) -> dict[int, dict[str, Costs]]:
    """State size -> engine -> its costs at the shortest interval, for the engines of `NAMES` with
    their usual transport, and the method that most engines have."""
    found: dict[int, dict[str, Costs]] = {}
    for c in sorted(costs, key=lambda c: (c.cell.interval or 0, c.cell.run.iterations)):
        if c.cell.engine in NAMES and c.cell.method == costs[0].cell.method:
            found.setdefault(c.state_bytes, {}).setdefault(c.cell.engine, c)
    return {
        state: {engine: of[engine] for engine in NAMES if engine in of}
        for state, of in found.items()
    }


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
        f"{seconds(c.fork_s)} {_on(e)} at {at_interval(c)}{_copies(c)}"
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
        return f" ({times(c.fork_s / c.limit_s)})"
    if c.cell.engine == "tune":
        return " (less than a copy took when the study began)"
    if any(c.stages[name].rows for name in BEHIND):
        return " (less than a copy: the rest of it goes on behind the training)"
    if c.state_bytes <= CACHE:
        return " (less than a copy: so small a state stays in the processor's cache, or is shared)"
    return " (less than a copy: members of one process share the state's memory)"


def _taxes(state: int, engines: Mapping[str, Costs]) -> Iterator[str]:
    known = {e: c for e, c in engines.items() if not math.isnan(c.tax.median)}
    if known:
        some = next(iter(known.values()))
        each = [f"{signed(c.tax.median)} {_on(e)}" for e, c in known.items()]
        yield (
            f"At {size(state)}, the wall time of {some.cell.label} against that of {some.control} on the "
            f"same engine: {listed(each)} (PBT tax, start-up counted in; {_median(some.tax.n)})."
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


def least_intervals(cells: Sequence[Cell]) -> Iterator[str]:
    """The intervals that keep the checkpoints of a problem within the budget, on each engine, by what
    the method that was timed on most engines cost at its shortest interval."""
    timed: dict[str, dict[str, tuple[Cell, int]]] = {}
    for cell in sorted(cells, key=lambda c: c.interval or 0):
        least = least_interval(cell)
        if least is not None:
            timed.setdefault(cell.method, {}).setdefault(cell.engine, (cell, least))
    if not timed:
        return
    engines = max(timed.values(), key=len)
    each = []
    for engine, (cell, least) in engines.items():
        beyond = (
            f", more than the budget of {cell.run.iterations:,}"
            if least > cell.run.iterations
            else ""
        )
        each.append(
            f"{least:,} {_on(engine)} ({cell.label}, {_sizes(cell)}, {_median(len(cell.completed))}{beyond})"
        )
    yield (
        f"For checkpoints to stay within {BUDGET:.0%} of the time, the interval must be at least, in "
        f"iterations: {listed(each)}."
    )


def _sizes(cell: Cell) -> str:
    """`a state of 64 MB`, as it was saved."""
    most = max((m.overhead.state_bytes or 0 for m in cell.completed), default=0)
    return f"state of {size(most)}" if most else "state of unknown size"


def _median(n: int) -> str:
    return "one seed" if n == 1 else f"median of {plural(n, 'seed')}"


def _agreement(costs: Sequence[Costs]) -> Iterator[str]:
    """How far the closed forms were off, where they could be."""
    checked = [c for c in costs if not c.calibrated and not math.isnan(c.difference)]
    if checked:
        off = [abs(c.difference) for c in checked]
        worst = checked[int(np.argmax(off))]
        yield (
            f"The closed forms, calibrated at the shortest interval, are off by "
            f"{percent(float(np.median(off)))} in the median of {plural(len(off), 'longer interval')}, "
            f"at worst by {percent(max(off))} ({worst.cell.problem}, {worst.cell.label} on "
            f"{worst.cell.engine})."
        )


def _on(engine: str) -> str:
    names = {"tune": "on Ray Tune", "ray": "on the ray engine", "inprocess": "in process"}
    return names.get(engine, f"on {engine}")
