"""Random numbers of members that train side by side, each from a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

FIRST = 2**63
"""The block of what is drawn before the first step."""

BLOCK = 256
"""Steps whose numbers are drawn at once: a new generator costs as much as some hundred numbers."""


def generator(seed: np.random.SeedSequence, step: int) -> np.random.Generator:
    """What a member draws from at a step, or at `FIRST`; for draws too large to keep a block of."""
    return _generator(seed.generate_state(2, np.uint64), step)


def _generator(key: np.ndarray, block: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, block]))


Draw = Callable[[np.random.Generator, int], np.ndarray]
"""`draw(rng, steps)`: the numbers of so many steps, first axis the steps."""


class Streams:
    """What each member draws at a step depends on (its seed, the step) alone, whoever trains beside it."""

    def __init__(self, seeds: Sequence[np.random.SeedSequence], draw: Draw) -> None:
        self._draw = draw
        self._keys = [seed.generate_state(2, np.uint64) for seed in seeds]
        self._block = np.full(len(seeds), -1)
        self._numbers: list[np.ndarray] = [np.zeros(0)] * len(seeds)
        self._table = np.zeros(0)

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The numbers of every member at its own step; `steps` has shape (members,)."""
        blocks = steps // BLOCK
        stale = np.flatnonzero(blocks != self._block)
        if len(stale):
            for member in stale.tolist():
                self._numbers[member] = self._draw(
                    _generator(self._keys[member], int(blocks[member])), BLOCK
                )
            self._block = blocks
            self._table = np.stack(self._numbers)
        return np.asarray(self._table[np.arange(len(steps)), steps % BLOCK])

    def first(self, draw: Callable[[np.random.Generator], np.ndarray]) -> np.ndarray:
        """What every member draws before its first step, first axis the members."""
        return np.stack([draw(_generator(key, FIRST)) for key in self._keys])
