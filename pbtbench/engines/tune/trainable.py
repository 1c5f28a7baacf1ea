"""One trial: an actor that holds a population of one, or a user's own trainable, and times what it does
on the run's clock."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
from ray.cloudpickle import register_pickle_by_value
from ray.tune import Trainable

from pbtbench import catalogue, process, summaries
from pbtbench.adapters.nesting import Nesting
from pbtbench.adapters.results import Score
from pbtbench.adapters.trainable import TrainableStart, files, is_tested, progress
from pbtbench.engines import ray_internals
from pbtbench.engines.cluster import LOADED
from pbtbench.engines.tune.collector import LIMIT_S
from pbtbench.errors import Failed
from pbtbench.population import State, state_bytes
from pbtbench.problem import Problem, member_seed
from pbtbench.process import Surroundings
from pbtbench.process_memory import Memory
from pbtbench.protocol import AGE, check_state, scores
from pbtbench.record import NOBODY
from pbtbench.recorder import Recorder
from pbtbench.space import Hyperparameters
from pbtbench.user_code import sources
from pbtbench.user_code.loading import OF_FILE
from pbtbench.user_code.tracebacks import Raised, contained, line

if TYPE_CHECKING:
    from pbtbench.runs import Run

FILE = "state.npz"

TO_MAXIMISE = "pbtbench_score"
"""The result that Tune maximises: the objective, negated where smaller is better, NaN as worst."""

STEP = "pbtbench_step"
"""The result that tells steps apart: Tune hands a function's last result on twice."""


def member_of(trial_id: str) -> int:
    """The member that a trial is. Its configuration can't tell: an exploit copies the donor's."""
    return int(trial_id.rpartition("_")[2])


@dataclass(frozen=True)
class Assignment:
    """What an actor needs to know of the run. All its values are plain data."""

    start: float
    """The run's zero on `time.perf_counter`."""
    problem: str
    problem_options: Mapping[str, Any]
    seed: int
    sign: int
    metric: str
    surroundings: Surroundings
    summaries: str | None
    """As the driver's recorder has it."""
    offsets: Mapping[str, float]
    """Node -> what its clock shows more than the driver's, in seconds."""

    @classmethod
    def of(cls, run: Run, problem: Problem, recorder: Recorder) -> Assignment:
        """The assignment of a run."""
        return cls(
            start=recorder.start,
            problem=catalogue.absolute(run.problem),
            problem_options=run.problem_options,
            seed=run.seed,
            sign=problem.objective.sign,
            metric=problem.objective.metric,
            surroundings=Surroundings.of(run.cluster),
            summaries=recorder.summaries,
            offsets={clock["id"]: clock["clock_offset_s"] for clock in recorder.nodes},
        )


