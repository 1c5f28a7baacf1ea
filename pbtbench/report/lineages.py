"""Plots of one PBT run: its family tree, and what became of its hyperparameters.

Of a family of thousands what can be seen is drawn: the best member's lineage, what lives on in a sample of
the members, and the longest stretches of what died out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pbtbench.measures.lineage import Lineage, living, segments
from pbtbench.record import Record
from pbtbench.report import plots
from pbtbench.report.figures import first
from pbtbench.report.palette import FATES
from pbtbench.report.plots import Axis, Mark, Path, Plot, Tick, around
from pbtbench.report.wording import number
from pbtbench.runs import Run

DEAD, LIVING, WINNING = 250, 400, 400
"""Lines of each fate that are drawn at most: more can't be told apart."""

SCHEDULES = 12
"""Hyperparameters that are drawn at most."""

WIDTHS = dict(zip(FATES, (1.0, 1.4, 2.4), strict=True))


@dataclass(frozen=True)
class Lines:
    """What of a family tree is drawn: lines from one segment's height to another's, by fate."""

    x: np.ndarray
    """The iteration where each begins; ends at `x2`."""
    x2: np.ndarray
    of: np.ndarray
    """The segment at its beginning: of a fork's line the donor's; that at the end is `to`."""
    to: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def at(self, places: np.ndarray) -> Lines:
        """Those at some places: indices, or a mask."""
        return Lines(self.x[places], self.x2[places], self.of[places], self.to[places])


@dataclass(frozen=True)
class Stretch:
    """A stretch of the best member's lineage, between two forks."""

    start: int
    """The iteration after which it begins."""
    end: int
    member: int
    values: Mapping[str, str]
    """Hyperparameter -> value, as people read it."""


@dataclass(frozen=True)
class Family:
    """A run's family, ready to be drawn."""

    run: Run
    drawn: Mapping[str, Lines]
    """Fate -> lines."""
    heights: Mapping[str, np.ndarray]
    """Numeric hyperparameter that changed -> its value on each segment."""
    member: np.ndarray
    """Whose each segment is."""
    changed: int
    """How many hyperparameters changed."""
    left_out: str
    """What isn't drawn, as the end of a caption; empty if nothing."""
    schedule: tuple[Stretch, ...]
    """The best member's lineage, from its start to the end of the run."""


def family(run: Run, record: Record) -> Family | None:
    """The family of a run; None of one without forks."""
    tree = segments(run.card.objective, record)
    if not bool((tree.parent >= 0).any()):
        return None
    drawn, left_out = lines(tree)
    changed = {name: v for name in run.card.dynamic if len(v := _changed(tree, name))}
    shown = dict(list(changed.items())[:SCHEDULES])
    return Family(
        run, drawn, shown, tree.member, len(changed), left_out, tuple(_schedule(run, tree))
    )


def lineages(found: Family) -> Iterator[Plot]:
    """A family tree, and a schedule for each hyperparameter that changed."""
    members = len(np.unique(found.member))
    axis = Axis(-0.5, float(found.member.max()) + 0.5)
    caption = "Each member trains along its row; a link is a fork, from the donor to who takes over its state."
    ticks = [
        Tick(round(100 * float(1 - at), 2), str(member))
        for member, at in zip(_ticks(members), axis.share(np.array(_ticks(members))), strict=True)
    ]
    height = max(6.0, min(20.0, 1.3 * members))
    yield _plot(found, "Family tree", caption, found.member, axis, ticks, height)
    for name, values in found.heights.items():
        log = found.run.card.hyperparameters[name].startswith("Log") and bool((values > 0).all())
        axis = around(values, log=log)
        caption = first(SCHEDULES, found.changed, "hyperparameters that changed")
        yield _plot(found, name, caption, values, axis, axis.ticks(vertical=True), 13.0)


