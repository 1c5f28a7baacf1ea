"""One trial: an actor that holds a population of one and times what it does on the run's clock."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
from ray.tune import Trainable

from pbtbench import catalogue
from pbtbench.cluster import LOADED
from pbtbench.problem import Problem, State, member_seed, scores, state_bytes
from pbtbench.process import Surroundings, note_memory
from pbtbench.space import Hyperparameters
from pbtbench.trace import Recorder

if TYPE_CHECKING:
    from pbtbench.run import Run

FILE = "state.npz"

TURNED = "pbtbench_score"
"""The result that Tune maximises: the objective, turned where smaller is better, NaN as worst."""


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
            offsets={clock["id"]: clock["clock_offset_s"] for clock in recorder.nodes},
        )


class Member(Trainable):  # type: ignore[misc]
    """A member, or several one after another where Tune reuses the actor.

    Every row starts where the one before ended, so that an actor's rows leave nothing open: what
    lies between two calls is `wait`.
    """

    def setup(
        self, config: Hyperparameters, assignment: Assignment, collector: ray.actor.ActorHandle
    ) -> None:
        self._assignment, self._collector = assignment, collector
        self._actor = uuid.uuid4().hex
        self._member = member_of(self.trial_id)
        node = ray.get_runtime_context().get_node_id()
        start = assignment.start + assignment.offsets.get(node, 0.0)
        began, loaded = _process_start() - start, LOADED - start
        self._recorder = Recorder(start=start, lapped=loaded)
        self._noted = 0
        self._recorder.add("setup", began, loaded - began, worker=-1, member=self._member)
        assignment.surroundings.enter()
        self._problem = catalogue.problem(assignment.problem)
        self._start(config)
        self._lap("setup", detail={"process": os.getpid()})
        self._flush()

    def _start(self, config: Hyperparameters) -> None:
        self._member = member_of(self.trial_id)
        self._hyperparameters = dict(config)
        seed = member_seed(self._assignment.seed, self._member)
        options = self._assignment.problem_options
        self._population = self._problem.population([self._hyperparameters], [seed], options)

    def step(self) -> dict[str, Any]:
        self._lap("wait")
        try:
            return self._iteration_made()
        except Exception:
            self._lap("train", detail={"error": True})
            raise
        finally:
            self._flush()

    def _iteration_made(self) -> dict[str, Any]:
        population = self._population
        traces = population.traces
        population.train(self._problem.steps_per_iteration)
        self._lap("train" if population.traces == traces else "compile")
        traces = population.traces
        found = scores(population.evaluate(), self._assignment.metric, 1)
        metrics = {name: values[0] for name, values in found.items()}
        self._lap("evaluate" if population.traces == traces else "compile")
        score = metrics[self._assignment.metric]
        others = {name: v for name, v in metrics.items() if name != self._assignment.metric}
        self._recorder.add(
            "score",
            self._recorder.lapped,
            worker=-1,
            member=self._member,
            value=score,
            detail=others or None,
        )
        turned = -math.inf if math.isnan(score) else self._assignment.sign * score
        return {**metrics, TURNED: turned}

    def save(self, checkpoint_dir: str | None = None) -> Any:
        self._lap("wait")
        result = super().save(checkpoint_dir)
        self._lap("persist", bytes=self._written)
        self._flush()
        return result

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        state = self._population.state(0)
        path = Path(checkpoint_dir, FILE)
        with path.open("wb") as file:
            arrays: dict[str, Any] = {f"/{name}": array for name, array in state.items()}
            np.savez(file, **arrays)
        self._written = path.stat().st_size
        self._lap("save", bytes=state_bytes(state))

    def restore(self, checkpoint_path: Any) -> None:
        self._lap("wait")
        super().restore(checkpoint_path)
        self._flush()

    def load_checkpoint(self, checkpoint: str) -> None:
        with np.load(Path(checkpoint, FILE), allow_pickle=False) as file:
            state: State = {name.removeprefix("/"): file[name] for name in file.files}
        self._population.adopt(0, state, self._hyperparameters)
        self._lap("restore", bytes=state_bytes(state))

    def reset_config(self, new_config: Hyperparameters) -> bool:
        self._lap("wait")
        self._start(new_config)
        self._lap("restart")
        return True

    def cleanup(self) -> None:
        self._lap("wait")
        # this process ends now: wait until they have arrived
        ray.get(self._flush(), timeout=5)

    def _lap(self, kind: str, **row: Any) -> None:
        self._recorder.lap(kind, worker=-1, member=self._member, **row)

    def _flush(self) -> ray.ObjectRef:
        """Send off the rows so far."""
        row = {"worker": -1, "member": self._member}
        self._noted = note_memory(self._recorder, self._noted, **row)
        rows = [(self._actor, event) for event in self._recorder.events]
        self._recorder.events = []
        return self._collector.record.remote(rows)


def _process_start() -> float:
    """When this process started, on `time.perf_counter`, to a hundredth of a second."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot
    except (OSError, AttributeError):
        age = 0.0
    return time.perf_counter() - age
