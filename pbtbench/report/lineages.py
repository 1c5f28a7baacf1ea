"""Figures of one PBT run: its family tree, and what became of its hyperparameters.

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
from pbtbench.report.data import Data, Row, numbers
from pbtbench.report.figures import Figure, Spec, figure, first, named, pale, picked, real
from pbtbench.report.palette import FATES
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
class Family:
    """A run's family, ready to be drawn."""

    run: Run
    rows: list[Row]
    """A row for each fate, with lists of its lines: `x`, `x2`, `member` and `member2` (the heights where they
    begin and end), and the same for each hyperparameter, `h0`, `h02`, `h1`, …."""
    members: int
    schedules: Mapping[str, str]
    """Numeric hyperparameter that changed -> its field in the rows."""
    changed: int
    """How many changed."""
    left_out: str
    """What isn't drawn, as the end of a caption; empty if nothing."""


def family(run: Run, record: Record) -> Family | None:
    """The family of a run; None of one without forks."""
    tree = segments(run.card.objective, record)
    if not bool((tree.parent >= 0).any()):
        return None
    drawn, left_out = lines(tree)
    changed = {name: v for name in run.card.dynamic if len(v := _changed(tree, name))}
    shown = dict(list(changed.items())[:SCHEDULES])
    fields = {name: f"h{i}" for i, name in enumerate(shown)}
    heights = {"member": tree.member} | {fields[name]: values for name, values in shown.items()}
    rows = []
    for fate, mine in drawn.items():
        if len(mine):
            row: Row = {"fate": fate, "x": mine.x.tolist(), "x2": mine.x2.tolist()}
            for name, values in heights.items():
                row[name] = numbers(values[mine.of].tolist(), 4)
                row[f"{name}2"] = numbers(values[mine.to].tolist(), 4)
            rows.append(row)
    return Family(run, rows, len(np.unique(tree.member)), fields, len(changed), left_out)


def lineages(found: Family, name: str, data: Data, stem: str) -> Iterator[Figure]:
    """A family tree, and a schedule for each hyperparameter that changed. `name`: of the rows in `data`."""
    run, rows = found.run, found.rows
    who = f"{run.label}, seed {run.seed}, {run.engine_label}"
    y = real("member", "member", padding=8, zero=False)
    y["axis"] = {"grid": False, "format": "d", "values": _ticks(found.members)}
    yield figure(
        f"{stem}-tree",
        f"Family tree: {who}",
        "Each member trains along its row; a link is a fork, from the donor to who takes over its state."
        + found.left_out,
        _chart(rows, name, y),
        data,
        max(120, min(360, 22 * found.members)),
    )
    for hyperparameter, field in found.schedules.items():
        values = [v for row in rows for v in (*row[field], *row[f"{field}2"])]
        log = run.card.hyperparameters[hyperparameter].startswith("Log") and min(values) > 0
        y = real(field, hyperparameter, log=log, padding=6, **({} if log else {"zero": False}))
        yield figure(
            f"{stem}-{hyperparameter}",
            f"Schedule of {hyperparameter}: {who}",
            "The lineage of the member that is best at the end is the schedule that PBT found."
            + found.left_out
            + first(SCHEDULES, found.changed, "hyperparameters that changed"),
            _chart(rows, name, y),
            data,
            220,
        )


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


def _chart(rows: list[Row], name: str, y: Spec) -> Spec:
    fates = [row["fate"] for row in rows][::-1]
    colour = named("fate", fates, [FATES[fate] for fate in fates])
    field = y["field"]
    layers: list[Spec] = [
        {
            "transform": [{"filter": {"field": "fate", "equal": row["fate"]}}],
            "mark": {"type": "rule", "strokeWidth": WIDTHS[row["fate"]], "strokeCap": "round"},
            "encoding": {"opacity": pale(1, 0.08)},
        }
        for row in rows
    ]
    layers[0]["params"] = picked("fate")
    return {
        "data": {"name": name},
        "transform": [{"flatten": ["x", "x2", field, f"{field}2"]}],
        "encoding": {
            "x": real("x", "iteration"),
            "x2": {"field": "x2"},
            "y": y,
            "y2": {"field": f"{field}2"},
            "color": colour,
        },
        "layer": layers,
    }


def _ticks(members: int) -> list[int]:
    """Some nine of them, at round numbers."""
    least = max(1, members / 9)
    size = 10 ** math.floor(math.log10(least))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= least)
    return list(range(0, members, step))
