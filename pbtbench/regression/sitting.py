"""A sitting: benchmarks that were measured together, from what pytest-benchmark stored, from a study's folder,
or from a baseline, and back into one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pbtbench.errors import BadInput, invalid
from pbtbench.measures import Measures
from pbtbench.regression.exchange import FORMAT, Entry, Info, entry
from pbtbench.regression.result import in_rounds
from pbtbench.store import Store
from pbtbench.store.documents import json_table
from pbtbench.store.files import Folder, described

LARGEST = 2**28
"""Bytes of a file that is read."""

MAKE = "make it by pytest --benchmark --benchmark-json=FILE"

NO_COMMIT = ("unknown", "unversioned")
"""What pytest-benchmark says where it finds no commit."""


class Sitting(BaseModel):
    """What was measured in one sitting: on one machine, of one commit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    version: str
    """pbtbench's."""
    commit: str
    """Empty where it isn't known."""
    dirty: bool
    machine: str
    """Its fingerprint; empty where runs of several machines stand together."""
    cpu: str
    benchmarks: Annotated[
        dict[str, Annotated[dict[str, Entry], Field(min_length=1)]], Field(min_length=1)
    ]
    """Name of a benchmark -> label -> what was measured."""


def empty() -> Sitting:
    """One without a benchmark, which no file may have."""
    return Sitting.model_construct(
        version="", commit="", dirty=False, machine="", cpu="", benchmarks={}
    )


@dataclass(frozen=True)
class Loaded:
    """A sitting, and where it was read from."""

    where: Path
    sitting: Sitting
    untold: tuple[str, ...] = ()
    """Benchmarks there that have no measures of pbtbench."""
    commit: str = ""
    """Of the repository that the tests stand in, as pytest-benchmark found it; empty where it isn't known."""
    dirty: bool = False
    """Whether files there differed from it."""
    date: str = ""
    """Of that commit, else of the measuring: ISO 8601; empty where neither is known."""


def load(path: Path) -> Loaded:
    """What stands in a file or a study's folder; `BadInput` for what holds no benchmarks."""
    with described(path):
        folder, there = path.is_dir(), path.exists()
    if folder:
        store = Store.open(path)
        return of_study(store, store.runs())
    if not there:
        raise BadInput(f"{path}: no such file; {MAKE}")
    table = json_table(Folder(path.parent).read(path.name, LARGEST), path, MAKE)
    if isinstance(table.get("benchmarks"), list):
        return _of_pytest_benchmark(table, path)
    return Loaded(path, _checked(Sitting, table, path))


def write(path: Path, sitting: Sitting) -> None:
    """Write a baseline, whole or not at all; `BadInput` if the place is none, or can't be written."""
    check_place(path)
    Folder(path.parent).write(path.name, text(sitting).encode())


def check_place(path: Path) -> None:
    """`BadInput` for a place where no baseline can stand: that of a folder, or in none."""
    with described(path):
        if path.is_dir():
            raise BadInput(f"{path}: a folder; give a file for the baseline")
        if not path.parent.is_dir():
            raise BadInput(f"{path}: there is no folder {path.parent}; make it first")


def text(sitting: Sitting) -> str:
    """A baseline's file: JSON with a line for each method of a benchmark, so that changes of it can be read."""
    about = sitting.model_dump(exclude={"benchmarks"})
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in about.items()]
    blocks = []
    for name, labels in sorted(sitting.benchmarks.items()):
        entries = [
            f"   {json.dumps(label)}: {json.dumps(one.model_dump(), sort_keys=True)}"
            for label, one in sorted(labels.items())
        ]
        blocks.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(entries) + "\n  }")
    return "\n".join(["{", *lines, ' "benchmarks": {', ",\n".join(blocks), " }", "}"]) + "\n"


def of_study(store: Store, runs: Sequence[Measures]) -> Loaded:
    """The runs of a study's folder as benchmarks; `BadInput` if none is complete."""
    measures = [m for m in runs if not m.cause]
    if not measures:
        raise BadInput(f"{store.path}: no run in it is complete")
    came_from = [m.provenance for m in measures if m.provenance is not None]
    machines = {one.machine for one in came_from}
    commits = {(one.commit, one.dirty) for one in came_from}
    commit, dirty = commits.pop() if len(commits) == 1 else ("", True)
    machine = machines.pop() if len(machines) == 1 else ""
    cells: dict[str, list[Measures]] = {}
    for one in measures:
        cells.setdefault(one.run.cell, []).append(one)
    found = {
        cell: {runs[0].run.label: entry(in_rounds(runs).measures)} for cell, runs in cells.items()
    }
    sitting = Sitting(
        version=came_from[0].version if came_from else "",
        commit=commit,
        dirty=dirty,
        machine=machine,
        cpu=str(store.machines().get(machine, {}).get("cpu", "")),
        benchmarks=found,
    )
    date = max((one.started for one in came_from), default="")
    return Loaded(store.path, sitting, date=date)


def _of_pytest_benchmark(table: Mapping[str, Any], path: Path) -> Loaded:
    infos: dict[str, Any] = {}
    untold = []
    for one in table["benchmarks"]:
        if not isinstance(one, dict) or not isinstance(one.get("fullname"), str):
            raise BadInput(f"{path}: a benchmark in it has no name; {MAKE}")
        extra = one.get("extra_info")
        if isinstance(extra, dict) and "pbtbench" in extra:
            infos[one["fullname"]] = extra["pbtbench"]
        else:
            untold.append(one["fullname"])
    found = Loaded(path, of_infos(infos, path), tuple(untold), date=str(table.get("datetime", "")))
    about = table.get("commit_info")
    if not isinstance(about, dict) or about.get("id") in (None, *NO_COMMIT):
        return found
    commit, date = str(about["id"]), str(about.get("time") or found.date)
    return replace(found, commit=commit, dirty=about.get("dirty") is True, date=date)


def of_infos(infos: Mapping[str, Any], where: Path) -> Sitting:
    """The sitting of benchmarks, each by its name, that stored these as `extra_info["pbtbench"]`."""
    checked: dict[str, Info] = {name: _checked(Info, info, where) for name, info in infos.items()}
    if not checked:
        raise BadInput(f"{where}: no benchmark in it uses the fixture pbt_benchmark")
    first = next(iter(checked.values()))
    return Sitting(
        **first.model_dump(exclude={"entries"}),
        benchmarks={name: info.entries for name, info in checked.items()},
    )


def _checked(model: type[Any], fields: Any, path: Path) -> Any:
    if not isinstance(fields, dict) or "format" not in fields:
        raise BadInput(f"{path}: no file of benchmarks: it says no format; {MAKE}")
    if isinstance(given := fields["format"], int) and given > FORMAT:
        raise BadInput(
            f"{path}: of format {given}, by a newer pbtbench than this one, which reads up to {FORMAT}"
        )
    try:
        return model.model_validate(fields)
    except ValidationError as found:
        raise invalid(str(path), found, model.model_fields) from None