class Timed(ray_internals.FunctionSteps, Trainable):  # type: ignore[misc]
    """Times what Tune has a trainable do; mixed in before a user's own class. A trial is a member, or
    several one after another where Tune reuses the actor: then a member that starts is set up anew, and
    only one that is restored next is reset by the class's own `reset_config`, which may keep weights.

    Every row starts where the one before ended, so that an actor's rows leave nothing open: what
    lies between two calls is `wait`.
    """

    def setup(
        self, config: Hyperparameters, assignment: Assignment, collector: ray.actor.ActorHandle
    ) -> None:
        if hasattr(self, "_actor"):  # called again, by the class's own reset_config
            self._start(config)
            return
        self._assignment, self._collector = assignment, collector
        self._actor = uuid.uuid4().hex
        self._member = member_of(self.trial_id)
        node = ray.get_runtime_context().get_node_id()
        start = assignment.start + assignment.offsets.get(node, 0.0)
        began, loaded = process.began() - start, LOADED - start
        self._recorder = Recorder(start=start, lapped=loaded)
        self._memory = Memory()
        self._steps, self._latest_step = 0, ""
        self._score = Score(assignment.metric)
        self._began_with = dict(config)
        self._next: Hyperparameters | None = None
        """What the actor's next trial starts with, once Tune has reset the actor to it."""
        self._recorder.add("setup", began, loaded - began, worker=-1, member=self._member)
        assignment.surroundings.enter()
        with contained():
            self._start(config)
        self._recorder.note("process", f"{os.getpid()} on {node[:8]}", member=self._member)
        self._lap("setup")
        self._flush()

    def _start(self, config: Hyperparameters) -> None:
        """Start the trial's member."""
        super().setup(dict(config))

    def step(self) -> dict[str, Any]:
        self._lap("wait")
        self._begin(restored=False)
        try:
            with contained(), self._summaries():
                metrics = self._iterate()
                if ray_internals.has_returned(metrics):
                    return dict(metrics)
                self._steps += 1
                self._latest_step = f"{self._actor}-{self._steps}"
                score = {TO_MAXIMISE: self._scored(metrics), AGE: self._score.age}
                return {**metrics, **score, STEP: self._latest_step}
        except Raised:
            self._lap("train")
            raise
        finally:
            self._flush()

    def _iterate(self) -> Mapping[str, Any]:
        """Train and evaluate once; what a `step` measures."""
        with summaries.of_member(0):
            result: Mapping[str, Any] = super().step()
        self._lap("train")
        return result

    def run_function(self, config: Any) -> Any:
        with summaries.of_member(0):
            return super().run_function(config)

    def _summaries(self) -> AbstractContextManager[None]:
        """Where the member writes summaries to."""
        return summaries.at(self._assignment.summaries, self._member, self.iteration + 1)

    def _scored(self, metrics: Mapping[str, Any]) -> float:
        """Record all numbers of a result, the score among them; what Tune maximises."""
        numbers = self._score.take(metrics)
        age = int(numbers.pop(AGE, 0))
        self._recorder.scored(
            np.array([self._member]),
            NOBODY,
            {name: np.array([value]) for name, value in numbers.items()},
            t_s=self._recorder.lapped,
            age=np.array([age]),
        )
        score = numbers[self._score.metric]
        return -math.inf if math.isnan(score) else self._assignment.sign * score

    def save(self, checkpoint_dir: str | None = None) -> Any:
        self._lap("wait")
        self._begin(restored=False)
        with contained():
            result = super().save(checkpoint_dir)
        self._lap("persist", bytes=self._written)
        self._flush()
        return result

    def save_checkpoint(self, checkpoint_dir: Any) -> Any:
        result = super().save_checkpoint(checkpoint_dir)
        self._written = _size(checkpoint_dir or result)
        self._lap("save", bytes=self._written)
        return result

    def restore(self, checkpoint_path: Any) -> None:
        self._lap("wait")
        self._begin(restored=True)
        self._latest_step = ""
        with contained():
            super().restore(checkpoint_path)
        found = ray_internals.saved_result(checkpoint_path)
        worth = found.get(TO_MAXIMISE, -math.inf)
        if worth > -math.inf:  # a score goes with its state
            self._score.value, self._score.age = self._assignment.sign * worth, found.get(AGE, 0)
        self._flush()

    def load_checkpoint(self, checkpoint: Any) -> None:
        super().load_checkpoint(checkpoint)
        self._lap("restore", bytes=_size(checkpoint))

    def reset_config(self, new_config: Hyperparameters) -> bool:
        self._set_aside()
        self._lap("wait")
        self._member = member_of(self.trial_id)
        self._score = Score(self._assignment.metric)
        self._next = dict(new_config)
        return True

    def _begin(self, restored: bool) -> None:
        """Have the actor's next trial begin, if Tune has reset the actor. `restored`: from a checkpoint,
        which follows."""
        if self._next is None:
            return
        config, self._next = self._next, None
        self._began_with, self._latest_step = dict(config), ""
        with contained():
            self._restart(config, restored)
        self._lap("restart")

    def _restart(self, config: Hyperparameters, restored: bool) -> None:
        if restored and super().reset_config(dict(config)):
            return
        super().cleanup()
        self._start(config)

    def cleanup(self) -> None:
        self._set_aside()
        super().cleanup()
        self._lap("wait")
        # this process ends now: wait until they have arrived
        ray.get(self._flush(), timeout=LIMIT_S)

    def _set_aside(self) -> None:
        """Have the member's state kept, if it is its last one, to be tested when the run's time is over. Tune
        may have an actor for a member that has gone on elsewhere, or has done all already."""
        if not (self._latest_step and self._next is None and self._is_tested()):
            return
        try:
            if not ray.get(self._collector.was_last.remote(self._latest_step), timeout=LIMIT_S):
                return
            with contained():
                state = self._last_state()
        except (Raised, Failed, ray.exceptions.RayError) as error:
            why = f"its last state can't be had: {line(error)}"
            self._recorder.note("untested", why, member=self._member)
        else:
            self._collector.set_aside.remote(self._member, self._began_with, state)

    def _is_tested(self) -> bool:
        return is_tested(type(self))

    def _last_state(self) -> State:
        """As a population of trainables has it; that it saves for this is none of the run's."""
        recorder, self._recorder = self._recorder, Recorder()
        try:
            with tempfile.TemporaryDirectory() as folder, ray_internals.local(self):
                super().save(folder)
                state = files(Path(folder))
        finally:
            self._recorder = recorder
        return {**state, **progress(self.training_iteration, self._score)}

    def _lap(self, kind: str, **row: Any) -> None:
        self._recorder.lap(kind, worker=-1, member=self._member, **row)

    def _flush(self) -> ray.ObjectRef:
        """Send off what is recorded so far."""
        self._memory.note(self._recorder, worker=-1, member=self._member)
        return self._collector.keep.remote(self._actor, self._recorder.take())


