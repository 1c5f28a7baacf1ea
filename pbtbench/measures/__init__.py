"""Measures: numbers and curves of a run, from its record. Pure functions; nothing here plots or prints."""
