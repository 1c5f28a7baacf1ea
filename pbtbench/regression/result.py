"""What a benchmark measured, for a test to assert on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pbtbench.errors import BadInput, unknown
from pbtbench.measures import Measures, frame
from pbtbench.measures.table import TARGET

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Result:
    """The measures of a benchmark's runs, round by round.

    `result["wall_s"]` is a measure of each run, by its name in `summary.csv`, and `result.median("wall_s")` the
    median. Of several methods `result.of("pbt")` is one's, of several targets `result.at(0.95)`.
    """

    measures: tuple[Measures, ...]
    """One for each run: a round's runs beside each other, in the order of their rounds."""

    @property
    def reached(self) -> bool:
        """Whether every run reached all of its targets."""
        return all(attempt.reached for m in self.measures for attempt in m.attempts)

    @cached_property
    def by_label(self) -> dict[str, tuple[Measures, ...]]:
        """The runs, round by round, of each method with its interval; by whole names such as
        `toy.plain/pbt/inprocess/k5` where these don't tell all apart."""
        cells, labels = ({_name(m, short) for m in self.measures} for short in (False, True))
        found: dict[str, list[Measures]] = {}
        for m in self.measures:
            found.setdefault(_name(m, short=len(labels) == len(cells)), []).append(m)
        return {label: tuple(runs) for label, runs in found.items()}

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of what was compared."""
        return tuple(self.by_label)

    @property
    def targets(self) -> tuple[float, ...]:
        """The scores that were timed."""
        return tuple(dict.fromkeys(a.target for m in self.measures for a in m.attempts))

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

    def at(self, target: float) -> Result:
        """The same with one target alone; `BadInput` for one that wasn't timed."""
        if target not in self.targets:
            raise unknown(
                "target of this benchmark", f"{target:g}", map("{:g}".format, self.targets)
            )
        return Result(
            tuple(
                replace(m, attempts=tuple(a for a in m.attempts if a.target == target))
                for m in self.measures
            )
        )

    def __getitem__(self, measure: str) -> np.ndarray:
        """A measure of each run, shape (runs,); NaN where there is none, as for a target that was missed."""
        rows = self._rows(measure)
        try:
            found: np.ndarray = rows[measure].to_numpy(float, na_value=np.nan)
        except ValueError:
            raise BadInput(f"measure {measure!r} is text; give one that is a number") from None
        return found

    def median(self, measure: str) -> float:
        """The median over the runs; a target that was missed counts as infinite."""
        found = self[measure]
        if measure in TARGET:
            missed = ~self._rows(measure)["reached"].fillna(value=True).to_numpy(bool)
            found = np.where(missed & np.isnan(found), np.inf, found)
        return float(np.median(found))

    def _rows(self, measure: str) -> pd.DataFrame:
        """The rows of the frame that tell a measure of each run."""
        if measure not in self.frame:
            raise unknown("measure", measure, self.frame.columns)
        if measure not in TARGET:
            return self.frame.drop_duplicates("run")
        if len(self.targets) > 1:
            raise BadInput(f"{measure} of several targets: take one of them by result.at(target)")
        return self.frame


def _name(m: Measures, short: bool) -> str:
    return m.run.label if short else m.run.cell


def in_rounds(measures: Sequence[Measures]) -> Result:
    """The result of a benchmark's runs, given in any order."""
    return Result(tuple(sorted(measures, key=lambda m: (m.run.seed, m.run.cell))))
