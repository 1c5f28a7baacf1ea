"""TensorBoard's files of a study: what is written of runs that are kept.

Each file is written beside its place and renamed: whole or absent. Writing again replaces them, and leaves
alone what problems wrote beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.record import Record, Table
from pbtbench.run import Provenance, Run
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
    experiment, left_out, written = Experiment(), [], 0
    for kept, record in store.records(track):
        began = wall_seconds(kept.provenance)
        left_out += _write_run(store.folder, kept, record, began)
        experiment.add(kept.run, record, began)
        written += 1
    left_out = [*store.left_out, *left_out]
    if not written and not left_out:
        raise BadInput(f"{store.path}: no run is kept in it yet; `pbtbench run` makes some")
    if written:
        data = encoded([header(experiment.began), experiment.event()])
        store.folder.write(f"tensorboard/{FILE}", data)
    return left_out


def wall_seconds(came_from: Provenance) -> float:
    """When a run started, in seconds since 1970; 0 for runs of format 1, which don't know."""
    if not came_from.started:
        return 0.0
    started = datetime.fromisoformat(came_from.started)
    return (started if started.tzinfo else started.replace(tzinfo=UTC)).timestamp()


def left_out_of(run: Run) -> list[str]:
    """What of a run gets no files, in a line; nothing if all does."""
    if run.population <= MOST_MEMBERS:
        return []
    return [
        f"{run.id}: members {MOST_MEMBERS} to {run.population - 1}; TensorBoard gets the first "
        f"{MOST_MEMBERS} of a run"
    ]


def place_of(run: Run, member: int) -> str:
    """The place of a member's file, within the study's folder."""
    return f"{events_place(run.id)}/{member}/{FILE}"


def by_member(*tables: Table) -> list[Mapping[int, np.ndarray]]:
    """For each table with a column `member`: member -> the places of its rows, in order; of those alone that
    get a file."""
    found = []
    for table in tables:
        members: np.ndarray = table.member  # type: ignore[attr-defined]
        order = np.argsort(members, kind="stable")
        numbers, begins = np.unique(members[order], return_index=True)
        rows = np.split(order, begins[1:])
        shown = zip(numbers.tolist(), rows, strict=False)
        found.append({number: places for number, places in shown if number < MOST_MEMBERS})
    return found


NONE = np.zeros(0, np.int64)


def _write_run(folder: Folder, kept: Kept, record: Record, began: float) -> list[str]:
    run, facts = kept.run, kept.facts
    forks, scores = by_member(record.forks, record.scores)
    for member in sorted(forks.keys() | scores.keys()):
        of_member = MemberEvents(run, member, began)
        own = (
            record.forks.at(forks.get(member, NONE)),
            record.scores.at(scores.get(member, NONE)),
        )
        events = [
            header(began),
            *of_member.of(*own),
            of_member.end(facts.wall_s, facts.cause),
        ]
        folder.write(place_of(run, member), encoded(events))
    _remove_others(folder, run, forks.keys() | scores.keys())
    return left_out_of(run)


def _remove_others(folder: Folder, run: Run, members: set[int]) -> None:
    """Delete the files of members that the record doesn't have: of an attempt before."""
    if folder.has(place := events_place(run.id)):
        for at in folder.holding(place, FILE)[0]:
            if at not in map(str, members):
                folder.remove(f"{place}/{at}/{FILE}")
