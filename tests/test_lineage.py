"""Family trees, and scores around forks: as one that walks row by row finds them, on random records."""

import math
from itertools import groupby

import numpy as np
import pytest
from fabricated import NAN, an_outcome, fork, score, started, timed
from hypothesis import given, settings
from hypothesis import strategies as st

from pbtbench.measures.forks import jumps
from pbtbench.measures.lineage import living, segments, winning_values
from pbtbench.problem import Objective

UP, DOWN = Objective("accuracy", "max"), Objective("accuracy", "min")


def naive(objective, record):
    """(member, start, end, parent, donated_at, survives_until, wins_until, rate) of each segment."""
    forks, scores = record.forks, record.scores
    tree, own = [], {}
    for i in np.flatnonzero(forks.starts).tolist():
        if (member := int(forks.member[i])) not in own:
            own[member] = [len(tree)]
            tree.append([member, 0, 0, -1, 0, -1, -1, forks.new["rate"][i]])
    real = np.flatnonzero(~forks.starts).tolist()
    for _, together in groupby(real, key=lambda i: forks.t_s[i]):
        new = []
        for i in together:
            member, donor = int(forks.member[i]), int(forks.donor[i])
            if member in own and donor in own:
                at = copied(record, i)
                at = int(forks.iteration[i]) if at is None else at
                parent = next((s for s in reversed(own[donor]) if tree[s][1] <= at), own[donor][0])
                start, rate = int(forks.iteration[i]), forks.new["rate"][i]
                new.append([member, start, start, parent, at, -1, -1, rate])
        for segment in new:
            tree[own[segment[0]][-1]][2] = segment[1]
            own[segment[0]].append(len(tree))
            tree.append(segment)
    last = {m: i for i, m in enumerate(scores.member.tolist())}
    worth = {}
    for member, mine in own.items():
        row = last.get(member)
        tree[mine[-1]][2] = tree[mine[-1]][1] if row is None else int(scores.iteration[row])
        value = math.nan if row is None else scores.metrics["accuracy"][row]
        worth[member] = -math.inf if math.isnan(value) else objective.sign * value
    best = max(own, key=worth.__getitem__, default=None)
    for column, members in ((5, own), (6, [] if best is None else [best])):
        for member in members:
            at = own[member][-1]
            end = tree[at][2]
            while at >= 0:
                tree[at][column] = max(tree[at][column], end)
                at, end = tree[at][3], tree[at][4]
    return tree


def copied(record, i):
    forks, rows = record.forks, record.timeline
    if forks.copied_iteration[i] >= 0:
        return int(forks.copied_iteration[i])
    for row in rows.rows("save").tolist():
        if rows.member[row] == forks.donor[i] and rows.t_start_s[row] >= forks.t_s[i]:
            return int(rows.iteration[row])
    return None


def naive_jump(record, i):
    """(before, copied, after, stale) of a fork."""
    forks, scores, rows = record.forks, record.scores, record.timeline
    t, member, donor = forks.t_s[i], forks.member[i], forks.donor[i]
    end = next(
        (
            rows.t_start_s[row] + rows.duration_s[row]
            for row in rows.rows("restore").tolist()
            if rows.member[row] == member and rows.t_start_s[row] >= t
        ),
        t,
    )
    value = [*scores.metrics.get("accuracy", np.zeros(0)).tolist(), math.nan]
    at = copied(record, i)
    of = [[j for j in range(len(scores)) if scores.member[j] == who] for who in (member, donor)]
    before = [j for j in of[0] if scores.t_s[j] <= t]
    after = [j for j in of[0] if scores.t_s[j] >= end]
    same = [j for j in of[1] if scores.iteration[j] == at]
    now = [j for j in of[1] if scores.t_s[j] <= end]
    stale = float(scores.iteration[now[-1]] - at) if now and at is not None else math.nan
    return [
        value[(before or [-1])[-1]],
        value[(same or [-1])[-1]],
        value[(after or [-1])[0]],
        stale,
    ]


