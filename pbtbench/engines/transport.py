"""How a state travels from a donor to the members that fork from it.

Through memory there is nothing to do, and through Ray's object store the engine does it. Through a disk
(one that sender and receiver share) a state is written as TensorFlow's checkpoint or as npz without
pickles, blocking or behind the training. Each stage is a row: `persist`, `wait`, `transfer`; the
snapshot before (`save`) and the adoption after (`restore`) are the engine's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from pbtbench.engines.formats import Format, Npz, TensorFlow, TransportFailed, disk_errors, full
from pbtbench.errors import unknown
from pbtbench.population import State
from pbtbench.recorder import Recorder

LIMIT_S = 120.0
"""How long a write behind the training may take before whoever waits for it gives up."""

POLL_S = 0.001

Parcel = Any
"""What is handed to the receiver in place of the state. Plain data."""


class Transport(Protocol):
    """One way to travel. `row` says where a stage's rows belong: worker, member, iteration."""

    def send(self, state: State, recorder: Recorder, **row: Any) -> Parcel:
        """Put a state on its way."""
        ...

    def receive(self, parcel: Parcel, recorder: Recorder, **row: Any) -> State:
        """The state of a parcel, perhaps in another process, any number of times."""
        ...

    def discard(self, parcel: Parcel) -> None:
        """Nobody will receive the parcel any more."""
        ...

    def close(self) -> None:
        """Wait until what goes on behind the training has ended, within limits."""
        ...


class Memory:
    """The state itself is handed over."""

    def send(self, state: State, recorder: Recorder, **row: Any) -> Parcel:
        return state

    def receive(self, parcel: Parcel, recorder: Recorder, **row: Any) -> State:
        state: State = parcel
        return state

    def discard(self, parcel: Parcel) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Written:
    """A state on disk, or on its way there."""

    place: str
    """A folder of its own; `whole` in it says that the write has ended, `failed` why it has not."""
    names: tuple[str, ...]


@dataclass
class Disk:
    """Files in a folder that sender and receiver share, in one of the formats."""

    folder: Path
    format: Format
    behind: bool
    """Whether the write goes on behind the training."""

    def send(self, state: State, recorder: Recorder, **row: Any) -> Parcel:
        place = self.folder / uuid4().hex
        start = recorder.now()
        with disk_errors(place):
            place.mkdir(parents=True)

            def ended() -> None:
                if self.behind:
                    aside = {**row, "worker": -1, "bytes": _size(place)}
                    recorder.add("persist", start, recorder.now() - start, **aside)
                (place / "whole").touch()

            self.format.write(place, state, self.behind, ended)
        blocked = sum(a.nbytes for a in state.values()) if self.behind else _size(place)
        recorder.lap("persist", **row, bytes=blocked)
        return Written(str(place), tuple(state))

    def receive(self, parcel: Written, recorder: Recorder, **row: Any) -> State:
        place = Path(parcel.place)
        if not (place / "whole").exists():
            _await(place)
            recorder.lap("wait", **row)
        with disk_errors(place):
            state = self.format.read(place, parcel.names)
        recorder.lap("transfer", **row, bytes=_size(place))
        return state

    def discard(self, parcel: Written) -> None:
        place = Path(parcel.place)
        if not place.is_dir():
            return
        with suppress(TransportFailed):
            _await(place)
        for file in place.iterdir():
            file.unlink(missing_ok=True)
        with suppress(OSError):
            place.rmdir()

    def close(self) -> None:
        self.format.close()


MEMORY = "memory"

_KINDS: Mapping[str, Callable[[Path], Transport]] = {
    MEMORY: lambda folder: Memory(),
    "object-store": lambda folder: Memory(),
    "disk": lambda folder: Disk(folder, TensorFlow(), behind=False),
    "disk-async": lambda folder: Disk(folder, TensorFlow(), behind=True),
    "disk-npz": lambda folder: Disk(folder, Npz(), behind=False),
    "disk-npz-async": lambda folder: Disk(folder, Npz(), behind=True),
}

NAMES = tuple(_KINDS)


def transport(name: str, folder: Path) -> Transport:
    """The transport of that name, which keeps its files in `folder`; `BadInput` for an unknown one."""
    if name not in _KINDS:
        raise unknown("transport", name, NAMES)
    return _KINDS[name](folder)


def _await(place: Path) -> None:
    end = time.monotonic() + LIMIT_S
    while not (place / "whole").exists():
        if (place / "failed").exists():
            raise TransportFailed((place / "failed").read_text("utf-8") or full(place))
        if time.monotonic() > end:
            raise TransportFailed(f"{place}: its write did not end within {LIMIT_S:g} s")
        time.sleep(POLL_S)


def _size(place: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(place))
