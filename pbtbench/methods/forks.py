"""Forks: who goes on from whose state, and what one fork has to do with those before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pbtbench.space.columns import Columns

NOBODY = -1
"""The donor of a member that keeps on."""


@dataclass(frozen=True)
class Forks:
    """Decisions: each member takes its donor's state and goes on with these hyperparameters. Those of a
    synchronous method are one; others are in the order in which they were decided."""

    members: np.ndarray
    """Each at most once, shape (forks,)."""
    donors: np.ndarray
    """Shape (forks,)."""
    hyperparameters: Columns
    """What each member goes on with: all names."""

    def __len__(self) -> int:
        return len(self.members)


def before(members: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of `members`, who act one after another and once each: the place in this order of the one of
    `others` that it looks at, if that one acts before it; else −1. Shape (members,)."""
    by_number = np.argsort(members)
    near = np.searchsorted(members, others, sorter=by_number)
    places = by_number[np.minimum(near, len(members) - 1)]
    earlier = (members[places] == others) & (places < np.arange(len(members)))
    return np.where(earlier, places, -1)


def generations(waits_for: np.ndarray) -> Iterator[np.ndarray]:
    """Places 0, 1, …, such that each comes in a later block than the place that it waits for, which is
    smaller (−1: none)."""
    generation = np.where(waits_for < 0, 0, -1)
    waiting = np.flatnonzero(waits_for >= 0)
    ready, number = np.flatnonzero(waits_for < 0), 0
    while len(ready):
        yield ready
        number += 1
        free = generation[waits_for[waiting]] == number - 1
        ready, waiting = waiting[free], waiting[~free]
        generation[ready] = number


def roots(waits_for: np.ndarray) -> np.ndarray:
    """For each place, the first of the chain of places that it waits for."""
    found = np.where(waits_for < 0, np.arange(len(waits_for)), waits_for)
    while not np.array_equal(further := found[found], found):
        found = further
    return found
