"""Two revisions beside each other: their benchmarks take turns within one sitting until the answer is clear.

A turn runs all benchmarks of a revision once. Turns go A B, B A, A B, B A …, so that a drift falls on both
alike. Of each measure a turn gives one value, the median over its rounds, and a pair of turns one ratio, so
that what differs from process to process is in the spread of these. What repeats exactly is compared exactly,
in each round.

The ratios are looked at after `LOOKS` pairs; each look may err with an equal part of the table's false alarms
(Bonferroni, as the gate does for rows), so that stopping at the first clear answer makes no more of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pbtbench.errors import BadInput, Failed
from pbtbench.regression import gate
from pbtbench.regression.exchange import Entry
from pbtbench.regression.gate import Row
from pbtbench.regression.kinds import base
from pbtbench.regression.revisions import Revision, Turn
from pbtbench.regression.sitting import Loaded, Sitting, empty
from pbtbench.regression.thresholds import Thresholds

LOOKS = (4, 6, 10, 16, 24, 40)
"""Pairs of turns after which is decided. Before the first look only what repeats exactly can be clear."""

ORDER = ((0, 1), (1, 0))
"""Who goes first in the pairs of a block."""

Pair = tuple[Sitting, Sitting]


@dataclass(frozen=True)
class Answer:
    """What was found."""

    rows: Sequence[Row]
    sides: Sequence[Loaded]
    """All turns of each revision as one sitting, a round for each turn; none without a pair."""
    pairs: int
    seconds: float
    """Of all turns."""
    failed: Sequence[tuple[Revision, str, str]]
    """A revision, its benchmark that failed, and why."""

    @property
    def tripped(self) -> bool:
        """Whether the new revision is worse, or can't be compared."""
        return bool(self.failed) or gate.tripped(self.rows)

    @property
    def unclear(self) -> list[Row]:
        """The rows that more pairs would tell."""
        return [row for row in self.rows if _is_open(row)]

    @property
    def pairs_needed(self) -> int | None:
        """About how many pairs would tell what is unclear, if the ratios stay; None where nothing says so."""
        found = [_pairs_needed(row) for row in self.unclear]
        return math.ceil(max(found)) if found and max(found) < math.inf else None


def measure(
    revisions: tuple[Revision, Revision],
    turn: Callable[[Revision, float], Turn | None],
    thresholds: Thresholds,
    limit_s: float,
    tell: Callable[[int, Revision, float], None],
    tell_look: Callable[[int, Sequence[Row]], None],
) -> Answer:
    """Let the revisions take turns until it is clear, or `limit_s` seconds are over.

    `turn`: run one within so many seconds, None if it can't. `tell`: how many turns there were, the last one's
    revision, and its seconds. `tell_look`: after how many pairs the answer wasn't clear yet, and what it was.
    Raises `BadInput` if neither has a benchmark, `Failed` if there is not a single pair.
    """
    turns = _Turns(turn, tell, limit_s)
    pairs: list[Pair] = []
    found: list[Row] = []
    failed: dict[tuple[Revision, str], str] = {}
    going = True
    while going:
        for order in ORDER:
            made = turns.pair(revisions, order)
            if made is None:
                going = False
                break
            for revision, one in zip(revisions, made, strict=True):
                failed |= {(revision, name): why for name, why in one.failed.items()}
            if all(one.measured is None and not one.failed for one in made):
                raise BadInput(
                    "no benchmark found in either revision; one is a test with the fixture pbt_benchmark, and "
                    "--benchmarks says where"
                )
            if all(one.measured is not None or not one.failed for one in made):
                pairs.append((_by_name(made[0]), _by_name(made[1])))
        going = going and not failed and len(pairs) < LOOKS[-1]
        if pairs and (not going or len(pairs) < LOOKS[0] or len(pairs) in LOOKS):
            found = rows(pairs, thresholds)
            going = going and not gate.tripped(found) and any(map(_is_open, found))
            if going:
                tell_look(len(pairs), found)
    if not pairs and not failed:
        raise Failed(
            f"not a pair of turns was done in {limit_s / 60:g} minutes; give more --minutes"
        )
    sides = tuple(
        Loaded(Path(revision.given), joined([pair[side] for pair in pairs]))
        for side, revision in enumerate(revisions)
        if pairs
    )
    return Answer(
        found, sides, len(pairs), turns.seconds, [(r, n, w) for (r, n), w in failed.items()]
    )


