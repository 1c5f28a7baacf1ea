"""Ray Tune itself: `tune.Tuner` with its own `PopulationBasedTraining`. What people use today: the reference.

A trial is a member; its actor holds a population of one (`trainable`) and times what it does on the
run's clock. Rows travel to this process through a small actor (`collector`); at the end each actor
gets a lane, which is a worker (`lanes`). `experiment` is what Tune is asked to do, `isolation` what it must
not leave behind. All decisions are Tune's (`named`): its PBT doesn't clip to bounds, and draws from Python's
global `random`, which is seeded for the run and put back after it. Even so, a run with forks doesn't repeat
to the bit where members arrive in another order.

Time in the trainable is that of one machine's clock; what a member waits for Tune is `wait`, and
Tune's own copy of a checkpoint to storage is `persist`. The driver's decisions are `decide` rows of
worker −1: they take no worker's time but through `wait`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from pbtbench.engines import Engine, RunFailed, cluster, no_progress
from pbtbench.engines.tune.isolation import is_remote, quiet, storage
from pbtbench.errors import BadInput
from pbtbench.methods.pbt import PBT
from pbtbench.methods.tuned import Tuned
from pbtbench.options import Options, check_writable
from pbtbench.problem import method_rng
from pbtbench.schema import Count, Plain, Reference, Text, Truth, Whole
from pbtbench.space.columns import rows
from pbtbench.user_code.tracebacks import line, whole

if TYPE_CHECKING:
    from pbtbench.methods import Method
    from pbtbench.problem import Problem
    from pbtbench.recorder import Recorder
    from pbtbench.runs import Run


def _all_numbers(stop: dict[str, Any]) -> dict[str, Any]:
    for metric, value in stop.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BadInput(f"engine 'tune': stop {metric} = {value!r}: give a number")
    return stop


class TuneOptions(Options):
    """Options of the engine, under Ray Tune's names where it has one."""

    reuse_actors: Truth | None = None
    """Whether an actor goes on with another trial. By default, as on Tune, not for a trainable of a
    user's own, whose `reset_config` may keep the weights of the trial before. Where it is asked for, a
    trial that starts is set up anew, by `cleanup` and `setup`; one that is restored next is reset."""
    stop: Annotated[dict[Text, Plain], AfterValidator(_all_numbers)] = Field(default_factory=dict)
    """A trial ends early once a metric is at or above its value, as {accuracy = 0.97}."""
    checkpoint_frequency: Whole = 0
    """Iterations between checkpoints beside those that a fork needs; 0 for none."""
    num_to_keep: Count | None = None
    """Checkpoints that are kept of each trial; all by default."""
    storage_path: Reference | None = None
    """A folder, or a cloud's, as `s3://bucket/folder`; a temporary one, which goes with the run, by default."""
    max_failures: Annotated[int, Field(strict=True, ge=-1, le=1_000_000_000)] = 0
    """How often Tune starts a failed trial again, from its latest checkpoint or else from scratch (−1:
    without end); each time is an `error` row."""
    loggers: Truth = False
    """Tune's own CSV, JSON and TensorBoard loggers (give them a storage_path to see what they wrote)."""

    @model_validator(mode="after")
    def _keeps_what_is_restored(self) -> TuneOptions:
        if self.num_to_keep == 1 and self.checkpoint_frequency == 1:
            raise BadInput(
                "engine 'tune': num_to_keep = 1 with checkpoint_frequency = 1 deletes checkpoints that "
                "others are about to restore (ray#9036); keep more, or leave out checkpoint_frequency"
            )
        return self


