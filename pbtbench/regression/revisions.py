"""Revisions of the git repository that one stands in, each with an environment of its own to run benchmarks in.

    ~/.cache/pbtbench/<repository>-<commit>-<digest>/checkout/, env/, wheel/, build.log, complete

An environment is built once for a commit and an interpreter. What the commit installs, by its wheel, goes
before what this interpreter has, so that of the dependencies only those are brought that are missing or don't
fit. A repository that doesn't say how it is built is run as it stands. The cache may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pbtbench
from pbtbench.errors import BadInput, Failed, nearest
from pbtbench.process import kill_tree
from pbtbench.regression import sitting
from pbtbench.regression.sitting import Loaded
from pbtbench.store.files import described

KEPT = 20
"""How many environments stay in the cache: those that were used last."""

BUILD_S = 1800
"""Seconds within which an environment must be built."""

NO_TESTS = 5
"""pytest's exit code where it finds none."""

NOT_THEIRS = (
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_"),
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
)
"""Beginnings of environment variables that mean this process's Python and tests, or, within a hook of git, the
repository that it is of."""

SHARED = """\
import site
import sys

hooks = [*sys.meta_path]
for place in {places!r}:
    if place not in sys.path:
        site.addsitedir(place)
# A package that is installed to be edited may be found by a hook, which must not go before this revision's.
sys.meta_path[:] = [*hooks, *(hook for hook in sys.meta_path if hook not in hooks)]
"""
"""A module that adds the packages of other environments behind an environment's own."""

_SUMMARY = "short test summary info"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - (.*))?$", re.MULTILINE)
"""What pytest says of a test in its summary."""

_OUTPUT_ENDS = "[end of output]"
"""What pip says below the last line of a build that failed."""


@dataclass(frozen=True)
class Revision:
    """A commit, ready to be measured."""

    given: str
    """As the user names it."""
    commit: str
    checkout: Path
    python: Path


@dataclass(frozen=True)
class Turn:
    """What a revision's benchmarks came to, run once."""

    measured: Loaded | None
    """None where no benchmark came to its end, as there is none or they failed."""
    failed: Mapping[str, str]
    """Name of a benchmark that failed -> why, as pytest says it."""


def commit(root: Path, given: str) -> str:
    """The full name of the commit that a revision names; `BadInput` for one that isn't there."""
    found = _git(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{given}^{{commit}}"
    )
    if found.returncode:
        names = _git(root, "for-each-ref", "--format=%(refname:short)").stdout.split()
        remedy = nearest(given, names) or "git log names the commits "
        if _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
            remedy = "this clone is shallow: git fetch --unshallow brings the rest "
        raise BadInput(f"revision {given!r}: no such commit, branch or tag here; {remedy}".rstrip())
    return found.stdout.strip()


def is_changed(root: Path) -> bool:
    """Whether files of the repository differ from its commit."""
    return bool(_git(root, "status", "--porcelain", "--untracked-files=no").stdout.strip())


@contextmanager
def cache() -> Iterator[Path]:
    """The folder of all environments, for this process alone; `BadInput` if another one measures, as two would
    spoil each other's figures."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pbtbench"
    with described(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                f"{folder}: another comparison is measuring, and two would spoil each other's figures; "
                "wait for it"
            ) from None
        yield folder


def prepared(cache: Path, root: Path, given: str) -> tuple[Revision, bool]:
    """A revision with its environment, and whether that had to be built; `Failed` if it can't be."""
    of = commit(root, given)
    shared = [str(Path(pbtbench.__file__).parents[1])]  # the one that runs, wherever it stands
    shared += [
        place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")
    ]
    digest = sha256("\0".join([str(root), sys.executable, *shared]).encode()).hexdigest()[:8]
    place = cache / f"{root.name}-{of[:12]}-{digest}"
    found = Revision(given, of, place / "checkout", place / "env" / "bin" / "python")
    if (place / "complete").is_file():
        with described(place):
            (place / "complete").touch()  # used last
        return found, False
    with described(place):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        with (place / "build.log").open("wb") as log:
            _build(found, root, shared, log.fileno())
        (place / "complete").touch()
        _forget(cache)
    return found, True


