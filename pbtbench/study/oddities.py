"""What in a study's folder its own files do not account for, as where somebody put two folders together. It is
data here: nothing that the folder names is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pbtbench.errors import BadInput
from pbtbench.measures import Measures
from pbtbench.runs import Run
from pbtbench.study.cells import Cell, cells, method
from pbtbench.study.declaration import resolved

SHOWN = 3
"""Runs that a line names."""

MOVE = "move their folders out of runs/ into a folder of their own"


def oddities(
    declared: Mapping[str, Any], machines: Collection[str], measures: Sequence[Measures], where: str
) -> list[str]:
    """A line for each kind of kept runs that `study.toml`, which says `declared`, or `machine.json`, which
    knows `machines`, doesn't account for."""
    runs = [m.run for m in measures]
    of_machines = {m.run.id: m.provenance.machine for m in measures if m.provenance is not None}
    return [
        *_undeclared(declared, runs, where),
        *_machines(machines, {id_: name for id_, name in of_machines.items() if name}, where),
    ]


def _undeclared(declared: Mapping[str, Any], runs: Sequence[Run], where: str) -> Iterator[str]:
    file = f"{where}/study.toml"
    try:
        declaration = resolved(declared, file)
        planned = cells(declaration, file)
    except BadInput as error:
        yield str(error)
        return
    methods = {cell.method: method(declaration, cell.method) for cell in planned.values()}
    strange: list[str] = []
    otherwise: dict[str, list[str]] = {}
    for run in runs:
        cell = planned.get(run.cell)
        if cell is None or run.seed >= cell.seeds:
            strange.append(run.id)
        elif differing := _differences(run, cell, methods[cell.method]):
            otherwise[run.id] = differing
    if strange:
        yield (
            f"{file}: it declares no {named(strange)}; run the study that made them with this --out, too, "
            f"or {MOVE}"
        )
    if otherwise:
        what = ", ".join(dict.fromkeys(name for names in otherwise.values() for name in names))
        yield (
            f"{file}: it declares other settings ({what}) of {named(list(otherwise))}; {MOVE}, or have "
            "--again make them anew"
        )


def _differences(run: Run, cell: Cell, declared: tuple[str, Mapping[str, Any]]) -> list[str]:
    """In what a kept run differs from what is declared of it, as far as its problem isn't asked. `declared`:
    its method's kind and options."""
    sweep = cell.sweep
    pairs = {
        "population": (run.population, sweep.population),
        "workers": (run.workers, sweep.workers),
        "iterations": (run.iterations, sweep.iterations or run.iterations),
        "options": (dict(run.problem_options), sweep.options),
        f"method {cell.method!r}": ((run.kind, dict(run.method_options)), declared),
    }
    return [name for name, (had, has) in pairs.items() if had != has]


def _machines(known: Collection[str], of_runs: Mapping[str, str], where: str) -> Iterator[str]:
    if unknown := [id_ for id_, name in of_runs.items() if name not in known]:
        names = ", ".join(sorted({of_runs[id_] for id_ in unknown})[:SHOWN])
        yield (
            f"{where}/machine.json: it does not know the machine ({names}) of {named(unknown)}; copy what "
            "the machine.json says of it that they were made with"
        )
    counts = Counter(of_runs.values())
    if len(counts) > 1:
        each = ", ".join(f"{count} on {name}" for name, count in counts.most_common(SHOWN))
        more = ", …" if len(counts) > SHOWN else ""
        yield f"{where}: kept runs are of {len(counts)} machines, which are compared apart: {each}{more}"


def named(ids: Sequence[str]) -> str:
    """How many kept runs, and the first of them by name."""
    some = ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
    return f"{len(ids)} kept run{'s' if len(ids) > 1 else ''} ({some})"
