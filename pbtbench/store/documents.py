"""The small files of a study's folder: what stands in them, and the check of it, each where it is loaded.

What is not as it should be is `BadInput`, one line that names the file. Nothing is imported that a file
names: of a run, its problem, method and options are data.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pbtbench.errors import SHOWN, BadInput, invalid, plain
from pbtbench.record import Outcome
from pbtbench.runs import Provenance, Run
from pbtbench.schema import MOST, Number, Text, Whole, unfit
from pbtbench.store import migrations

FORMAT = 2
"""Of a run's folder, as `run.json` says. Format 1 had one table, and no number."""

RUN_BYTES, MACHINE_BYTES = 4_000_000, 4_000_000
"""Of `run.json` and `machine.json` at most: some hundred times what the longest have, a run's list of files
and a cluster's list of nodes."""

MEASURES_BYTES = 32_000_000
"""Of `measures.json` at most: curves have a few thousand steps."""

STUDY_BYTES = 4_000_000
"""Of `study.toml` at most: it may list 100,000 of what it plans."""

RUN_AGAIN = "delete its folder and run again"
DEEP = "lists and tables stand too deep in one another"

OWN = ("id", "seed")
"""What a run has for itself of all that its `run.json` says of it: the rest is that of its cell."""


class NewerFormat(BadInput):
    """A file that only a later version of pbtbench reads."""


class Misplaced(BadInput):
    """A whole run in the place of another: whoever writes there would lose it."""


@dataclass(frozen=True)
class Facts:
    """What holds for all of a run."""

    wall_s: Annotated[Number, Field(ge=0)]
    workers: Whole
    transport: Text
    cluster: Text
    cause: Annotated[str, Field(pattern="^(crash|hang)?$")]
    message: Text


@dataclass(frozen=True)
class Kept:
    """A run as it is kept, without its record."""

    run: Run
    facts: Facts
    provenance: Provenance
    """Of runs of format 1, the machine at most."""
    format: int
    tables: Mapping[str, int]
    """The files of its record -> their bytes; empty for runs of format 1."""

    @property
    def cause(self) -> str:
        """Why it failed, empty if it didn't."""
        return self.facts.cause


class _Machine(BaseModel):
    """The facts of a machine that are read; others are let through."""

    model_config = ConfigDict(extra="allow")

    cpu: Text | None = None
    cores: Whole | None = None
    cores_usable: Whole | None = None
    memory_bytes: Annotated[int, Field(strict=True, ge=0)] | None = None
    memcpy_s_per_gb: Annotated[Number, Field(gt=0)] | None = None
    gpus: list[Text] | None = None
    system: Text | None = None
    python: Text | None = None
    versions: dict[Text, Text | None] | None = None


class _Node(BaseModel):
    """What is read of a cluster's node."""

    model_config = ConfigDict(extra="allow")

    clock_offset_s: Number | None = None
    clock_uncertainty_s: Number | None = None


class _Machines(BaseModel):
    """A `machine.json`: fingerprint -> facts, and a cluster's label -> its nodes."""

    machines: dict[Text, _Machine] = {}
    clusters: dict[Text, list[_Node]] = {}
    of_format_1: Text = ""
    """Fingerprint of the machine that the folder's runs of format 1 were made on; empty if nobody knows."""


_RUN: TypeAdapter[Run] = TypeAdapter(Run)
_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)
_TABLES: TypeAdapter[Any] = TypeAdapter(
    dict[
        Literal["timeline.parquet", "scores.parquet", "forks.parquet", "notes.parquet"],
        Annotated[int, Field(strict=True, ge=0)],
    ]
)
_PROVENANCE: TypeAdapter[Provenance] = TypeAdapter(Provenance)


def run_json(
    run: Run, outcome: Outcome, provenance: Provenance, tables: Mapping[str, int]
) -> bytes:
    """The text of a `run.json`, with the bytes of the files of its record; `BadInput` for what none holds."""
    facts = {
        "wall_s": outcome.wall_s,
        "workers": outcome.workers,
        "transport": outcome.transport,
        "cluster": plain(outcome.cluster),
        "cause": outcome.cause,
        "message": plain(outcome.message),
    }
    fields = {
        "format": FORMAT,
        "provenance": asdict(provenance),
        "run": run.to_dict(),
        "outcome": facts,
        "tables": dict(tables),
    }
    text = (json.dumps(fields, indent=2) + "\n").encode()
    kept(text, Path("run.json"), run.id)
    return text


