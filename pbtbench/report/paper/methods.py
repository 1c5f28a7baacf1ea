"""What a paper says of how its results were made: a few paragraphs, as LaTeX and as Markdown.

All of it is read off the runs that are kept: what they have in common is said once, where they differ both ends
are given, and what failed, was left out or is of changed code is said, too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbtbench.measures import Measures
from pbtbench.report.latex import escaped
from pbtbench.report.paper.columns import SCORE, SCORE_IS
from pbtbench.report.paper.references import References, cited
from pbtbench.report.paper.tables import by_problem, cut
from pbtbench.report.texts import clean, marked_down
from pbtbench.report.wording import counted, listed, number, plural, size
from pbtbench.statistics.cells import Cell
from pbtbench.statistics.compare import DIGITS
from pbtbench.statistics.curves import QUARTILES_FROM
from pbtbench.statistics.totals import totals
from pbtbench.store import Store

KINDS = {"pbt": "population based training", "random": "random search", "grid": "grid search"}


@dataclass(frozen=True)
class Cite:
    """Sources, by their keys."""

    keys: Sequence[str]


Paragraph = Sequence[str | Cite]
"""Plain text with sources in it."""


def latex(paragraphs: Sequence[Paragraph]) -> str:
    """The paragraphs as LaTeX, with natbib's commands."""

    def part(of: str | Cite) -> str:
        return rf"~\citep{{{cited(of.keys)}}}" if isinstance(of, Cite) else escaped(of)

    return "% Needs the package natbib, and references.bib.\n" + _joined(paragraphs, part)


def markdown(paragraphs: Sequence[Paragraph]) -> str:
    """The paragraphs as Markdown, with pandoc's `[@key]` for keys of `references.bib`."""

    def part(of: str | Cite) -> str:
        if isinstance(of, Cite):
            return f" [{'; '.join(f'@{key}' for key in dict.fromkeys(of.keys))}]"
        return marked_down(clean(of))

    return _joined(paragraphs, part)


def _joined(paragraphs: Sequence[Paragraph], part: Any) -> str:
    return "\n\n".join("".join(map(part, p)) for p in paragraphs) + "\n"


def paragraphs(store: Store, cells: Sequence[Cell], references: References) -> list[Paragraph]:
    """How a study's results were made; which sources that cites is noted in `references`."""
    measures = [m for cell in cells for m in cell.measures]
    if not measures:
        return [["No run is kept in this study."]]
    return [
        list(_compared(cells, references)),
        list(_budget(cells, measures, references)),
        list(_statistics(cells, references)),
        [" ".join(_losses(store, cells))],
        [" ".join(_place(store, measures))],
    ]


def _compared(cells: Sequence[Cell], references: References) -> Iterator[str | Cite]:
    """The methods and the problems."""
    methods: dict[str, list[Cell]] = {}
    for cell in cells:
        methods.setdefault(cell.method, []).append(cell)
    parts = [
        (_method(name, mine), references.method(mine[0].run.kind)) for name, mine in methods.items()
    ]
    yield "We compare "
    yield from _enumerated(parts)
    problems = by_problem(cells)
    yield f" on {plural(len(problems), 'problem')}: "
    yield from _enumerated(
        [(_problem(mine), references.problem(mine[0].run)) for mine in problems.values()]
    )
    yield "."


def _method(name: str, cells: Sequence[Cell]) -> str:
    run = cells[0].run
    what = KINDS.get(run.kind, run.kind)
    facts = [] if name == what else [cut(what)]
    if intervals := sorted({c.interval for c in cells if c.interval is not None}):
        every = listed([f"{k:,}" for k in intervals])
        facts.append(
            f"perturbation interval {every} {'iteration' if intervals == [1] else 'iterations'}"
        )
    facts += [f"{key} = {json.dumps(value)}" for key, value in run.method_options.items()]
    return f"{cut(name)} ({'; '.join(facts)})" if facts else cut(name)


def _problem(cells: Sequence[Cell]) -> str:
    objective, card = cells[0].run.card.objective, cells[0].run.card
    better, relation = ("higher", "≥") if objective.sign > 0 else ("lower", "≤")
    tried = sorted({t.target for c in cells for t in c.targets}, key=lambda t: objective.sign * t)
    targets = f"; target {listed([f'{relation} {number(t)}' for t in tried])}" if tried else ""
    about = f"{card.title}; {cut(objective.metric)}, {better} is better{targets}"
    return f"{cut(cells[0].problem)} ({about})"


def _enumerated(parts: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str | Cite]:
    """`a [1], b and c [2]`."""
    for i, (text, keys) in enumerate(parts):
        yield ("" if not i else " and " if i == len(parts) - 1 else ", ") + text
        if keys:
            yield Cite(keys)


