"""The Python API: what is kept of a study, or of several, and what can be made of it. The command line is a
thin layer over it.

    results = pbtbench.run("quickstart", seeds=1)      # `running.whole_study`; or load("results/quickstart")
    results.measures.groupby("method").final_score.median()
    results.compare()                       # a row for each method, interval, problem and engine
    results.compare("results/before")       # what got worse, as `pbtbench compare` finds it
    results.power()                         # what these seeds can decide
    results.advise()                        # what each perturbation interval costs, and which is best
    results.report()                        # the path of a page

    both = pbtbench.load("results/here", "results/there")
    both.report("both")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pbtbench.errors import BadInput, plain, unknown
from pbtbench.runs import Run
from pbtbench.store.several import KeptStudy, claim, read

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from pbtbench.record import Record
    from pbtbench.statistics.interval_choice import Choice

SHOWN = 30
"""Rows of a notebook's table at most."""


@dataclass(frozen=True, repr=False)
class Results:
    """What is kept of a study, or of several beside each other: made by `run` and `load`."""

    studies: tuple[KeptStudy, ...]
    left_out: tuple[str, ...] = ()
    """A line for each folder, and each run, that could not be read."""

    @cached_property
    def measures(self) -> pd.DataFrame:
        """A row for each run and target: the columns of `summary.csv`, and more that is known of a run
        (`measures.table`). Of several studies a run's id begins with its study's name, which is the column
        `study`."""
        from pbtbench.measures.table import frame, frame_of_studies

        if len(self.studies) == 1:
            return frame(self.studies[0].measures)
        return frame_of_studies({study.name: study.measures for study in self.studies})

    @property
    def failures(self) -> dict[str, str]:
        """The runs that failed, by their id in `measures`: `crash` or `hang`, and why."""
        return {
            id_: f"{m.cause}: {m.message}"
            for study in self.studies
            for m in study.measures
            if m.cause
            for id_ in [self._id(study, m.run)]
        }

    @property
    def notes(self) -> list[str]:
        """A line for each kind of kept runs that their study's own files don't account for."""
        from pbtbench.study.oddities import oddities

        return [
            plain(line)
            for study in self.studies
            for store in [study.store]
            for line in oddities(
                store.declared(), store.machines(), study.measures, str(store.path)
            )
        ]

    def record(self, run: str | Run) -> Record:
        """All that was recorded of a run, given by its id in `measures`, or as a `Run`: its timeline, scores
        and forks. `BadInput` for a run that isn't there, that several studies have, or whose record is
        damaged."""
        kept = [(study, m.run) for study in self.studies for m in study.measures]
        if isinstance(run, Run):
            found = [(study, one) for study, one in kept if one.id == run.id]
        else:
            found = [(study, one) for study, one in kept if self._id(study, one) == run]
        if not found:
            name = run.id if isinstance(run, Run) else str(run)
            raise unknown("run of these results", name, [self._id(*one) for one in kept])
        if len(found) > 1:
            raise BadInput(
                f"run {found[0][1].id}: several studies have it; give its id in `measures`"
            )
        study, one = found[0]
        return study.store.record(one)

    def compare(
        self, base: Results | str | Path | None = None, *, thresholds: str | Path | None = None
    ) -> pd.DataFrame:
        """The comparison of methods; or, with a `base`, what changed since.

        Without `base` a row for each method at an interval, on a problem, an engine and a cluster
        (`statistics.cell_table`); of several studies with a column `study`.

        With `base` (the results or the folder of a study, or a baseline's file) a row for each measure of each
        of these, as `pbtbench compare BASE NEW` judges it: `verdict`, the medians `base` and `new`, their
        paired `ratio` from `low` to `high` over `n` seeds, the `threshold`, `why`, and whether it `trips` the
        gate. `thresholds`: a TOML file with a table `[gate]`; that of `pyproject.toml` by default.

        Raises `BadInput` for a base that can't be read, and for several studies at once.
        """
        if base is not None:
            return _gated(self, base, thresholds)
        from pbtbench.statistics.cell_table import frame
        from pbtbench.statistics.cells import cells

        return _together({study.name: frame(cells(study.measures)) for study in self.studies})

    def power(self) -> pd.DataFrame:
        """What the seeds can decide, as `pbtbench power` says it: a row for each method with an interval and
        each baseline (`statistics.comparison_table.COLUMNS`); of several studies with a column `study`."""
        from pbtbench.statistics.baselines import comparisons
        from pbtbench.statistics.cells import cells
        from pbtbench.statistics.comparison_table import frame
        from pbtbench.statistics.sequential import level

        return _together(
            {
                study.name: frame(comparisons(cells(study.measures), level(study.store.declared())))
                for study in self.studies
            }
        )

    def choices(
        self,
        target: float | None = None,
        *,
        iterations: int | None = None,
        problem: str | None = None,
        engine: str | None = None,
    ) -> dict[str, list[Choice]]:
        """Study -> its choices of a perturbation interval (`statistics.interval_choice`), of what was run at
        two intervals or more.

        `target`: any score, by default the hardest that any interval reached. `iterations`: a smaller budget of
        each member, at which runs are cut. `problem`, `engine`: only that one, by its name there. Raises
        `BadInput` for a target that no score can reach, and for names that there are not.
        """
        from pbtbench.schema import Count, Real, checked
        from pbtbench.statistics.cells import cells
        from pbtbench.statistics.interval_choice import choices

        if target is not None:
            target = checked(Real, target, "target")
        if iterations is not None:
            iterations = checked(Count, iterations, "iterations")
        found = {study.name: cells(study.measures) for study in self.studies}
        every = [cell for of in found.values() for cell in of]
        for what, name, known in (
            ("problem", problem, {c.problem for c in every}),
            ("engine", engine, {c.engine for c in every}),
        ):
            if name is not None and name not in known:
                raise unknown(f"{what} of these results", name, known)
        budgets = [c.run.iterations for c in every if problem in (None, c.problem)]
        if iterations is not None and iterations > max(budgets, default=iterations):
            raise BadInput(
                f"iterations {iterations}: no run was given so many; give {max(budgets)} at most"
            )
        return {
            study: choices(
                [c for c in of if problem in (None, c.problem) and engine in (None, c.engine)],
                target,
                iterations,
            )
            for study, of in found.items()
        }

    def advise(
        self,
        target: float | None = None,
        *,
        iterations: int | None = None,
        problem: str | None = None,
        engine: str | None = None,
    ) -> pd.DataFrame:
        """What each perturbation interval costs to a target, and which is recommended, as `pbtbench advise`
        says it: a row for each interval of each of `choices` (`statistics.interval_choice.COLUMNS`); of
        several studies with a column `study`."""
        from pbtbench.statistics.interval_choice import frame

        found = self.choices(target, iterations=iterations, problem=problem, engine=engine)
        return _together({study: frame(of) for study, of in found.items()})

    def report(
        self,
        out: str | Path | None = None,
        *,
        paper: bool = False,
        columns: Sequence[str] | None = None,
    ) -> Path:
        """Write `summary.csv` and the report, and give the path of its page: in a study's own folder, or in
        `out`, a folder that is new, empty, or holds an earlier report of this kind. Several studies need `out`.
        `paper`: beside the page what a paper takes over (`report.paper`), its tables with these `columns`.

        Raises `BadInput` for a folder that is another's, and for columns that there are none of; `Failed` if
        the disk is full or gone.
        """
        from pbtbench import report
        from pbtbench.measures.summary import summary_csv, summary_csv_of_studies
        from pbtbench.report.paper import paper_files

        study = self.studies[0]
        if paper and (out is not None or len(self.studies) > 1):
            raise BadInput("a paper is made of one study, in its own folder: leave --out out")
        if out is None:
            if len(self.studies) > 1:
                raise BadInput("a report of several studies needs a folder of its own: give --out")
            beside = paper_files(study.store, study.measures, columns) if paper else None
            study.store.write_summary(summary_csv(study.measures))
            return report.write(study.store, study.measures, beside)
        store = claim(path_of(out), self.studies)
        of_studies = {study.name: study.measures for study in self.studies}
        store.write_summary(summary_csv_of_studies(of_studies))
        return report.write_several(store, self.studies, self.left_out)

    def tensorboard(self) -> list[str]:
        """Write what TensorBoard shows of each study, to `tensorboard/` in its folder; gives a line for each
        run that can't be read."""
        from pbtbench.tensorboard import files

        return [line for study in self.studies for line in files.write(study.store)]

    def _id(self, study: KeptStudy, run: Run) -> str:
        return run.id if len(self.studies) == 1 else f"{study.name}/{run.id}"

    def _title(self) -> str:
        from pbtbench.report.wording import listed

        titles = [plain(study.store.title()) for study in self.studies]
        if len(titles) == 1:
            return titles[0]
        return listed([f"{t} ({s.name})" for t, s in zip(titles, self.studies, strict=True)])

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        runs = sum(len(study.measures) for study in self.studies)
        return f"<pbtbench.Results: {self._title()}: {runs} run{'s' * (runs != 1)}{failed}>"

    def _repr_html_(self) -> str:
        """The comparison for a notebook: text from the folders is escaped."""
        import pandas as pd
        from markupsafe import escape

        from pbtbench.report.places import table as placed
        from pbtbench.report.tables import comparison, distinct
        from pbtbench.statistics.cells import cells
        from pbtbench.statistics.places import side_by_side

        of_studies = {study.name: study.measures for study in self.studies}
        if len(self.studies) == 1:
            table = comparison(distinct(cells(self.studies[0].measures)))
        else:
            table = placed(side_by_side(of_studies), whole=True)
        shown = pd.DataFrame(table.body[:SHOWN], columns=list(table.header))
        more = len(table.body) - SHOWN
        below = f"<p>… and {more:,} more: <code>compare()</code> has all.</p>" if more > 0 else ""
        return f"<p>{escape(repr(self))}</p>{shown.to_html(index=False, border=0)}{below}"


