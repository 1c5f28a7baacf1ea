"""Population based training (Jaderberg et al. 2017, arXiv 1711.09846): exploit, then explore.

Every `interval` iterations a member may be replaced by a copy of a better one (`exploit`), whose
hyperparameters are then changed a little (`explore`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbtbench.errors import BadInput, unknown
from pbtbench.methods import Fork, check_exploits, with_points
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.methods.pbt.exploit import EXPLOITS
from pbtbench.methods.pbt.explore import perturb, user_explore
from pbtbench.schema import Integer, Real, Reference, Text, Truth
from pbtbench.space import Hyperparameters, Space

LARGEST_FACTOR = 1000.0
"""Larger ones, and those below its inverse, only ever hit bounds."""


@dataclass(frozen=True)
class PBT:
    """PBT with the options of the paper and of Ray Tune, under Ray Tune's names where it has one."""

    interval: Integer = 1
    """Perturbation interval: iterations between decisions."""
    exploit: Text = "truncation"
    """`truncation`, `tournament` (binary) or `welch` (t-test on the last scores)."""
    quantile_fraction: Real = 0.25
    """Truncation: the share that is replaced, and the share that donors come from."""
    explore: Reference = "perturb"
    """`perturb`, or a function of yours as `package.module:name` or `./file.py:name`."""
    resample_probability: Real = 0.25
    """For each hyperparameter: how often it is drawn anew from its prior."""
    perturbation_factors: tuple[Real, ...] = (1.2, 0.8)
    """Otherwise it is multiplied by one of these."""
    burn_in_period: Integer = 0
    """Iterations before a member's first decision."""
    synchronous: Truth = True
    """All members decide together on the same scores; else one after another, each on what the
    board shows at that moment."""
    points: Sequence[Mapping[str, Any]] = ()
    """Starting points that the first members get instead of a draw."""

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise BadInput(f"perturbation interval {self.interval}: give at least 1 iteration")
        if self.exploit not in EXPLOITS:
            raise unknown("exploit", self.exploit, EXPLOITS)
        if not 0 < self.quantile_fraction <= 0.5:
            raise BadInput(
                f"quantile_fraction {self.quantile_fraction}: give a share in (0, 0.5], "
                "so that nobody is donor and recipient at once"
            )
        if not 0 <= self.resample_probability <= 1:
            raise BadInput(f"resample_probability {self.resample_probability}: give 0 to 1")
        factors = self.perturbation_factors
        most = LARGEST_FACTOR
        if not factors or not all(1 / most <= factor <= most for factor in factors):
            raise BadInput(
                f"perturbation_factors {list(factors)}: give numbers above 0, from {1 / most:g} to {most:g}"
            )
        if self.burn_in_period < 0:
            raise BadInput(f"burn_in_period {self.burn_in_period}: give 0 iterations or more")
        if self.explore != "perturb":
            user_explore(self.explore)

    def check(self, population: int, iterations: int) -> None:
        check_exploits(
            self.interval,
            population,
            iterations,
            burn_in=self.burn_in_period,
            scores=2 if self.exploit == "welch" else 1,
        )

    def propose(
        self, space: Space, size: int, rng: np.random.Generator
    ) -> Sequence[Hyperparameters]:
        return with_points(self.points, space, size, rng)

    def decide(
        self, member: int, board: Leaderboard, space: Space, rng: np.random.Generator
    ) -> Fork | None:
        if board.iteration(member) < self.burn_in_period or len(board) < 2:
            return None
        donor = EXPLOITS[self.exploit](member, board, self.quantile_fraction, rng)
        if donor is None or board.scores(donor)[-1] == -math.inf:  # nobody has a score yet
            return None
        return Fork(donor, self.explored(board.hyperparameters[donor], space, rng))

    def explored(
        self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator
    ) -> Hyperparameters:
        """A donor's hyperparameters, changed: the static ones stay as they are."""
        if self.explore != "perturb":
            return user_explore(self.explore)(hyperparameters, space, rng)
        return perturb(
            hyperparameters, space, rng, self.resample_probability, self.perturbation_factors
        )


METHOD = PBT
