"""A study's folder: crash-safe, resumable, readable by people.

    out/study.toml, machine.json, runs/<id>/{trace.parquet, run.json}, summary.csv, report/

A run's folder is written beside its place and renamed: whole or absent. A file is replaced the same
way. One writer at a time holds the folder's lock. Nothing here is ever unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from pbtbench.errors import BadInput
from pbtbench.record import Outcome, Trace
from pbtbench.run import Run
from pbtbench.study import Study

_SCALARS = {
    "wall_s": float,
    "workers": int,
    "transport": str,
    "cluster": str,
    "cause": str,
    "message": str,
}


@dataclass(frozen=True)
class Store:
    """The folder of one study."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> Store:
        """An existing study's folder; `BadInput` if it holds none."""
        try:
            what = "no such folder" if not path.is_dir() else "no study.toml in it"
            there = (path / "study.toml").is_file()
        except OSError as error:  # such as a name that is too long
            what, there = error.strerror or "no folder", False
        if not there:
            raise BadInput(f"{path}: {what}; give the folder that `pbtbench run` wrote to")
        return cls(path)

    @classmethod
    def claim(cls, path: Path, study: Study) -> Store:
        """The folder for `study`: made if need be, resumed if it is that study's already.

        Raises `BadInput` if the folder is another study's, is no study's but not empty, or can't be
        written.
        """
        declared = path / "study.toml"
        try:
            if declared.is_file():
                _check_same(tomllib.loads(declared.read_text("utf-8")), study, path)
            else:
                if path.is_dir() and any(f.name != ".lock" for f in path.iterdir()):
                    raise BadInput(
                        f"{path}: not empty and no study's folder; give --out a new or empty folder"
                    )
                path.mkdir(parents=True, exist_ok=True)
                _replace(declared, study.to_toml())
        except tomllib.TOMLDecodeError as error:
            raise BadInput(
                f"{declared}: damaged ({error}); restore it or use another --out"
            ) from None
        except OSError as error:
            raise BadInput(
                f"{path}: {error.strerror}; give --out a folder that can be written"
            ) from None
        return cls(path)

    @property
    def scratch(self) -> Path:
        """For what a running study needs for a while; gone with the next one at the latest."""
        return self.path / ".part-scratch"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder as its only writer; `BadInput` if another process does."""
        try:
            with FileLock(self.path / ".lock", timeout=0):
                for leftover in self.path.glob(".part-*"):
                    shutil.rmtree(leftover, ignore_errors=True)
                yield
        except Timeout:
            raise BadInput(
                f"{self.path}: another pbtbench is writing here; wait for it or give another --out"
            ) from None

    def write_machine(self, facts: Mapping[str, Any]) -> None:
        """Write facts to `machine.json`, over those that it has."""
        _replace(
            self.path / "machine.json", json.dumps({**self.machine(), **facts}, indent=2) + "\n"
        )

    def note_cluster(self, label: str, nodes: Sequence[Mapping[str, Any]]) -> None:
        """Keep in `machine.json` the machines of a Ray cluster, each with its clock's offset."""
        clusters = self.machine().get("clusters", {})
        if clusters.get(label) != nodes:
            self.write_machine({"clusters": {**clusters, label: nodes}})

    def write_summary(self, csv: str) -> None:
        """Write `summary.csv`."""
        _replace(self.path / "summary.csv", csv)

    def write(self, run: Run, outcome: Outcome) -> None:
        """Keep a run: whole, or (if the process dies meanwhile) not at all."""
        place = self._place(run.id)
        part = self.path / f".part-{uuid4().hex}"
        part.mkdir()
        outcome.trace.write(part / "trace.parquet")
        facts = {key: getattr(outcome, key) for key in _SCALARS}
        text = json.dumps({"run": run.to_dict(), **facts}, indent=2)
        (part / "run.json").write_text(text + "\n", "utf-8")
        place.parent.mkdir(parents=True, exist_ok=True)
        replaced = self.path / f".part-{uuid4().hex}"
        if place.exists():
            place.rename(replaced)
        part.rename(place)
        shutil.rmtree(replaced, ignore_errors=True)

    def kept(self, run: Run) -> tuple[Run, Outcome] | None:
        """The run as it is kept here, undamaged, and what came of it; None if it isn't."""
        if not (self._place(run.id) / "run.json").is_file():
            return None
        try:
            return self.read(run.id)
        except BadInput:
            return None

    def completed(self, run: Run) -> bool:
        """Whether the run is kept here, without a failure and undamaged."""
        kept = self.kept(run)
        return kept is not None and not kept[1].cause

    def discard(self, run: Run) -> None:
        """Delete what is kept of a run, if anything."""
        place = self._place(run.id)
        if place.exists():
            part = self.path / f".part-{uuid4().hex}"
            place.rename(part)
            shutil.rmtree(part, ignore_errors=True)

    def read(self, run_id: str) -> tuple[Run, Outcome]:
        """A run and what came of it; `BadInput` if its files are damaged."""
        file = self._place(run_id) / "run.json"
        try:
            facts = json.loads(file.read_text("utf-8"))
            run = Run.from_dict(facts["run"])
            scalars = {key: of_type(facts[key]) for key, of_type in _SCALARS.items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = " ".join(str(error).split())[:80]
            raise BadInput(f"{file}: damaged ({what}); delete its folder and run again") from None
        return run, Outcome(trace=Trace.read(file.with_name("trace.parquet")), **scalars)

    def runs(self) -> list[tuple[Run, Outcome]]:
        """All kept runs with their outcomes, by id, seeds in their order."""
        ids = sorted(
            f.parent.relative_to(self.path / "runs").as_posix()
            for f in (self.path / "runs").rglob("run.json")
        )
        found = [self.read(run_id) for run_id in ids]
        return sorted(
            found,
            key=lambda r: (
                r[0].problem,
                r[0].method,
                r[0].engine_label,
                r[0].interval or 0,
                r[0].seed,
            ),
        )

    def title(self) -> str:
        """The study's title, or its name."""
        declared = tomllib.loads((self.path / "study.toml").read_text("utf-8"))
        return str(declared.get("title") or declared.get("name"))

    def machine(self) -> dict[str, Any]:
        """What `machine.json` says; empty if it isn't there, or damaged."""
        try:
            found = json.loads((self.path / "machine.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _place(self, run_id: str) -> Path:
        return self.path / "runs" / run_id


def _check_same(declared: dict[str, Any], study: Study, path: Path) -> None:
    new = tomllib.loads(study.to_toml())
    differing = sorted(k for k in {*declared, *new} if declared.get(k) != new.get(k))
    if differing:
        raise BadInput(
            f"{path}: belongs to another study (it differs in {', '.join(differing)}); "
            "give another --out, or the same settings to resume"
        )


def _replace(file: Path, text: str) -> None:
    part = file.with_name(f".part-{file.name}-{os.getpid()}")
    part.write_text(text, "utf-8")
    part.replace(file)
