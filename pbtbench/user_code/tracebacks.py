"""What is said of an exception that a user's code raised: one line, which names the user's own file and line,
and the whole traceback, for the log."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbtbench.errors import BadInput, Failed

LONGEST = 400
"""Characters of a line."""

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
CARETS = re.compile(r"^[ \t]*[~^]+[ \t]*$\n?", re.MULTILINE)
FRAME = re.compile(r'File "([^"]+)", line (\d+)')

PBTBENCH = Path(__file__).parents[1]
PYTHON = {Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib")}


class Raised(Exception):
    """What a user's code raised, or left by, in another process. All of it is text, so that it arrives there
    whatever it was."""

    def __init__(self, line: str, whole: str) -> None:
        super().__init__(line, whole)
        self.line, self.whole = line, whole

    def __str__(self) -> str:
        return f"{self.line}\n{self.whole}"


@contextmanager
def contained() -> Iterator[None]:
    """Around a user's code in a worker's process: whatever it raises or leaves by becomes `Raised`."""
    raised: Raised | None = None
    try:
        yield
    except (Raised, Failed):
        raise
    except BaseException as error:
        raised = Raised(line(error), whole(error))
    if raised is not None:
        raise raised  # out here it has no context, which might not arrive


def line(error: BaseException) -> str:
    """`ValueError: what it says (my_problem.py:12)`. The place is the innermost of the user's own code."""
    error = _origin(error)
    if isinstance(error, Raised):
        return error.line
    said = _said(error)
    if remote := re.findall(rf"^.*\b{Raised.__name__}: (.*)$", said, re.MULTILINE):
        return str(remote[-1])
    if died := re.search(r"Worker exit detail: ([^.\n]*)", said):
        return f"its process died ({died[1]}); the log has all that Ray says"
    what = " ".join(CARETS.sub("", said).split())
    if not isinstance(error, BadInput | Failed):
        what = f"{type(error).__name__}: {what}" if what else type(error).__name__
    what = what if len(what) <= LONGEST else what[: LONGEST - 1] + "…"
    place = "" if isinstance(error, Failed) else _place(error)
    return what if not place or f"{place})" in what else f"{what} ({place})"


def whole(error: BaseException) -> str:
    """The traceback, also of an exception that comes from another process; it ends with a line break."""
    origin = _origin(error)
    if isinstance(origin, Raised | Failed):
        return origin.whole
    text = (
        _said(error) if FRAME.search(_said(error)) else "".join(traceback.format_exception(origin))
    )
    return ESCAPES.sub("", text).rstrip() + "\n"


def _origin(error: BaseException) -> BaseException:
    """The exception itself, where Ray has wrapped it."""
    while isinstance(cause := getattr(error, "cause", None), Exception):
        error = cause
    return error


def _said(error: BaseException) -> str:
    try:
        return ESCAPES.sub("", str(error))
    except Exception:
        return ""


def _place(error: BaseException) -> str:
    """The innermost place in the user's own code: from the exception's traceback, from those of the exceptions
    that led to it, or from what it says."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        frames = traceback.extract_tb(link.__traceback__)
        own = [f for f in frames if _is_own(f.filename)]
        if own:
            return f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        link = link.__cause__ or link.__context__
    inner = [(file, number) for file, number in FRAME.findall(_said(error)) if _is_own(file)]
    return f"{Path(inner[-1][0]).name}:{inner[-1][1]}" if inner else ""


def _is_own(file: str) -> bool:
    if file.startswith("<"):
        return False
    path = Path(file)
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return not installed and not {PBTBENCH, *PYTHON} & set(path.parents)
