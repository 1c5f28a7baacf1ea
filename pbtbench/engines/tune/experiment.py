"""A run as Ray Tune makes it: what its trials are, and how `tune.Tuner` is to treat them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ray import cloudpickle, tune

from pbtbench import filename
from pbtbench.adapters.trainable import requested
from pbtbench.engines import RunFailed
from pbtbench.engines.tune.budget import Budget
from pbtbench.engines.tune.collector import Inbox
from pbtbench.engines.tune.failures import Restarts
from pbtbench.engines.tune.named import Deciding
from pbtbench.engines.tune.trainable import TO_MAXIMISE, Assignment, Member, member_class
from pbtbench.problem import Problem
from pbtbench.recorder import Recorder
from pbtbench.runs import Run
from pbtbench.user_code.tracebacks import line


@dataclass(frozen=True)
class Experiment:
    """A run, and what comes in of it while Tune makes it."""

    run: Run
    problem: Problem
    recorder: Recorder
    inbox: Inbox
    budget: Budget

    def fit(self, deciding: Deciding, trials: int, storage: str) -> Any:
        """Have Tune make so many trials, with its files in the folder `storage`, and give its results.

        Raises `RunFailed` for a problem whose class can't be sent to Ray's workers.
        """
        cls = member_class(self.problem)
        reuse = self.run.engine_options["reuse_actors"]
        try:
            tuner = tune.Tuner(
                self._trainable(cls),
                tune_config=tune.TuneConfig(
                    metric=TO_MAXIMISE,
                    mode="max",
                    num_samples=trials,
                    search_alg=deciding.search,
                    scheduler=deciding.scheduler,
                    reuse_actors=cls is Member if reuse is None else reuse,
                ),
                run_config=self._run_config(deciding, storage),
            )
            return tuner.fit()
        except TypeError as error:
            if "not serializable" not in str(error):
                raise
            raise RunFailed("crash", _unsendable(self.run.problem, cls)) from None

    def _trainable(self, cls: type[Any]) -> Any:
        """The class with what its actors need to know, and with what they need of the machine, unless the class
        says that itself."""
        assignment = Assignment.of(self.run, self.problem, self.recorder)
        found = tune.with_parameters(cls, assignment=assignment, collector=self.inbox.collector)
        cluster, own = self.run.cluster, requested(self.problem)
        needs = {
            "cpus_per_worker": cluster.cpus_per_worker,
            "gpus_per_worker": cluster.gpus_per_worker,
        }
        if own and needs == {**needs, **own}:
            return found
        resources = {"cpu": cluster.cpus_per_worker, "gpu": cluster.gpus_per_worker}
        return tune.with_resources(found, resources)

    def _run_config(self, deciding: Deciding, storage: str) -> Any:
        options = self.run.engine_options
        restarts = Restarts(self.budget, self.recorder, self.inbox)
        return tune.RunConfig(
            name=filename.part(self.run.id.replace("/", "_")),
            storage_path=storage,
            stop=self.budget,
            failure_config=tune.FailureConfig(
                max_failures=options["max_failures"], fail_fast=not options["max_failures"]
            ),
            callbacks=[restarts, *deciding.callbacks],
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_at_end=False,
                num_to_keep=options["num_to_keep"],
                checkpoint_frequency=options["checkpoint_frequency"],
            ),
            verbose=0,
        )


def _unsendable(problem: str, trainable: type[Any]) -> str:
    """In one line, what keeps a class from being sent to Ray's workers."""
    what = ""
    try:
        cloudpickle.dumps(trainable)
    except Exception as error:
        what = f" ({line(error)})"
    return (
        f"{problem} can't be sent to Ray's workers: its module holds what can't be pickled{what}; "
        "make it in the trainable's setup()"
    )
