"""Instruments: problems made to measure with, rather than to win."""
