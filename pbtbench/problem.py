"""Problems: what is trained, and on what scale it is judged. A problem times, stores and logs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pbtbench.errors import BadInput
from pbtbench.options import over_defaults
from pbtbench.population import FullPopulation, Population, full
from pbtbench.protocol import check_population
from pbtbench.schema import Count, Label, Number, Real, Reference, Text, checked
from pbtbench.space import Hyperparameters, Space, Value


@dataclass(frozen=True)
class Objective:
    """What is optimised: a metric, its direction, and what is known of its scale."""

    metric: str
    """Key of `Population.evaluate`'s result."""
    goal: Literal["max", "min"]
    targets: tuple[float, ...] = ()
    """Scores worth timing, fixed before methods are compared."""
    optimum: float | None = None
    """The best score that can be reached, where it is known: regret counts from here."""
    bound: float | None = None
    """A score that nothing can beat (1 for an accuracy); the optimum where that is known."""

    def __post_init__(self) -> None:
        checked(Reference, self.metric, "an objective's metric")
        of = f"objective {self.metric!r}"
        if self.goal not in ("max", "min"):
            raise BadInput(f"{of}: goal {self.goal!r}: give 'max' or 'min'")
        targets = checked(tuple[Real, ...], self.targets, f"{of}: targets")
        object.__setattr__(self, "targets", targets)
        for key in ("optimum", "bound"):
            checked(Number | None, getattr(self, key), f"{of}: {key}")
        if self.bound is None:
            object.__setattr__(self, "bound", self.optimum)
        if self.optimum is not None:
            self._check_reachable("optimum", self.optimum)
        for target in self.targets:
            self.check_target(target)

    @property
    def sign(self) -> int:
        """+1 where larger is better, −1 where smaller is: score × sign is to be maximised."""
        return 1 if self.goal == "max" else -1

    def reached(self, scores: np.ndarray, target: float) -> np.ndarray:
        """Where `scores` are as good as `target` or better; NaN never is."""
        return np.asarray(scores) * self.sign >= target * self.sign

    def check_target(self, target: float) -> None:
        """Raise `BadInput` if no score can reach `target`."""
        if not np.isfinite(target):
            raise BadInput(f"target {target}: give a finite number")
        self._check_reachable("target", target)

    def _check_reachable(self, what: str, score: float) -> None:
        if self.bound is not None and score * self.sign > self.bound * self.sign:
            side = "at most" if self.sign > 0 else "at least"
            raise BadInput(
                f"{what} {score:g}: no {self.metric} can reach it; it must be {side} {self.bound:g}"
            )


@dataclass(frozen=True)
class Card:
    """What of a problem a report needs, so that results can be read without the problem's code."""

    title: str
    source: str
    finding: str
    objective: Objective
    hyperparameters: Mapping[str, str]
    """Name -> how it is declared, such as `LogUniform(low=0.0001, high=1.9, dynamic=True)`."""
    dynamic: tuple[str, ...]
    """Those that may change while training."""
    plane: tuple[str, str] | None = None
    """As in `Problem`."""
    best_constant: float | None = None
    """The score of the best constant hyperparameters; None where none is known for what is run."""


@dataclass(frozen=True)
class BestConstant:
    """The best hyperparameters that never change, as far as a search found them."""

    hyperparameters: Mapping[str, Value]
    score: float
    """The median final score with them, over seeds, at the problem's default budget."""


Start = Callable[..., Population]
"""`start(hyperparameters, seeds, **options)`: a population whose member i starts with
hyperparameters[i] and draws from seeds[i], a `np.random.SeedSequence`."""


class Starter:
    """A `start` that knows more than how to make a population; what it leaves out is as it stands here."""

    framework: str = ""
    """The module that it trains with; empty where nobody says."""

    @property
    def only_on(self) -> str | None:
        """The one engine that it runs on; None: any."""
        return None

    def check(self, **options: Any) -> None:
        """Raise `BadInput` for what can be seen to be wrong before a population is made, with the
        problem's options."""

    def metric_name(self, metric: str) -> str:
        """How populations call a metric that an objective names."""
        return metric


PLAIN_START = Starter()
"""What is known of a function that is given as `start`."""


