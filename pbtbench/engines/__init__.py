"""Engines: what executes a run and records it. The only code that touches clocks, processes and Ray.

One module here with an `ENGINE` is one engine, which imports its framework only when it runs; the modules
beside them are what engines share.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pbtbench import catalogue, methods
from pbtbench.engines import preflight
from pbtbench.errors import BadInput, Failed, nearest, unknown
from pbtbench.options import Options, chosen
from pbtbench.process import Terminated
from pbtbench.record import Outcome
from pbtbench.recorder import Recorder, Watch
from pbtbench.user_code import tracebacks

if TYPE_CHECKING:
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.runs import Run


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


class RunFailed(Failed):
    """A run that did not complete: its `cause` (`crash` or `hang`) and, as message, what happened.
    `whole`: the traceback of what a worker raised, where that is why."""

    def __init__(self, cause: str, message: str, whole: str = "") -> None:
        super().__init__(message)
        self.cause, self.whole = cause, whole


@cache
def names() -> list[str]:
    """The names of all engines, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if _has_engine(m.name))


def _has_engine(module: str) -> bool:
    return hasattr(importlib.import_module(f"{__name__}.{module}"), "ENGINE")


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
    """Execute a run. A failure of the problem or of the engine is an outcome, not an exception, its
    traceback goes to standard error; `BadInput` that shows before the run's clock starts passes
    through."""
    chosen = engine(run.engine)
    problem = catalogue.problem(run.problem)
    method = methods.build(run.kind, run.interval, run.method_options)
    recorder = Recorder()
    started = False
    try:
        if not chosen.distributed:
            preflight.refusal(run)
            problem = preflight.afresh(problem)
        chosen.open(run)
        recorder = Recorder()
        started = True
        if watch is not None:
            watch(recorder)
        chosen.execute(run, problem, method, recorder)
    except Terminated:
        raise
    except BaseException as error:
        if isinstance(error, BadInput) and not started:
            raise
        cause = error.cause if isinstance(error, RunFailed) else "crash"
        message = tracebacks.line(error)
        with suppress(OSError):  # a log on a disk that is full
            print(
                f"{run.id}: {cause}: {message}\n{tracebacks.whole(error)}",
                file=sys.stderr,
                flush=True,
            )
        return outcome(run, recorder, cause, message)
    if not any_finite(recorder, problem.objective.metric):
        message = unscored(recorder, problem.objective.metric)
        return outcome(run, recorder, "crash", message)
    return outcome(run, recorder)


def any_finite(recorder: Recorder, metric: str) -> bool:
    """Whether a member had a finite score at least once: single ones may diverge."""
    found = (block.metrics.get(metric) for block in recorder.collected.scores)
    return any(scores is not None and np.isfinite(scores).any() for scores in found)


def unscored(recorder: Recorder, metric: str) -> str:
    """That nobody ever had a score, with what was measured instead."""
    names = sorted({name for block in recorder.collected.scores for name in block.metrics})
    others = [name for name in names if name != metric]
    instead = f"; {nearest(metric, others)}measured: {', '.join(others)}" if others else ""
    return f"no member ever had a finite {metric!r}: nothing to compare{instead}"


def no_progress(run: Run) -> str:
    """Why a run was ended that made no progress."""
    return f"no progress within its limit of {run.limit_s:g} s; --limit-s gives it more"


def hung(run: Run, recorder: Recorder) -> Outcome:
    """The outcome of a run that made no progress within its limit. One whose time was over, and that was being
    tested, is complete but for its test scores."""
    if recorder.paused_s is None:
        return outcome(run, recorder, "hang", no_progress(run))
    recorder.note("untested", f"test(): {no_progress(run)}")
    return outcome(run, recorder)


def outcome(run: Run, recorder: Recorder, cause: str = "", message: str = "") -> Outcome:
    """The outcome of a run that ends now, with an `error` if it has a cause."""
    if cause:
        recorder.lost(cause, message)
    wall_s = recorder.now()
    chosen = engine(run.engine)
    return Outcome(
        record=recorder.record(),
        wall_s=wall_s,
        workers=run.workers if chosen.distributed else 1,
        transport=run.transport,
        cluster=recorder.cluster,
        cause=cause,
        message=message,
    )
