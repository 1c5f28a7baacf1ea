"""Reports: sentences, tables, figures and pages from measures. Nothing here computes what measures and
statistics do not have; only figures of families and paths open a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pbtbench.measures import Measures
from pbtbench.store import Store

if TYPE_CHECKING:
    from pbtbench.store.several import KeptStudy


def write(
    out: Store, measures: Sequence[Measures], beside: Mapping[str, str | bytes] | None = None
) -> Path:
    """Write `report/` of a study's folder anew, whole, and return its `index.html`. `beside`: more of its
    files, such as `paper.paper_files` gives."""
    from pbtbench.report.build import build

    return out.write_report({**build(out, measures), **(beside or {})}) / "index.html"


def write_several(out: Store, studies: Sequence[KeptStudy], left_out: Sequence[str]) -> Path:
    """Write `report/` of several studies anew into a folder that was claimed for it (`store.several.claim`),
    and return its `index.html`. `left_out`: a line for each folder, and run, that could not be read."""
    from pbtbench.report.side_by_side import build_several

    return out.write_report(build_several(studies, left_out)) / "index.html"
