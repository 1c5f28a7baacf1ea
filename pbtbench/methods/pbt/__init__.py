"""Population based training (Jaderberg et al. 2017, arXiv 1711.09846): exploit, then explore.

Every `interval` iterations a member may be replaced by a copy of a better one (`exploit`), whose
hyperparameters are then changed a little (`explore`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbtbench.errors import BadInput, unknown
from pbtbench.methods import Forks, check_exploits, keep_on, with_points
from pbtbench.methods.forks import NOBODY, before, generations
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.methods.pbt.exploit import EXPLOITS, WELCH_SCORES
from pbtbench.methods.pbt.explore import each, perturb, user_explore
from pbtbench.schema import Integer, Real, Reference, Text, Truth
from pbtbench.space import Space
from pbtbench.space.columns import Columns, placed, taken

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

    @property
    def history(self) -> int:
        return WELCH_SCORES if self.exploit == "welch" else 1

    def propose(self, space: Space, size: int, rng: np.random.Generator) -> Columns:
        return with_points(self.points, space, size, rng)

    def decide(
        self, members: np.ndarray, board: Leaderboard, space: Space, rng: np.random.Generator
    ) -> Forks:
        if not self.synchronous:
            members = rng.permutation(members)
        members = members[board.iterations[members] >= self.burn_in_period]
        if len(board) < 2 or not len(members):
            return keep_on(board)
        donors = EXPLOITS[self.exploit](
            members, board, self.quantile_fraction, rng, self.synchronous
        )
        forking = donors != NOBODY
        return self._explored(members[forking], donors[forking], board, space, rng)

    def explored(self, donors: Columns, space: Space, rng: np.random.Generator) -> Columns:
        """Donors' hyperparameters, changed: the static ones stay as they are."""
        if self.explore != "perturb":
            return each(user_explore(self.explore), donors, space, rng)
        return perturb(donors, space, rng, self.resample_probability, self.perturbation_factors)

    def _explored(
        self,
        members: np.ndarray,
        donors: np.ndarray,
        board: Leaderboard,
        space: Space,
        rng: np.random.Generator,
    ) -> Forks:
        """The forks with their hyperparameters: a donor that forked before hands on its new ones."""
        found = taken(board.hyperparameters, donors)
        if self.synchronous:
            return Forks(members, donors, self.explored(found, space, rng))
        waits_for = before(members, donors)
        sources = np.where(waits_for < 0, np.arange(len(members)), waits_for)
        for places in generations(waits_for):
            changed = self.explored(taken(found, sources[places]), space, rng)
            for name, values in changed.items():
                found[name] = placed(found[name], places, values)
        return Forks(members, donors, found)


METHOD = PBT
