"""What becomes of a run that has ended: it is measured, and kept with where it comes from."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from functools import cache
from hashlib import sha256

import pbtbench
from pbtbench import catalogue, machine
from pbtbench.errors import BadInput
from pbtbench.measures import measure
from pbtbench.record import Outcome
from pbtbench.recorder import Recorder
from pbtbench.runs import Provenance, Run
from pbtbench.store import Store
from pbtbench.user_code import tracebacks


def keep(store: Store, run: Run, outcome: Outcome, started: datetime) -> Outcome:
    """Measure a run and keep it, with its record. `started`: when it started, in UTC. `Failed` if the disk
    is full or gone.

    Gives the outcome as it is kept: as a crash that says why, where the record can't be measured, or is
    none that could be read again and is left out.
    """
    came_from = provenance(run, started)
    measures = None
    try:
        measures = measure(run, outcome)
    except Exception as error:
        outcome = _spoiled(outcome, f"its record can't be measured: {tracebacks.line(error)}")
    try:
        store.write(run, outcome, measures, came_from)
    except BadInput as error:
        outcome = _spoiled(outcome, f"its record can't be kept: {error}")
        outcome = replace(outcome, record=Recorder().record())
        store.write(run, outcome, None, came_from)
    return outcome


def _spoiled(outcome: Outcome, why: str) -> Outcome:
    message = f"{outcome.message}; {why}" if outcome.message else why
    return replace(outcome, cause=outcome.cause or "crash", message=message)


def provenance(run: Run, started: datetime) -> Provenance:
    """Where a run comes from that this process has made, or that it had made."""
    commit, dirty = machine.commit()
    return Provenance(
        version=pbtbench.__version__,
        commit=commit,
        dirty=dirty,
        machine=machine.fingerprint(machine.facts()),
        problem=_problem_digest(run),
        started=started.isoformat(timespec="milliseconds"),
    )


def _problem_digest(run: Run) -> str:
    files = {file: run.sources.get(file) for file in _files(run.problem)}
    text = json.dumps([files, run.problem_options], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]


@cache
def _files(problem: str) -> list[str]:
    return list(catalogue.sources(problem, {}))
