"""A study, run by run: the runner, the process that works, and how far it is."""
