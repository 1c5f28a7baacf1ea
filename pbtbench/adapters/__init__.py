"""Adapters: a framework's model, optimizer and data become a `Population`. One file is one framework."""
