"""Small studies that `pbtbench advise` makes to measure costs, in a temporary folder and within a time."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from pbtbench import catalogue
from pbtbench.cli.live import View
from pbtbench.errors import Failed
from pbtbench.measures import Measures
from pbtbench.running.runner import run_study
from pbtbench.runs import Run
from pbtbench.store import Store
from pbtbench.study import Study

INSTRUMENT = "synthetic.state_size"
LEAST_BYTES, MOST_BYTES = 1_000, 1_000_000_000
"""What the instrument can make."""

COPIES = 20
"""States that memory and disk must hold at once, with room for what else there is."""

ITERATIONS = {"tune": 8, "ray": 20, "inprocess": 12}
"""Enough for some forks; on Ray Tune all members are saved and restored after each."""

ALIKE: Mapping[str, Any] = {
    "methods": ["pbt"],
    "method": {"pbt": {"synchronous": False}},
    "intervals": [1],
    "population": 4,
    "workers": 2,
}


class OutOfTime(Exception):
    """The time for measuring is over."""


class LimitedView(View):
    """Shows the progress, and ends the study when its time is over, or a run fails."""

    def __init__(self, console: Console, limit_s: float) -> None:
        super().__init__(console)
        self._end = time.monotonic() + limit_s

    def progressed(self, progress: dict[str, Any]) -> None:
        if time.monotonic() > self._end:
            raise OutOfTime
        super().progressed(progress)

    def ended(self, run: Run, done: dict[str, Any]) -> None:
        super().ended(run, done)
        if done["cause"]:
            raise Failed(f"{run.problem_name} on {run.engine}: {done['cause']}: {done['message']}")


def of_sizes(engine: str, state_bytes: float) -> dict[str, Any]:
    """The keys of a study of states of three sizes, the asked one in their middle, as far as memory and disk
    hold them."""
    room = min(psutil.virtual_memory().available, shutil.disk_usage(tempfile.gettempdir()).free)
    most = max(4 * LEAST_BYTES, min(MOST_BYTES, room // COPIES))
    middle = min(max(4 * LEAST_BYTES, int(state_bytes)), most)
    sizes = sorted({middle // 4, middle, min(2 * middle, most)})
    sweep = [
        {"label": f"{size}B", "options": {"state_bytes": size, "step_s": 0.005}} for size in sizes
    ]
    common = {"problems": [INSTRUMENT], "iterations": ITERATIONS[engine]}
    each = [{**common, **one} for one in sweep]
    return {**ALIKE, "engines": [engine], "seeds": 2, "sweep": each}


def of_problem(reference: str, engine: str) -> dict[str, Any]:
    """The keys of a short study of a user's problem."""
    return {**ALIKE, "problems": [reference], "engines": [engine], "iterations": 5, "seeds": 3}


def measured(keys: Mapping[str, Any], limit_s: float, console: Console) -> list[Measures]:
    """Run a study, and give its runs as far as the time went. Raises `BadInput` for what can't be run, `Failed`
    if a run fails, or none ended in time."""
    catalogue.include_working_directory()
    study = Study.plan({**keys, "limit_s": limit_s}, "advise")
    with tempfile.TemporaryDirectory(prefix="pbtbench-advise-") as folder:
        store = Store.claim(Path(folder) / "probe")
        view = LimitedView(console, limit_s)
        with store.locked(), view, suppress(OutOfTime):
            run_study(study, store, view)
        runs = store.runs() if store.folder.has("runs") else []
    found = [m for m in runs if not m.cause]  # one may have been cut off
    if not found:
        minutes = f"{limit_s / 60:g} minute{'s' * (limit_s != 60)}"
        name = study.runs[0].problem_name
        raise Failed(f"{name}: no run ended within {minutes}; give --minutes more")
    return found
