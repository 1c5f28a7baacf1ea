"""How good the scores got: at the end, at best, and along the way (METHOD 2, 3), and on data that no decision
saw (METHOD 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pbtbench.errors import plain
from pbtbench.problem import Objective
from pbtbench.record import Notes, Record, Scores
from pbtbench.schema import Number, Total

Axis = Literal["seconds", "member_iterations", "iteration"]
"""What a curve runs along: wall time, the population's work, or members' iterations."""

AXES: Sequence[Axis] = get_args(Axis)

STEPS = 500
"""Of a curve at most; of one that has more, so many are kept."""


@dataclass(frozen=True)
class Quality:
    """A run's scores in a few numbers. NaN where no member has a score that is a number."""

    best_score: float
    """The best score of any member at any time: what keeping every checkpoint would give."""
    final_score: float
    """The best of the members' last scores: the validation score of the member that is selected by it."""
    test_score: float | None
    """That member's score on data that no decision saw; None where it has none that is finite."""
    selection_optimism: float | None
    """By how much its validation score flatters it: validation − test, turned so that larger is more
    flattering. None without a test score."""
    untested: str
    """Why it has no test score, though there are such data; empty otherwise."""
    regret: float | None
    """|optimum − final_score|; None where the problem's optimum isn't known."""
    behind_constant: float | None
    """By how much the final score is worse than the best constant hyperparameters'; below zero where it
    is better, which only a schedule, or luck, can be. None where that score isn't known."""
    scores: Total
    """How many there are: one for each member and iteration."""
    nan_members: Total
    """Members whose score was NaN or infinite at least once."""
    standing: Total
    """Scores that stand from an earlier iteration, as their own gave none."""
    beyond_bound: Total
    """Scores better than any score can be: above 0 the problem, or its bound, is wrong."""
    out_of_bounds: Total
    """Forks whose hyperparameters left the space's bounds: Ray Tune's PBT doesn't keep them."""
    exploits_skipped: Total
    """Exploits that Ray Tune's PBT left out because the donor had no checkpoint yet."""

    @property
    def scored(self) -> bool:
        """Whether a member ended with a score that is a number."""
        return not math.isnan(self.final_score)

    def score(self, held_out: bool) -> float:
        """The score by which a run is compared: its test score where runs are judged by `held_out` data, else
        its validation score. NaN where it has none."""
        if not held_out:
            return self.final_score
        return math.nan if self.test_score is None else self.test_score


@dataclass(frozen=True)
class Curve:
    """Best score so far of a run, as the steps at which it improves. Equal lengths, maybe empty."""

    x: tuple[Number, ...]
    """Where on the axis, ascending."""
    y: tuple[Number, ...]
    """The score from there on."""
    end: float
    """Where the run's scores end on the axis; NaN without a step."""


def quality(objective: Objective, record: Record, best_constant: float | None = None) -> Quality:
    """A run's quality (METHOD 3). A member that is NaN scores worst. `best_constant`: the score that the
    best constant hyperparameters reach, if it is known."""
    scores = record.scores
    values = objective_scores(objective, scores)
    worth = to_maximise(objective, values)
    last = np.full(int(scores.member.max(initial=-1)) + 1, -math.inf)
    last[scores.member] = worth  # the last one of each member stands
    final = _best(objective, last)
    test, untested = (
        _tested(record.notes, int(last.argmax())) if not math.isnan(final) else (None, "")
    )
    beyond = 0
    if objective.bound is not None:
        slack = 1e-9 * max(1.0, abs(objective.bound))
        beyond = int((worth > objective.sign * objective.bound + slack).sum())
    fresh = scores.age == 0
    return Quality(
        best_score=_best(objective, worth),
        final_score=final,
        test_score=test,
        selection_optimism=None if test is None else objective.sign * (final - test),
        untested=untested,
        regret=None if objective.optimum is None else abs(objective.optimum - final),
        behind_constant=None if best_constant is None else objective.sign * (best_constant - final),
        scores=len(scores),
        nan_members=len(np.unique(scores.member[fresh & ~np.isfinite(values)])),
        standing=int((~fresh).sum()),
        beyond_bound=beyond,
        out_of_bounds=int(record.forks.out_of_bounds.sum()),
        exploits_skipped=_skipped(record.notes),
    )


def curve(objective: Objective, scores: Scores, axis: Axis) -> Curve:
    """A run's curve. Scores of one moment (or, along `iteration`, of one iteration) make one step. It begins
    with the first score that is a number; of more than `STEPS` steps every so manieth is kept, and the last."""
    worth, moment = to_maximise(objective, objective_scores(objective, scores)), scores.t_s
    if axis == "iteration":
        moment = scores.iteration
        if bool((np.diff(moment) < 0).any()):
            order = np.argsort(moment, kind="stable")
            moment, worth = moment[order], worth[order]
    best = np.maximum.accumulate(worth)
    known = np.isfinite(best)
    known[:-1] &= np.diff(moment) > 0
    places = np.flatnonzero(known)
    if not len(places):
        return Curve((), (), math.nan)
    steps = places[np.diff(best[places], prepend=-math.inf) > 0]
    if len(steps) > STEPS:
        steps = steps[np.linspace(0, len(steps) - 1, STEPS).round().astype(int)]

    def along(places: np.ndarray) -> np.ndarray:
        at: np.ndarray = places + 1 if axis == "member_iterations" else moment[places]
        return at.astype(float)

    y = objective.sign * best[steps]
    end = float(along(places[-1:])[0])
    return Curve(tuple(along(steps).tolist()), tuple(y.tolist()), end)


def objective_scores(objective: Objective, scores: Scores) -> np.ndarray:
    """The scores that count, shape (rows,); NaN where they were never measured."""
    values = scores.metrics.get(objective.metric)
    return np.full(len(scores), math.nan) if values is None else values


def to_maximise(objective: Objective, scores: np.ndarray) -> np.ndarray:
    """Scores of any shape such that larger is better and NaN is worst (−∞)."""
    return np.where(np.isnan(scores), -np.inf, objective.sign * scores)


def _best(objective: Objective, worth: np.ndarray) -> float:
    best = float(worth.max(initial=-math.inf))
    return objective.sign * best if best > -math.inf else math.nan


def _tested(notes: Notes, selected: int) -> tuple[float | None, str]:
    """The test score of a member, if there is one that is finite; else why not, if there are data for it."""
    failures = notes.text[notes.named("untested")].tolist()
    tests = notes.at(notes.named("test"))
    if not (len(tests) or failures):
        return None, ""
    found = tests.value[tests.member == selected]
    if not len(found):
        return None, plain(failures[0]) if failures else f"member {selected} was not tested"
    score = float(found[0])
    if not math.isfinite(score):
        return None, f"test() gave {score:g} for member {selected}, which was selected"
    return score, ""


def _skipped(notes: Notes) -> int:
    counts = notes.value[notes.named("exploits_skipped")]
    return int(np.nansum(counts))
