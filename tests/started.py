"""Processes that a test has started, and whether they are alive."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def started_for(folder: Path) -> list[psutil.Process]:
    """The processes that are alive of those that a test has started with its folder in STARTED_FOR."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("STARTED_FOR") == str(folder) and alive(process):
                found.append(process)
    return found
