"""What a trainable's `step` gives: its numbers by flat names, and the score that is judged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from pbtbench.errors import BadInput
from pbtbench.protocol import AGE

TUNES = ("done", "should_checkpoint")
"""Keys of a result that tell Tune something and measure nothing."""


@dataclass
class Score:
    """A trainable's latest score. Where a `step` gives none, the last one stands; NaN before the first."""

    metric: str
    """Its name; that of a number in a nested result is its path, as `evaluation/accuracy`."""
    value: float = math.nan
    age: int = 0
    """Iterations since it was measured, or since the start."""

    def take(self, result: Mapping[str, Any]) -> dict[str, float]:
        """All numbers of a result by their flat names, with the score, and its age where it isn't new.

        Raises `BadInput` for a score that is no number, or one that is there under a slightly other name.
        """
        flat = {name: value for name, value in flattened(result) if name not in TUNES}
        given = flat.pop(self.metric, None)
        numbers = {n: float(v) for n, v in flat.items() if isinstance(v, int | float | np.number)}
        if given is None:
            self.age += 1
            if math.isnan(self.value):
                self._hint(flat)
            return {**numbers, self.metric: self.value, AGE: float(self.age)}
        self.value, self.age = _number(self.metric, given), 0
        return {**numbers, self.metric: self.value}

    def _hint(self, flat: Mapping[str, Any]) -> None:
        near = nearest(self.metric, flat)
        if near is not None:
            raise BadInput(
                f"step() gives {', '.join(flat)}, but not the metric {self.metric!r}: did you mean "
                f"{near!r}? METRIC names it as step() does, a nested one by its path"
            )


def flattened(result: Mapping[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    """All that a result holds, by path: `evaluation/accuracy`."""
    for key, value in result.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{way}{key}/")
        else:
            yield f"{way}{key}", value


def nearest(metric: str, given: Mapping[str, Any]) -> str | None:
    """Of what `step` gives, what a metric is most likely a slip for, if anything: a letter off, other
    capitals, or a path that lacks its beginning."""
    for name in given:
        if _bare(name) == _bare(metric):
            return name
    without_digits = {re.sub(r"\d", "", name): name for name in given}
    close = get_close_matches(re.sub(r"\d", "", metric), without_digits, n=1, cutoff=0.85)
    if close and close[0] != re.sub(r"\d", "", metric):
        return without_digits[close[0]]
    return None


def _bare(name: str) -> str:
    """A name without its path, capitals and what joins words."""
    return re.sub(r"[\W_]", "", name.rpartition("/")[2].casefold())


def _number(metric: str, given: Any) -> float:
    try:
        if isinstance(given, str | complex):
            raise TypeError
        return float(given)
    except (TypeError, ValueError):
        shown = " ".join(repr(given).split())[:60]
        raise BadInput(f"step() gives {metric!r} as {shown}; it must be a real number") from None
