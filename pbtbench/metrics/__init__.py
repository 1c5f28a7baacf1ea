"""Metrics: numbers from traces. Pure functions; nothing here plots, prints, or imports Ray or TensorFlow.

`measure` gives all measures of one run, `cells` those of its method over the seeds, `summary` the
tidy table that is kept as `summary.csv`, `findings` what they show in words. Curves (`quality`) and
family trees (`lineage`) are for figures.
"""

from __future__ import annotations

from pbtbench.metrics.beside import Beside, beside
from pbtbench.metrics.findings import Finding, findings
from pbtbench.metrics.laboratory import Costs, laboratory, outside
from pbtbench.metrics.measures import Cell, Measures, Spread, TargetCell, cells, measure
from pbtbench.metrics.overhead import Overhead, overhead
from pbtbench.metrics.quality import Quality, quality
from pbtbench.metrics.summary import COLUMNS, summary, summary_csv
from pbtbench.metrics.target import Attempt, attempt, censored_median, ert

__all__ = [
    "COLUMNS",
    "Attempt",
    "Beside",
    "Cell",
    "Costs",
    "Finding",
    "Measures",
    "Overhead",
    "Quality",
    "Spread",
    "TargetCell",
    "attempt",
    "beside",
    "cells",
    "censored_median",
    "ert",
    "findings",
    "laboratory",
    "measure",
    "outside",
    "overhead",
    "quality",
    "summary",
    "summary_csv",
]
