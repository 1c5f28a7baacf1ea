"""From arrays of measures to estimates: cells of a comparison, ties, what checkpoints cost."""
