"""What a study says, in few sentences: how methods with an interval fare against baselines, first what speaks
against them.

Nothing is claimed but what the verdicts of `statistics.baselines` and intervals bear: an interval of a
difference that has 0 in it, or of a ratio that has 1, says nothing. Every sentence says of how many seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pbtbench.report import optimism
from pbtbench.report.decided import NAMED, clauses, counts, in_short, some
from pbtbench.report.seeds import more_seeds
from pbtbench.report.speedups import sentence
from pbtbench.report.standings import sentences as of_standing
from pbtbench.report.wording import listed, plural
from pbtbench.statistics.baselines import LEVEL, Comparison, Verdict
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.overall import Standing, Tally, tallies
from pbtbench.statistics.speedups import Speedup
from pbtbench.statistics.totals import totals

MANY = 10
"""Problems from which on each has but a short sentence."""

OWN = ("on ", "these ", "one ", "none ", "against ", "equal ", "undecided ")
"""Beginnings of sentences that are ours, and no method's name."""


@dataclass(frozen=True)
class Summary:
    """Sentences, in order; those of a verdict against a method with an interval come first."""

    overall: tuple[str, ...]
    """Over all problems; empty of a single one, unless runs failed."""
    problems: tuple[tuple[str, tuple[str, ...]], ...]
    """A problem, and what is said of it: those first where methods with an interval lose. Of several, those on
    which something is decided."""

    @property
    def lines(self) -> list[str]:
        """All of it, a line each, with the problem's name before what is said of it where there are several."""
        if len(self.problems) == 1:
            return [*self.problems[0][1], *self.overall]
        return [*self.overall, *(f"{name}: {' '.join(said)}" for name, said in self.problems)]


def summary(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    standings: Sequence[Standing],
    speedups: Sequence[Speedup],
) -> Summary:
    """The sentences of a study. `speedups`: on the axis that is to be told, such as worker-seconds."""
    names = list(dict.fromkeys(c.problem for c in cells))
    short = len(names) > MANY
    found, nothing = [], []
    for name in names:
        mine = [c for c in comparisons if c.one.problem == name]
        faster = [] if short else [s for s in speedups if s.one.problem == name]
        of = [c for c in cells if c.problem == name]
        if len(names) > 1 and mine and not _decides(mine, faster):
            nothing.append(name)
            continue
        said = (*_of_problem(of, mine, in_short if short else clauses), *sentence(faster))
        lost = any(c.verdict == "loss" for c in mine) or any(
            s.clear and s.ratio.high < 1 for s in faster
        )
        found.append((not lost, (name, said)))
    found.sort(key=lambda pair: pair[0])
    overall = [*_failed(cells)]
    if len(names) > 1:
        overall = [
            *_over_problems(comparisons),
            *_standing(standings),
            *_undecided(nothing, names, comparisons),
            *optimism.over_problems(cells),
            *overall,
        ]
    return Summary(tuple(overall), tuple(said for _, said in found if said[1]))


def _decides(comparisons: Sequence[Comparison], speedups: Sequence[Speedup]) -> bool:
    return any(c.verdict != "unclear" for c in comparisons) or any(s.clear for s in speedups)


def _undecided(
    nothing: Sequence[str], names: Sequence[str], comparisons: Sequence[Comparison]
) -> Iterator[str]:
    """On which problems nothing is decided, and how many seeds would decide something."""
    if nothing and len(nothing) < len(names):
        mine = [c for c in comparisons if c.one.problem in nothing]
        yield f"These seeds decide nothing on {some(nothing)} (n = {counts(mine)})."
    yield from more_seeds(comparisons)


