"""Decisions in the course of a run: those made one after another are what a loop over members would make, and
whoever asks gets the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fabricated import a_run
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import Choice, IntUniform, LogUniform, Space, Uniform, catalogue
from pbtbench.engines.decisions import Decisions
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.methods.pbt import PBT
from pbtbench.methods.pbt.exploit import EXPLOITS, SIGNIFICANCE, p_greater
from pbtbench.recorder import Recorder
from pbtbench.space.columns import rows, taken

few_scores = st.sampled_from([0.0, 1.0, 2.0, math.inf, -math.inf, math.nan])  # ties and NaN abound
scores = st.one_of(few_scores, st.floats())
seeds = st.integers(0, 2**32)

GROWING = Space({"h": Uniform(0, 1e300), "first": IntUniform(0, 100, dynamic=False)})
"""`h` is multiplied by each fork; `first` says whose lineage it is."""


def one_by_one(method, due, kept, points, rng):
    """What members that are due decide, in plain Python: (member, donor) pairs. `kept` and `points` are each
    member's scores and hyperparameters, and change with each fork."""
    forks, n = [], len(kept)
    quantile = min(math.ceil(n * method.quantile_fraction), n // 2)
    order = rng.permutation(due).tolist()
    drawn = rng.integers(
        quantile if method.exploit == "truncation" else n - 1, size=len(order)
    ).tolist()
    for member, draw in zip(order, drawn, strict=True):
        if method.exploit == "truncation":
            ranking = sorted(kept, key=lambda m: (-kept[m][-1], m))
            donor = ranking[draw]
            copies = ranking.index(member) >= n - quantile and kept[donor][-1] > -math.inf
        else:
            donor = [m for m in sorted(kept) if m != member][draw]
            theirs, mine = (
                np.array([[math.nan] * (10 - len(kept[m])) + kept[m]]) for m in (donor, member)
            )
            if method.exploit == "tournament":
                copies = theirs[0, -1] > mine[0, -1]
            else:
                copies = p_greater(theirs, mine)[0] < SIGNIFICANCE
        if copies:
            kept[member] = kept[donor]
            points[member] = {**points[donor], "h": points[donor]["h"] * 1.5}
            forks.append((member, donor))
    return forks


@st.composite
def sweeps(draw):
    """Members that score, and then those that are due, several times."""
    size = draw(st.integers(2, 12))
    some = st.lists(st.integers(0, size - 1), min_size=1, unique=True)
    turns = []
    for due in draw(st.lists(some, max_size=5)):
        found = draw(st.lists(scores, min_size=len(due), max_size=len(due)))
        turns.append((np.array(due), np.array(found)))
    return size, turns


@pytest.mark.parametrize("exploit", EXPLOITS)
@given(sweeps(), st.floats(0.01, 0.5), seeds)
def test_one_after_another_members_decide_as_a_loop_over_them_would(
    exploit, sweeps, fraction, seed
):
    size, turns = sweeps
    method = PBT(
        exploit=exploit,
        quantile_fraction=fraction,
        synchronous=False,
        resample_probability=0,
        perturbation_factors=(1.5,),
    )
    proposed = {"h": np.ones(size), "first": np.arange(size)}
    board = Leaderboard(proposed, 1, method.history)
    kept: dict[int, list[float]] = {}
    points = rows(proposed)
    for iteration, (due, found) in enumerate(turns):
        board.report(due, found, iteration)
        for member, score in zip(due.tolist(), found.tolist(), strict=True):
            turned = -math.inf if math.isnan(score) else score
            kept[member] = [*kept.get(member, []), turned][-method.history :]
        forks = method.decide(due, board, GROWING, np.random.default_rng(seed))
        assert [s for s in board.latest.tolist() if s == s] == [kept[m][-1] for m in sorted(kept)]
        expected = []
        if len(kept) > 1:
            expected = one_by_one(method, due, kept, points, np.random.default_rng(seed))
        pairs = zip(forks.members.tolist(), forks.donors.tolist(), strict=True)
        assert list(pairs) == expected
        board.forked(forks, together=False)
        assert rows(board.hyperparameters) == points
        assert {m: [s for s in board.scores[m].tolist() if s == s] for m in kept} == kept


PROBLEM = catalogue.problem("toy.pbt_quadratic")


def decisions_of(synchronous=True, size=12, **options):
    run = a_run(method="pbt", interval=2, population=size, iterations=10, seed=3)
    return Decisions(run, PROBLEM, PBT(interval=2, synchronous=synchronous, **options))


def scored(iteration, size=12):
    return np.random.default_rng(iteration).normal(size=size)


@pytest.mark.parametrize("exploit", EXPLOITS)
@given(st.permutations(range(12)), st.lists(st.integers(1, 11), unique=True))
def test_decisions_made_together_do_not_depend_on_who_reports_with_whom(exploit, order, cuts):
    def made(blocks):
        decisions, recorder, members = decisions_of(exploit=exploit), Recorder(), np.arange(12)
        copies = []
        for iteration in range(1, 9):
            for block in blocks:
                decisions.report(block, scored(iteration)[block], iteration)
            if decisions.due(iteration):
                copies += decisions.decide(members, recorder, iteration)
        return copies, decisions.hyperparameters(range(12))

    assert made(np.split(np.array(order), sorted(cuts))) == made([np.arange(12)])


@pytest.mark.parametrize("synchronous", [True, False])
def test_copies_are_recorded_as_they_are_made(synchronous):
    decisions, recorder = decisions_of(synchronous, exploit="tournament"), Recorder()
    decisions.begun(recorder)
    points = decisions.hyperparameters(range(12))
    assert points == rows(decisions.proposed)
    ends, copies = [recorder.now()], []
    for iteration in (2, 4, 6):
        decisions.report(np.arange(12), scored(iteration), iteration)
        made = decisions.decide(np.arange(12), recorder, iteration)
        copies += [(iteration, copy) for copy in made]
        ends.append(recorder.now())
    forks = recorder.record().forks
    assert rows(forks.new)[:12] == rows(forks.old)[:12] == points
    assert forks.starts.tolist() == [True] * 12 + [False] * len(copies)
    forks = forks.at(~forks.starts)
    assert forks.iteration.tolist() == [iteration for iteration, _ in copies]
    assert forks.member.tolist() == [copy.member for _, copy in copies]
    assert forks.donor.tolist() == [copy.donor for _, copy in copies]
    assert rows(forks.new) == [copy.hyperparameters for _, copy in copies]
    for (_, copy), old in zip(copies, rows(forks.old), strict=True):
        assert points[copy.member] == old
        points[copy.member] = copy.hyperparameters
    assert decisions.hyperparameters(range(12)) == points
    times = [forks.t_s[forks.iteration == iteration] for iteration in (2, 4, 6)]
    for place, own in enumerate(times):
        assert ends[place] < own[0] <= own[-1] < ends[place + 1]
        steps = np.diff(own)
        assert (steps == 0).all() if synchronous else (steps > 0).all()
    taken_at = forks.iteration if synchronous else np.full(len(copies), -1)
    assert forks.copied_iteration.tolist() == taken_at.tolist()


def test_members_decide_after_each_interval_but_not_after_the_last_iteration():
    decisions = decisions_of()
    assert [i for i in range(1, 11) if decisions.due(i)] == [2, 4, 6, 8]


@pytest.mark.parametrize("synchronous", [True, False])
def test_what_is_static_follows_the_state_through_all_forks_and_values_stay_of_their_type(
    synchronous,
):
    space = Space(
        {
            "rate": LogUniform(1e-3, 1.0),
            "units": Choice([16, 32], dynamic=False),
            "batch": IntUniform(8, 64, step=8),
            "layers": Choice([[1, 2], [3]]),
        }
    )
    method, rng = PBT(synchronous=synchronous), np.random.default_rng(0)
    board = Leaderboard(method.propose(space, 40, rng), 1)
    units = board.hyperparameters["units"].copy()
    for iteration in range(1, 6):
        board.report(np.arange(40), rng.normal(size=40), iteration)
        forks = method.decide(np.arange(40), board, space, rng)
        for member, donor in zip(forks.members, forks.donors, strict=True):
            if not synchronous:
                units[member] = units[donor]
        if synchronous:
            units[forks.members] = units[forks.donors]
        board.forked(forks, synchronous)
        assert len(forks)
        assert board.hyperparameters["units"].tolist() == units.tolist()
        for point in rows(taken(board.hyperparameters, forks.members)):
            assert space.contains(point)
            assert [type(value) for value in point.values()] == [float, int, int, list]
