"""What pbtbench uses of Ray and Ray Tune that isn't public: here alone, so that a new Ray is met in one
place. Nothing of Ray is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def read_settings() -> None:
    """Have Ray read its settings from the environment once more, as it did at its import."""
    from ray._raylet import Config

    Config.initialize("")


def schedulers() -> Mapping[str, type[Any] | Callable[[], type[Any]]]:
    """Tune's schedulers by name: classes, or functions that import one."""
    from ray.tune.schedulers import SCHEDULER_IMPORT

    return SCHEDULER_IMPORT  # type: ignore[no-any-return]


def searchers() -> Mapping[str, Callable[[], type[Any]]]:
    """Tune's searchers by name: functions that import one."""
    from ray.tune.search import SEARCH_ALG_IMPORT

    return SEARCH_ALG_IMPORT  # type: ignore[no-any-return]


def has_returned(result: Mapping[str, Any]) -> bool:
    """Whether what a `step` gives says that a function trainable has returned, and is no new result."""
    from ray.tune.result import RESULT_DUPLICATE

    return RESULT_DUPLICATE in result


def saved_result(saved: Any) -> Mapping[str, Any]:
    """The result that goes with what `Trainable.restore` is given; empty where none does."""
    metrics: Mapping[str, Any] = getattr(saved, "metrics", {})
    return metrics


def saved_folder(saved: Any) -> str | None:
    """The folder of what a function trainable saves, and is restored from; None where it has none."""
    checkpoint = getattr(saved, "checkpoint", None)
    return None if checkpoint is None else str(checkpoint.path)


class FunctionSteps:
    """What Tune's thread calls of a function trainable, under a public name for who overrides it. It stands
    before Tune's class among the bases."""

    def run_function(self, config: Any) -> Any:
        """Call the function, in the thread that is its own."""
        return super()._trainable_func(config)  # type: ignore[misc]

    def _trainable_func(self, config: Any) -> Any:
        return self.run_function(config)


@contextmanager
def local(trainable: Any) -> Iterator[None]:
    """While it lasts, a trial's saves stay in the folder that they are given, and Tune hears of none."""
    storage, trainable._storage = trainable._storage, None  # noqa: SLF001
    try:
        yield
    finally:
        trainable._storage = storage  # noqa: SLF001


def trials_made(search: Any) -> int:
    """How many trials a `SearchGenerator` has made."""
    made: int = search._counter  # noqa: SLF001
    return made


def replayed_start(scheduler: Any) -> Mapping[str, Any] | None:
    """What the one trial of a `PopulationBasedTrainingReplay` starts with; None of any other scheduler."""
    start: Mapping[str, Any] | None = getattr(scheduler, "current_config", None)
    return start


def tried(pb2: Any) -> Any:
    """PB2's own table of what was tried; its last row is of the configuration that was chosen last."""
    return pb2.data


class PBTSteps:
    """The steps of Tune's `PopulationBasedTraining`, under public names for who overrides them. It stands
    before that class, or before one that descends from it, among the bases."""

    _num_perturbations: int

    @property
    def exploits(self) -> int:
        """How many there were so far."""
        return self._num_perturbations

    def save_or_exploit(self, trial: Any, controller: Any, upper: Any, lower: Any) -> None:
        """Have a trial save, where it is one of the `upper`; have it exploit one of these, where it is one
        of the `lower` and that one has a checkpoint."""
        super()._checkpoint_or_exploit(trial, controller, upper, lower)  # type: ignore[misc]

    def exploit(self, controller: Any, trial: Any, donor: Any) -> None:
        """Have a trial go on from a donor's checkpoint, with a new configuration."""
        super()._exploit(controller, trial, donor)  # type: ignore[misc]

    def new_configuration(self, trial: Any, donor: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a trial goes on with, and what was done to each of the donor's values."""
        found: tuple[dict[str, Any], dict[str, Any]]
        found = super()._get_new_config(trial, donor)  # type: ignore[misc]
        return found

    def _checkpoint_or_exploit(self, trial: Any, controller: Any, upper: Any, lower: Any) -> None:
        self.save_or_exploit(trial, controller, upper, lower)

    def _exploit(self, controller: Any, trial: Any, donor: Any) -> None:
        self.exploit(controller, trial, donor)

    def _get_new_config(self, trial: Any, donor: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.new_configuration(trial, donor)
