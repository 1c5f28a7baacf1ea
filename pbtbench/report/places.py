"""Several studies beside each other: where each method ran, what it took there, and what of it is compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pbtbench.report.tables import Row
from pbtbench.report.tables import rows as texts_of
from pbtbench.report.texts import Table
from pbtbench.report.wording import counted, listed, medians, number, plural
from pbtbench.statistics.places import Comparable, Place, Placed, other_methods

UNKNOWN = "unknown"
"""The machine of runs of which nobody knows it."""

NAMED = 3
"""Methods that tie and are named; more are counted."""

LONGEST = 60
"""Characters of what differs that are shown."""

COMPARED = (
    "Scores and member-iterations (work) may be compared between places. A place is a study's cluster "
    "on a machine."
)
NOT_COMPARED = (
    "Seconds, and overheads, which are shares of seconds, are compared within a place alone: between "
    "places they say how fast machines were in two sittings, not which method is better. So the least "
    "expected time and the best score are marked (bold) within each place."
)


@dataclass(frozen=True)
class PlacedProblem:
    """What is shown of a problem at all places where studies mean the same by it."""

    heading: str
    """The problem, and in which studies where not all mean the same by it."""
    sentences: Sequence[str]
    table: Table


def problems(found: Sequence[Comparable]) -> list[PlacedProblem]:
    """Each problem, in the order of `found`."""
    return [
        PlacedProblem(_heading(of, found), list(_sentences(of, found)), table([of])) for of in found
    ]


def table(found: Sequence[Comparable], *, whole: bool = False) -> Table:
    """Where it ran: a row for each method, interval, engine and place, with what it took there. `whole`: with a
    column for the problem."""
    most = max((len(row.cell.targets) for of in found for row in of.rows), default=0)
    header = ["method", "engine", "study", "cluster", "machine", "workers", "runs"]
    header += ["score", "min, max", "wall", "checkpoint overhead", "all overhead"]
    for i in range(most):
        name = "target" if most == 1 else f"target {i + 1}"
        header += [name, "reached", "expected time", "member-iterations"]
    body: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for of in found:
        texts = texts_of([row.cell for row in of.rows])
        for row, text in zip(of.rows, texts, strict=True):
            bold |= {(len(body), whole + place) for place in _marked(row)}
            line = _line(row.place, text, most)
            body.append([_heading(of, found), *line] if whole else line)
    return Table([*["problem"] * whole, *header], body, left=5 + whole, bold=frozenset(bold))


def _marked(row: Placed) -> Iterator[int]:
    """The columns in which a row is the best of its place."""
    if row.best:
        yield 7
    for i, target in enumerate(row.cell.targets):
        if target.target == row.fastest_to:
            yield 14 + 4 * i


def _line(place: Place, text: Row, most: int) -> list[str]:
    of_targets = [part for t in text.targets for part in (t.target, t.reached, t.ert, t.work)]
    return [
        *(text.method, text.engine, place.study, place.cluster, _machine(place)),
        *(str(text.cell.measures[0].workers), text.n, text.final, text.spread),
        *(text.wall, text.checkpoint_overhead, text.pbt_overhead),
        *(*of_targets, *[""] * (4 * most - len(of_targets))),
    ]


def _heading(of: Comparable, found: Sequence[Comparable]) -> str:
    apart = sum(other.problem == of.problem for other in found) > 1
    return f"{of.problem}, as in {listed(of.studies)}" if apart else of.problem


def _sentences(of: Comparable, found: Sequence[Comparable]) -> Iterator[str]:
    """Where it differs, what is in one study alone, and who was best at each place."""
    if of.differences:
        first = next(other for other in found if other.problem == of.problem)
        each = listed([_difference(name, *both) for name, both in of.differences.items()])
        yield (
            f"Not the same problem as in {listed(first.studies)}, and not compared with it: {each}."
        )
    for method, studies in other_methods(of).items():
        yield f"{method} is another method, or has other options, in each of {listed(studies)}: not compared."
    if len(of.studies) > 1:
        for study, labels in _alone(of).items():
            yield f"In {study} alone: {listed(labels)}."
    seeds = [row.cell.n for row in of.rows]
    bests, fastest = _best(of), _fastest(of)
    if any(bests.values()):
        yield f"Best score ({medians(seeds)}): {_by_place(bests)}."
    if any(fastest.values()):
        metric = of.rows[0].cell.run.card.objective.metric
        yield (
            f"Least expected time to the hardest {metric} that is reached ({counted(seeds, 'seed')}): "
            f"{_by_place(fastest)}."
        )


def _difference(name: str, there: str, here: str) -> str:
    if max(len(there), len(here)) > LONGEST or name == "the problem's code or options":
        return name
    return f"{name} ({there} there, {here} here)"


def _alone(of: Comparable) -> dict[str, list[str]]:
    """Study -> the methods, with their interval and engine, that it has and no other."""
    studies: dict[str, set[str]] = {}
    for row in of.rows:
        studies.setdefault(name(row, of), set()).add(row.place.study)
    found: dict[str, list[str]] = {}
    for label, those in studies.items():
        if len(those) == 1:
            found.setdefault(next(iter(those)), []).append(label)
    return found


def _best(of: Comparable) -> dict[str, list[str]]:
    return {
        where(place, of): [name(r, of) for r in of.rows if r.place == place and r.best]
        for place in of.places
    }


def _fastest(of: Comparable) -> dict[str, list[str]]:
    return {
        where(place, of): [
            f"{name(r, of)} (to {number(r.fastest_to)})"
            for r in of.rows
            if r.place == place and r.fastest_to is not None
        ]
        for place in of.places
    }


def _by_place(of_place: Mapping[str, Sequence[str]]) -> str:
    """`pbt k=1 in A and B; random in C`."""
    found: dict[str, list[str]] = {}
    for name, best in of_place.items():
        found.setdefault(_names(best), []).append(name)
    return "; ".join(f"{best} in {listed(names)}" for best, names in found.items())


def _names(names: Sequence[str]) -> str:
    if not names:
        return "none, or all tie,"
    return listed(names) if len(names) <= NAMED else f"{plural(len(names), 'method')} that tie"


def name(row: Placed, of: Comparable) -> str:
    """A method with its interval, and its engine where there are several."""
    several = len({r.cell.engine for r in of.rows}) > 1
    return f"{row.cell.label} on {row.cell.engine}" if several else row.cell.label


def where(place: Place, of: Comparable) -> str:
    """A place's study; with its cluster and machine where the study has several places."""
    mine = [other for other in of.places if other.study == place.study]
    if len(mine) == 1:
        return place.study
    return f"{place.study} on {place.cluster} ({_machine(place)})"


def _machine(place: Place) -> str:
    return place.machine[:8] or UNKNOWN
