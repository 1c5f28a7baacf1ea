"""How a state is written to a folder of its own on a disk, and read from it: as npz without pickles, or as
TensorFlow's checkpoint, blocking or behind the training."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any, Protocol

import numpy as np

from pbtbench.errors import Failed
from pbtbench.population import State


class TransportFailed(Failed):
    """A state could not be sent or received: one line that says where, and why."""


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


@contextmanager
def _marked(place: Path) -> Iterator[None]:
    """Leave word, for whoever waits, of why a write behind the training failed."""
    try:
        with disk_errors(place):
            yield
    except Exception as error:
        with suppress(OSError):
            try:
                (place / "reason").write_text(str(error), "utf-8")
                (place / "reason").replace(place / "failed")
            except OSError:
                (place / "failed").touch()  # no room even for the reason


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Say what a disk refused in one line, as `TransportFailed`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise TransportFailed(full(place)) from None
        reason = error.strerror or str(error)
        raise TransportFailed(f"states can't be kept in {place.parent}: {reason}") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "tensorflow":
            raise
        reason = " ".join(str(error).split())
        if "No space left" in reason or "File too large" in reason:
            raise TransportFailed(full(place)) from None
        raise TransportFailed(f"states can't be kept in {place.parent}: {reason[:200]}") from None


def full(place: Path) -> str:
    """That there is no room for the state of a folder."""
    return f"states can't be kept in {place.parent}: the disk is full"
