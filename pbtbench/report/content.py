"""What a report's pages show, ready for their templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbtbench.measures import Measures
from pbtbench.report.cell_table import CellTable
from pbtbench.report.checkpoint_costs import CheckpointCosts
from pbtbench.report.data import Data
from pbtbench.report.figures import Figure
from pbtbench.report.findings import Finding
from pbtbench.report.matrix import Matrix
from pbtbench.report.over_problems import OverProblems
from pbtbench.report.palette import Series
from pbtbench.report.run_pages import RunPage
from pbtbench.report.summary import Summary
from pbtbench.report.tables import Row
from pbtbench.report.texts import Table
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.speedups import Cost

MEASURES = {
    "validation score": "the best of the members' last scores, by which a member is selected; targets, and "
    "regrets, are of validation scores",
    "test score": "of the selected member, on data that no decision saw; where all runs of a problem have one, "
    "methods are compared by it, else by validation scores; median and range over the runs that completed; "
    "bold: the best of a problem",
    "selection optimism": "validation − test score of the selected member, turned so that larger is more "
    "flattering; it grows with looks, the scores selected by: members × (iterations / interval)",
    "rank": "by median score; methods that tie share the best rank of theirs, such as =1",
    "beats, loses to": "chance is ruled out at 5%, over all comparisons of a problem on an engine (Wilcoxon's "
    "signed-rank test of seeds, Holm)",
    "tie": "scores that are less than one in the fourth significant digit apart, and expected wall times "
    "within 10%: none of them is called better",
    "expected time": "all wall time spent, misses at their cut-off, over the number of successes (ERT); "
    "∞ without a success",
    "expected work": "the same in iterations of all members, member-iterations: ERT of the work",
    "checkpoint overhead": "(save + blocking persist + transfer + restore, morphing included, + restart) over "
    "(train + evaluate), in worker-seconds",
    "all overhead": "the same with waits and decisions",
    "unaccounted": "workers × wall time, less all that was timed",
}
"""The measures of the page, in a line each; METHOD has them in full."""


@dataclass(frozen=True)
class Section:
    """What is shown of one problem."""

    name: str
    page: str
    """Its page, a path in the report; empty where all problems stand in one."""
    finding: Finding
    rows: Sequence[Row]
    data: Data
    """What its figures draw from."""
    scores: Sequence[Figure]
    targets: Sequence[Figure]
    target_tables: Mapping[Cost, Table]
    """Each axis on which times to targets are measured -> its table."""
    comparisons: Table | None
    """With baselines, and what the seeds could have shown; None where nothing is compared."""
    intervals: Sequence[Figure]
    costs: Sequence[Figure]
    inside: Sequence[RunPage]
    """Of its runs that have pages of their own."""
    forks: Table | None
    """Of a problem with a page of its own."""
    thumbnail: str
    """The same: an SVG."""

    @property
    def early(self) -> bool:
        """Whether members stopped before their budget."""
        return any(row.cell.stopped for row in self.rows)

    @property
    def run(self) -> Any:
        """One of its runs, for what they all share."""
        return self.rows[0].cell.run

    @property
    def figures(self) -> list[Figure]:
        """All of them, in the page's order."""
        return [*self.scores, *self.targets, *self.intervals, *self.costs]

    @property
    def measures(self) -> list[Measures]:
        """Of all its runs."""
        return [m for row in self.rows for m in row.cell.measures]


@dataclass(frozen=True)
class Content:
    """All that a report's pages show."""

    title: str
    sections: Sequence[Section]
    overall: Sequence[Finding]
    """What was found of the study as a whole."""
    cells: Sequence[Cell]
    summary: Summary
    over_problems: OverProblems | None
    optimism: Table | None
    """By how much selection flatters; None where no run has a test score."""
    matrix: Matrix
    table: CellTable
    colours: Sequence[Series]
    costs: CheckpointCosts | None
    """What checkpoints cost; problems that exist to measure that have no sections."""
    forks: Table | None
    study: str
    machine: Mapping[str, Any]
    machines: int
    version: str
    """Of a report that is served while its study runs; else empty."""
    left_out: Sequence[str]
    """What could not be read, a line for each."""

    @property
    def links(self) -> dict[str, str]:
        """Problem -> where it stands, from the index."""
        return {s.name: s.page or f"#problem-{i}" for i, s in enumerate(self.sections, 1)}

    @property
    def summarised(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.overall or self.summary.overall or self.summary.problems)

    @property
    def many(self) -> bool:
        """Whether each problem has a page of its own."""
        return any(s.page for s in self.sections)