class _Turns:
    """Turns within a limit of time."""

    def __init__(
        self,
        turn: Callable[[Revision, float], Turn | None],
        tell: Callable[[int, Revision, float], None],
        limit_s: float,
    ) -> None:
        self._turn, self._tell, self._limit_s = turn, tell, limit_s
        self._began = time.monotonic()
        self._count, self._longest = 0, 0.0

    @property
    def seconds(self) -> float:
        """Since the first began."""
        return time.monotonic() - self._began

    def pair(
        self, revisions: tuple[Revision, Revision], order: tuple[int, int]
    ) -> tuple[Turn, Turn] | None:
        """A turn of each, in that order; None if the time doesn't do for both."""
        made: dict[int, Turn] = {}
        for side in order:
            start = self.seconds
            if start + self._longest > self._limit_s:
                return None
            one = self._turn(revisions[side], self._limit_s - start)
            if one is None:
                return None
            self._count, took = self._count + 1, self.seconds - start
            self._longest = max(self._longest, took)
            self._tell(self._count, revisions[side], took)
            made[side] = one
        return made[0], made[1]


def _by_name(turn: Turn) -> Sitting:
    """What a turn measured, of problems that are those that they are called: what changed in their code is
    what is compared."""
    if turn.measured is None:
        return empty()
    found = turn.measured.sitting
    benchmarks = {
        name: {
            label: entry.model_copy(update={"problem_digest": ""})
            for label, entry in labels.items()
        }
        for name, labels in found.benchmarks.items()
    }
    return found.model_copy(update={"benchmarks": benchmarks})


def rows(pairs: Sequence[Pair], thresholds: Thresholds) -> list[Row]:
    """The gate's rows at a look at these pairs."""
    error = thresholds.false_alarms / len(LOOKS)
    share = replace(thresholds, false_alarms=error)
    base_side, new_side = (joined([pair[side] for pair in pairs]) for side in (0, 1))
    in_each_round = {
        (row.benchmark, row.label, row.measure): row
        for row in gate.compare(*pairs[0], thresholds)
        if _is_exact(pairs[0], row)
    }
    found = [
        in_each_round.get((row.benchmark, row.label, row.measure), row)
        for row in gate.compare(base_side, new_side, share)
    ]
    return [
        _missed(row, pairs, error / len(found))
        if row.verdict == "worse" and row.ratio is None and not _is_exact(pairs[0], row)
        else row
        for row in found
    ]


def _missed(row: Row, pairs: Sequence[Pair], error: float) -> Row:
    """A row that is worse as the target was missed in most of the new turns, if that is no chance: if it was
    missed in rounds in which the base came to it so much more often than the other way (sign test)."""
    from scipy.stats import binomtest

    if len(pairs) < gate.LEAST_ROUNDS:
        return replace(row, verdict="unclear", why="too few rounds to tell")
    lost = won = 0
    for pair in pairs:
        old, new = (
            dict(zip(entry.seeds, np.isinf(entry.rounds(row.measure)), strict=True))
            for entry in (side.benchmarks[row.benchmark][row.label] for side in pair)
        )
        lost += sum(bool(new[seed] and not old[seed]) for seed in old.keys() & new.keys())
        won += sum(bool(old[seed] and not new[seed]) for seed in old.keys() & new.keys())
    if lost > won and binomtest(lost, lost + won).pvalue <= error:
        return row
    return replace(row, verdict="unclear", why="missed by both now and then")


def joined(turns: Sequence[Sitting]) -> Sitting:
    """The turns of a revision as one sitting: of what was measured in each, a round for each turn."""
    first = turns[0]
    benchmarks = {
        name: {
            label: _of_turns([turn.benchmarks[name][label] for turn in turns])
            for label in labels
            if all(label in turn.benchmarks.get(name, {}) for turn in turns)
        }
        for name, labels in first.benchmarks.items()
    }
    kept = {name: labels for name, labels in benchmarks.items() if labels}
    return first.model_copy(update={"machine": "this", "benchmarks": kept})


def _of_turns(entries: Sequence[Entry]) -> Entry:
    names = dict.fromkeys(name for entry in entries for name in entry.measures)
    medians = {name: [entry.median(name) for entry in entries] for name in names}
    return entries[0].model_copy(update={"seeds": [*range(len(entries))], "measures": medians})


def _is_exact(pair: Pair, row: Row) -> bool:
    """Whether a row's measure repeats exactly in both revisions."""
    entries = [side.benchmarks.get(row.benchmark, {}).get(row.label) for side in pair]
    return all(entry is not None and base(row.measure) in entry.exact for entry in entries)


def _is_open(row: Row) -> bool:
    """Whether more pairs may tell: not where no pair has a ratio, as with a target that nobody reaches."""
    return row.verdict == "unclear" and (row.ratio is None or row.ratio.n > 0)


def _pairs_needed(row: Row) -> float:
    ratio = row.ratio
    if ratio is None or not 0 < ratio.low < ratio.high < math.inf:
        return math.inf
    half = math.log(ratio.high / ratio.low) / 2
    away = abs(math.log(ratio.value / row.threshold))
    return ratio.n * (half / away) ** 2 if away else math.inf