@dataclass(frozen=True)
class Problem:
    """A benchmark problem. One file under `problems/`, or of your own, holds one as `PROBLEM`."""

    title: str
    """One line: what is trained."""
    source: str
    """Where it is defined: a citation."""
    finding: str
    """The known effect that it exists to show."""
    space: Space
    objective: Objective
    iterations: int
    """Default budget of each member."""
    steps_per_iteration: int
    start: Start
    framework: str = ""
    """The module that it trains with, imported before a run's clock starts. By default what its `start` names
    as `framework`; empty where nobody says."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of `start` that a study may set, with their defaults."""
    plane: tuple[str, str] | None = None
    """Two metrics that tell where a member is: reports draw members' paths in that plane."""
    requires: Mapping[str, str] = field(default_factory=dict)
    """Modules that it needs beyond those that pbtbench brings -> the command that installs each."""
    test: str = ""
    """What members are tested on after their last iteration, that no decision saw, such as "20% of the images":
    said where a population has a `test`; empty where scores are of validation data, or nobody says."""
    download: str = ""
    """What must be fetched at its first use, if anything, such as "11 MB, by keras.datasets"."""
    name: str = ""
    """Set by the catalogue: the place that the problem was found at."""
    best_constant: BestConstant | None = None
    """Set by the catalogue, from the file `best_constants.toml` of the problem's package."""

    def __post_init__(self) -> None:
        checked(Reference, self.title, "a problem's title")
        of = f"problem {self.title!r}"
        for key, kind in FIELDS.items():
            checked(kind, getattr(self, key), f"{of}: {key}")
        for key, value, expected in (
            ("space", self.space, Space),
            ("objective", self.objective, Objective),
        ):
            if not isinstance(value, expected):
                raise BadInput(
                    f"{of}: {key} is a {type(value).__name__}; give a pbtbench.{expected.__name__}"
                )
        if not callable(self.start):
            raise BadInput(
                f"{of}: start is a {type(self.start).__name__}; give a function "
                "(hyperparameters, seeds, **options) that makes a population"
            )
        for name in self.space:
            checked(Label, name, f"{of}: a hyperparameter's name")
        if not self.framework:
            object.__setattr__(self, "framework", self.starter.framework)
        metric = self.starter.metric_name(self.objective.metric)
        object.__setattr__(self, "objective", replace(self.objective, metric=metric))

    @property
    def starter(self) -> Starter:
        """What is known of its `start`."""
        return self.start if isinstance(self.start, Starter) else PLAIN_START

    def missing(self) -> list[str]:
        """The modules that it requires and that are not installed; looking imports none of them."""
        return [module for module in self.requires if find_spec(module) is None]

    def check_installed(self) -> None:
        """Raise `BadInput` if a module that it requires is not installed."""
        for module in self.missing():
            raise BadInput(
                f"problem {self.name or self.title!r} needs {module}, which is not installed: "
                f"{self.requires[module]}"
            )

    def population(
        self,
        hyperparameters: Sequence[Hyperparameters],
        seeds: Sequence[np.random.SeedSequence],
        options: Mapping[str, Any] | None = None,
    ) -> FullPopulation:
        """Start a population of `len(hyperparameters)` members; `options` override the defaults.

        Raises `BadInput` for a problem that starts anything else.
        """
        self.check_installed()
        population = self.start(hyperparameters, seeds, **self.with_options(options or {}))
        check_population(population, len(hyperparameters))
        return full(population)

    def with_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults with `options` over them; `BadInput` for one that doesn't fit."""
        return over_defaults(f"problem {self.name or self.title!r}", self.options, options)


FIELDS: Mapping[str, Any] = {
    "source": str,
    "finding": str,
    "iterations": Count,
    "steps_per_iteration": Count,
    "framework": Text,
    "options": Mapping[Label, Any],
    "plane": Annotated[tuple[Reference, ...], Field(min_length=2, max_length=2)] | None,
    "requires": Mapping[Reference, Text],
    "test": Text,
    "download": Text,
    "name": Text,
}
"""What kinds of values a problem's fields have."""


def card(problem: Problem, *, as_it_is: bool = True) -> Card:
    """The problem's card. `as_it_is`: run with its own options and budget, so that what is known of
    constant hyperparameters holds."""
    best = problem.best_constant if as_it_is else None
    return Card(
        title=problem.title,
        source=problem.source,
        finding=problem.finding,
        objective=problem.objective,
        hyperparameters={name: str(h) for name, h in problem.space.items()},
        dynamic=problem.space.dynamic,
        plane=problem.plane,
        best_constant=best.score if best else None,
    )


def member_seed(run_seed: int, member: int) -> np.random.SeedSequence:
    """The seed of one member of a run, the same wherever and in whatever order members run."""
    return np.random.SeedSequence(run_seed, spawn_key=(1, member))


def method_rng(run_seed: int) -> np.random.Generator:
    """The generator of a run's method: decisions draw from it alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(run_seed, spawn_key=(0,))))