def load(folder: str | Path, *more: str | Path, quiet: bool = False) -> Results:
    """The results in a study's folder, or in several, which are held beside each other. Nothing that a folder
    names is imported. `quiet`: also on a terminal without progress.

    Of several, those that are damaged are left out by name. Raises `BadInput` for a folder that holds no study,
    one that is given twice, and if none can be read.

        pbtbench.load("results/quickstart").measures
    """
    from rich.console import Console

    return read_results([path_of(place) for place in (folder, *more)], Console(quiet=quiet))


def path_of(given: object) -> Path:
    if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
        raise BadInput(f"{given!r}: give the path of a folder")
    return Path(given)


def read_results(paths: list[Path], console: Console) -> Results:
    from pbtbench.cli.live import reading

    with reading(console) as track:
        studies, left_out = read(paths, track)
    left_out += [line for study in studies for line in study.store.left_out]
    return Results(tuple(studies), tuple(left_out))


def _together(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Of several studies one frame, with the study as a column."""
    import pandas as pd

    if len(frames) == 1:
        return next(iter(frames.values()))
    return pd.concat([of.assign(study=name) for name, of in frames.items()], ignore_index=True)


def _gated(new: Results, base: Results | str | Path, thresholds: str | Path | None) -> pd.DataFrame:
    """What `pbtbench compare` finds, a row for each measure."""
    from pbtbench.regression import gate, sitting
    from pbtbench.regression import thresholds as allowed

    def sat(of: Results) -> sitting.Loaded:
        if len(of.studies) > 1:
            raise BadInput("one study is compared with one: load them one by one")
        return sitting.of_study(of.studies[0].store, of.studies[0].measures)

    before = sat(base) if isinstance(base, Results) else sitting.load(path_of(base))
    found = allowed.load(path_of(thresholds)) if thresholds else allowed.beside(Path.cwd())
    return gate.frame(gate.compare(before.sitting, sat(new).sitting, found))