def kept(data: bytes, where: Path, place: str) -> Kept:
    """What a `run.json` says at the place of the run of that id."""
    fields = _parsed(data, where, RUN_AGAIN)
    number = check_format(fields.get("format", 1), where)
    try:
        about = _table(fields, "run")
        del fields["run"]
        if what := unfit(fields) or unfit({key: about.get(key) for key in OWN}):
            raise BadInput(what)
        run = _run(migrations.run(about) if number == 1 else about)
        facts = _FACTS.validate_python(fields if number == 1 else _table(fields, "outcome"))
        provenance, tables = migrations.UNKNOWN, {}
        if number == FORMAT:
            provenance = _PROVENANCE.validate_python(_table(fields, "provenance"))
            datetime.fromisoformat(provenance.started)
            tables = _TABLES.validate_python(_table(fields, "tables"))
    except ValidationError as error:
        raise damaged(where, str(invalid("it says", error))) from None
    except RecursionError:
        raise damaged(where, DEEP) from None
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(where, str(error)) from None
    if run.id != place:
        raise Misplaced(
            f"{where}: it is the run {run.id}, in the place of {place}; rename its folder to runs/{run.id}, or "
            "delete it"
        )
    return Kept(run, facts, provenance, number, tables)


def check_format(number: object, where: Path) -> int:
    """The format that a file says it has, if it is known here."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise damaged(where, "its format is no number of one")
    if number > FORMAT:
        raise NewerFormat(
            f"{where}: format {number}; this pbtbench knows {FORMAT} at most: update pbtbench"
        )
    return number


def damaged(where: Path, what: str, remedy: str = RUN_AGAIN) -> BadInput:
    """What to say of a file that isn't as it should be."""
    return BadInput(f"{where}: damaged ({plain(what, 600)}); {remedy}")


def json_table(data: bytes, where: Path, remedy: str = RUN_AGAIN) -> dict[str, Any]:
    """A JSON file's object, all of it numbers of 64 bits, and text fit to be shown."""
    found = _parsed(data, where, remedy)
    if what := unfit(found):
        raise damaged(where, what, remedy)
    return found


def _parsed(data: bytes, where: Path, remedy: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except RecursionError:
        raise damaged(where, DEEP, remedy) from None
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise damaged(where, f"no JSON: {error}", remedy) from None
    if not isinstance(found, dict):
        raise damaged(where, "it holds no table", remedy)
    return found


def machines(data: bytes, where: Path) -> dict[str, Any]:
    """What a `machine.json` says: `machines`, fingerprint -> facts, `clusters`, label -> nodes, and the machine
    `of_format_1`, if it was one of it once. `BadInput` for one that says it otherwise."""
    fields = json_table(data, where, remedy := "delete it, and the next run writes it anew")
    check_format(fields.get("format", 1), where)
    try:
        found = _Machines.model_validate(
            fields if "format" in fields else migrations.machines(fields)
        )
    except ValidationError as error:
        raise damaged(where, str(invalid("it says", error)), remedy) from None
    return found.model_dump(exclude_unset=True)


def study_table(data: bytes, where: Path) -> dict[str, Any]:
    """What a `study.toml` declares, unresolved: nothing that it names is looked at."""
    remedy = "restore it or use another --out"
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        what = "lists or tables stand too deep in one another"
        raise damaged(where, what, remedy) from None
    except ValueError as error:
        raise damaged(where, f"no TOML: {error}", remedy) from None
    texts = (f"{key} is no text" for key in ("name", "title") if not _is_text(found.get(key, "")))
    if what := unfit(found) or next(texts, ""):
        raise damaged(where, what, remedy)
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _table(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(found := fields.get(key), dict):
        raise BadInput(f"it has no table {key!r}")
    return found


def _run(fields: Mapping[str, Any]) -> Run:
    """The run of these fields; `BadInput` for one that no study plans."""
    of_cell = _of_cell(json.dumps({**fields, "id": "", "seed": 0}))
    run = Run(**{**vars(of_cell), **{key: fields[key] for key in OWN}})
    if type(run.seed) is not int or not 0 <= run.seed < MOST:
        raise BadInput(f"seed = {plain(run.seed)[:SHOWN]}")
    own = f"{run.cell}/s{run.seed}"
    if run.id != own:
        raise BadInput(f"the run {own!r} is called {plain(run.id)[:SHOWN]!r}")
    return run


@lru_cache(maxsize=16)
def _of_cell(text: str) -> Run:
    """A run from JSON; checked once for all that differ by seed alone, and have it in common."""
    if what := unfit(json.loads(text)):
        raise BadInput(what)
    run = _RUN.validate_json(text, strict=True)  # text is no number; a list is a tuple
    whole = {
        "population": (run.population, 1, 1_000_000),
        "workers": (run.workers, 1, 10_000),
        "iterations": (run.iterations, 1, 1_000_000_000),
        "interval": (run.interval or 1, 1, 1_000_000_000),
    }
    for name, (value, least, most) in whole.items():
        if not least <= value <= most:
            raise BadInput(f"{name} = {value}")
    for name in (
        "problem",
        "problem_name",
        "method",
        "kind",
        "engine",
        "engine_label",
        "transport",
    ):
        if not getattr(run, name):
            raise BadInput(f"{name} is empty")
    for target in run.targets:
        run.card.objective.check_target(target)
    return run
