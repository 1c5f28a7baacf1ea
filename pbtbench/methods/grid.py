"""Grid search: members start at the points of a full factorial and never change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.methods import Forks, keep_on, with_points
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.space import Space
from pbtbench.space.columns import Columns


@dataclass(frozen=True)
class GridSearch:
    """The largest balanced full factorial within the population, or explicit levels or points."""

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Explicit levels of some hyperparameters, which multiply out."""
    points: Sequence[Mapping[str, Any]] = ()
    """Explicit points, in place of a factorial."""
    interval: ClassVar[None] = None
    synchronous: ClassVar[bool] = True
    history: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.values and self.points:
            raise BadInput("method 'grid': give values or points, not both")
        for name, levels in self.values.items():
            if isinstance(levels, str):
                raise BadInput(f"method 'grid': values of {name!r}: {levels!r}: give a list")

    def check(self, population: int, iterations: int) -> None:
        """Any will do."""

    def propose(self, space: Space, size: int, rng: np.random.Generator) -> Columns:
        if self.points:
            return with_points(self.points, space, len(self.points), rng)
        return space.grid(size, self.values)

    def decide(
        self, members: np.ndarray, board: Leaderboard, space: Space, rng: np.random.Generator
    ) -> Forks:
        return keep_on(board)


METHOD = GridSearch
