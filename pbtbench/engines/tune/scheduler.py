"""Ray's `PopulationBasedTraining`, recorded, in the driver."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from ray.tune.schedulers import PopulationBasedTraining

from pbtbench.adapters.nesting import Nesting
from pbtbench.engines.ray_internals import PBTSteps
from pbtbench.engines.tune.budget import Budget
from pbtbench.engines.tune.trainable import member_of
from pbtbench.methods.pbt import PBT
from pbtbench.record import NOBODY
from pbtbench.recorder import Recorder
from pbtbench.space import Choice, Space
from pbtbench.space.columns import columns, rows


class RecordedForks(PBTSteps):
    """Records the decisions and forks of Ray's PBT, or of what descends from it."""

    def record_to(self, space: Space, nesting: Nesting, recorder: Recorder, budget: Budget) -> None:
        """Where to record."""
        self._space, self._nesting = space, nesting
        self._recorder, self._budget = recorder, budget
        self._offered: dict[int, int] = {}
        """Member -> its iteration when Tune last had it save to be copied."""

    def __getstate__(self) -> dict[str, Any]:
        """Tune's snapshots of the experiment need none of it."""
        return {}

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> Any:
        start, member = self._recorder.now(), member_of(trial.trial_id)
        decision = super().on_trial_result(controller, trial, result)  # type: ignore[misc]
        duration, made = self._recorder.now() - start, self._budget.made[member]
        self._recorder.add("decide", start, duration, worker=NOBODY, member=member, iteration=made)
        return decision

    def save_or_exploit(self, trial: Any, controller: Any, upper: Any, lower: Any) -> None:
        before = self.exploits
        if trial in upper:
            member = member_of(trial.trial_id)
            self._offered[member] = self._budget.made[member]
        super().save_or_exploit(trial, controller, upper, lower)
        if trial in lower and self.exploits == before:
            member = member_of(trial.trial_id)
            made = self._budget.made[member]
            self._recorder.note("exploits_skipped", value=1.0, member=member, iteration=made)

    def exploit(self, controller: Any, trial: Any, donor: Any) -> None:
        old, source = self._flat(trial.config), member_of(donor.trial_id)
        super().exploit(controller, trial, donor)
        member = member_of(trial.trial_id)
        self._budget.saved(member)
        new = self._flat(trial.config)
        self._recorder.forked(
            np.array([member]),
            source,
            self._budget.made[member],
            old=columns([old]),
            new=columns([new]),
            copied_iteration=self._offered[source],
            out_of_bounds=not self._space.contains(new),
        )

    def _flat(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return self._nesting.flat(config, list(self._space))


class RecordedPBT(RecordedForks, PopulationBasedTraining):  # type: ignore[misc]
    """Our PBT's options, decided as Ray does."""

    def __init__(
        self,
        method: PBT,
        space: Space,
        nesting: Nesting,
        seed: int,
        recorder: Recorder,
        budget: Budget,
    ) -> None:
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(2,))))
        perturbs = method.explore == "perturb"
        mutations = {name: _mutation(space, name, rng) for name in space.dynamic if perturbs}
        super().__init__(
            time_attr="training_iteration",
            perturbation_interval=method.interval,
            burn_in_period=method.burn_in_period,
            hyperparam_mutations=nesting.placed(mutations),
            quantile_fraction=method.quantile_fraction,
            resample_probability=method.resample_probability,
            perturbation_factors=tuple(method.perturbation_factors),
            custom_explore_fn=None
            if mutations
            else partial(_explored, method, space, nesting, rng),
            synch=method.synchronous,
        )
        self.record_to(space, nesting, recorder, budget)


def _mutation(space: Space, name: str, rng: np.random.Generator) -> Any:
    """What Ray draws anew, and moves: a list by one neighbour, what a callable draws by a factor."""
    hyperparameter = space[name]
    if not isinstance(hyperparameter, Choice):
        return lambda: hyperparameter.sample(rng, 1).tolist()[0]
    values: list[Any] = list(hyperparameter.values)
    return sorted(values) if hyperparameter.ordered else values


def _explored(
    method: PBT,
    space: Space,
    nesting: Nesting,
    rng: np.random.Generator,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """The user's explore, for Ray; without one, and without anything dynamic, nothing changes."""
    if method.explore == "perturb":
        return dict(config)
    flat = nesting.flat(config, list(space))
    (explored,) = rows(method.explored(columns([flat]), space, rng))
    return nesting.nested(explored)
