"""The gate: what got worse from one sitting to another, measure by measure.

1. What repeats exactly (`kinds.exact`) is compared exactly: any difference is a change.
2. Other measures are compared by the ratios of their rounds, paired by seed. One is worse if the whole
   interval of the ratio is beyond its threshold. The intervals of a table hold together: with m rows that
   are judged by one, each may miss with a probability of `false_alarms`/m (Bonferroni), so that a table
   without a change has an alarm with at most that probability, however its rows depend on each other.
3. Seconds of unlike machines are not compared; exact counts and shares are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pbtbench.regression.exchange import Entry
from pbtbench.regression.kinds import KINDS, Kind, base
from pbtbench.regression.sitting import Sitting
from pbtbench.regression.thresholds import Thresholds
from pbtbench.statistics.estimate import Estimate
from pbtbench.statistics.ratios import paired_ratio

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["worse", "better", "same", "unclear", "other", "unlike", "missing", "new"]

ROUNDING = 1e-9
"""Relative: by so much may scores differ that are the same."""

LEAST_ROUNDS = 3
"""Two rounds may agree by chance, as counts often do: their spread is then none at all."""


@dataclass(frozen=True)
class Row:
    """A measure of a benchmark's method, compared."""

    benchmark: str
    label: str
    measure: str
    verdict: Verdict
    """`other`: the benchmark is another one by now; `unlike`: on an unlike machine; `unclear`: the interval
    holds the threshold and 1, so that neither is ruled out."""
    base: float = math.nan
    """The median of its rounds; infinite where a target was missed in most."""
    new: float = math.nan
    ratio: Estimate | None = None
    """Of new over base, where rounds were compared by it."""
    threshold: float = math.nan
    why: str = ""


Rounds = tuple[np.ndarray, np.ndarray]
"""A measure's values in the base's rounds and in the new ones, paired by seed."""


@dataclass(frozen=True)
class _Pair:
    """A method of a benchmark in both sittings."""

    benchmark: str
    label: str
    base: Entry
    new: Entry


def compare(base: Sitting, new: Sitting, thresholds: Thresholds) -> list[Row]:
    """Rows for all benchmarks of either sitting, in the order of the base."""
    alike = bool(base.machine) and base.machine == new.machine
    rows: list[Row] = []
    pairs: list[_Pair] = []
    for name, label, before, after in _joined(base, new):
        if before is None or after is None:
            rows.append(Row(name, label, "", "new" if before is None else "missing"))
        elif why := _differences(before, after):
            rows.append(Row(name, label, "", "other", why=why))
        else:
            pairs.append(_Pair(name, label, before, after))
    found = [one for pair in pairs for one in _of(pair, thresholds, alike=alike)]
    by_interval = sum(row.verdict == "unclear" for row, _ in found)
    error = thresholds.false_alarms / max(1, by_interval)
    rows += [
        _judged(row, rounds, error) if row.verdict == "unclear" else row for row, rounds in found
    ]
    return rows


