"""How a state travels from a donor to the members that fork from it.

Through memory there is nothing to do, and through Ray's object store the engine does it. Through a disk
(one that sender and receiver share) a state is written as TensorFlow's checkpoint or as npz without
pickles, blocking or behind the training. Each stage is a row: `persist`, `wait`, `transfer`; the
snapshot before (`save`) and the adoption after (`restore`) are the engine's.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any, Protocol
from uuid import uuid4

import numpy as np

from pbtbench.errors import Failed, unknown
from pbtbench.population import State
from pbtbench.recorder import Recorder

LIMIT_S = 120.0
"""How long a write behind the training may take before whoever waits for it gives up."""

POLL_S = 0.001

Parcel = Any
"""What is handed to the receiver in place of the state. Plain data."""


class TransportFailed(Failed):
    """A state could not be sent or received: one line that says where, and why."""


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
        with _disk_errors(place):
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
        with _disk_errors(place):
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


class Format(Protocol):
    """How a state is written to a folder, and read from it."""

    def write(self, place: Path, state: State, behind: bool, ended: Callable[[], None]) -> None:
        """Write a state, `behind` the training or before this returns, and call `ended` when it is whole."""
        ...

    def read(self, place: Path, names: tuple[str, ...]) -> State:
        """The state of these names that stands whole in a folder."""
        ...

    def close(self) -> None:
        """Wait until all writes have ended."""
        ...


@dataclass
class Npz:
    """NumPy's archive of arrays, without pickles."""

    _writer: ThreadPoolExecutor | None = None

    def write(self, place: Path, state: State, behind: bool, ended: Callable[[], None]) -> None:
        if not behind:
            self._write(place, state)
            ended()
            return
        self._writer = self._writer or ThreadPoolExecutor(1)
        self._writer.submit(self._write_behind, place, state, ended)

    def read(self, place: Path, names: tuple[str, ...]) -> State:
        with np.load(place / "state.npz", allow_pickle=False) as file:
            return {name: file[str(i)] for i, name in enumerate(names)}

    def close(self) -> None:
        if self._writer is not None:
            self._writer.shutdown(wait=True)
            self._writer = None

    def _write(self, place: Path, state: State) -> None:
        arrays: dict[str, Any] = {str(i): array for i, array in enumerate(state.values())}
        np.savez(place / "state.npz", **arrays)

    def _write_behind(self, place: Path, state: State, ended: Callable[[], None]) -> None:
        with _marked(place):
            self._write(place, state)
            ended()


@dataclass
class TensorFlow:
    """`tf.train.Checkpoint`. It saves variables: those of equally shaped states are used again, as
    its asynchronous writer knows only what it saw first."""

    _checkpoints: dict[tuple[Any, ...], tuple[Any, list[Any]]] = field(default_factory=dict)
    _writing: Lock = field(default_factory=Lock)
    """A donor may be asked by another thread than the one that trains."""
    _watcher: ThreadPoolExecutor | None = None
    _watched: Future[None] | None = None
    """The latest write behind the training, which still reads the variables it was given."""

    def write(self, place: Path, state: State, behind: bool, ended: Callable[[], None]) -> None:
        import tensorflow as tf

        written = Event()

        def at_its_end(_: str) -> None:
            ended()
            written.set()

        with self._writing:
            key = tuple((name, a.shape, a.dtype.str) for name, a in state.items())
            if key not in self._checkpoints:
                with tf.device("CPU"):
                    variables = [tf.Variable(array) for array in state.values()]
                self._checkpoints[key] = tf.train.Checkpoint(state=variables), variables
            checkpoint, variables = self._checkpoints[key]
            if self._watched:
                self._watched.result()
            for variable, array in zip(variables, state.values(), strict=True):
                variable.assign(array)
            options = tf.train.CheckpointOptions(
                enable_async=behind, experimental_write_callbacks=[at_its_end]
            )
            checkpoint.write(str(place / "state"), options)
            if behind:
                self._watcher = self._watcher or ThreadPoolExecutor(1)
                self._watched = self._watcher.submit(self._watch, key, place, options, written)

    def read(self, place: Path, names: tuple[str, ...]) -> State:
        import tensorflow as tf

        reader = tf.train.load_checkpoint(str(place / "state"))
        return {
            name: np.asarray(reader.get_tensor(f"state/{i}/.ATTRIBUTES/VARIABLE_VALUE"))
            for i, name in enumerate(names)
        }

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.shutdown(wait=True)
            self._watcher = None

    def _watch(self, key: tuple[Any, ...], place: Path, options: Any, written: Event) -> None:
        """Mark a write that fails: TensorFlow raises what became of it only at the next one."""
        checkpoint, _ = self._checkpoints[key]
        checkpoint.sync()
        if not written.is_set():
            del self._checkpoints[key]
            with _marked(place):
                checkpoint.write(str(place / "next"), options)
                raise TransportFailed(f"{place}: TensorFlow wrote nothing, and doesn't say why")


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
            raise TransportFailed((place / "failed").read_text("utf-8") or _full(place))
        if time.monotonic() > end:
            raise TransportFailed(f"{place}: its write did not end within {LIMIT_S:g} s")
        time.sleep(POLL_S)


@contextmanager
def _marked(place: Path) -> Iterator[None]:
    """Leave word, for whoever waits, of why a write behind the training failed."""
    try:
        with _disk_errors(place):
            yield
    except Exception as error:
        with suppress(OSError):
            try:
                (place / "reason").write_text(str(error), "utf-8")
                (place / "reason").replace(place / "failed")
            except OSError:
                (place / "failed").touch()  # no room even for the reason


@contextmanager
def _disk_errors(place: Path) -> Iterator[None]:
    """Say in one line what a disk refused."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise TransportFailed(_full(place)) from None
        reason = error.strerror or str(error)
        raise TransportFailed(f"states can't be kept in {place.parent}: {reason}") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "tensorflow":
            raise
        reason = " ".join(str(error).split())
        if "No space left" in reason or "File too large" in reason:
            raise TransportFailed(_full(place)) from None
        raise TransportFailed(f"states can't be kept in {place.parent}: {reason[:200]}") from None


def _full(place: Path) -> str:
    return f"states can't be kept in {place.parent}: the disk is full"


def _size(place: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(place))
