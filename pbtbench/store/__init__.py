"""A study's folder: crash-safe, resumable, readable by people, and safe to read whoever wrote it.

    out/study.toml, machine.json, runs/<id>/…, summary.csv, report/, log.txt
    runs/<id>/run.json, measures.json, timeline.parquet, scores.parquet, forks.parquet, notes.parquet

A run's folder is written beside its place and renamed: whole or absent. A file is replaced the same way.
One writer at a time holds the folder's lock; readers need none. `files` is the only way to a file, `documents`
and `tables` check what is loaded, `migrations` read what older versions wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pbtbench import machine
from pbtbench.errors import BadInput, Failed, plain
from pbtbench.record import Outcome, Record
from pbtbench.runs import Provenance, Run
from pbtbench.schema import LONGEST_READ
from pbtbench.store import documents, reading, tables
from pbtbench.store.documents import Kept
from pbtbench.store.files import PART, Folder, described
from pbtbench.store.reading import Track
from pbtbench.store.unlike import alike

if TYPE_CHECKING:
    from pbtbench.measures import Measures

__all__ = ["Kept", "Store"]

UNCLAIMED = (".lock", "log.txt", "machine.json")
"""What stands in a folder before its study is declared; a killed process may leave it."""


@dataclass(frozen=True)
class Store:
    """The folder of one study.

    What reads it raises `BadInput` for what is damaged, or no file of the folder's own, unless it says
    otherwise; what writes to it, `Failed` where the disk is full or gone, and `BadInput` where something else
    stands in the way.
    """

    path: Path
    left_out: list[str] = field(default_factory=list, compare=False, repr=False)
    """What `runs()` or `records()` left out, and why, a line for each: it is damaged, leads elsewhere, or is of
    another kind than what it stands beside."""

    new: bool = field(default=False, compare=False)
    """Whether there was no study in it when it was claimed."""

    made: tuple[Path, ...] = field(default=(), compare=False, repr=False)
    """The folders that were made for it, the innermost first."""

    @property
    def folder(self) -> Folder:
        """Access to its files."""
        return Folder(self.path)

    @classmethod
    def open(cls, path: Path) -> Store:
        """An existing study's folder; `BadInput` if it holds none, or a declaration that is none."""
        try:
            what = "no such folder" if not path.is_dir() else "no study.toml in it"
        except OSError as error:  # such as a name that is too long
            what = error.strerror or "no folder"
        store = cls(path)
        if not store.folder.has("study.toml"):
            raise BadInput(f"{path}: {what}; give the folder that `pbtbench run` wrote to")
        store.declared()
        return store

    @classmethod
    def claim(cls, path: Path) -> Store:
        """A folder to run a study in: one that has one already, or a new or empty one, which is made.

        Raises `BadInput` if the folder is no study's but not empty, or can't be written.
        """
        folder = Folder(path)
        if folder.has("study.toml"):
            return cls.open(path)
        with described(path):
            if path.is_dir() and any(
                name not in UNCLAIMED and not name.startswith(PART) for name in folder.entries()
            ):
                raise BadInput(
                    f"{path}: not empty and no study's folder; give --out a new or empty folder"
                )
        return cls(path, new=True, made=folder.make())

    def declare(self, toml: str) -> None:
        """Write `study.toml`; `BadInput` for a text that could not be read again."""
        documents.study_table(toml.encode(), self.path / "study.toml")
        self.folder.write("study.toml", toml.encode())

    def declared(self) -> dict[str, Any]:
        """What `study.toml` declares, unresolved: nothing that it names is looked at."""
        return self._study_toml()[1]

    def study_text(self) -> str:
        """The text of `study.toml`, safe to be shown."""
        text = self._study_toml()[0].decode("utf-8")
        return "\n".join(plain(line, LONGEST_READ) for line in text.split("\n"))

    def _study_toml(self) -> tuple[bytes, dict[str, Any]]:
        """What stands in `study.toml`, checked, and what it declares."""
        data = self.folder.read("study.toml", documents.STUDY_BYTES)
        return data, documents.study_table(data, self.path / "study.toml")

    def title(self) -> str:
        """The study's title, or its name."""
        declared = self.declared()
        return str(declared.get("title") or declared.get("name") or self.path.name)

    @property
    def scratch(self) -> Path:
        """For what a running study needs for a while; gone with the next one at the latest."""
        return self.path / ".part-scratch"

    def log(self) -> IO[bytes]:
        """What a study's processes say, `log.txt`, open to be written at its end."""
        return self.folder.appending("log.txt")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder as its only writer; `BadInput` if another process does. If it was new, and nobody
        has declared a study at the end, nothing is left of it."""
        with self.folder.locked():
            try:
                yield
            finally:
                if self.new and not self.folder.has("study.toml"):
                    self.folder.clear(UNCLAIMED, self.made)

    def write_machine(self, facts: Mapping[str, Any]) -> None:
        """Write this machine's facts to `machine.json`, beside those of others."""
        found = self._machine_json()
        known = {**found["machines"], machine.fingerprint(facts): dict(facts)}
        self._write_json("machine.json", {**found, "machines": known})

    def note_cluster(self, label: str, nodes: Sequence[Mapping[str, Any]]) -> None:
        """Keep in `machine.json` the machines of a Ray cluster, each with its clock's offset."""
        found = self._machine_json()
        if found["clusters"].get(label) != list(nodes):
            clusters = {**found["clusters"], label: list(nodes)}
            self._write_json("machine.json", {**found, "clusters": clusters})

    def machines(self) -> dict[str, dict[str, Any]]:
        """Fingerprint of each machine that runs were made on -> its facts, as `machine.describe` gives
        them. Empty if `machine.json` isn't there, or damaged."""
        found: dict[str, dict[str, Any]] = self._machine_json()["machines"]
        return found

    def machine(self) -> dict[str, Any]:
        """The facts of the one machine, or of the first, and `clusters`; empty if there are none."""
        found = self._machine_json()
        facts: dict[str, Any] = next(iter(found["machines"].values()), {})
        return {**facts, "clusters": found["clusters"]} if found["clusters"] else facts

    def write_summary(self, csv: str) -> None:
        """Write `summary.csv`."""
        self.folder.write("summary.csv", csv.encode())

    def write_report(self, files: Mapping[str, str | bytes]) -> Path:
        """Write `report/` anew, whole or not at all: path in it -> text, or bytes. Gives its path."""
        try:
            self._write_report(files)
        except (BadInput, Failed):  # another writer may have swept it away, or come first
            self._write_report(files)
        return self.path / "report"

    def _write_report(self, files: Mapping[str, str | bytes]) -> None:
        with self.folder.replaced("report") as part:
            for name, data in files.items():
                with part.created(name) as file:
                    file.write(data.encode() if isinstance(data, str) else data)

    def write(
        self, run: Run, outcome: Outcome, measures: Measures | None, provenance: Provenance
    ) -> None:
        """Keep a run: whole, or (if the process dies meanwhile) not at all. `measures`: None for a record that
        can't be measured. `BadInput` for what a later reader would refuse, `Failed` if the disk is full
        or gone."""
        tables.check(outcome.record, run, outcome.cause)
        with self.folder.replaced(reading.place(run.id)) as part:
            tables.write(outcome.record, part)
            about = documents.run_json(run, outcome, provenance, part.sizes(""))
            texts = {"run.json": about}
            if measures is not None:
                texts["measures.json"] = reading.measures_json(measures, about)
            for name, data in texts.items():
                with part.created(name) as file:
                    file.write(data)

    def all_kept(self, track: Track = iter) -> list[Kept]:
        """All runs that are kept here undamaged, in no order, without their measures. `BadInput` for one of a
        newer format, or in the place of another."""
        return reading.all_kept(self.folder, track)

    def retarget(self, run: Run) -> None:
        """Keep a run with the targets that it has here, whatever it was kept with: its record stays, and its
        measures are made anew when they are asked for."""
        name = f"{reading.place(run.id)}/run.json"
        fields = documents.json_table(self.folder.read(name, documents.RUN_BYTES), self.path / name)
        fields["run"]["targets"] = list(run.targets)
        text = json.dumps(fields, indent=2) + "\n"
        documents.kept(text.encode(), self.path / name, run.id)
        self.folder.write(name, text.encode())

    def discard(self, run: Run) -> None:
        """Delete what is kept of a run, if anything, with what TensorBoard shows of it."""
        for place in (reading.place(run.id), reading.events_place(run.id)):
            self.folder.remove(place)

    def record(self, run: Run) -> Record:
        """The record of a kept run; `BadInput` if it is damaged."""
        return reading.record(self.folder, reading.kept(self.folder, run.id)[0])

    def records(self, track: Track = iter) -> Iterator[tuple[Kept, Record]]:
        """All kept runs with their records, one after another, by id. What can't be read is left out
        (`left_out`); `BadInput` for a run of a newer format."""
        self.left_out.clear()
        yield from reading.all_records(self.folder, self.left_out, track)
        self.left_out[:] = map(plain, self.left_out)

    def runs(self, track: Track = iter) -> list[Measures]:
        """The measures of all kept runs, by problem, method, engine, interval and seed. Those that are of
        older definitions, absent or of another record are made anew from the record, and kept. What can't
        be read, or compared with most of its cell, is left out (`left_out`); `BadInput` for a run of a newer
        format."""
        self.left_out.clear()
        try:
            self._checked_machine_json()
        except BadInput as error:
            self.left_out.append(str(error))
        found = reading.all_measures(self.folder, self.left_out, track)
        same = alike(found, self.left_out, self.path)
        self.left_out[:] = map(plain, self.left_out)
        return sorted(
            same,
            key=lambda m: (
                m.run.problem_name,
                m.run.method,
                m.run.engine_label,
                m.run.interval or 0,
                m.run.seed,
            ),
        )

    def state(self) -> tuple[int, int]:
        """Another one once a run was kept, made anew or discarded (`Folder.state`)."""
        return self.folder.state("runs")

    def _machine_json(self) -> dict[str, Any]:
        """What `machine.json` says; nothing if it isn't there, or damaged."""
        try:
            return self._checked_machine_json()
        except documents.NewerFormat:
            raise
        except BadInput:
            return {"machines": {}, "clusters": {}}

    def _checked_machine_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"machines": {}, "clusters": {}}
        if self.folder.has("machine.json"):
            data = self.folder.read("machine.json", documents.MACHINE_BYTES)
            found |= documents.machines(data, self.path / "machine.json")
        return found

    def _write_json(self, name: str, fields: Mapping[str, Any]) -> None:
        text = json.dumps({"format": documents.FORMAT, **fields}, indent=2) + "\n"
        self.folder.write(name, text.encode())
