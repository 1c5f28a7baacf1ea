"""The digits' perceptron with a width that PBT perturbs while it trains: a network morphism at each fork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from pbtbench.adapters.keras import keras_population
from pbtbench.population import Population
from pbtbench.problem import Objective, Problem, Start
from pbtbench.space import Choice, Hyperparameters, Space
from problems.vision import digits_mlp

WIDTHS = (8, 16, 32, 64)
SPACE = Space({**digits_mlp.SPACE, "units": Choice(WIDTHS)})


def build(fixed: int, l1: bool, hyper: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """As `vision.digits_mlp`; `fixed`: the width whatever `units` says, if it isn't 0."""
    own = {**hyper, "units": fixed or hyper["units"]}
    return digits_mlp.build(own if l1 else {**own, "l1": 0.0 * hyper["l1"]})


@dataclass
class Morphing:
    """`start`, which keeps what is compiled for each setting, for this process's next population of it."""

    starts: dict[tuple[str, bool, int], Start] = field(default_factory=dict)
    widths = ("units",)

    def __call__(
        self,
        hyperparameters: Sequence[Hyperparameters],
        seeds: Sequence[np.random.SeedSequence],
        rule: str,
        l1: bool,
        fixed: int,
    ) -> Population:
        """`rule`: which units go, `magnitude` or `truncation`; `l1`: whether there is a penalty, which is
        what makes units vanish; `fixed`: a width that stays, 0 for none."""
        setting = (rule, l1, fixed)
        if setting not in self.starts:
            self.starts[setting] = keras_population(
                SPACE,
                partial(build, fixed, l1),
                digits_mlp.data,
                batch_size=64,
                widths=self.widths,
                rule=rule,  # type: ignore[arg-type]
            )
        return self.starts[setting](hyperparameters, seeds)


PROBLEM = Problem(
    title="the perceptron of vision.digits_mlp, its width perturbed while it trains",
    source="Chen et al. 2016, Net2Net (arXiv 1511.05641); the data as of vision.digits_mlp",
    finding="A width that may change ends where the better fixed ones do (32 and 64 units), not above them; by "
    "magnitude units go at less loss than by truncation, and PBT makes up for most of either.",
    space=SPACE,
    objective=Objective("accuracy", "max", targets=(0.95, 0.97), bound=1.0),
    iterations=20,
    steps_per_iteration=20,
    start=Morphing(),
    framework="tensorflow",
    test="20% of the images",
    options={"rule": "magnitude", "l1": True, "fixed": 0},
)