def tripped(rows: Iterable[Row]) -> bool:
    """Whether anything got worse, or can't be compared any more: no silence is a pass."""
    return any(row.verdict in ("worse", "missing", "other") for row in rows)


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as a frame: columns of `Row`, the ratio as `ratio`, its interval from `low` to `high` and its
    number of rounds `n`, and at the end whether it `trips` the gate."""
    import pandas as pd

    ratios = [row.ratio for row in rows]
    columns: dict[str, Any] = {
        field.name: [getattr(row, field.name) for row in rows] for field in fields(Row)
    }
    for name in ("ratio", "low", "high"):
        of = "value" if name == "ratio" else name
        columns[name] = [math.nan if ratio is None else getattr(ratio, of) for ratio in ratios]
    columns["n"] = [0 if ratio is None else ratio.n for ratio in ratios]
    columns["trips"] = [tripped([row]) for row in rows]
    return pd.DataFrame(columns)


def _joined(base: Sitting, new: Sitting) -> Iterator[tuple[str, str, Entry | None, Entry | None]]:
    for name in dict.fromkeys([*base.benchmarks, *new.benchmarks]):
        before, after = base.benchmarks.get(name, {}), new.benchmarks.get(name, {})
        for label in dict.fromkeys([*before, *after]):
            yield name, label, before.get(label), after.get(label)


def _differences(base: Entry, new: Entry) -> str:
    """In what two benchmarks of one name are not the same; empty where they are."""
    found = [
        f"{key} was {base.settings.get(key)!r}, is {new.settings.get(key)!r}"
        for key in {**base.settings, **new.settings}
        if base.settings.get(key) != new.settings.get(key)
    ]
    if base.problem_digest != new.problem_digest:
        found.append(f"the code or options of {new.problem} changed")
    if not set(base.seeds) & set(new.seeds):
        found.append("they have no seed in common")
    return "; ".join(found)


def _of(pair: _Pair, thresholds: Thresholds, *, alike: bool) -> Iterator[tuple[Row, Rounds]]:
    """The rows of a method, each with its rounds: those to be judged by an interval `unclear` as yet."""
    allowed = thresholds.of(pair.benchmark)
    measures = {*pair.base.measures, *pair.new.measures}
    order = {name: place for place, name in enumerate(KINDS)}
    for measure in sorted(measures, key=lambda m: (order.get(base(m), -1), m)):
        name = base(measure)
        if name not in KINDS or (name not in allowed and measure not in allowed):
            continue
        threshold = allowed.get(measure, allowed.get(name, math.nan))
        rounds = before, after = _rounds(pair, measure)
        row = Row(
            pair.benchmark,
            pair.label,
            measure,
            "unclear",
            float(np.median(before)),
            float(np.median(after)),
            threshold=threshold,
        )
        if name in pair.base.exact and name in pair.new.exact:
            yield _exactly(row, before, after, _sign(pair, KINDS[name])), rounds
        elif KINDS[name] == "time" and not alike:
            why = "seconds of unlike machines are not compared"
            yield replace(row, verdict="unlike", why=why), rounds
        elif KINDS[name] != "score":
            yield row, rounds


def _rounds(pair: _Pair, measure: str) -> Rounds:
    """`Entry.rounds` of the seeds that both have, in the same order."""
    _, base, new = np.intersect1d(pair.base.seeds, pair.new.seeds, return_indices=True)
    return pair.base.rounds(measure)[base], pair.new.rounds(measure)[new]


def _sign(pair: _Pair, kind: Kind) -> int:
    """+1 where more is worse."""
    return -1 if kind == "score" and pair.new.goal == "max" else 1


def _exactly(row: Row, before: np.ndarray, after: np.ndarray, sign: int) -> Row:
    """A row whose every difference is a change."""
    changed, worse = exact_change(before, after, sign)
    if not changed:
        return replace(row, verdict="same")
    why = f"in {changed} of {len(before)} seeds"
    total = float(after.sum()), float(before.sum())
    beyond = total[0] > row.threshold * total[1] if sign > 0 and total[1] > 0 else True
    if worse:
        return replace(row, verdict="worse" if beyond else "same", why=why)
    return replace(row, verdict="better", why=why)


def exact_change(before: np.ndarray, after: np.ndarray, sign: int) -> tuple[int, bool]:
    """In how many seeds something that repeats exactly changed, and whether it got worse on the whole.
    `sign`: +1 where more is worse."""
    same = np.isclose(before, after, rtol=ROUNDING, atol=0) | (before == after)
    total = float(after.sum()), float(before.sum())
    if math.isfinite(total[0]) and math.isfinite(total[1]):
        return int((~same).sum()), sign * (total[0] - total[1]) > 0
    with np.errstate(invalid="ignore"):
        worse = int((sign * (after - before) > 0)[~same].sum())
    missed = float(np.isinf(after).sum() - np.isinf(before).sum())
    return int((~same).sum()), (missed or worse - len(same) / 2) > 0


def _judged(row: Row, rounds: Rounds, error: float) -> Row:
    """A row whose ratio's interval decides."""
    before, after = rounds
    missed = int(np.isinf(before).sum()), int(np.isinf(after).sum())
    if missed[1] > missed[0] and missed[1] > len(after) / 2:
        return replace(
            row,
            verdict="worse",
            why=f"missed in {missed[1]} of {len(after)} seeds, before in {missed[0]}",
        )
    there = np.isfinite(before) & np.isfinite(after) & (before > 0) & (after > 0)
    ratio = paired_ratio(before[there], after[there], error)
    row = replace(row, ratio=ratio)
    if not ratio.n and len(before) >= LEAST_ROUNDS and np.array_equal(before, after):
        return replace(row, verdict="same")  # such as a target that is missed in each round of both
    if ratio.n < LEAST_ROUNDS:
        return replace(row, why="too few rounds to tell")
    if ratio.low > row.threshold:
        return replace(row, verdict="worse")
    if ratio.high < 1 / row.threshold:
        return replace(row, verdict="better")
    if ratio.high <= row.threshold:
        return replace(row, verdict="same")
    return replace(row, why="more rounds would tell")
