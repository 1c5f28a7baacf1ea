"""The matrix of problems and methods: where which method stands, at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pbtbench.report.tables import kind
from pbtbench.report.wording import listed, number, score
from pbtbench.statistics.baselines import Comparison, Verdict
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.order import Place, places

SIGNS: Mapping[Verdict, str] = {"win": "▲", "loss": "▼", "tie": "=", "unclear": ""}
"""What a verdict looks like. Where the seeds can't decide there is no sign: most are so with few seeds."""

WORDS: Mapping[Verdict, str] = {
    "win": "beats",
    "loss": "loses to",
    "tie": "ties with",
    "unclear": "not told apart from",
}


@dataclass(frozen=True)
class Entry:
    """A method on a problem."""

    score: str
    """Median score, as people read it."""
    rank: str
    """`1`, or `=1` where others have the same; empty without a score."""
    leads: bool
    """Whether none is better, and some are worse."""
    verdict: Verdict
    sign: str
    words: str
    """How it fares against each baseline; empty for what is held against none."""


@dataclass(frozen=True)
class Line:
    """A problem on an engine."""

    problem: str
    engine: str
    metric: str
    """Such as `accuracy ↑`: the arrow points to what is better."""
    seeds: str
    entries: Mapping[str, Entry]
    """Label -> entry; the problem may lack some."""


@dataclass(frozen=True)
class Matrix:
    """Problems and engines down, methods with their intervals across."""

    labels: Sequence[str]
    lines: Sequence[Line]

    @property
    def engines(self) -> int:
        """How many there are."""
        return len({line.engine for line in self.lines})

    @property
    def judged(self) -> bool:
        """Whether any entry is held against a baseline."""
        return any(entry.words for line in self.lines for entry in line.entries.values())


def matrix(cells: Sequence[Cell], comparisons: Sequence[Comparison]) -> Matrix:
    """The matrix of some cells, with the verdicts of their comparisons. Random search comes first, then what
    else has no interval."""
    against: dict[int, list[Comparison]] = {}
    for c in comparisons:
        against.setdefault(id(c.one), []).append(c)
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.problem, cell.engine), []).append(cell)
    ordered = sorted(
        cells,
        key=lambda c: (c.interval is not None, c.method != "random", c.method, c.interval or 0),
    )
    return Matrix(
        labels=list(dict.fromkeys(c.label for c in ordered)),
        lines=[_line(mine, against) for mine in groups.values()],
    )


def _line(cells: Sequence[Cell], against: Mapping[int, Sequence[Comparison]]) -> Line:
    found = places(cells)
    several = len({place.rank for place in found}) > 1
    objective, seeds = cells[0].run.card.objective, {c.n for c in cells}
    return Line(
        problem=cells[0].problem,
        engine=cells[0].engine,
        metric=f"{kind(cells[0])} {objective.metric} {'↑' if objective.sign > 0 else '↓'}",
        seeds=str(max(seeds)) if len(seeds) == 1 else f"{min(seeds)}–{max(seeds)}",
        entries={
            cell.label: _entry(cell, place, several, against.get(id(cell), ()))
            for cell, place in zip(cells, found, strict=True)
        },
    )


def _entry(cell: Cell, place: Place, several: bool, against: Sequence[Comparison]) -> Entry:
    verdict = _all_in_all([c.verdict for c in against])
    return Entry(
        score=score(cell.score.median),
        rank="" if place.rank is None else f"{'=' * place.tied}{place.rank}",
        leads=several and place.rank == 1,
        verdict=verdict,
        sign=SIGNS[verdict],
        words=listed([_words(c) for c in against]),
    )


def _all_in_all(verdicts: Sequence[Verdict]) -> Verdict:
    """A loss to any baseline is one; a win is one over all of them."""
    if "loss" in verdicts:
        return "loss"
    return verdicts[0] if len(set(verdicts)) == 1 else "unclear"


def _words(c: Comparison) -> str:
    return f"{WORDS[c.verdict]} {c.baseline.label} (p = {number(c.adjusted_p)}, n = {c.n})"
