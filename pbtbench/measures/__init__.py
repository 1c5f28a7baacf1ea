"""Measures: numbers and curves of a run, from its record. Pure functions; nothing here plots or prints."""

from pbtbench.measures.of_run import DEFINITIONS, Measures, from_json, measure, to_json
from pbtbench.measures.table import frame

__all__ = ["DEFINITIONS", "Measures", "frame", "from_json", "measure", "to_json"]