def execute(run: Run, problem: Problem, method: Method, recorder: Recorder) -> None:
    """Train `run.population` trials for `run.iterations` iterations each, on `run.workers` workers."""
    proposed = rows(method.propose(problem.space, run.population, method_rng(run.seed)))
    cluster.note(run, recorder)

    from pbtbench.engines.tune.collector import Inbox

    options = run.engine_options
    inbox = Inbox(recorder)
    try:
        with storage(options["storage_path"]) as folder, quiet(options["loggers"], run.seed), inbox:
            from pbtbench.engines.tune import held_out
            from pbtbench.engines.tune.budget import Budget
            from pbtbench.engines.tune.experiment import Experiment
            from pbtbench.engines.tune.named import deciding

            stop, last_step = options["stop"], inbox.last_step
            budget = Budget(run.iterations, stop, recorder, run.limit_s, last_step)
            decides = deciding(run, problem, method, proposed, recorder, budget)
            experiment = Experiment(run, problem, recorder, inbox, budget)
            results = experiment.fit(decides, len(proposed), folder)
            _completed(run, results, len(proposed), budget)
            held_out.test(run, problem, inbox, recorder)
    finally:
        inbox.settle(run.workers)
    if missing := inbox.missing(budget.made):
        raise RunFailed("crash", f"the record lacks {missing} iterations that the trials made")


def check(problem: Problem, method: Method, options: Mapping[str, Any]) -> None:
    """Raise `BadInput` for what Ray Tune can't do, or is known to break on."""
    for metric, value in options["stop"].items():
        if metric == problem.objective.metric and problem.objective.sign < 0:
            raise BadInput(
                f"engine 'tune': stop {metric} = {value!r}: Tune ends a trial once a metric is at or "
                f"above its value, and {metric} is minimised: every trial would end at once; leave it "
                f"out (targets = [{value!r}] times when it is reached)"
            )
    if (path := options["storage_path"]) is not None and not is_remote(path):
        check_writable("engine 'tune': storage_path", path)
    if isinstance(method, PBT):
        if method.exploit != "truncation":
            raise BadInput(
                f"engine 'tune': Ray's PBT knows the exploit 'truncation', not {method.exploit!r}; "
                "leave it out, or use engine 'inprocess'"
            )
        space = problem.space
        (drawn,) = rows(space.sample(method_rng(0), 1))
        for name in space.dynamic if method.explore == "perturb" else ():
            moves = isinstance(drawn[name], int | float)
            if not (moves or hasattr(space[name], "values")):
                raise BadInput(
                    f"engine 'tune': Ray's PBT multiplies {name!r}, which draws {drawn[name]!r}; "
                    "declare it as a list of choices"
                )
    elif isinstance(method, Tuned):
        from pbtbench.engines.tune import named

        named.check(method, problem)
    elif method.interval is not None:
        name = type(method).__name__
        raise BadInput(f"engine 'tune' can't run method {name}; it knows pbt, random and grid")


def _completed(run: Run, results: Any, trials: int, budget: Any) -> None:
    """The invariant: no trial failed, and each made its budget, met a stop condition, or was ended by
    its scheduler."""
    made = budget.made
    for place in range(len(results)):
        error = results[place].error
        if error is not None:
            member = _member(results[place])
            raise RunFailed(
                "crash",
                f"member {member} at iteration {made[member] + 1}: {line(error)}",
                whole(error),
            )
    if budget.missing:
        names = ", ".join(sorted(budget.missing))
        raise RunFailed("crash", f"stop: the problem has no metric {names}")
    short = [m for m in range(trials) if m not in budget.done | budget.stopped]
    if short:
        members = ", ".join(f"{m} at {made[m]}" for m in short[:8])
        raise RunFailed(
            "hang" if budget.hung else "crash",
            f"{len(short)} of {trials} members did not reach iteration {run.iterations} "
            f"(member {members}), " + (no_progress(run) if budget.hung else "without an error"),
        )


def _member(result: Any) -> int:
    """The member whose trial a result of Tune's is of."""
    from pbtbench.engines.tune.trainable import member_of

    trial = result.metrics.get("trial_id") if result.metrics else None
    return member_of(trial or re.findall(r"_(\d{5})(?=_|$)", Path(result.path).name)[0])


ENGINE = Engine(
    purpose="Ray Tune with its own PopulationBasedTraining: what people use today",
    transports=("disk",),
    execute=execute,
    check=check,
    distributed=True,
    options=TuneOptions,
    open=cluster.start,
    close=cluster.stop,
)
