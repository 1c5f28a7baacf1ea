"""Reports: sentences, tables, figures and pages from measures. Nothing here computes what measures and
statistics do not have; only figures of families and paths open a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pbtbench.measures import Measures
from pbtbench.store import Store


def write(
    out: Store, measures: Sequence[Measures], beside: Mapping[str, str | bytes] | None = None
) -> Path:
    """Write `report/` of a study's folder anew, whole, and return its `index.html`. `beside`: more of its
    files, such as `paper.paper_files` gives."""
    from pbtbench.report.build import build

    return out.write_report({**build(out, measures), **(beside or {})}) / "index.html"
