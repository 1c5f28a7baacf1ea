"""Engines: what executes a run and yields its events. The only code that touches clocks, processes and Ray.

One file here is one engine, its `ENGINE` constant. A file imports its framework only when it runs.
"""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pbtbench import catalogue, methods
from pbtbench.errors import BadInput, unknown
from pbtbench.options import Options, chosen
from pbtbench.problem import member_seed
from pbtbench.trace import Outcome, Recorder, Watch
from pbtbench.transport import TransportFailed

if TYPE_CHECKING:
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.run import Run


@dataclass(frozen=True)
class Engine:
    """One way to execute a run."""

    purpose: str
    """One line: what it is and why it is there."""
    transports: tuple[str, ...]
    """The ways it has for a state to travel from donor to member; the first is its usual one."""
    execute: Callable[[Run, Problem, Method, Recorder], None]
    """Executes a run and records its rows; raises `RunFailed` when the run can't be completed."""
    check: Callable[[Problem, Method, Mapping[str, Any]], None] = lambda problem, method, options: (
        None
    )
    """Raises `BadInput` for a method or options that it can't do, while a study is planned."""
    distributed: bool = False
    """Whether it has more than one worker."""
    options: type[Options] = Options
    """What a study may set for it, with defaults."""
    open: Callable[[Run], None] = lambda run: None
    """Gets what a run needs and what is kept for the next one, before the run's clock starts."""
    close: Callable[[], None] = lambda: None
    """Gives back what stays open between runs."""


class RunFailed(Exception):
    """A run that did not complete: its `cause` (`crash` or `hang`) and, as message, what happened."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def names() -> list[str]:
    """The names of all engines, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def engine(name: str) -> Engine:
    """The engine of that name; `BadInput` for an unknown one."""
    if name not in names():
        raise unknown("engine", name, names())
    found: Engine = importlib.import_module(f"{__name__}.{name}").ENGINE
    return found


def with_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """An engine's defaults with `options` over them; `BadInput` for one that doesn't fit."""
    return chosen(f"engine {name!r}", engine(name).options, options)


def execute(run: Run, watch: Watch | None = None) -> Outcome:
    """Execute a run. A failure of the problem or of the engine is an outcome, not an exception;
    `BadInput` passes through."""
    chosen = engine(run.engine)
    problem = catalogue.problem(run.problem)
    method = methods.build(run.kind, run.interval, run.method_options)
    if not chosen.distributed:
        _warm_up(run.problem, json.dumps(run.problem_options))
        problem = _afresh(problem)
    try:
        chosen.open(run)
    except RunFailed as failure:
        return outcome(run, Recorder(), failure.cause, str(failure))
    recorder = Recorder()
    if watch is not None:
        watch(recorder)
    cause = message = ""
    try:
        chosen.execute(run, problem, method, recorder)
    except BadInput:
        raise
    except RunFailed as failure:
        cause, message = failure.cause, str(failure)
    except TransportFailed as failure:
        cause, message = "crash", str(failure)
    except Exception as error:
        cause = "crash"
        message = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    if not cause and not any_finite(recorder):
        cause = "crash"
        message = f"no member ever had a finite {problem.objective.metric!r}: nothing to compare"
    return outcome(run, recorder, cause, message)


def any_finite(recorder: Recorder) -> bool:
    """Whether a member had a finite score at least once: single ones may diverge."""
    return any(e.kind == "score" and math.isfinite(e.value) for e in recorder.events)


@cache
def _warm_up(reference: str, options: str) -> None:
    """Have this process pay, once and before any clock starts, for what is no run's own cost:
    imports, and whatever a framework does at its first steps. What fails here fails in the run."""
    problem = _afresh(catalogue.problem(reference))
    with suppress(Exception):
        if problem.framework:
            importlib.import_module(problem.framework)
        some = problem.space.sample(np.random.default_rng(0))
        population = problem.population([some], [member_seed(0, 0)], json.loads(options))
        population.train(1)
        population.evaluate()


def _afresh(problem: Problem) -> Problem:
    """The problem without what it may have compiled before: every run compiles for itself."""
    return replace(problem, start=deepcopy(problem.start))


def outcome(run: Run, recorder: Recorder, cause: str = "", message: str = "") -> Outcome:
    """The outcome of a run that ends now, with an `error` row if it has a cause."""
    wall_s = recorder.now()
    if cause:
        recorder.add("error", wall_s, detail={"cause": cause, "message": message})
    chosen = engine(run.engine)
    return Outcome(
        trace=recorder.trace(run.id),
        wall_s=wall_s,
        workers=run.workers if chosen.distributed else 1,
        transport=run.transport,
        cluster=recorder.cluster,
        cause=cause,
        message=message,
    )