def _plot(
    found: Family,
    title: str,
    caption: str,
    heights: np.ndarray,
    y: Axis,
    ticks: list[Tick],
    height: float,
) -> Plot:
    """`heights`: of each segment."""
    end = max((int(mine.x2.max(initial=1)) for mine in found.drawn.values()), default=1)
    x = Axis(0.0, float(end))
    paths = [
        Path(
            plots.lines(
                *(x.share(mine.x), y.share(heights[mine.of])),
                *(x.share(mine.x2), y.share(heights[mine.to])),
            ),
            FATES[fate],
            WIDTHS[fate],
        )
        for fate, mine in found.drawn.items()
        if len(mine)
    ]
    key = [Mark(fate, FATES[fate]) for fate, mine in found.drawn.items() if len(mine)][::-1]
    return Plot(title, caption + found.left_out, paths, key, x.ticks(), "iteration", ticks, height)


def _schedule(run: Run, tree: Lineage) -> Iterator[Stretch]:
    for i in np.flatnonzero(tree.wins_until > tree.start).tolist():
        values = {
            name: _shown(tree.hyperparameters[name][i])
            for name in run.card.dynamic
            if name in tree.hyperparameters
        }
        yield Stretch(int(tree.start[i]), int(tree.wins_until[i]), int(tree.member[i]), values)


def _shown(value: object) -> str:
    numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number(float(value)) if numeric else str(value)  # type: ignore[arg-type]


def lines(tree: Lineage) -> tuple[dict[str, Lines], str]:
    """Fate -> the lines that are drawn: stretches of segments, split where their fate changes, and forks. And
    what is left out, as the end of a caption."""
    members = np.unique(tree.member)
    chosen, until = members, tree.survives_until
    if _count(tree, until) > LIVING:
        chosen = members[:: max(2, len(members) // LIVING)]
        until = living(tree, chosen.tolist())
    while len(chosen) > 1 and _count(tree, until) > LIVING:
        chosen = chosen[::2]
        until = living(tree, chosen.tolist())
    child = tree.parent >= 0
    wins, lives = tree.wins_until >= tree.start, until >= tree.start
    gone = tree.survives_until < tree.start
    dead, alive, winner = FATES
    found = {
        dead: _lines(tree, np.maximum(tree.start, tree.survives_until), tree.end, child & gone),
        alive: _lines(tree, np.maximum(tree.start, tree.wins_until), until, child & lives & ~wins),
        winner: _lines(tree, tree.start, tree.wins_until, child & wins),
    }
    left_out = ""
    if len(chosen) < len(members):
        left_out += f" Of what lives on, the ancestry of {len(chosen):,} of {len(members):,} members is drawn."
    for fate, most, what in (
        (dead, DEAD, "what died out"),
        (winner, WINNING, "the best member's lineage"),
    ):
        if (count := len(found[fate])) > most:
            found[fate] = _longest(found[fate], most)
            left_out += f" Of {what}, the {most:,} longest of {count:,} stretches are drawn."
    return found, left_out


def _lines(tree: Lineage, x: np.ndarray, x2: np.ndarray, forked: np.ndarray) -> Lines:
    """Of stretches from `x` to `x2` where there are any, and of some segments' forks."""
    stretches, forks = np.flatnonzero(x2 > x), np.flatnonzero(forked)
    begun = np.minimum(tree.donated_at, tree.start)
    return Lines(
        np.concatenate([x[stretches], begun[forks]]),
        np.concatenate([x2[stretches], tree.start[forks]]),
        np.concatenate([stretches, tree.parent[forks]]),
        np.concatenate([stretches, forks]),
    )


def _count(tree: Lineage, until: np.ndarray) -> int:
    """How many lines of the living there are: at most a stretch and a fork of each."""
    return 2 * int(((until >= tree.start) & (until > tree.wins_until)).sum())


def _longest(found: Lines, most: int) -> Lines:
    """The longest, in their order."""
    return found.at(np.sort(np.argsort(found.x - found.x2, kind="stable")[:most]))


def _changed(tree: Lineage, name: str) -> np.ndarray:
    """A numeric hyperparameter's value on each segment; empty if it is none, or never changed."""
    if name not in tree.hyperparameters:
        return np.zeros(0)
    values = tree.numbers(name)
    changed = not np.isnan(values).any() and bool((values != values[0]).any())
    return values if changed else np.zeros(0)


def _ticks(members: int) -> list[int]:
    """Some nine of them, at round numbers."""
    least = max(1, members / 9)
    size = 10 ** math.floor(math.log10(least))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= least)
    return list(range(0, members, step))