@st.composite
def records(draw):
    """Some members that score, fork, save and restore at moments of a coarse clock, in any order; forks of
    one moment, of members that nothing is known of, and iterations that are made again among them."""
    members = draw(st.integers(1, 5))
    moment, who = st.integers(0, 8).map(float), st.integers(0, members)
    iteration = st.integers(0, 6)
    rows = [started(m, rate=m) for m in range(draw(st.integers(0, members)))]
    rows += [
        fork(t, m, d, i, 0, rate, copied_iteration=at)
        for t, m, d, i, rate, at in draw(
            st.lists(
                st.tuples(moment, who, who, iteration, st.integers(0, 99), st.integers(-1, 6)),
                max_size=12,
            )
        )
    ]
    value = st.floats(-1, 1) | st.just(NAN)
    rows += [
        score(t, m, i, v)
        for t, m, i, v in draw(st.lists(st.tuples(moment, who, iteration, value), max_size=20))
    ]
    kinds = st.sampled_from(["save", "restore"])
    rows += [
        timed(kind, t, 0.5, member=m, iteration=i)
        for kind, t, m, i in draw(st.lists(st.tuples(kinds, moment, who, iteration), max_size=10))
    ]
    return an_outcome(*rows).record


class TestLineage:
    @given(records(), st.sampled_from([UP, DOWN]))
    @settings(max_examples=150)
    def test_is_what_walking_row_by_row_finds(self, record, objective):
        tree = segments(objective, record)
        columns = [
            *(tree.member, tree.start, tree.end, tree.parent, tree.donated_at),
            *(tree.survives_until, tree.wins_until),
            tree.hyperparameters.get("rate", np.zeros(0)),
        ]
        found = [list(row) for row in zip(*(c.tolist() for c in columns), strict=True)]
        assert found == naive(objective, record)

    @given(records())
    def test_a_parent_stands_before_its_children(self, record):
        tree = segments(UP, record)
        assert (tree.parent < np.arange(len(tree))).all()

    @given(records(), st.data())
    def test_what_lives_on_in_some_members_lives_on_in_all(self, record, data):
        tree = segments(UP, record)
        members = np.unique(tree.member).tolist()
        some = data.draw(st.lists(st.sampled_from(members))) if members else []
        assert (living(tree, some) <= tree.survives_until).all()
        assert living(tree, members).tolist() == tree.survives_until.tolist()

    def test_numbers_are_finite_or_nothing(self):
        values = [1, 2.5, True, "fast", None, 10**400, math.inf, NAN]
        rows = [started(m, rate=v) for m, v in enumerate(values)]
        found = segments(UP, an_outcome(*rows).record).numbers("rate").tolist()
        assert found[:2] == [1, 2.5]
        assert all(map(math.isnan, found[2:]))

    def test_winning_values_are_those_of_the_stretch_that_made_the_iteration(self):
        rows = [
            *(started(0, rate=0.1, kind="a"), started(1, rate=0.2, kind="b")),
            fork(
                2,
                1,
                0,
                3,
                {"rate": 0.2, "kind": "b"},
                {"rate": 0.7, "kind": "c"},
                copied_iteration=3,
            ),
            *(score(1, 0, 3, 0.5), score(1, 1, 3, 0.1), score(3, 0, 5, 0.6), score(3, 1, 5, 0.9)),
        ]
        tree = segments(UP, an_outcome(*rows).record)
        assert winning_values(tree, 3) == {"rate": 0.1}
        assert winning_values(tree, 4) == {"rate": 0.7}
        assert winning_values(tree, 6) == {}

    def test_a_member_numbered_beyond_any_population_is_refused(self):
        with pytest.raises(ValueError, match="2000000000"):
            segments(UP, an_outcome(started(2_000_000_000, rate=1)).record)


@given(records())
@settings(max_examples=150)
def test_scores_around_a_fork_are_what_looking_row_by_row_finds(record):
    found = jumps(UP, record)
    columns = zip(found.before, found.copied, found.after, found.stale_steps, strict=True)
    real = np.flatnonzero(~record.forks.starts).tolist()
    expected = [naive_jump(record, i) for i in real]
    assert np.array_equal(np.array(list(columns)), np.array(expected), equal_nan=True) or not real
    assert len(found.member) == len(real)
