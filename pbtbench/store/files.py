"""All access to files of a folder. It is its own world: only regular files inside of it are read or
written, and no link on the way is followed, wherever it leads.

What is written stands beside its place first, under a name that nobody can guess, and is renamed: whole
or absent. Problems of a disk are one line: `BadInput` where another folder would help, else `Failed`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from pbtbench.errors import BadInput, Failed

PART = ".part-"
"""How the names of what is being written begin. What a killed writer left of it, the next one deletes."""

DEEPEST, MOST_ENTRIES = 8, 1_000_000
"""Folders in one another, and entries of them all, that are looked through: a study has 100,000 runs at
most, each with a handful of files, four or five folders down."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REASONS = {
    errno.ELOOP: "a link stands there; only files of the folder itself are read and written",
    errno.ENOTDIR: "a file or a link stands where a folder should be",
    errno.EEXIST: "a file stands where a folder should be",
    errno.EISDIR: "a folder stands where a file should be",
    errno.ENOSPC: "no space left on the disk; make room, and the same command goes on",
    errno.EDQUOT: "no space left in your quota; make room, and the same command goes on",
    errno.EROFS: "it can't be written, only read; give a folder that can be written",
    errno.EACCES: "permission denied; give a folder that can be read and written",
    errno.ENAMETOOLONG: "the name is too long",
}
_FAILURES = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ESTALE,
    errno.ENODEV,
    errno.ENOENT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOLCK,
}
"""What no other folder's name mends."""


