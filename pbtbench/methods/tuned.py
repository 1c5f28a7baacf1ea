"""Ray Tune's other schedulers and searchers, as methods `tune:<name>`. They decide within Tune; here
is what a study knows of them without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pbtbench.methods import Forks, check_exploits, keep_on, with_points
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.space import Space
from pbtbench.space.columns import Columns

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
    history: ClassVar[int] = 1

    def check(self, population: int, iterations: int) -> None:
        if self.interval is not None:
            check_exploits(self.interval, population, iterations)

    def propose(self, space: Space, size: int, rng: np.random.Generator) -> Columns:
        """Those of random search; a searcher has its own instead, a replay its policy's."""
        return with_points((), space, 1 if self.name == "replay" else size, rng)

    def decide(
        self, members: np.ndarray, board: Leaderboard, space: Space, rng: np.random.Generator
    ) -> Forks:
        return keep_on(board)
