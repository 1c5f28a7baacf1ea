"""Hyperparameters of many members at once, as columns: a name, and an array with a value for each member.

A column of real numbers is float64, one of whole numbers int64; one that mixes these, or holds anything
else, is an array of Python objects. So every value comes back as what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Columns = Mapping[str, np.ndarray]
"""Name -> values, shape (members,)."""


def column(values: Sequence[Any]) -> np.ndarray:
    """Plain values as an array of the type that keeps them as they are, shape (len(values),)."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return np.array(values, np.float64)
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return np.array(values, np.int64)
    mixed = np.empty(len(values), object)
    mixed[:] = values if not kinds & {list, tuple} else None
    if kinds & {list, tuple}:
        for place, value in enumerate(values):
            mixed[place] = value
    return mixed


def columns(members: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The hyperparameters of members, all of the same names, as columns."""
    names = members[0] if members else ()
    return {name: column([member[name] for member in members]) for name in names}


def rows(columns: Columns) -> list[dict[str, Any]]:
    """The columns as each member's hyperparameters, plain values."""
    lists = [values.tolist() for values in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]


def taken(columns: Columns, places: Any) -> dict[str, np.ndarray]:
    """The columns of the members at some places (indices, a slice or a mask)."""
    return {name: values[places] for name, values in columns.items()}


def joined(blocks: Sequence[Columns]) -> dict[str, np.ndarray]:
    """Columns of the same names, one block behind the other; a column whose blocks differ in type becomes
    one of objects."""
    found = {}
    for name in blocks[0] if blocks else ():
        parts = [block[name] for block in blocks]
        alike = len({part.dtype for part in parts}) == 1
        found[name] = np.concatenate(parts if alike else [part.astype(object) for part in parts])
    return found


def placed(values: np.ndarray, places: Any, new: np.ndarray) -> np.ndarray:
    """The column with new values at some places: the same array, or one of objects where that one can't
    hold them as they are."""
    if values.dtype != new.dtype and len(new):
        values, new = values.astype(object), new.astype(object)
    if len(new):
        values[places] = new
    return values
