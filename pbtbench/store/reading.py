"""Kept runs, read back: what they are, their records, and their measures, which are made anew from the records
where those that are kept are stale, absent or of another record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, replace
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_core import from_json as from_text

from pbtbench import machine
from pbtbench.errors import BadInput, Failed, plain
from pbtbench.record import Outcome, Record
from pbtbench.store import documents, migrations, tables
from pbtbench.store.documents import Kept
from pbtbench.store.files import Folder

if TYPE_CHECKING:
    from pbtbench.measures import Measures

Track = Callable[[Sequence[str]], Iterable[str]]
"""Ids -> the same, while it shows how many of them have been read."""

MANY, MOST_PROCESSES = 200, 8
"""From how many runs on they are measured by several processes, which take a second or two to start; and how
many of these there are at most, as each holds a record."""


def place(run_id: str) -> str:
    """The folder of a run, within the study's."""
    return f"runs/{run_id}"


def events_place(run_id: str) -> str:
    """The folder of what TensorBoard shows of a run, within the study's."""
    return f"tensorboard/{run_id}"


def kept(folder: Folder, run_id: str) -> tuple[Kept, bytes]:
    """What stands in a run's folder under that id, and the bytes that say so; `BadInput` if it is damaged."""
    at = place(run_id)
    about = folder.read(f"{at}/run.json", documents.RUN_BYTES)
    found = documents.kept(about, folder.path / at / "run.json", run_id)
    sizes = folder.sizes(at) if found.tables else {}
    for name, size in found.tables.items():
        if sizes.get(name) != size:
            what = "it is cut short, gone or of another run"
            raise documents.damaged(folder.path / at / name, what)
    if found.format == 1:
        came_from = replace(found.provenance, machine=_machine_of_format_1(folder))
        found = replace(found, provenance=came_from)
    return found, about


def _machine_of_format_1(folder: Folder) -> str:
    """Fingerprint of the machine that a folder's runs of format 1 were made on; empty if nobody knows."""
    try:
        data = folder.read("machine.json", documents.MACHINE_BYTES)
        found = documents.machines(data, folder.path / "machine.json")
    except documents.NewerFormat:
        raise
    except (BadInput, Failed):
        return ""
    return str(found.get("of_format_1", ""))


def all_kept(folder: Folder, track: Track) -> list[Kept]:
    """All kept runs that are undamaged, in no order; `BadInput` for one of a newer format, or in another's
    place."""
    if not folder.has("runs"):
        return []
    found = []
    for run_id in track(folder.holding("runs", "run.json")[0]):
        try:
            found.append(kept(folder, run_id)[0])
        except (documents.NewerFormat, documents.Misplaced):
            raise
        except (BadInput, Failed):
            continue
    return found


def record(folder: Folder, of: Kept) -> Record:
    """The record of a kept run; `BadInput` if it is damaged, or no such run's."""
    at = place(of.run.id)
    if of.format == 1:
        found = migrations.record(folder, at, of.run.card.objective.metric)
    else:
        found = tables.read(folder, at, of.tables)
    try:
        tables.check(found, of.run, of.cause)
    except BadInput as error:
        raise documents.damaged(folder.path / at, str(error)) from None
    return found


def all_records(folder: Folder, left_out: list[str], track: Track) -> Iterator[tuple[Kept, Record]]:
    """All kept runs with their records, one after another by id; `left_out` gets a line for each that can't be
    read. Raises `BadInput` for a run of a newer format."""
    ids, odd = folder.holding("runs", "run.json") if folder.has("runs") else ([], [])
    left_out.extend(odd)
    for run_id in track(ids):
        try:
            of = kept(folder, run_id)[0]
            found = record(folder, of)
        except documents.NewerFormat:
            raise
        except (BadInput, Failed) as error:
            left_out.append(str(error))
            continue
        yield of, found


def measures_json(measures: Measures, about: bytes) -> bytes:
    """The text of a `measures.json`, bound to the `run.json` beside it."""
    from pbtbench.measures import DEFINITIONS, to_json

    shown = replace(measures, cluster=plain(measures.cluster), message=plain(measures.message))
    fields = {"definitions": DEFINITIONS, "of": _digest(about), "measures": to_json(shown)}
    return json.dumps(fields).encode()


def all_measures(folder: Folder, left_out: list[str], track: Track) -> list[Measures]:
    """The measures of all kept runs, in no order; `left_out` gets a line for each that can't be read.

    Raises `BadInput` for a run of a newer format.
    """
    if not folder.has("runs"):
        return []
    ids, odd = folder.holding("runs", "run.json")
    left_out.extend(odd)
    found: list[Measures] = []
    stale: list[str] = []
    for run_id in track(ids):
        try:
            measures = _stored(folder, *kept(folder, run_id))
        except documents.NewerFormat:
            raise
        except (BadInput, Failed) as error:
            left_out.append(str(error))
            continue
        if measures is None:
            stale.append(run_id)
        else:
            found.append(measures)
    for done in _remade(folder, stale, track):
        if isinstance(done, str):
            left_out.append(done)
        else:
            found.append(done)
    return found


def _stored(folder: Folder, of: Kept, about: bytes) -> Measures | None:
    """The measures that are kept beside a run, if they are of today's definitions and fit it."""
    from pbtbench.measures import DEFINITIONS, from_json

    try:
        data = folder.read(f"{place(of.run.id)}/measures.json", documents.MEASURES_BYTES)
        fields = from_text(data, allow_inf_nan=False)
        if fields["definitions"] != DEFINITIONS or fields["of"] != _digest(about):
            return None
        found = from_json(of.run, of.provenance, fields["measures"])
    except (ValueError, TypeError, KeyError):
        return None
    facts = asdict(of.facts)
    return found if facts == {key: getattr(found, key) for key in facts} else None


def _remade(folder: Folder, ids: Sequence[str], track: Track) -> Iterator[Measures | str]:
    """The measures of runs, made anew from their records and kept, or why there are none."""
    if len(ids) < MANY:
        for run_id in track(ids):
            yield measured(folder.path, run_id)
        return
    processes = min(machine.usable_cores(), MOST_PROCESSES)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {run_id: pool.submit(measured, folder.path, run_id) for run_id in ids}
        for run_id in track(ids):
            yield _result(futures[run_id], folder.path / place(run_id))


def _result(future: Future[Measures | str], where: Path) -> Measures | str:
    try:
        return future.result()
    except BrokenProcessPool:
        return f"{where}: the process that measured it died; try again"


def measured(path: Path, run_id: str) -> Measures | str:
    """The measures of a run in the study's folder `path`, made anew from its record and kept beside it, where
    that can be written; or one line that says why there are none."""
    from pbtbench.measures import measure

    folder = Folder(path)
    try:
        of, about = kept(folder, run_id)
        outcome = Outcome(record(folder, of), **asdict(of.facts))
        found = replace(measure(of.run, outcome), provenance=of.provenance)
        data = measures_json(found, about)
    except (BadInput, Failed) as error:
        return str(error)
    except Exception as error:  # of a stranger's record, one that could not have been
        what = f"its record can't be measured ({type(error).__name__}: {error})"
        return str(documents.damaged(path / place(run_id), what))
    with suppress(BadInput, Failed):
        folder.write(f"{place(run_id)}/measures.json", data)
    return found


def _digest(about: bytes) -> str:
    return sha256(about).hexdigest()[:16]
