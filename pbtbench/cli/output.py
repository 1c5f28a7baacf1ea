"""Standard output and standard error that never stop the work: text that their encoding lacks is replaced,
and what nobody reads any more is dropped."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from pbtbench.errors import BadInput


class _Forgiving(io.TextIOWrapper):
    """A stream that may be closed by whoever reads it (`| head -1`)."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def forgiving() -> None:
    """Make this process's standard streams such streams."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        own = stream is getattr(sys, f"__{name}__")  # not one that a caller put in its place
        if own and isinstance(stream, io.TextIOWrapper):  # None where it is closed
            encoding, buffered_by_line = stream.encoding, stream.line_buffering
            stream.flush()
            made = _Forgiving(
                stream.detach(), encoding, errors="replace", line_buffering=buffered_by_line
            )
            setattr(sys, name, made)
            setattr(sys, f"__{name}__", made)


def readable(arguments: Sequence[str]) -> list[str]:
    """The command's arguments; `BadInput` for one that isn't text in the locale's encoding."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            shown = argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            raise BadInput(
                f"{shown!r} is no text in this locale's encoding ({sys.getfilesystemencoding()}); "
                "set PYTHONUTF8=1"
            )
    return list(arguments)
