"""Benchmarks in the formats of services that draw them over time.

- `github`: `customSmallerIsBetter` of github-action-benchmark (its README and `src/extract.ts`): a list, which
  may not be empty, of `name`, `unit`, `value`, and optionally `range` and `extra`;
- `bencher`: Bencher Metric Format (bencher.dev/docs/reference/bencher-metric-format, and its schema bmf.json):
  benchmark -> measure -> `value`, with the least and most of the rounds as `lower_value` and `upper_value`.

A value is the median over the rounds. Of the scores `github` has those of which less is better; a target that
was missed in most rounds has no value, and is left out.

Not among them: CodSpeed publishes no format to upload, and asv reads results only beside benchmarks and
environments of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.regression.kinds import KINDS, Kind, base
from pbtbench.regression.sitting import Sitting

LONGEST = 1024
"""Characters of a benchmark's name that Bencher takes."""

UNITS: Mapping[Kind, str] = {"time": "s", "count": "count", "share": "share", "score": "score"}


@dataclass(frozen=True)
class _Measured:
    """A measure of a benchmark's method, over its rounds."""

    benchmark: str
    measure: str
    kind: Kind
    less_is_better: bool
    value: float
    low: float
    high: float
    rounds: int


def _measured(sitting: Sitting) -> Iterator[_Measured]:
    for benchmark, labels in sitting.benchmarks.items():
        for label, entry in labels.items():
            for measure in entry.measures:
                rounds = entry.rounds(measure)
                kind = KINDS.get(base(measure))
                if kind is None or not math.isfinite(middle := float(np.median(rounds))):
                    continue
                known = rounds[np.isfinite(rounds)]
                less = kind != "score" or entry.goal == "min"
                low, high = float(known.min()), float(known.max())
                name = f"{benchmark} {label}"
                yield _Measured(name, measure, kind, less, middle, low, high, len(rounds))


def github(sitting: Sitting) -> list[dict[str, Any]]:
    """For github-action-benchmark, `tool: customSmallerIsBetter`."""
    return [
        {
            "name": f"{one.benchmark}: {one.measure}",
            "unit": UNITS[one.kind],
            "value": one.value,
            "range": f"{one.low:.6g} to {one.high:.6g}",
            "extra": f"median of {one.rounds} rounds; commit {sitting.commit or 'unknown'}",
        }
        for one in _measured(sitting)
        if one.less_is_better
    ]


def bencher(sitting: Sitting) -> dict[str, dict[str, dict[str, float]]]:
    """For Bencher, `--adapter json`."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for one in _measured(sitting):
        if len(one.benchmark) > LONGEST:
            raise BadInput(
                f"benchmark {one.benchmark[:60]!r}…: a name of {len(one.benchmark):,} characters; Bencher "
                f"takes {LONGEST:,} at most"
            )
        metric = {"value": one.value, "lower_value": one.low, "upper_value": one.high}
        found.setdefault(one.benchmark, {})[one.measure] = metric
    return found


FORMATS: Mapping[str, Callable[[Sitting], Any]] = {"github": github, "bencher": bencher}


def exported(sitting: Sitting, to: str) -> str:
    """The text of a sitting in one of `FORMATS`: JSON. `BadInput` for what the service would refuse."""
    found = FORMATS[to](sitting)
    if not found:
        raise BadInput(f"no measure of these benchmarks has a value that {to} takes")
    return json.dumps(found, indent=1, allow_nan=False) + "\n"
