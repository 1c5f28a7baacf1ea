"""TensorBoard's files of a study: what is written of runs that are kept.

Each file is written beside its place and renamed: whole or absent. Writing again replaces them, and leaves
alone what problems wrote beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.measures.by_member import size
from pbtbench.record import Forks, Record, Scores
from pbtbench.runs import Run
from pbtbench.store import Kept, Store
from pbtbench.store.files import Folder
from pbtbench.store.reading import Track, events_place
from pbtbench.tensorboard.events import Experiment, MemberEvents, encoded, header

FILE = "events.out.tfevents.pbtbench"
"""A file's name: TensorBoard reads those that have `tfevents` in it."""

MOST_MEMBERS = 1000
"""Members of a run that get a file: TensorBoard takes each for a run of its own, and shows no more than some
thousands."""


def write(store: Store, track: Track = iter) -> list[str]:
    """Write the files of all kept runs; what is left out, a line for each: runs whose record can't be read,
    and members beyond `MOST_MEMBERS`.

    Raises `BadInput` for a study without runs, or something else in a file's place; `Failed` if the disk is
    full or gone.
    """
    experiment, beyond, written = Experiment(), [], 0
    for kept, record in store.records(track):
        began = wall_seconds(kept.provenance.started)
        _write_run(store.folder, kept, record, began)
        experiment.add(kept.run, record, began)
        written += 1
        if (members := size(record)) > MOST_MEMBERS:
            shown = f"TensorBoard gets the first {MOST_MEMBERS} of a run"
            beyond.append(f"{kept.run.id}: members {MOST_MEMBERS} to {members - 1}; {shown}")
    left_out = [*store.left_out, *beyond]
    if not written and not left_out:
        raise BadInput(f"{store.path}: no run is kept in it yet; `pbtbench run` makes some")
    if written:
        data = encoded([header(experiment.began), experiment.event()])
        store.folder.write(f"tensorboard/{FILE}", data)
    return left_out


def wall_seconds(started: str) -> float:
    """An ISO 8601 time in seconds since 1970; 0 for none, as runs of format 1 don't know when they started."""
    if not started:
        return 0.0
    found = datetime.fromisoformat(started)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def place_of(run: Run, member: int) -> str:
    """The place of a member's file, within the study's folder."""
    return f"{events_place(run.id)}/{member}/{FILE}"


def by_member(*tables: Forks | Scores) -> list[Mapping[int, np.ndarray]]:
    """For each table: member -> the places of its rows, in order, none for others; of those that get a file."""
    found: list[Mapping[int, np.ndarray]] = []
    for table in tables:
        order = np.argsort(table.member, kind="stable")
        members, begins = np.unique(table.member[order], return_index=True)
        places: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(0, np.int64))
        shown = int(np.searchsorted(members, MOST_MEMBERS))
        places |= zip(members[:shown].tolist(), np.split(order, begins[1:])[:shown], strict=True)
        found.append(places)
    return found


def _write_run(folder: Folder, kept: Kept, record: Record, began: float) -> None:
    run, facts = kept.run, kept.facts
    forks, scores = by_member(record.forks, record.scores)
    members = forks.keys() | scores.keys()
    for member in sorted(members):
        found = MemberEvents(run, member, began)
        own = record.forks.at(forks[member]), record.scores.at(scores[member])
        events = [header(began), *found.of(*own), found.end(facts.wall_s, facts.cause)]
        folder.write(place_of(run, member), encoded(events))
    _remove_others(folder, run, {str(member) for member in members})


def _remove_others(folder: Folder, run: Run, members: Collection[str]) -> None:
    """Delete the files of members that the record doesn't have: of an attempt before."""
    if folder.has(place := events_place(run.id)):
        for at in folder.holding(place, FILE)[0]:
            if at not in members:
                folder.remove(f"{place}/{at}/{FILE}")
