"""Our own engine on Ray: each actor holds a shard of the population, and states move through memory.

The driver asks for a whole interval in one call, so that it costs a message for each actor and
interval. A fork within an actor is a copy in its memory; between actors the donor's state goes through
the object store, once, when somebody wants it. Nobody saves in advance.

Synchronous decisions are those of `inprocess`, to the bit. Asynchronously each shard decides when it has
made its interval; a donor hands out its state while it trains. What an actor does is rows on its lane;
what the driver decides, and what goes on behind the training, are rows of worker −1.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from pbtbench.engines import Engine, cluster
from pbtbench.engines.decisions import Decisions
from pbtbench.errors import BadInput
from pbtbench.options import Options, check_writable, chosen
from pbtbench.schema import Plain, Reference, Seconds, Text, Whole

if TYPE_CHECKING:
    from pbtbench.engines.ray.fleet import Fleet, Unit
    from pbtbench.engines.shard import Copy
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.recorder import Recorder
    from pbtbench.runs import Run


class RuntimeEnv(Options):
    """Ray's runtime environment, under its names."""

    working_dir: Reference | None = None
    py_modules: list[Reference] | None = None
    py_executable: Reference | None = None
    excludes: list[Reference] | None = None
    pip: Plain = None
    uv: Plain = None
    conda: Plain = None
    env_vars: dict[Reference, Text] | None = None
    worker_process_setup_hook: Reference | None = None
    container: dict[Text, Plain] | None = None
    image_uri: Reference | None = None
    nsight: Plain = None
    config: dict[Text, Plain] | None = None


def _as_ray_takes_it(given: dict[str, Any]) -> dict[str, Any]:
    """Checked by name and kind, and by Ray itself, which imports it only if there is something."""
    chosen("runtime_env of engine 'ray'", RuntimeEnv, given)
    if given:
        from ray.runtime_env import RuntimeEnv as RayRuntimeEnv

        try:
            RayRuntimeEnv(**given)
        except Exception as error:
            raise BadInput(f"engine 'ray': runtime_env: {error}") from None
    return given


class RayOptions(Options):
    """Options of the engine."""

    hang_s: Annotated[Seconds, Field(ge=0.001)] = 120.0
    """Seconds that an iteration may take before its worker counts as hung and is replaced."""
    max_failures: Whole = 3
    """Workers that a run may lose."""
    persist_every: Whole = 0
    """Iterations between states that are written behind the training, to restart lost members from; 0 for
    none."""
    storage_path: Reference | None = None
    """A folder that all machines share, for states that travel by disk; a temporary one of this machine by
    default."""
    runtime_env: Annotated[dict[Text, Plain], AfterValidator(_as_ray_takes_it)] = Field(
        default_factory=dict
    )
    """Ray's, for workers on machines that lack a package."""


CHUNK_S = 1.0
"""How long a call may last where nothing is decided: so often the driver hears of it."""


def execute(run: Run, problem: Problem, method: Method, recorder: Recorder) -> None:
    """Train `run.population` members for `run.iterations` iterations, on `run.workers` actors."""
    decisions = Decisions(run, problem, method)
    decisions.begun(recorder)
    cluster.note(run, recorder)

    from pbtbench.engines.ray import held_out
    from pbtbench.engines.ray.fleet import Fleet

    with (
        tempfile.TemporaryDirectory(
            prefix="pbtbench-states-", dir=run.engine_options["storage_path"]
        ) as folder,
        Fleet(run, decisions, recorder, Path(folder)) as fleet,
    ):
        together = method.interval is not None and method.synchronous
        (_together if together else _each_alone)(run, method, decisions, fleet, recorder)
        fleet.finish()
        held_out.test(fleet, run.engine_options["hang_s"], recorder)


def check(problem: Problem, method: Method, options: Mapping[str, Any]) -> None:
    """Raise `BadInput` for a folder that isn't there, or can't be written to."""
    path = options["storage_path"]
    if path is None:
        return
    check_writable("engine 'ray': storage_path", path)
    if not Path(path).is_dir():
        raise BadInput(f"engine 'ray': storage_path = {path!r}: there is no such folder")


def _together(
    run: Run, method: Method, decisions: Decisions, fleet: Fleet, recorder: Recorder
) -> None:
    """All members decide after each interval, on the same scores."""
    iteration, members = 0, np.arange(decisions.size)
    copies: list[Copy] = []
    while iteration < run.iterations:
        steps = _until_due(run, method, iteration)
        mine = fleet.by_unit(copies)
        for unit in fleet.units:
            fleet.send(unit, [mine[unit.members.start]], steps)
        reports = sorted(fleet.reports(), key=lambda answer: answer[0].members.start)
        start = recorder.now()
        scores = np.concatenate([report.scores for _, report in reports], axis=1)
        for made in range(steps):
            decisions.report(members, scores[made], iteration + made + 1)
        iteration += steps
        copies = decisions.decide(members, recorder, iteration) if decisions.due(iteration) else []
        _decided(recorder, start, iteration)
        fleet.give(copies, aside=False)
        _persist(run, fleet, fleet.units, steps)


def _each_alone(
    run: Run, method: Method, decisions: Decisions, fleet: Fleet, recorder: Recorder
) -> None:
    """Each shard goes on as soon as it has decided, or without ever deciding."""
    for unit in fleet.units:
        fleet.send(unit, [], _steps(run, method, unit))
    for unit, report in fleet.reports():
        start = recorder.now()
        first, members = (
            unit.iteration - len(report.scores) + 1,
            np.arange(unit.members.start, unit.members.stop),
        )
        for iteration, scores in enumerate(report.scores, first):
            decisions.report(members, scores, iteration)
        due = decisions.due(unit.iteration)
        copies = decisions.decide(members, recorder, unit.iteration) if due else []
        _decided(recorder, start, unit.iteration)
        if unit.iteration < run.iterations:
            fleet.give(copies, aside=True)
            fleet.send(unit, [[copy] for copy in copies], _steps(run, method, unit))
            _persist(run, fleet, [unit], len(report.scores))


def _until_due(run: Run, method: Method, iteration: int) -> int:
    """Iterations until the next decision, or the end."""
    assert method.interval is not None
    return min(method.interval, run.iterations - iteration)


def _steps(run: Run, method: Method, unit: Unit) -> int:
    """Iterations of a unit's next call."""
    if method.interval is not None:
        return _until_due(run, method, unit.iteration)
    fitting = ceil(CHUNK_S / unit.pace_s) if unit.pace_s else 1
    return max(1, min(fitting, run.iterations - unit.iteration))


def _decided(recorder: Recorder, start: float, iteration: int) -> None:
    recorder.add("decide", start, recorder.now() - start, worker=-1, iteration=iteration)


def _persist(run: Run, fleet: Fleet, units: list[Unit], steps: int) -> None:
    """Persist units that have passed a multiple of `persist_every` in their latest call."""
    every = run.engine_options["persist_every"]
    for unit in units:
        if every and unit.iteration % every < steps and unit.iteration < run.iterations:
            fleet.persist(unit)


ENGINE = Engine(
    purpose="Ray actors that hold shards of the population; states move through the object store",
    transports=("object-store", "disk", "disk-async", "disk-npz", "disk-npz-async"),
    execute=execute,
    check=check,
    distributed=True,
    options=RayOptions,
    open=cluster.start,
    close=cluster.stop,
)
