"""The columns that a paper's tables of results may have, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pbtbench.errors import unknown
from pbtbench.report.tables import iterations
from pbtbench.report.wording import NONE, number, percent, score, size
from pbtbench.schema import Distinct, checked
from pbtbench.statistics.cells import Cell, TargetCell


@dataclass(frozen=True)
class Row:
    """A method on a problem, with the target that the table shows of it."""

    cell: Cell
    goal: float | None
    """The target that the table shows of the problem; None without any."""
    best: bool
    """Whether none of the problem has a better median score, and some have a worse one."""

    @property
    def target(self) -> TargetCell | None:
        """How the runs fared with it; None where they did not try it."""
        return None if self.goal is None else self.cell.target(self.goal)


@dataclass(frozen=True)
class Column:
    """A column: its header, what stands in it, and how it is aligned."""

    header: str
    meaning: str
    """For a caption."""
    text: Callable[[Row], str]
    align: Literal["left", "right", "decimal"] = "decimal"


def _at_target(of: Callable[[TargetCell], float]) -> Callable[[Row], str]:
    return lambda row: NONE if row.target is None else number(of(row.target))


def _runs(row: Row) -> str:
    completed = len(row.cell.completed)
    return str(row.cell.n) if completed == row.cell.n else f"{completed} of {row.cell.n}"


def _spread(row: Row) -> str:
    found = row.cell.score
    return f"{score(found.low)}, {score(found.high)}" if found.n > 1 else ""


def _reached(row: Row) -> str:
    return NONE if row.target is None else f"{row.target.reached}/{row.target.n}"


SCORE = "score"
SCORE_IS = (
    "that of the member whose last validation score is best: on data that no decision saw, or on validation "
    "data where its problem has no other"
)
"""What `Cell.score` is called, and what it is of a run: whatever a paper says of scores says it by these."""

COLUMNS: Mapping[str, Column] = {
    "method": Column("method", "with the perturbation interval k", lambda r: r.cell.label, "left"),
    "engine": Column("engine", "what ran it", lambda r: r.cell.engine, "left"),
    "n": Column("n", "runs that completed, one for each seed", _runs, "right"),
    "score": Column(
        SCORE,
        "median over the runs, bold: the best of a problem",
        lambda r: score(r.cell.score.median),
    ),
    "spread": Column("min, max", "of the same scores", _spread, "right"),
    "target": Column(
        "target", "score", lambda r: NONE if r.target is None else number(r.target.target)
    ),
    "reached": Column(
        "reached", "runs that reached the target, of those that tried", _reached, "right"
    ),
    "time": Column(
        "time (s)",
        "expected wall time to the target: all that was spent, misses at their cut-off, over the successes",
        _at_target(lambda t: t.ert_s),
    ),
    "work": Column(
        "work",
        "the same in member-iterations",
        _at_target(lambda t: t.ert_member_iterations),
    ),
    "overhead": Column(
        "overhead (%)",
        "median time for checkpoints over that for training and evaluation",
        lambda r: _percent(r.cell.checkpoint_overhead),
    ),
    "all_overhead": Column(
        "all overhead (%)",
        "the same with waits and decisions",
        lambda r: _percent(r.cell.pbt_overhead),
    ),
    "fork": Column(
        "fork (s)",
        "median time that a fork costs, with all saves made for it",
        lambda r: number(r.cell.fork_s),
    ),
    "wall": Column(
        "wall (s)", "median time from a run's start to its end", lambda r: number(r.cell.wall_s)
    ),
    "regret": Column("regret", "median distance from the optimum", lambda r: number(r.cell.regret)),
    "behind_constant": Column(
        "behind constant",
        "median regret against the best constant hyperparameters",
        lambda r: number(r.cell.behind_constant),
    ),
    "iterations": Column(
        "iterations",
        "that members made",
        lambda r: iterations(r.cell.made.low, r.cell.made.high, r.cell.run.iterations),
        "right",
    ),
    "population": Column("population", "members", lambda r: number(r.cell.run.population), "right"),
    "workers": Column("workers", "of the engine", lambda r: number(r.cell.run.workers), "right"),
    "state": Column(
        "state", "the largest that was kept", lambda r: size(r.cell.state_bytes), "right"
    ),
}
"""Name, as `--columns` takes it -> the column."""

DEFAULT = ("method", "n", "score", "spread", "reached", "time", "work", "overhead")


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The columns of these names, the method's first whether it is named or not; `DEFAULT` for None. `BadInput`
    for a name that there is none of, one that stands there twice, or no name at all."""
    if names is None:
        return DEFAULT
    found: list[str] = checked(
        Annotated[list[str], Field(min_length=1), Distinct], list(names), "--columns"
    )
    for name in found:
        if name not in COLUMNS:
            raise unknown("column", name, COLUMNS)
    return ("method", *(name for name in found if name != "method"))


def _percent(share: float) -> str:
    return percent(share).removesuffix("%")
