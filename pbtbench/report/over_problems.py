"""What a report shows over all problems of a study: ranks, verdicts and profiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pbtbench import filename
from pbtbench.report import standings as of_standings
from pbtbench.report import target_profiles as of_profiles
from pbtbench.report import verdicts
from pbtbench.report.data import Data, Row
from pbtbench.report.figures import Figure
from pbtbench.report.palette import Series
from pbtbench.report.survival import costs
from pbtbench.report.texts import Table
from pbtbench.statistics.baselines import Comparison
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.overall import Standing, tallies
from pbtbench.statistics.target_profiles import TargetProfiles, target_profiles

METHODS = 40
"""With their intervals, of which ranks are drawn and profiles made at most."""


@dataclass(frozen=True)
class Titled:
    """A table with its words."""

    name: str
    """Of its files."""
    title: str
    about: tuple[str, ...]
    """Sentences that belong to it."""
    table: Table


@dataclass(frozen=True)
class OverProblems:
    """What a page shows over all problems."""

    tables: Sequence[Titled]
    drawn: Sequence[Titled]
    """Tables that figures show, too: files alone."""
    figures: Sequence[Figure]
    data: Data
    """What the figures draw from."""

    def files(self) -> dict[str, str]:
        """The tables' files."""
        found: dict[str, str] = {}
        for titled in (*self.tables, *self.drawn):
            found |= titled.table.files(f"tables/{titled.name}")
        return found


def over_problems(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    standings: Sequence[Standing],
    colours: Sequence[Series],
) -> OverProblems | None:
    """None for a single problem, and where no two methods share two."""
    many = len({c.label for c in cells}) > METHODS
    places: dict[tuple[str, str], list[TargetProfiles]] = {}
    for cost in [] if many else costs(cells):
        for one in target_profiles(cells, cost):
            places.setdefault((one.engine, one.cluster), []).append(one)
    if not standings and not places:
        return None
    data: dict[str, list[Row]] = {"verdicts": verdicts.rows(comparisons)}
    figures = list(verdicts.figures(data["verdicts"], "verdicts"))
    for i, standing in enumerate([] if many else standings):
        drawn, rows = of_standings.critical_difference(standing, colours, _name("mean-ranks", i))
        figures.append(drawn)
        data |= rows
    for i, profiles in enumerate(places.values()):
        for one in profiles:
            names = {
                kind: _name(f"{kind}-{one.cost.replace('_', '-')}", i)
                for kind in ("runtime", "performance")
            }
            several, rows = of_profiles.figures(one, colours, names)
            figures += several
            data |= rows
    tables = [*_tallies(comparisons), *_standings(standings, many), *_profiles([*places.values()])]
    return OverProblems(tables, list(_verdicts(comparisons)), figures, data)


def _name(stem: str, i: int) -> str:
    """One for each place; the first has the stem's."""
    return filename.part(f"{stem}-{i + 1}" if i else stem)


def _tallies(comparisons: Sequence[Comparison]) -> Iterator[Titled]:
    if comparisons:
        yield Titled(
            "tallies",
            "Wins, ties and losses over problems",
            (),
            verdicts.tally_table(tallies(comparisons)),
        )


def _verdicts(comparisons: Sequence[Comparison]) -> Iterator[Titled]:
    if comparisons:
        yield Titled(
            "verdicts",
            "Verdicts by problem",
            (verdicts.LEGEND,),
            verdicts.sign_table(comparisons),
        )


def _standings(standings: Sequence[Standing], many: bool) -> Iterator[Titled]:
    left = (f"Of more than {METHODS} methods ranks are not drawn, and no profiles made.",) * many
    for i, standing in enumerate(standings):
        yield Titled(
            _name("standing", i),
            f"Mean ranks and normalised scores, {standing.engine}, {standing.cluster}",
            (*of_standings.sentences(standing), *left, of_standings.ABOUT),
            of_standings.table(standing),
        )


def _profiles(places: Sequence[Sequence[TargetProfiles]]) -> Iterator[Titled]:
    for i, profiles in enumerate(places):
        yield Titled(
            _name("target_scores", i),
            f"Benchmark scores of times to targets, {profiles[0].engine}, {profiles[0].cluster}",
            (*of_profiles.sentences(profiles), of_profiles.ABOUT),
            of_profiles.score_table(profiles),
        )
