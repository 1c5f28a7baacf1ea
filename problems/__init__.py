"""The problems that ship with pbtbench: one file is one problem, its `PROBLEM` constant."""

PBTBENCH_PROBLEMS = True
"""Tells the catalogue that this is pbtbench's own `problems`, not a stray namesake."""
