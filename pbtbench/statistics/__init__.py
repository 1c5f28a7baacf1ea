"""From arrays of measures to estimates.

Of plain arrays: `bootstrap` (scores of several problems as one number), `improvement` (how likely a run is to
be better), `ranks`, `time_to_target` and `profiles` (times of which some are missed), `power` (what so many
seeds can decide). Their intervals are those that covered best of the tried ones (`results/coverage.csv`).
Of measures: cells of a comparison, ties, what checkpoints cost.
"""
