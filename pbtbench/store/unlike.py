"""Runs of one cell that are not of one kind, as where somebody put two studies together: they say nothing
together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbtbench.measures import Measures

SHOWN = 3
"""Seeds that a line names."""


def alike(measures: Sequence[Measures], left_out: list[str], where: Path) -> list[Measures]:
    """The runs of each cell that are of the same code and settings, as most of them are. Others are left out:
    `left_out` gets a line for each kind of them."""
    of_cells: dict[str, dict[str, list[Measures]]] = {}
    for m in measures:
        kinds = of_cells.setdefault(m.run.cell, {"": []})
        first = kinds[""]
        differs = first and first[0].run.differences(m.run)
        kinds.setdefault(m.run.meaning() if differs else "", []).append(m)
    found: list[Measures] = []
    for cell, kinds in of_cells.items():
        most, *others = sorted(kinds.values(), key=len, reverse=True)
        found += most
        left_out += (_line(f"{where}/runs/{cell}", some, most) for some in others)
    return found


def _line(where: str, some: Sequence[Measures], most: Sequence[Measures]) -> str:
    what = ", ".join(some[0].run.differences(most[0].run))
    seeds = ", ".join(f"s{m.run.seed}" for m in some[:SHOWN])
    more = f", … ({len(some)} runs)" if len(some) > SHOWN else ""
    return (
        f"{where}: {seeds}{more}: of other code or settings ({what}) than {len(most)} more of it, such as "
        f"s{most[0].run.seed}; move them into a folder of their own, or have --again make them anew"
    )
