"""Reports: tables, figures and a page from metrics. Nothing here computes what metrics does not have."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

from pbtbench import metrics
from pbtbench.report import tables
from pbtbench.store import Store


def write(out: Store) -> Path:
    """Write `report/` of a study's folder anew, and return its `index.html`.

    It is built beside its place and renamed: a reader sees the old one or the new one.
    """
    pairs = out.runs()
    cells = metrics.cells(pairs)
    part = out.path / f".part-report-{uuid4().hex}"
    (part / "tables").mkdir(parents=True)
    for name, text in (
        ("comparison.md", tables.markdown(cells)),
        ("comparison.tex", tables.latex(cells)),
        ("comparison.csv", tables.as_csv(cells)),
    ):
        (part / "tables" / name).write_text(text, "utf-8")
    (part / "index.html").write_text("<!doctype html>", "utf-8")
    place = out.path / "report"
    if place.exists():
        place.rename(out.path / f".part-report-{uuid4().hex}")
    part.rename(place)
    for leftover in out.path.glob(".part-report-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return place / "index.html"
