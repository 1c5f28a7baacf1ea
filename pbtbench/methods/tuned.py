"""Ray Tune's other schedulers and searchers, as methods `tune:<name>`. They decide within Tune; here
is what a study knows of them without importing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pbtbench.methods import Fork, check_exploits, with_points
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.space import Hyperparameters, Space

INTERVALS = ("pb2",)
"""Those that have a perturbation interval."""


@dataclass(frozen=True)
class Tuned:
    """Ray Tune's scheduler or searcher of that name (engine tune only): asha, hyperband, pb2, optuna …"""

    name: str
    """`asha` in `tune:asha`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """For the constructor of Tune's class, under its names."""
    interval: int | None = None
    synchronous: ClassVar[bool] = False

    def check(self, population: int, iterations: int) -> None:
        if self.interval is not None:
            check_exploits(self.interval, population, iterations)

    def propose(
        self, space: Space, size: int, rng: np.random.Generator
    ) -> Sequence[Hyperparameters]:
        """Those of random search; a searcher has its own instead, a replay its policy's."""
        return with_points((), space, 1 if self.name == "replay" else size, rng)

    def decide(
        self, member: int, board: Leaderboard, space: Space, rng: np.random.Generator
    ) -> Fork | None:
        return None
