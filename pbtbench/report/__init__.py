"""Reports: tables, figures and a page from metrics. Nothing here computes what metrics does not have."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from pbtbench.record import Outcome
from pbtbench.run import Run
from pbtbench.store import Store


def write(out: Store, pairs: Sequence[tuple[Run, Outcome]]) -> Path:
    """Write `report/` of a study's folder anew, from its runs, and return its `index.html`.

    It is built beside its place and renamed: a reader sees the old one or the new one.
    """
    from pbtbench.report.build import build

    part = out.path / f".part-report-{uuid4().hex}"
    try:
        for name, text in build(out, pairs).items():
            file = part / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        place = out.path / "report"
        if place.exists():
            place.rename(out.path / f".part-report-{uuid4().hex}")
        part.rename(place)
    finally:
        for leftover in out.path.glob(".part-report-*"):
            shutil.rmtree(leftover, ignore_errors=True)
    return place / "index.html"
