"""What a benchmark measured, for a test to assert on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pbtbench.errors import BadInput, unknown
from pbtbench.measures import Measures, frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Result:
    """The measures of a benchmark's runs, round by round.

    `result["wall_s"]` gives a measure of each round, a column of `summary.csv`, `result.median("wall_s")` its
    median, and `result.of("pbt")` what belongs to one method of several.
    """

    measures: tuple[Measures, ...]
    """One for each run: a round's runs beside each other, in the order of their rounds."""

    @property
    def reached(self) -> bool:
        """Whether every run reached all of its targets."""
        return all(attempt.reached for m in self.measures for attempt in m.attempts)

    @property
    def labels(self) -> tuple[str, ...]:
        """What was compared, by name: the methods with their intervals, and, where these don't tell all
        apart, whole names such as `toy.plain/pbt/inprocess/k5`."""
        return tuple(self.by_label)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row for each run and target; the columns of `summary.csv`, and what identifies a run."""
        return frame(self.measures)

    def of(self, name: str) -> Result:
        """What belongs to a label, a method or a whole name; `BadInput` where there is none such."""
        mine = [m for m in self.measures if name in (m.run.label, m.run.method, m.run.cell)]
        if not mine:
            raise unknown("label of this benchmark", name, self.labels)
        return Result(tuple(mine))

    def __getitem__(self, measure: str) -> np.ndarray:
        """A measure of each run, shape (runs,), or of each run and target; NaN where there is none, as for a
        target that was missed."""
        return values(self.frame, measure)

    def median(self, measure: str) -> float:
        """The median over the rounds; a target that was missed counts as infinite."""
        missed = ~self.frame["reached"].fillna(True).to_numpy(bool)
        found = self[measure]
        return float(np.median(np.where(missed & np.isnan(found), np.inf, found)))

    @cached_property
    def by_label(self) -> dict[str, list[Measures]]:
        """The runs of each label, seed by seed."""
        short = len({m.run.label for m in self.measures}) == len(
            {m.run.cell for m in self.measures}
        )
        return grouped(self.measures, short)


def grouped(measures: Sequence[Measures], short: bool) -> dict[str, list[Measures]]:
    """Runs by their labels, or by their cells' whole names."""
    found: dict[str, list[Measures]] = {}
    for m in measures:
        found.setdefault(m.run.label if short else m.run.cell, []).append(m)
    return found


def values(rows: pd.DataFrame, measure: str) -> np.ndarray:
    """A measure in rows of a result's frame, shape (rows,), NaN where there is none."""
    if measure not in rows:
        raise unknown("measure", measure, rows.columns)
    try:
        return rows[measure].to_numpy(float, na_value=np.nan)
    except ValueError:
        raise BadInput(f"measure {measure!r} is text; give one that is a number") from None
