"""Vega in processes beside this one: it keeps a core busy for a second or more, and its memory for good."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

import vl_convert

LIMIT_S = 120
"""Seconds for which such a process is waited for."""

_BUNDLE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"

_DRAW = """
import json, sys, vl_convert
found = []
for spec in json.load(sys.stdin.buffer):
    try:
        found.append(vl_convert.vegalite_to_svg(spec))
    except Exception:
        found.append(None)
sys.stdout.write(json.dumps(found))
"""


@cache
def bundling() -> Future[bytes]:
    """Vega, Vega-Lite and Vega-Embed as one script, in the making."""
    return _beside(_BUNDLE)


@cache
def bundle() -> str:
    """That script."""
    with suppress(OSError, subprocess.SubprocessError):
        return bundling().result().decode()
    return str(vl_convert.javascript_bundle())


def drawing(specs: Sequence[dict[str, Any]]) -> Future[bytes]:
    """The SVGs of specifications, in the making, for `svgs`."""
    return _beside(_DRAW, json.dumps(specs).encode())


def svgs(made: Future[bytes]) -> list[str | None]:
    """The SVGs, None for what can't be drawn; none at all if the process failed."""
    with suppress(OSError, subprocess.SubprocessError):
        found: list[str | None] = json.loads(made.result())
        return found
    return []


def _beside(code: str, given: bytes = b"") -> Future[bytes]:
    """What a Python process of its own writes. `-P`: it imports nothing from the working directory."""

    def run() -> bytes:
        command = [sys.executable, "-P", "-c", code]
        return subprocess.run(
            command, input=given, capture_output=True, check=True, timeout=LIMIT_S
        ).stdout

    pool = ThreadPoolExecutor(1)
    made = pool.submit(run)
    pool.shutdown(wait=False)
    return made
