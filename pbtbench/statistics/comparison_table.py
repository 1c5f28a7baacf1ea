"""Methods held against baselines as one frame: a row for each comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pbtbench.statistics.baselines import Comparison
from pbtbench.statistics.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Mapping[str, Callable[[Comparison], Any]] = {
    "problem": lambda c: c.one.problem,
    "label": lambda c: c.one.label,
    "baseline": lambda c: c.baseline.label,
    "engine": lambda c: c.one.engine,
    "cluster": lambda c: c.one.cluster,
    "seeds": lambda c: c.n,
    "paired": lambda c: c.paired,
    "verdict": lambda c: c.verdict,
    "difference": lambda c: c.difference.value,
    "difference_low": lambda c: c.difference.low,
    "difference_high": lambda c: c.difference.high,
    "improvement": lambda c: c.improvement.value,
    "improvement_low": lambda c: c.improvement.low,
    "improvement_high": lambda c: c.improvement.high,
    "p": lambda c: c.p,
    "adjusted_p": lambda c: c.adjusted_p,
    "smallest_difference": lambda c: _value(c.smallest_difference),
    "seeds_needed": lambda c: _value(c.seeds_needed),
}
"""Column -> what it says of a comparison (`baselines.Comparison`)."""


def frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """A row for each, in their order. NaN where seeds are too few to say what they could show."""
    import pandas as pd

    return pd.DataFrame({name: [of(c) for c in comparisons] for name, of in COLUMNS.items()})


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value
