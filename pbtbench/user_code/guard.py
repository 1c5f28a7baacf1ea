"""Where a user's code runs in pbtbench's own process, as at an import: whatever it raises, or leaves by, is
bad input."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from pbtbench.errors import BadInput
from pbtbench.process import Terminated
from pbtbench.user_code import tracebacks

EXIT, PROCESS = os._exit, os.getpid()


class Left(BaseException):
    """Code that would have ended the process at once, by `os._exit`."""


@contextmanager
def guarded(failure: str) -> Iterator[None]:
    """Run a user's code: what it raises, or leaves by, becomes `BadInput` in one line that begins with
    `failure`. A `BadInput` of its own passes through, as does Ctrl-C.
    """
    pressed: list[int] = []

    def press(signum: int, frame: object) -> NoReturn:
        pressed.append(signum)
        raise KeyboardInterrupt

    watched = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if watched:
        signal.signal(signal.SIGINT, press)
    before, os._exit = os._exit, _leave
    try:
        yield
    except (BadInput, Terminated):
        raise
    except BaseException as error:
        if pressed:
            raise
        raise BadInput(f"{failure}: {_what(error)}; mend its file") from None
    finally:
        os._exit = before
        if watched:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(status: int) -> NoReturn:
    if os.getpid() != PROCESS:  # a process that was forked here may end as it likes
        EXIT(status)
    raise Left(f"os._exit({status})")


def _what(error: BaseException) -> str:
    if isinstance(error, Left):
        return f"it leaves by {error}"
    if not isinstance(error, Exception):
        return f"it leaves by {error!r}"
    return tracebacks.line(error) if str(error) else f"{type(error).__name__}: no message"
