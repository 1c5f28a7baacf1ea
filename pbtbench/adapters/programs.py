"""The programs of one recipe, a program for each choice of what shapes the model; and what is tried of a
recipe before anything trains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pbtbench.adapters.program import Program
from pbtbench.adapters.recipe import Recipe
from pbtbench.errors import BadInput
from pbtbench.space import Hyperparameters, Space, Value
from pbtbench.space.columns import rows


@dataclass(frozen=True)
class Programs:
    """The programs of a recipe, compiled when needed, and kept for this process's next population."""

    recipe: Recipe

    def __reduce__(self) -> tuple[type[Programs], tuple[Recipe]]:
        return Programs, (self.recipe,)

    def __deepcopy__(self, memo: object) -> Programs:
        """Without what was compiled."""
        return Programs(replace(self.recipe))

    @cached_property
    def made(self) -> dict[str, Program]:
        """Those compiled so far, by the values of the static hyperparameters."""
        return {}

    def of(self, hyperparameters: Hyperparameters) -> Program:
        """The program for the static ones among `hyperparameters`."""
        static = self.recipe.static(hyperparameters)
        for name in self.recipe.widths:
            if float(static[name]) < 1:
                raise BadInput(f"{name} = {static[name]}: a layer needs at least 1 unit")
        key = json.dumps(static, default=repr)
        if key not in self.made:
            self.made[key] = Program(self.recipe, static, self.check_asked)
        return self.made[key]

    @cached_property
    def probes(self) -> list[Probe]:
        """What comes of some hyperparameters, each tried for one step outside of a graph."""
        found = []
        for hyperparameters in variants(self.recipe.space, self.recipe.dynamic_numbers):
            program = Program(self.recipe, self.recipe.static(hyperparameters), self.check_asked)
            program.try_step()
            shapes = {name: tuple(v.shape) for name, v in program.variables.items()}
            found.append(Probe(hyperparameters, shapes, frozenset(program.asked)))
        return found

    def check_asked(self, asked: AbstractSet[str]) -> None:
        """Raise `BadInput` for a hyperparameter that is not among those `asked` for, nor asked for with any
        other values of the static ones."""
        if unread := set(self.recipe.space) - asked:
            unread -= {name for probe in self.probes for name in probe.asked}
        if unread:
            raise BadInput(
                f"hyperparameter {min(unread)!r}: build() never asks for it, so that its values change "
                "nothing; use it there, or take it out of the space"
            )

    def check(self) -> None:
        """As `KerasStart.check`."""
        self.check_asked(set())
        some, *others = self.probes
        for other in others:
            changed = [n for n in self.recipe.space if other.tried[n] != some.tried[n]]
            if len(changed) != 1 or other.shapes == some.shapes:
                continue
            if self.recipe.space[name := changed[0]].dynamic and name not in self.recipe.widths:
                value = other.tried[name]
                width = isinstance(value, int) and (
                    ", or, where it is the width of a layer, name it in keras_population(…, widths=(…))"
                )
                raise BadInput(
                    f"dynamic hyperparameter {name!r}: {value!r} makes other weights or optimizer slots "
                    f"than {some.tried[name]!r}, so that a member can't change it and keep its state; "
                    f"declare it with dynamic=False{width or ''}"
                )


class Probe(NamedTuple):
    """What came of hyperparameters that were tried for a step."""

    tried: Hyperparameters
    shapes: Mapping[str, tuple[int, ...]]
    """Of weights and slots, by name."""
    asked: frozenset[str]
    """The hyperparameters that were asked for."""


def variants(space: Space, numbers: Mapping[str, float]) -> list[dict[str, Value]]:
    """Hyperparameters that show what shapes a model: some, then each other value of each one that isn't
    a dynamic number (the least and greatest of whole numbers, some draws where there are no bounds), then
    some more draws of all."""
    rng = np.random.default_rng(0)
    some, *more = rows(space.sample(rng, 1 + DRAWS))
    found = [some]
    for name, hyperparameter in space.items():
        if name in numbers:
            continue
        values = getattr(hyperparameter, "values", None) or [
            getattr(hyperparameter, bound)
            for bound in ("low", "high")
            if hasattr(hyperparameter, bound)
        ]
        values = values or hyperparameter.sample(rng, DRAWS).tolist()
        found += [{**some, name: value} for value in values if value != some[name]]
    return found + more


DRAWS = 4
"""Values that are tried of a hyperparameter whose values can't be listed."""
