"""Runs a study: what is not kept yet, each run in a child process that may hang or die alone.

The child (see `child`) is kept from run to run and replaced when it ends. A failed run is recorded
with its cause, and the study goes on.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pbtbench import catalogue, engines
from pbtbench.adapters.trainable import TrainableStart
from pbtbench.running.child import Child
from pbtbench.running.code import Code
from pbtbench.running.observer import Observer
from pbtbench.running.time_left import TimeLeft
from pbtbench.runs import Run
from pbtbench.store import Store
from pbtbench.study import Study, to_toml
from pbtbench.study.declaration import resolved
from pbtbench.study.growth import grown


@dataclass(frozen=True)
class Session:
    """A study under way in its folder."""

    missing: tuple[Run, ...]
    """The runs to be made, in order."""
    execute: Callable[[Run], dict[str, Any]]
    """Make one of them and keep it: its cause, message and wall seconds."""


def run_study(
    study: Study,
    store: Store,
    observer: Observer,
    *,
    again: bool = False,
    tensorboard: bool = False,
) -> None:
    """Execute the runs of `study` that `store` doesn't hold yet, as `session` says."""
    with session(study, store, observer, again=again, tensorboard=tensorboard) as under_way:
        for run in under_way.missing:
            under_way.execute(run)


@contextmanager
def session(
    study: Study,
    store: Store,
    observer: Observer,
    *,
    again: bool = False,
    tensorboard: bool = False,
) -> Iterator[Session]:
    """Runs of `study` that `store` doesn't hold yet, to be executed. Failed ones are tried again. What is
    declared in the folder from then on is all that it has, and all of the study.

    `again`: make also those anew that were kept of other code or settings than today's. `tensorboard`: write
    what TensorBoard shows of each run while it goes on. Raises `BadInput` for runs that were kept so otherwise,
    for a problem that can't be run, or if an engine finds the study can't be; `KeyboardInterrupt` when
    interrupted; what was finished before is kept either way.
    """
    declared = store.path / "study.toml"
    before = None if store.new else resolved(store.declared(), str(declared))
    kept = store.all_kept(observer.reading)
    growth = grown(study, before, kept, str(store.path), again=again)
    left = TimeLeft(growth.missing, ((one.run, one.facts.wall_s) for one in kept if not one.cause))
    observer.planned(growth, left)
    with _child(store, tensorboard=tensorboard) as child:
        for run, limit_s in _to_check(growth.missing):
            observer.checking(run)
            child.check(run, limit_s)
        for run in growth.outdated:
            store.discard(run)  # so that no report ever mixes them with new ones
        store.declare(to_toml(growth.declaration))
        for run in growth.retargeted:
            store.retarget(run)
        if all(engines.engine(run.engine).distributed for run in growth.missing):
            child.close()  # it would hold a GPU that workers need
        code = Code()

        def execute(run: Run) -> dict[str, Any]:
            began = time.perf_counter()
            code.check_unchanged(run)
            observer.started(run)
            done = child.execute(run, observer)
            left.ended(run, time.perf_counter() - began)
            observer.ended(run, done)
            return done

        yield Session(growth.missing, execute)


def _to_check(runs: Sequence[Run]) -> list[tuple[Run, float]]:
    """A run for each problem, with its options, that is to be tried, and how long that may take. Class
    trainables are tried for this process alone: elsewhere they run as they are."""
    found: dict[tuple[str, str], Run] = {}
    limits: dict[tuple[str, str], float] = {}
    for run in runs:
        key = (run.problem, json.dumps(run.problem_options))
        here = not engines.engine(run.engine).distributed
        if key not in found or here:
            found[key] = run
        limits[key] = max(run.limit_s, limits.get(key, 0.0))
    return [
        (run, limits[key])
        for key, run in found.items()
        if not engines.engine(run.engine).distributed
        or not isinstance(catalogue.problem(run.problem).start, TrainableStart)
    ]


@contextmanager
def _child(store: Store, *, tensorboard: bool) -> Iterator[Child]:
    with store.log() as log:
        child = Child(store, log, tensorboard)
        try:
            yield child
        finally:
            child.close()
            shutil.rmtree(store.scratch, ignore_errors=True)