def _over_problems(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """For each engine how often methods win and lose against each baseline: those first that lose most."""
    engines = list(dict.fromkeys(c.one.engine for c in comparisons))
    for engine in engines:
        mine = [c for c in comparisons if c.one.engine == engine]
        where = f"On {engine}, " if len(engines) > 1 else ""
        problems = plural(len({c.one.problem for c in mine}), "problem")
        against = list(dict.fromkeys(c.baseline.label for c in mine))
        if all(c.verdict == "unclear" for c in mine):
            none = f"{where}none of {plural(len(mine), 'comparison')} with {some(against)}"
            yield _capital(f"{none} on {problems} is decided by these seeds (n = {counts(mine)}).")
            continue
        each = [_against([c for c in mine if c.baseline.label == name], name) for name in against]
        yield _capital(
            f"{where}{'; '.join(each)} (n = {counts(mine)}; level {LEVEL:.0%} over each problem's "
            "comparisons)."
        )


def _against(comparisons: Sequence[Comparison], baseline: str) -> str:
    """`against random, pbt k=1 loses on 3 of 18 problems, wins on 9, is undecided on 6`."""
    found = sorted(tallies(comparisons), key=_losses)
    more = len(found) - NAMED
    rest = f", and {more} more in the table" if more > 0 else ""
    return f"against {baseline}, {', '.join(map(_tallied, found[:NAMED]))}{rest}"


def _losses(tally: Tally) -> tuple[int, int]:
    return -tally.counts.get("loss", 0), -tally.counts.get("win", 0)


def _tallied(tally: Tally) -> str:
    """`pbt k=1 loses on 3 and wins on 9 of 18 problems, which on 6 these seeds can't decide`."""
    verbs: Mapping[Verdict, str] = {
        "loss": "loses on",
        "win": "wins on",
        "tie": "ties on",
        "unclear": "is undecided on",
    }
    each = [f"{verb} {n}" for v, verb in verbs.items() if (n := tally.counts.get(v, 0))]
    return f"{tally.label} {listed(each)} of {plural(sum(tally.counts.values()), 'problem')}"


def _standing(standings: Sequence[Standing]) -> Iterator[str]:
    for standing in standings:
        yield next(iter(of_standing(standing)))


def _failed(cells: Sequence[Cell]) -> Iterator[str]:
    """What is missing of the runs, or counts as worst."""
    found = totals(cells)
    if found.failures:
        yield (
            f"{found.failures} of {plural(found.runs, 'run')} failed "
            f"({listed([f'{n} by {cause}' for cause, n in found.failed.items()])}): scores are those of the "
            "others, and what the failed ones spent on targets counts."
        )
    if found.unscored:
        yield (
            f"{plural(found.unscored, 'run')} ended without a score and "
            f"{'counts' if found.unscored == 1 else 'count'} as worst."
        )


def _of_problem(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    said: Callable[[Sequence[Comparison]], Iterator[str]],
) -> Iterator[str]:
    """One sentence on scores, with a clause for each engine and cluster, or why there is none."""
    if not any(c.completed for c in cells):
        yield "No run completed."
        return
    of_place: dict[tuple[str, str], list[Comparison]] = {}
    for c in comparisons:
        of_place.setdefault((c.one.engine, c.one.cluster), []).append(c)
    several = len({(c.engine, c.cluster) for c in cells}) > 1
    texts: dict[str, list[str]] = {}
    for (engine, _), mine in of_place.items():
        texts.setdefault("; ".join(said(mine)), []).append(engine)
    parts = [
        f"on {listed(list(dict.fromkeys(engines)))}: {text}" if several else text
        for text, engines in texts.items()
    ]
    if parts:
        yield f"{_capital('; '.join(parts))}."
        return
    swept = [c for c in cells if c.interval is not None]
    names = some(list(dict.fromkeys(c.label for c in swept)))
    if swept and not any(c.completed for c in swept):
        yield f"No run of {names} completed."
    elif swept:
        yield f"Nothing to hold {names} against: no method without an interval completed a run."


def _capital(text: str) -> str:
    """At the start of a sentence; a method's name stays as it is."""
    return text[0].upper() + text[1:] if text.startswith(OWN) else text