@contextmanager
def described(where: Path) -> Iterator[None]:
    """Turn an `OSError` into one line that names `where`: `Failed`, or `BadInput` if what stands there, or
    the folder that was given, is to blame."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        kind = Failed if error.errno in _FAILURES else BadInput
        raise kind(f"{where}: {reason}") from None


@dataclass(frozen=True)
class Folder:
    """A folder, and what is in it by its path there, parts separated by slashes."""

    path: Path
    place: Path | None = None
    """Where it will stand, of one that is being filled: what messages name."""

    def has(self, name: str) -> bool:
        """Whether anything stands there."""
        with suppress(OSError), self._holding(name) as (parent, last):
            os.stat(last, dir_fd=parent, follow_symlinks=False)
            return True
        return False

    def read(self, name: str, most: int) -> bytes:
        """What is in a file; `BadInput` for what is none, or larger than `most` bytes."""
        with self.open(name, most) as file:
            return file.read(most)

    @contextmanager
    def open(self, name: str, most: int) -> Iterator[IO[bytes]]:
        """A file, open to be read; as `read`."""
        where = self.path / name
        with described(where):
            try:
                descriptor = self._plain(name, os.O_RDONLY)
            except FileNotFoundError:
                raise BadInput(f"{where}: no such file") from None
            with os.fdopen(descriptor, "rb") as file:
                if (size := os.fstat(file.fileno()).st_size) > most:
                    raise BadInput(f"{where}: {size} bytes; such a file has {most} at most")
                yield file

    def sizes(self, within: str) -> dict[str, int]:
        """The bytes of what is in a folder, by its name there: of files, not of folders or links."""
        way = within.split("/") if within else []
        with described(self.path / within):
            descriptor = self._descend(way)
            try:
                with os.scandir(descriptor) as entries:
                    return {
                        entry.name: entry.stat(follow_symlinks=False).st_size
                        for entry in entries
                        if entry.is_file(follow_symlinks=False)
                    }
            finally:
                os.close(descriptor)

    def holding(self, within: str, name: str) -> tuple[list[str], list[str]]:
        """The folders within a folder, at any depth, in which something of that name stands: their paths
        from there, sorted; and a line for each thing that was not looked into, as it is a link."""
        found: list[str] = []
        odd: list[str] = []
        entries = 0
        waiting = [""]
        while waiting:
            at = waiting.pop()
            full = "/".join(filter(None, (within, at)))
            with described(self.path / full):
                descriptor = self._descend(full.split("/"))
            try:
                with os.scandir(descriptor) as scanned:
                    for entry in scanned:
                        entries += 1
                        path = f"{at}/{entry.name}" if at else entry.name
                        if entry.name == name:
                            found.append(at)
                        elif entry.is_dir(follow_symlinks=False):
                            if path.count("/") < DEEPEST:
                                waiting.append(path)
                        elif entry.is_symlink():
                            odd.append(f"{self.path / within / path}: {_REASONS[errno.ELOOP]}")
            finally:
                os.close(descriptor)
            if entries > MOST_ENTRIES:
                raise BadInput(f"{self.path / within}: more than {MOST_ENTRIES} files in it")
        return sorted(found), odd

    def state(self, within: str) -> tuple[int, int]:
        """How many folders there are within a folder, at any depth, and when something was last added to one of
        them, renamed or removed, in nanoseconds: another state, once anything was. (0, 0) without one."""
        found, latest = 0, 0
        waiting = [within.split("/")]
        while waiting:
            way = waiting.pop()
            try:
                descriptor = self._descend(way)
            except OSError:  # gone meanwhile, or never there
                continue
            try:
                found, latest = found + 1, max(latest, os.fstat(descriptor).st_mtime_ns)
                if found > MOST_ENTRIES:
                    raise BadInput(f"{self.path / within}: more than {MOST_ENTRIES} folders in it")
                with os.scandir(descriptor) as entries:
                    if len(way) <= DEEPEST:
                        waiting += [
                            [*way, entry.name]
                            for entry in entries
                            if entry.is_dir(follow_symlinks=False)
                        ]
            finally:
                os.close(descriptor)
        return found, latest

    def make(self) -> tuple[Path, ...]:
        """Make the folder itself, and those that it is in; which had to be made, the innermost first."""
        with described(self.path):
            missing = tuple(p for p in (self.path, *self.path.parents) if not p.exists())
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except FileNotFoundError:  # such as in /proc
                raise BadInput(f"{self.path}: no folder can be made there") from None
        return missing

    def write(self, name: str, data: bytes) -> None:
        """Write a file, over what stands there."""
        part = f"{PART}{uuid4().hex}"
        with described(self.path / name), self._root() as root:
            try:
                _create(part, data, root)
                with self._holding(name, make=True) as (parent, last):
                    os.rename(part, last, src_dir_fd=root, dst_dir_fd=parent)
            finally:
                with suppress(OSError):
                    os.unlink(part, dir_fd=root)

    @contextmanager
    def replaced(self, name: str) -> Iterator[Folder]:
        """A new folder to be filled, that then stands at `name` in place of what stood there."""
        part, old = f"{PART}{uuid4().hex}", f"{PART}{uuid4().hex}"
        with described(self.path / name), self._root() as root:
            try:
                os.mkdir(part, dir_fd=root)
                yield Folder(self.path / part, self.path / name)
                with self._holding(name, make=True) as (parent, last):
                    with suppress(FileNotFoundError):
                        os.rename(last, old, src_dir_fd=parent, dst_dir_fd=root)
                    os.rename(part, last, src_dir_fd=root, dst_dir_fd=parent)
            finally:
                _delete(part, root)
                _delete(old, root)

    @contextmanager
    def created(self, name: str) -> Iterator[IO[bytes]]:
        """A new file, open to be written: where nobody reads yet, as in a folder that is being filled."""
        with (
            described((self.place or self.path) / name),
            self._holding(name, make=True) as (parent, last),
            os.fdopen(_new(last, parent), "wb") as file,
        ):
            yield file

    def appending(self, name: str) -> IO[bytes]:
        """A file, made if need be, open to be written at its end."""
        where = self.path / name
        with described(where):
            descriptor = self._plain(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return os.fdopen(descriptor, "ab")

    def remove(self, name: str) -> None:
        """Delete what stands there, if anything, with all that is in it: at once for whoever looks."""
        part = f"{PART}{uuid4().hex}"
        with described(self.path / name), self._root() as root:
            with suppress(FileNotFoundError), self._holding(name) as (parent, last):
                os.rename(last, part, src_dir_fd=parent, dst_dir_fd=root)
            _delete(part, root)

    def clear(self, names: Sequence[str], folders: Sequence[Path]) -> None:
        """Delete these files, and then these folders as far as nothing else is in them."""
        for name in names:
            with suppress(OSError), self._root() as root:
                os.unlink(name, dir_fd=root)
        with suppress(OSError):
            for path in folders:
                path.rmdir()

    def entries(self) -> list[str]:
        """The names of what is in the folder."""
        with described(self.path):
            return sorted(entry.name for entry in self.path.iterdir())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder as its only writer, and delete what one that died left half done; `BadInput` if
        another process holds it."""
        with described(self.path):
            descriptor = self._plain(".lock", os.O_RDWR | os.O_CREAT)
        try:
            with described(self.path):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise BadInput(
                        f"{self.path}: another pbtbench is writing here; wait for it or give another --out"
                    ) from None
                if not os.fstat(descriptor).st_nlink:
                    raise BadInput(f"{self.path}: another pbtbench has just left it; try again")
                with self._root() as root:
                    for name in self.entries():
                        if name.startswith(PART):
                            _delete(name, root)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _root(self) -> Iterator[int]:
        descriptor = os.open(self.path, _FOLDER)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _holding(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that a thing is in, open, and the thing's name there."""
        *way, last = name.split("/")
        if last in ("", ".", ".."):
            raise NotADirectoryError(errno.ENOTDIR, "nothing inside", name)
        descriptor = self._descend(way, make=make)
        try:
            yield descriptor, last
        finally:
            os.close(descriptor)

    def _descend(self, way: list[str], *, make: bool = False) -> int:
        """Open a folder, from the root on without a link."""
        descriptor = os.open(self.path, _FOLDER)
        for part in way:
            above = descriptor
            try:
                if part in ("", ".", ".."):
                    raise NotADirectoryError(errno.ENOTDIR, "no folder inside", part)
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=above)
                descriptor = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
        return descriptor

    def _plain(self, name: str, flags: int) -> int:
        """Open a regular file; nothing else is opened at all, so that no pipe or device can hang."""
        with self._holding(name) as (parent, last):
            with suppress(FileNotFoundError):
                self._check(name, os.stat(last, dir_fd=parent, follow_symlinks=False), flags)
            descriptor = os.open(last, flags | _PLAIN, 0o666, dir_fd=parent)
            try:
                self._check(name, os.fstat(descriptor), flags)
            except BadInput:
                os.close(descriptor)
                raise
            return descriptor

    def _check(self, name: str, found: os.stat_result, flags: int) -> None:
        where = self.path / name
        if stat.S_ISLNK(found.st_mode):
            raise BadInput(f"{where}: {_REASONS[errno.ELOOP]}")
        if not stat.S_ISREG(found.st_mode):
            raise BadInput(f"{where}: it is no file, but a folder, a pipe or a device")
        if flags & (os.O_WRONLY | os.O_RDWR) and found.st_nlink > 1:
            raise BadInput(f"{where}: the same file stands elsewhere, too; make a copy of it")


def _new(name: str, parent: int) -> int:
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o666, dir_fd=parent)


def _create(name: str, data: bytes, parent: int) -> None:
    with os.fdopen(_new(name, parent), "wb") as file:
        file.write(data)


def _delete(name: str, parent: int) -> None:
    """Delete a file, a link or a folder, if it is there and can be deleted."""
    with suppress(OSError):
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            shutil.rmtree(name, ignore_errors=True, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)
