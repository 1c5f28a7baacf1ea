"""Tune's searchers by name: they propose, one trial after another, from what came of those before."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ray import tune
from ray.tune import Callback
from ray.tune.search import ConcurrencyLimiter, SearchGenerator

from pbtbench.adapters.nesting import Nesting
from pbtbench.engines import ray_internals
from pbtbench.engines.tune.constructed import constructed, refused
from pbtbench.engines.tune.trainable import TO_MAXIMISE, member_of
from pbtbench.errors import BadInput
from pbtbench.methods.tuned import Tuned
from pbtbench.problem import method_rng
from pbtbench.recorder import Recorder
from pbtbench.space import (
    Choice,
    Constant,
    Derived,
    Hyperparameter,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Space,
    Uniform,
    Value,
)
from pbtbench.space.columns import columns, rows
from pbtbench.space.hyperparameters import plain

SEARCHERS = {
    name: load
    for name, load in ray_internals.searchers().items()
    if name not in ("random", "variant_generator")
}
"""Name -> what loads the class. Random search is a method of ours."""


class Coded:
    """A space such that every searcher takes it: plain names, bounds and scales, choices by their place.
    What a searcher proposes becomes hyperparameters again, on their steps, with the constants and what
    is drawn from others."""

    def __init__(self, method: str, space: Space) -> None:
        """Raises `BadInput` for a space that can't be searched."""
        self._space = space
        self._codes = {
            name: f"h{place}"
            for place, (name, h) in enumerate(space.items())
            if not isinstance(h, Constant | Derived)
        }
        self.domains = {
            code: _domain(method, name, space[name]) for name, code in self._codes.items()
        }

    def read(self, proposed: Mapping[str, Any]) -> dict[str, Value]:
        """The hyperparameters that a searcher proposes."""
        chosen: dict[str, Value] = {}
        for name, code in self._codes.items():
            h, value = self._space[name], plain(proposed[code])
            chosen[name] = (
                h.values[value] if isinstance(h, Choice) else h.nearest(value).item()  # type: ignore[attr-defined]
            )
        fixed = {n: h.value for n, h in self._space.items() if isinstance(h, Constant)}
        (drawn,) = rows(self._space.sample(method_rng(0), 1, [{**fixed, **chosen}]))
        return drawn


def searcher(method: Tuned, coded: Coded, size: int, seed: int) -> Any:
    """Tune's searcher of that name, over a space, for `size` trials.

    Raises `BadInput` where its package isn't installed, or for a space that it can't search.
    """
    cls = SEARCHERS[method.name]()
    logging.getLogger(method.name).setLevel(logging.WARNING)  # after its package has set it
    seeds = dict.fromkeys(("seed", "random_state", "random_state_seed"), seed)
    found = constructed(method.name, cls, method.options, {**seeds, "budget": size})
    try:
        found.set_search_properties(TO_MAXIMISE, "max", dict(coded.domains))
    except Exception as error:
        raise refused(method.name, error) from None
    return found


class Numbered(SearchGenerator):  # type: ignore[misc]
    """A searcher whose trials are members 0, 1, …: their names end in the member, as `member_of` reads."""

    def __init__(self, searcher: Any, workers: int, coded: Coded, nesting: Nesting) -> None:
        super().__init__(ConcurrencyLimiter(searcher, max_concurrent=workers))
        self._coded, self._nesting = coded, nesting
        self._theirs: dict[str, str] = {}
        """Our name of a trial -> the searcher's."""

    def create_trial_if_possible(self, experiment_spec: Any) -> Any:
        trial = super().create_trial_if_possible(experiment_spec)
        if trial is not None:
            ours = f"{trial.trial_id}_{ray_internals.trials_made(self) - 1:05d}"
            self._theirs[ours] = trial.trial_id
            trial.trial_id = ours
            trial.set_config(self._nesting.nested(self._coded.read(trial.config)))
        return trial

    def on_trial_result(self, trial_id: str, result: Any) -> None:
        super().on_trial_result(self._theirs[trial_id], result)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        super().on_trial_complete(self._theirs[trial_id], result, error)


class Proposals(Callback):  # type: ignore[misc]
    """Records with what each member starts, once a searcher has proposed it."""

    def __init__(self, recorder: Recorder, space: Space, nesting: Nesting) -> None:
        self._recorder, self._names, self._nesting = recorder, list(space), nesting
        self._seen: set[int] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Tune's snapshots of the experiment need none of it."""
        return {}

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """A trial's actor is there."""
        member = member_of(trial.trial_id)
        if member not in self._seen:
            self._seen.add(member)
            chosen = self._nesting.flat(trial.config, self._names)
            self._recorder.started(columns([chosen]), first=member)


def _domain(method: str, name: str, hyperparameter: Hyperparameter) -> Any:
    match hyperparameter:
        case Uniform(low, high):
            return tune.uniform(low, high)
        case LogUniform(low, high):
            return tune.loguniform(low, high)
        case LogIntUniform(low, high):
            return tune.lograndint(low, high + 1)
        case IntUniform(low, high):
            return tune.randint(low, high + 1)
        case Choice(values):
            return tune.choice(list(range(len(values))))
    raise BadInput(
        f"method 'tune:{method}' can't search {name!r}, which a function draws without bounds; declare "
        "it with bounds or choices"
    )