class Member(Timed):
    """A trainable that holds a population of one."""

    def _start(self, config: Hyperparameters) -> None:
        assignment, self._hyperparameters = self._assignment, dict(config)
        self._problem = catalogue.problem(assignment.problem)
        seed = member_seed(assignment.seed, self._member)
        options = assignment.problem_options
        self._population = self._problem.population([self._hyperparameters], [seed], options)

    def _iterate(self) -> Mapping[str, Any]:
        population = self._population
        traces = population.traces
        population.train(self._problem.steps_per_iteration)
        self._lap("train" if population.traces == traces else "compile")
        traces = population.traces
        found = scores(population.evaluate(), self._assignment.metric, 1)
        self._lap("evaluate" if population.traces == traces else "compile")
        return {name: values[0] for name, values in found.items()}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        state = self._population.state(0)
        check_state(state)
        path = Path(checkpoint_dir, FILE)
        with path.open("wb") as file:
            arrays: dict[str, Any] = {f"/{name}": array for name, array in state.items()}
            np.savez(file, **arrays)
        self._written = path.stat().st_size
        self._lap("save", bytes=state_bytes(state))

    def load_checkpoint(self, checkpoint: str) -> None:
        with np.load(Path(checkpoint, FILE), allow_pickle=False) as file:
            state: State = {name.removeprefix("/"): file[name] for name in file.files}
        began = self._recorder.now()
        fitting = self._population.morph(state, self._hyperparameters)
        if fitting is not state:
            self._morphed(self._recorder.now() - began, fitting)
        self._population.adopt(0, fitting, self._hyperparameters)
        self._population.settle()
        self._lap("restore", bytes=state_bytes(fitting))

    def _morphed(self, seconds: float, state: State) -> None:
        """Record a morph before the reading of the state, so that the restore around it stays one row."""
        recorder, size = self._recorder, state_bytes(state)
        at = recorder.lapped
        recorder.add("morph", at, seconds, worker=-1, member=self._member, bytes=size)
        recorder.lapped = at + seconds

    def _restart(self, config: Hyperparameters, restored: bool) -> None:
        self._start(config)

    def _is_tested(self) -> bool:
        return self._population.tested

    def _last_state(self) -> State:
        return self._population.state(0)


def member_class(problem: Problem) -> type[Timed]:
    """The class of a problem's trials: a user's own trainable is run as it is."""
    start = problem.start
    if not isinstance(start, TrainableStart):
        return Member
    for name, module in list(sys.modules.items()):
        if name.startswith(OF_FILE):  # Tune's wrappers of what is in there are of modules of Tune's
            register_pickle_by_value(module)
            for local in sources.local_modules(Path(str(module.__file__))):
                if local in sys.modules:
                    register_pickle_by_value(sys.modules[local])
    start.parameters.put()
    return type(start.trainable.__name__, (Timed, start.trainable), {})


def nesting(problem: Problem) -> Nesting:
    """Where a problem's hyperparameters stand in the configuration of a trial."""
    return problem.start.nesting if isinstance(problem.start, TrainableStart) else Nesting()


def _size(checkpoint: Any) -> int:
    """Bytes of a checkpoint: a folder's files, or the arrays of a dictionary; of what Tune has of a
    function's, those on this machine."""
    if isinstance(checkpoint, Mapping):
        return sum(int(getattr(value, "nbytes", 0)) for value in checkpoint.values())
    if not isinstance(checkpoint, str | Path):
        folder = ray_internals.saved_folder(checkpoint)
        return _size(folder) if folder is not None else 0
    return sum(file.stat().st_size for file in Path(checkpoint).rglob("*") if file.is_file())
