"""What a run of Tune's leaves behind where it isn't asked for: no files, no prints, no other random numbers."""

from __future__ import annotations

import logging
import os
import random
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_remote(path: str) -> bool:
    """Whether a path is of a cloud's storage, as `s3://bucket/folder`."""
    return "://" in path


@contextmanager
def storage(path: str | None) -> Iterator[str]:
    """Where Tune keeps its files: in `path`, or without one in a temporary folder, which goes in the end."""
    if path:
        yield path if is_remote(path) else str(Path(path).expanduser().resolve())
        return
    folder = tempfile.mkdtemp(prefix="pbtbench-tune-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def quiet(loggers: bool, seed: int) -> Iterator[None]:
    """Tune without its loggers and prints, and Python's global `random` seeded; both put back."""
    wanted = {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "0" if loggers else "1",
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
    }
    before = {key: os.environ.get(key) for key in wanted}
    log = logging.getLogger("ray")
    level, state = log.level, random.getstate()
    log.setLevel(logging.CRITICAL)
    os.environ.update(wanted)
    random.seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
        random.setstate(state)
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