def run(
    revision: Revision, benchmarks: Sequence[str], scratch: Path, limit_s: float
) -> Turn | None:
    """Run a revision's benchmarks once; None if that takes longer than `limit_s` seconds, when it is killed.
    `BadInput` for ones that can't be compared, `Failed` where pytest can't run. `benchmarks`: places in the
    repository, of which a revision may lack some; if none, all that pytest finds. `scratch`: an empty
    folder."""
    there = [one for one in benchmarks if (revision.checkout / one.partition("::")[0]).exists()]
    if benchmarks and not there:
        return Turn(None, {})
    made, said = scratch / "benchmarks.json", scratch / "pytest.log"
    flags = ["--pbtbench", "-p", "no:cacheprovider", "-q", "-rfE", f"--benchmark-json={made}"]
    command = [str(revision.python), "-m", "pytest", *flags, *there]
    with said.open("wb") as log:
        code = _ended(command, revision.checkout, log.fileno(), limit_s)
    if code is None:
        return None
    text = said.read_text("utf-8", "replace")
    if code == NO_TESTS:
        return Turn(None, {})
    if code not in (0, 1):
        raise Failed(f"{revision.given}: pytest can't run its benchmarks: {_last(text)}")
    failed = {name: why or "" for name, why in _FAILED.findall(text.rpartition(_SUMMARY)[2])}
    if code and not failed:
        raise Failed(f"{revision.given}: its benchmarks failed: {_last(text)}")
    try:
        return Turn(sitting.load(made), failed)
    except BadInput as error:
        if failed:
            return Turn(None, failed)
        why = str(error).removeprefix(f"{made}: ")
        raise BadInput(f"{revision.given}: its benchmarks left no measures: {why}") from None


def places(root: Path, given: Sequence[str]) -> list[str]:
    """Paths as one gives them where one stands, of files, folders or tests in files, by their way from the
    repository's root; `BadInput` for one outside of it."""
    found = []
    for one in given:
        path, test, name = one.partition("::")
        place = Path(os.path.abspath(path))  # noqa: PTH100 a link may stand for what it leads to
        if not place.is_relative_to(root):
            raise BadInput(f"--benchmarks {one}: not in the repository {root}; give a path in it")
        found.append(f"{place.relative_to(root)}{test}{name}")
    return found


def _forget(cache: Path) -> None:
    """Delete the environments that were used longest ago, beyond those that are kept."""
    used = sorted(cache.glob("*/complete"), key=lambda file: file.stat().st_mtime)
    for file in used[:-KEPT]:
        shutil.rmtree(file.parent, ignore_errors=True)


def _build(of: Revision, root: Path, shared: Sequence[str], log: int) -> None:
    env = of.python.parent.parent
    clone = ["git", "clone", "--quiet", "--local", "--no-checkout", str(root), str(of.checkout)]
    _must(of, clone, root, log)
    _must(of, ["git", "checkout", "--quiet", "--detach", of.commit], of.checkout, log)
    _must(of, [sys.executable, "-m", "venv", str(env)], root, log)
    pip = [str(of.python), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    (own,) = env.glob("lib/python*/site-packages")
    wheels: list[str] = []
    if _is_built(of.checkout):
        made = of.checkout.parent / "wheel"
        wheel = [*pip, "wheel", "--no-deps", "--wheel-dir", str(made), str(of.checkout)]
        _must(of, wheel, root, log)  # while nothing is shared that a build could find
        wheels = [str(found) for found in made.glob("*.whl")]
        _must(of, [*pip, "install", "--no-deps", *wheels], root, log)
    if (own / "pbtbench").is_dir():
        shared = shared[1:]
    (own / "_interpreter.py").write_text(SHARED.format(places=[*shared]), "utf-8")
    (own / "_interpreter.pth").write_text("import _interpreter\n", "utf-8")
    if wheels:  # their dependencies
        _must(of, [*pip, "install", *wheels], root, log)


def _is_built(checkout: Path) -> bool:
    """Whether a project says how it is built: a `pyproject.toml` may be there for its tools alone."""
    if (checkout / "setup.py").is_file():
        return True
    file = checkout / "pyproject.toml"
    try:
        return file.is_file() and "build-system" in tomllib.loads(file.read_text("utf-8"))
    except ValueError:
        return True  # pip says what is wrong


def _must(of: Revision, command: Sequence[str], where: Path, log: int) -> None:
    code = _ended(command, where, log, BUILD_S)
    if code:
        file = of.checkout.parent / "build.log"
        raise Failed(
            f"{of.given}: can't be built: {_last(file.read_text('utf-8', 'replace'))}; see {file}"
        )
    if code is None:
        raise Failed(f"{of.given}: not built within {BUILD_S} s")


def _ended(command: Sequence[str], where: Path, log: int, limit_s: float) -> int | None:
    """A process's exit code; None if it was killed as it took too long."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(NOT_THEIRS)
    }
    environment["COLUMNS"] = "1000"  # pytest cuts what it says to the terminal's width
    with described(where):
        process = subprocess.Popen(
            command,
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        kill_tree(process.pid)  # what it left running would slow the next one
        process.wait()


def _last(text: str) -> str:
    """The line that says why: the last of a build that failed, or that tells of an exception, else of an error,
    else the last of all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _OUTPUT_ENDS in lines[1:]:
        return lines[lines.index(_OUTPUT_ENDS, 1) - 1]
    for beginning in ("E  ", "ERROR", "error", "fatal"):
        if found := [line for line in lines if line.startswith(beginning)]:
            return found[-1].removeprefix("E ").strip()
    return lines[-1] if lines else "it says nothing"


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BadInput("revisions need git, which isn't installed") from None
