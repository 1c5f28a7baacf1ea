"""Studies of one small problem that does in training what a test says, and an observer that takes notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pbtbench.running.runner import run_study
from pbtbench.running.time_left import TimeLeft
from pbtbench.runs import Run
from pbtbench.store import Store
from pbtbench.study import Study
from pbtbench.study.growth import Growth

PROBLEM = """
import os, signal, threading
import numpy as np
from pbtbench import Objective, Problem, Space, Uniform

class One:
    size, traces = 1, 0
    def __init__(self, x): self.x, self.step = x, 0
    def train(self, steps):
        self.step += 1
        {train}
    def evaluate(self): return {{"score": np.array([self.x])}}
    def state(self, member): return {{"x": np.array(self.x)}}
    def adopt(self, member, state, hyperparameters): self.x = hyperparameters["x"]

def start(hyperparameters, seeds):
    from pbtbench import LoopedPopulation
    return LoopedPopulation([One(h["x"]) for h in hyperparameters])

PROBLEM = Problem("t", "s", "f", Space({{"x": Uniform(0, 1)}}), Objective("score", "max"), 5, 1, start)
"""


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.kept = 0
        self.causes: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        self.progress: list[dict[str, Any]] = []
        self.checked: list[str] = []

    def reading(self, ids: Sequence[str]) -> Iterable[str]:
        return ids

    def planned(self, growth: Growth, left: TimeLeft) -> None:
        self.kept = growth.runs - len(growth.missing)

    def checking(self, run: Run) -> None:
        self.checked.append(run.problem)

    def started(self, run: Run) -> None: ...

    def progressed(self, progress: dict[str, Any]) -> None:
        self.progress.append(progress)

    def ended(self, run: Run, done: dict[str, Any]) -> None:
        self.causes[run.id] = done["cause"]
        self.messages[run.id] = done["message"]


def run(
    problems: list[str],
    folder: Path,
    notes: Notes | None = None,
    *,
    again: bool = False,
    tensorboard: bool = False,
    **keys: Any,
) -> tuple[Store, Notes]:
    """Plan and run a study of random search with one seed, unless `keys` say otherwise."""
    study = Study.plan({"problems": problems, "methods": ["random"], "seeds": 1, **keys})
    store, notes = Store.claim(folder), notes or Notes()
    run_study(study, store, notes, again=again, tensorboard=tensorboard)
    return store, notes
