"""Populations: members that train side by side, and their states.

A population trains, measures and hands out states; it does not choose who exploits whom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pbtbench import summaries
from pbtbench.errors import BadInput
from pbtbench.protocol import check_metrics
from pbtbench.space import Hyperparameters

State = dict[str, np.ndarray]
"""A member's whole training state (weights, optimizer slots, step), flat, by name."""


class Population(Protocol):
    """`size` members that train side by side in one process.

    What a member draws at step t depends on (its seed, t) alone: a state holds the step, never
    the seed, so that a fork goes on with its own stream.

    This is what every population has; `FullPopulation` has the parts that some have besides.
    """

    @property
    def size(self) -> int:
        """How many members."""
        ...

    @property
    def traces(self) -> int:
        """Compilations so far (0 where nothing is compiled); a call that adds one took longer."""
        ...

    def train(self, steps: int) -> None:
        """Train every member for `steps` steps, and return when the device is done."""
        ...

    def evaluate(self) -> Mapping[str, np.ndarray]:
        """Each metric of every member, shape (size,)."""
        ...

    def state(self, member: int) -> State:
        """A snapshot of the member's state that later training leaves alone."""
        ...

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        """Continue from a copy of `state` (None: keep the own one) with `hyperparameters`."""
        ...


class FullPopulation(Population):
    """A population as engines have it: what one leaves out of the optional parts is as it stands here."""

    concurrent = False
    """Whether `state` may be called while another thread trains, and then gives the state as of before. Of
    others, a donor on another worker hands out its state between two iterations."""

    @property
    def finished(self) -> int:
        """A count that grows while `train` and `evaluate` last, so that whoever watches sees them go on."""
        return 0

    def morph(self, state: State, hyperparameters: Hyperparameters) -> State:
        """The state as a member of these hyperparameters needs it, where they are of another shape of the
        model; `state` itself where nothing differs. Raises `BadInput` where it can't be made to fit."""
        return state

    def settle(self) -> None:
        """Carry out what `adopt` has put off until the last member of several has adopted."""

    @property
    def tested(self) -> bool:
        """Whether there are data that no decision sees, on which `test` measures."""
        return type(self).test is not FullPopulation.test

    def test(self) -> Mapping[str, np.ndarray]:
        """Each metric of every member on data that no decision saw, shape (size,), the objective among them; it
        changes nothing. Asked for once, after the last iteration, where `tested`."""
        return {}


class BroughtPopulation(FullPopulation):
    """A population of a class of its own, which has the optional parts that it has."""

    def __init__(self, population: Population) -> None:
        self.population: Any = population
        self.concurrent = bool(getattr(population, "concurrent", False))
        self._morph = getattr(population, "morph", super().morph)
        self._settle = getattr(population, "settle", super().settle)
        self._test = getattr(population, "test", None)

    @property
    def size(self) -> int:
        return int(self.population.size)

    @property
    def traces(self) -> int:
        return int(self.population.traces)

    @property
    def finished(self) -> int:
        return int(getattr(self.population, "finished", 0))

    def train(self, steps: int) -> None:
        self.population.train(steps)

    def evaluate(self) -> Mapping[str, np.ndarray]:
        found: Mapping[str, np.ndarray] = self.population.evaluate()
        return found

    def state(self, member: int) -> State:
        found: State = self.population.state(member)
        return found

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        self.population.adopt(member, state, hyperparameters)

    def morph(self, state: State, hyperparameters: Hyperparameters) -> State:
        return self._morph(state, hyperparameters)

    def settle(self) -> None:
        self._settle()

    @property
    def tested(self) -> bool:
        return self._test is not None

    def test(self) -> Mapping[str, np.ndarray]:
        found: Mapping[str, np.ndarray] = {} if self._test is None else self._test()
        return found


def full(population: Population) -> FullPopulation:
    """The population with all that engines ask for."""
    return population if isinstance(population, FullPopulation) else BroughtPopulation(population)


@dataclass
class LoopedPopulation(FullPopulation):
    """A population that loops over populations of one: the default for models of any kind."""

    members: list[Population]
    finished: int = field(default=0, init=False)
    """How often a member has trained or been evaluated."""

    @property
    def size(self) -> int:
        return len(self.members)

    @property
    def traces(self) -> int:
        return sum(member.traces for member in self.members)

    def train(self, steps: int) -> None:
        for place, member in enumerate(self.members):
            with summaries.of_member(place):
                member.train(steps)
            self.finished += 1

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return self._measured(lambda member: check_metrics(member.evaluate(), 1))

    @property
    def tested(self) -> bool:
        return all(full(member).tested for member in self.members)

    def test(self) -> Mapping[str, np.ndarray]:
        return self._measured(lambda member: check_metrics(full(member).test(), 1, "test()"))

    def _measured(
        self, measure: Callable[[Population], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """What is measured of each member, by metric."""
        found = []
        for place, one in enumerate(self.members):
            with summaries.of_member(place):
                found.append(measure(one))
            self.finished += 1
        for member, metrics in enumerate(found):
            if metrics.keys() != found[0].keys():
                raise BadInput(
                    f"members measure different things: {', '.join(found[0])} and, member {member}, "
                    f"{', '.join(metrics)}"
                )
        return {metric: np.concatenate([m[metric] for m in found]) for metric in found[0]}

    def state(self, member: int) -> State:
        return self.members[member].state(0)

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        self.members[member].adopt(0, state, hyperparameters)


def state_bytes(state: State) -> int:
    """Size of a state in bytes."""
    return sum(array.nbytes for array in state.values())
