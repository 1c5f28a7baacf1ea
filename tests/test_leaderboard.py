"""What a method sees of members: scores that go with their states, and ranks as sorting would give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench.methods.forks import Forks, before, generations, roots
from pbtbench.methods.leaderboard import Leaderboard

few_scores = st.sampled_from([0.0, 1.0, 2.0, math.inf, -math.inf, math.nan])  # ties and NaN abound
scores = st.one_of(few_scores, st.floats())


def board_of(*scores: float, sign: int = 1, history: int = 1) -> Leaderboard:
    """A board on which member i has scores[i]."""
    board = Leaderboard({"h": np.full(len(scores), 0.5)}, sign, history)
    board.report(np.arange(len(scores)), np.array(scores), 1)
    return board


def forks(*pairs: tuple[int, int]) -> Forks:
    """Forks (member, donor), whose new hyperparameter is the donor's number."""
    members, donors = np.array(pairs, int).reshape(-1, 2).T
    return Forks(members, donors, {"h": donors.astype(float)})


@st.composite
def histories(draw):
    """A number of members, a direction, and reports of blocks and forks in any order."""
    size = draw(st.integers(1, 20))
    member = st.integers(0, size - 1)
    reports = st.dictionaries(member, scores, min_size=1, max_size=3)
    made = st.lists(st.tuples(member, member), max_size=3, unique_by=lambda fork: fork[0])
    steps = st.one_of(reports, st.tuples(st.booleans(), made))
    return size, draw(st.sampled_from([1, -1])), draw(st.lists(steps, max_size=20))


@given(histories(), st.booleans())
def test_a_leaderboard_ranks_as_sorting_everything_would(history, tried_out):
    size, sign, steps = history
    board = Leaderboard({"h": np.arange(size, dtype=float)}, sign, history=3)
    kept: dict[int, list[float]] = {}
    for iteration, step in enumerate(steps):
        if isinstance(step, dict):
            board.report(np.array([*step]), np.array([*step.values()]), iteration)
            for member, score in step.items():
                turned = -math.inf if math.isnan(score) else sign * score
                kept[member] = [*kept.get(member, []), turned][-3:]
        else:
            together, pairs = step
            pairs = [pair for pair in pairs if pair[0] in kept and pair[1] in kept]
            board.forked(forks(*pairs), together)
            first = dict(kept)
            for member, donor in pairs:
                kept[member] = first[donor] if together else kept[donor]
        ranking = sorted(kept, key=lambda m: (-kept[m][-1], m))
        ranks = board.ranks()
        assert len(board) == len(kept)
        assert board.ranking().tolist() == ranking
        assert [ranks.at(rank) for rank in range(len(board))] == [
            (-kept[member][-1], member) for member in ranking
        ]
        assert {m: [s for s in board.scores[m].tolist() if s == s] for m in kept} == kept
        if tried_out and ranking:
            ranks.move(ranks.at(0), math.inf)
            assert ranks.at(len(board) - 1)[1] == max(
                m for m in kept if kept[m][-1] == -math.inf or m == ranking[0]
            )


def test_a_fork_inherits_its_donors_scores_but_not_its_iteration():
    board = board_of(1.0, 5.0, history=3)
    board.report(np.array([0]), np.array([2.0]), 7)
    assert board.scores[0].tolist()[1:] == [1.0, 2.0]
    board.forked(forks((0, 1)), together=True)
    assert board.scores[0].tolist()[2:] == [5.0]
    assert np.isnan(board.scores[0, :2]).all()
    assert board.iterations.tolist() == [7, 1]
    assert board.hyperparameters["h"].tolist() == [1.0, 0.5]


def test_two_members_that_swap_states_see_each_others_old_scores():
    board = board_of(1.0, 5.0)
    board.forked(forks((0, 1), (1, 0)), together=True)
    assert board.latest.tolist() == [5.0, 1.0]


def test_who_takes_the_state_of_one_that_forked_before_takes_its_new_one():
    board = board_of(1.0, 5.0, 3.0)
    board.forked(forks((0, 1), (1, 2), (2, 0)), together=False)
    assert board.latest.tolist() == [5.0, 3.0, 5.0]


def test_where_less_is_better_the_least_score_is_first():
    assert board_of(3.0, 1.0, math.nan, 2.0, sign=-1).ranking().tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("reported", [[0, 1, 2, 3, 4], [0, 2, 3]])
def test_another_member_is_any_that_has_a_score_but_oneself(reported):
    board = Leaderboard({"h": np.zeros(5)}, 1)
    board.report(np.array(reported), np.zeros(len(reported)), 1)
    places = np.arange(len(reported) - 1)
    for member in reported:
        others = board.others(np.full(len(places), member), places).tolist()
        assert others == [other for other in reported if other != member]


def test_hyperparameters_of_a_board_are_its_own():
    proposed = {"h": np.zeros(2)}
    Leaderboard(proposed, 1).forked(forks((0, 1)), together=True)
    assert proposed["h"].tolist() == [0.0, 0.0]


# Forks one after another.


@st.composite
def orders(draw):
    """Members in the order in which they act, and whom each looks at."""
    size = draw(st.integers(1, 12))
    members = draw(st.permutations(range(size)))[: draw(st.integers(1, size))]
    others = [draw(st.integers(0, size - 1)) for _ in members]
    return np.array(members), np.array(others)


@given(orders())
def test_who_acts_after_the_one_that_it_looks_at_waits_for_it(order):
    members, others = order
    acted = dict.fromkeys(range(12), -1)
    expected = []
    for place, (member, other) in enumerate(zip(members.tolist(), others.tolist(), strict=True)):
        expected.append(acted[other])
        acted[member] = place
    waits_for = before(members, others)
    assert waits_for.tolist() == expected
    done: list[int] = []
    for block in generations(waits_for):
        assert all(waits_for[place] in [-1, *done] for place in block)
        done += block.tolist()
    assert sorted(done) == list(range(len(members)))
    found = roots(waits_for)
    for place, waited in enumerate(waits_for.tolist()):
        assert found[place] == (place if waited < 0 else found[waited])
