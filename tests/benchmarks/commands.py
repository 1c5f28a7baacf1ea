"""What a command takes, measured from outside."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

MEASURED = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss, status)
"""
"""A small process between: Linux counts what a process held before it became another one."""


class Taken(NamedTuple):
    """What a command took."""

    seconds: float
    megabytes: float
    """The most that one of its processes held."""


def pbtbench(*arguments: str) -> Taken:
    """Run `pbtbench` with these arguments."""
    command = [sys.executable, "-c", MEASURED, sys.executable, "-m", "pbtbench", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, kilobytes, status = done.stdout.split()
    assert status == "0", done.stderr
    return Taken(float(seconds), int(kilobytes) * 1024 / 1e6)