def _budget(
    cells: Sequence[Cell], measures: Sequence[Measures], references: References
) -> Iterator[str | Cite]:
    """What each run had, and what ran it."""
    runs = [m.run for m in measures]
    members = counted([run.population for run in runs], "member")
    yield f"Each run trains a population of {members} for {counted([r.iterations for r in runs], 'iteration')}"
    yield ", the same for every method of a problem. " if _same_budget(cells) else " each. "
    engines: dict[str, list[Measures]] = {}
    for m in measures:
        engines.setdefault(m.run.engine_label, []).append(m)
    yield "Runs were executed "
    parts = []
    for label, of in engines.items():
        workers = counted([m.workers for m in of], "worker")
        parts.append((f"on {cut(label)} with {workers}", references.engine(of[0].run.engine)))
    yield from _enumerated(parts)
    yield f". Each method has {counted([c.n for c in cells], 'seed')} on each problem and engine."


def _same_budget(cells: Sequence[Cell]) -> bool:
    return all(
        len({(c.run.population, c.run.iterations) for c in mine}) == 1
        for mine in by_problem(cells).values()
    )


def _statistics(cells: Sequence[Cell], references: References) -> Iterator[str | Cite]:
    """What tables and figures show."""
    yield (
        f"A run's {SCORE} is {SCORE_IS}. Tables show the median over the runs that completed, with the least "
        "and the largest; a run in which no member ended with a score counts as worst. Scores that are less "
        f"than one in the {DIGITS}th significant digit apart tie. "
    )
    if any(c.targets for c in cells):
        yield (
            "Of a problem's targets, the tables of results show the hardest that any method reached. The "
            "expected time to a target is all time that was spent, misses at their cut-off, over the number of "
            "successes"
        )
        yield Cite(references.measure("expected_time"))
        yield ". Work is counted in iterations of all members. "
    yield (
        "Checkpoint overhead is the time for saving, persisting, moving and restoring states and for restarts, "
        "over that for training and evaluation, in worker-seconds. Bands in figures are quartiles, or the "
        f"range of fewer than {QUARTILES_FROM} seeds; colours are after Okabe and Ito"
    )
    yield Cite(references.measure("colours"))
    yield "."


def _losses(store: Store, cells: Sequence[Cell]) -> Iterator[str]:
    """What failed, and how that was counted."""
    counts = totals(cells)
    if counts.failures:
        causes = listed([f"{n:,} by {cause}" for cause, n in counts.failed.items()])
        yield (
            f"{counts.failures:,} of {plural(counts.runs, 'run')} failed: {causes}. A failed run counts as a "
            "miss of the targets that it had not reached, with the time that it took; it is in no score and no "
            "overhead."
        )
    else:
        yield (
            f"None of {plural(counts.runs, 'run')} failed."
            if counts.runs > 1
            else "The run did not fail."
        )
    if counts.unscored:
        yield f"{plural(counts.unscored, 'completed run')} ended without a score."
    if counts.nan_members:
        yield f"{plural(counts.nan_members, 'member')} scored NaN or infinite at least once."
    if stopped := sum(sum(c.stopped.values()) for c in cells):
        yield f"{plural(stopped, 'member')} stopped before the budget."
    if store.left_out:
        parts = plural(len(store.left_out), "part")
        yield f"Of the study's folder, damaged or of another kind and left out: {parts}."


def _place(store: Store, measures: Sequence[Measures]) -> Iterator[str]:
    """The machines, and the versions of the code."""
    known = store.machines()
    machines = Counter(m.provenance.machine if m.provenance else "" for m in measures)
    places = [(_machine(known.get(name, {})), n) for name, n in machines.items()]
    yield f"Runs were made on {_shares(places)}."
    yield f"They are of {_shares([*Counter(map(_version, measures)).items()])}."
    days = sorted(
        {m.provenance.started[:10] for m in measures if m.provenance and m.provenance.started}
    )
    if days:
        yield f"Dates: {days[0]}." if len(days) == 1 else f"Dates: {days[0]} to {days[-1]}."


def _shares(parts: Sequence[tuple[str, int]]) -> str:
    """The one, or all with their numbers of runs."""
    if len(parts) == 1:
        return parts[0][0]
    return listed([f"{text} ({plural(n, 'run')})" for text, n in parts])


def _machine(facts: Mapping[str, Any]) -> str:
    if not facts:
        return "a machine of which nothing is known"
    cores, memory = facts.get("cores_usable") or facts.get("cores"), facts.get("memory_bytes")
    python, versions = facts.get("python"), facts.get("versions") or {}
    software = [f"{name} {v}" for name, v in versions.items() if v and name != "pbtbench"]
    found = [
        *([facts["cpu"]] if facts.get("cpu") else []),
        *([plural(cores, "core")] if cores else []),
        *([f"{size(memory)} of memory"] if memory else []),
        *(facts.get("gpus") or []),
        *([facts["system"]] if facts.get("system") else []),
        *([f"Python {python}"] if python else []),
        *software,
    ]
    return ", ".join(found)


def _version(m: Measures) -> str:
    of = m.provenance
    if of is None or not of.version:
        return "an unknown version of pbtbench"
    commit = f" at commit {of.commit}" if of.commit else ""
    return f"pbtbench {of.version}{commit}{' with changed files' if of.dirty else ''}"
