"""What a folder has of a study already, what is missing, and what the two declare together. Kept runs and what
a folder declares are data here: nothing that they name is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from pbtbench import engines
from pbtbench.errors import BadInput
from pbtbench.runs import Run
from pbtbench.study import Study
from pbtbench.study.cells import Cell, cells, method
from pbtbench.study.declaration import Declaration
from pbtbench.study.union import united

SHOWN = 3
"""Runs that a refusal names."""


class KeptRun(Protocol):
    """A run as it is kept."""

    @property
    def run(self) -> Run:
        """What it is."""
        ...

    @property
    def cause(self) -> str:
        """Why it failed; empty if it didn't."""
        ...


@dataclass(frozen=True)
class Growth:
    """A study as it goes on in a folder."""

    declaration: Declaration
    """Of all that the folder is to have."""
    missing: tuple[Run, ...]
    """To be made, in their order."""
    outdated: tuple[Run, ...]
    """Kept runs to be discarded, as they mean something else than those made in their place."""
    retargeted: tuple[Run, ...]
    """Kept runs, with other targets than they are kept with."""
    runs: int
    """How many the study asks for, those that it makes anew among them."""
    others: int
    """Kept runs that the study doesn't ask for."""


def grown(
    study: Study, before: Declaration | None, kept: Iterable[KeptRun], where: str, *, again: bool
) -> Growth:
    """How `study` goes on where runs are kept and `before` was declared.

    Raises `BadInput` for kept runs that would mean something else, if they are not to be made `again`.
    """
    found = {one.run.id: one for one in kept}
    old = {} if before is None else cells(before, f"{where}/study.toml")
    first = {run.cell: run for run in study.runs if run.seed == 0}
    planned = {run.id for run in study.runs}
    of_study = {id_: one.run for id_, one in found.items() if one.run.cell in first}
    changed = _changed(of_study, first)
    refused = {
        id_: what for id_, what in changed.items() if not again and _counts(found[id_], planned)
    }
    if beyond := _beyond(study, [one.run for id_, one in found.items() if id_ not in of_study]):
        raise BadInput(
            f"{where}: {_shown(beyond)}: the study file would no longer say what they are; plan them, too, or "
            "give this study's method another name ([method.NAME] with is = …), or give another --out"
        )
    if refused:
        raise BadInput(
            f"{where}: {_shown(refused)}; --again makes them anew, another --out keeps them"
        )
    staying = [run for id_, run in of_study.items() if id_ not in changed]
    together = _together(study.cells, old, first, staying)
    targets = {name: together[name].targets or run.targets for name, run in first.items()}
    asked = [*study.runs, *(_anew(found[id_], first) for id_ in changed if id_ not in planned)]
    return Growth(
        declaration=united(study, before, together, old),
        missing=tuple(
            replace(run, targets=targets[run.cell])
            for run in asked
            if run.id not in found or run.id in changed or found[run.id].cause
        ),
        outdated=tuple(found[id_].run for id_ in changed),
        retargeted=tuple(
            replace(run, targets=targets[run.cell])
            for run in staying
            if {*run.targets} != {*targets[run.cell]}
        ),
        runs=len(asked),
        others=len(found.keys() - {run.id for run in asked}),
    )


def _changed(kept: Mapping[str, Run], first: Mapping[str, Run]) -> dict[str, list[str]]:
    """The kept runs that would mean something else, and in what: id -> names. `first`: a cell's first run."""
    changed = {}
    for id_, run in kept.items():
        if differing := first[run.cell].at_seed(run.seed).differences(run):
            noted = run.sources or not first[run.cell].sources
            changed[id_] = differing if noted else ["their files were not noted"]
    return changed


def _beyond(study: Study, others: Iterable[Run]) -> dict[str, list[str]]:
    """The same of runs that the study doesn't plan, but whose method's or engine's options it changes."""
    tables = _Tables.of(study)
    return {run.id: differing for run in others if (differing := tables.differences(run))}


def _together(
    new: Mapping[str, Cell],
    old: Mapping[str, Cell],
    first: Mapping[str, Run],
    staying: Iterable[Run],
) -> dict[str, Cell]:
    """All cells that the folder is to have, with the targets of the runs that stay."""
    together = {**old, **_longer(new, old)}
    known: dict[str, dict[tuple[float, ...], None]] = {name: {} for name in first}
    for run in staying:
        known[run.cell][run.targets] = None
    for name, run in first.items():
        together[name] = _targeted(together[name], run, known[name], old.get(name))
    return together


def _counts(one: KeptRun, planned: set[str]) -> bool:
    """Whether anything is lost with a kept run: not with one that failed, and that is tried again anyway."""
    return not (one.cause and one.run.id in planned)


def _anew(one: KeptRun, first: Mapping[str, Run]) -> Run:
    return first[one.run.cell].at_seed(one.run.seed)


@dataclass(frozen=True)
class _Tables:
    """The methods and engines that a study says something of, whatever its sweeps."""

    methods: Mapping[str, tuple[str, Mapping[str, object]]]
    """Name -> kind and options."""
    engines: Mapping[str, Mapping[str, object]]

    @classmethod
    def of(cls, study: Study) -> _Tables:
        declared, cells = study.declaration, study.cells.values()
        return cls(
            {
                name: method(declared, name)
                for name in {*declared.method, *(cell.method for cell in cells)}
            },
            {
                name: engines.with_options(name, declared.engine.get(name, {}))
                for name in {*declared.engine, *(cell.engine for cell in cells)}
            },
        )

    def differences(self, run: Run) -> list[str]:
        """In what they differ from what a run had."""
        had = run.kind, run.method_options
        found = [f"method {run.method!r}"] if self.methods.get(run.method, had) != had else []
        if self.engines.get(run.engine, run.engine_options) != run.engine_options:
            found.append(f"engine {run.engine!r}")
        return found


def _longer(new: Mapping[str, Cell], old: Mapping[str, Cell]) -> dict[str, Cell]:
    """The new cells, with as many seeds as the old ones have."""
    return {
        name: replace(cell, seeds=max(cell.seeds, old[name].seeds)) if name in old else cell
        for name, cell in new.items()
    }


def _targeted(cell: Cell, run: Run, known: Iterable[tuple[float, ...]], old: Cell | None) -> Cell:
    """A cell with all targets of its kept runs, of what was declared, and of the run that is planned now,
    the easiest first."""
    declared = old.targets if old and old.targets else ()
    every = {*chain(*known), *declared, *run.targets}
    if every == {*run.targets}:
        return cell
    sign = run.card.objective.sign
    return replace(cell, targets=tuple(sorted(every, key=lambda target: sign * target)))


def _shown(changed: Mapping[str, Sequence[str]]) -> str:
    """How many kept runs are of other code or settings, which, and in what."""
    some = ", ".join(list(changed)[:SHOWN]) + (", …" if len(changed) > SHOWN else "")
    what = ", ".join(dict.fromkeys(name for names in changed.values() for name in names))
    runs = "1 kept run is" if len(changed) == 1 else f"{len(changed)} kept runs are"
    return f"{runs} of other code or settings than today's ({what}): {some}"
