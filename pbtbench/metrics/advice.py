"""What the laboratory found, in sentences, and the intervals that it advises."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pbtbench.metrics.laboratory import BUDGET, Costs
from pbtbench.metrics.wording import listed, number, percent, plural, seconds, size

NAMES: Mapping[str, str] = {"tune": "Ray Tune", "ray": "ours", "inprocess": "in process"}
"""Engines of the headline, and what they are called there."""


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


def sentences(costs: Sequence[Costs]) -> Iterator[str]:
    """What was found."""
    by_size = headline(costs)
    several = {s: of for s, of in by_size.items() if len(of) > 1}
    if several:
        state, engines = max(several.items(), key=lambda item: (len(item[1]), item[0]))
        yield _fork(state, engines)
        yield from _taxes(state, engines)
    yield from _intervals(by_size)
    yield from _agreement(costs)


def _fork(state: int, engines: Mapping[str, Costs]) -> str:
    told = [
        f"{seconds(c.fork_s)} {_on(engine)} ({number(c.fork_s / c.limit_s)}×)"
        for engine, c in engines.items()
        if c.fork_s > 0
    ]
    some = next(iter(engines.values()))
    return (
        f"With a state of {size(state)}, which takes {seconds(some.limit_s)} to copy once, a fork and "
        f"all saves made for it keep workers from training for {listed(told)}."
    )


def _taxes(state: int, engines: Mapping[str, Costs]) -> Iterator[str]:
    told = [
        f"{percent(c.tax.median)} {_on(engine)}"
        for engine, c in engines.items()
        if not math.isnan(c.tax.median)
    ]
    if told:
        label = next(iter(engines.values())).cell.label
        yield (
            f"At {size(state)}, {label} takes longer than random search on the same engine by "
            f"{listed(told)} (PBT tax: wall against wall, start-up counted in)."
        )


def _intervals(by_size: Mapping[int, Mapping[str, Costs]]) -> Iterator[str]:
    advised: dict[str, list[str]] = {}
    for state, engines in by_size.items():
        for engine, c in engines.items():
            if c.least_interval is not None and c.least_interval > 1:
                told = f"{number(c.least_interval)} at {size(state)}"
                advised.setdefault(engine, []).append(told)
    if advised:
        each = [f"{listed(of)} {_on(engine)}" for engine, of in advised.items()]
        yield (
            f"For checkpoints to stay within {percent(BUDGET)} of the time, the interval must be at "
            f"least, in iterations: {'; '.join(each)}."
        )


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
    return {"tune": "on Ray Tune", "ray": "on the ray engine", "inprocess": "in process"}[engine]
