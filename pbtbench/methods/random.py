"""Random search: members start at draws from the prior and never change (Bergstra & Bengio 2012)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pbtbench.methods import Forks, keep_on, with_points
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.space import Space
from pbtbench.space.columns import Columns


@dataclass(frozen=True)
class RandomSearch:
    """Draws from the prior."""

    points: Sequence[Mapping[str, Any]] = ()
    """Starting points that the first members get instead of a draw."""
    interval: ClassVar[None] = None
    synchronous: ClassVar[bool] = True
    history: ClassVar[int] = 1

    def check(self, population: int, iterations: int) -> None:
        """Any will do."""

    def propose(self, space: Space, size: int, rng: np.random.Generator) -> Columns:
        return with_points(self.points, space, size, rng)

    def decide(
        self, members: np.ndarray, board: Leaderboard, space: Space, rng: np.random.Generator
    ) -> Forks:
        return keep_on(board)


METHOD = RandomSearch
