"""Two revisions in turns: who goes when, what is looked at when, and what is found how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sittings import a_sitting, an_entry

from pbtbench.errors import BadInput, Failed
from pbtbench.regression import paired
from pbtbench.regression.paired import LOOKS, joined, measure, rows
from pbtbench.regression.revisions import Revision, Turn
from pbtbench.regression.sitting import Loaded
from pbtbench.regression.thresholds import DEFAULTS, Thresholds
from pbtbench.report.comparison import tally

OLD, NEW = (Revision(name, name, Path(name), Path(name)) for name in ("old", "new"))
STRICT = Thresholds({**DEFAULTS, "wall_s": 1.03})
LONG = 1e9


def a_turn(wall_s, *, forks=(3, 3, 3), failed=(), **others):
    measures = {"wall_s": [wall_s] * 3, "forks": list(forks), **others}
    return Turn(
        Loaded(Path("turn"), a_sitting(digits=an_entry(measures))), dict.fromkeys(failed, "")
    )


def taken(take, thresholds=STRICT, limit_s=LONG, looks=lambda *_: None):
    """What comes of turns that `take(revision)` makes, and in which order they went."""
    order = []

    def turn(revision, left_s):
        order.append(revision.given)
        return take(revision)

    answer = measure((OLD, NEW), turn, thresholds, limit_s, lambda *_: None, looks)
    return answer, order


def noisy(rng, slower=1.0, scatter=0.03):
    def take(revision):
        times = slower if revision is NEW else 1.0
        return a_turn(times * np.exp(scatter * rng.standard_normal()))

    return take


def test_turns_go_to_and_fro():
    _, order = taken(noisy(np.random.default_rng(0)))
    assert order[:8] == ["old", "new", "new", "old"] * 2
    assert order.count("old") == order.count("new")


def test_a_clear_answer_ends_it_at_the_first_look():
    answer, _ = taken(noisy(np.random.default_rng(0), slower=2.0))
    assert answer.pairs == LOOKS[0]
    assert answer.tripped
    answer, _ = taken(noisy(np.random.default_rng(0), scatter=1e-4))
    assert answer.pairs == LOOKS[0]
    assert not answer.tripped
    assert not answer.unclear


def test_what_repeats_exactly_is_clear_after_one_block_and_in_each_round():
    """One round of three has more forks: the median over them hides it, and the exact comparison does not."""
    rng = np.random.default_rng(0)
    answer, _ = taken(
        lambda revision: a_turn(
            np.exp(0.03 * rng.standard_normal()), forks=(3, 3, 4 if revision is NEW else 3)
        )
    )
    assert answer.pairs == len(paired.ORDER)
    (forks,) = [row for row in answer.rows if row.measure == "forks"]
    assert (forks.verdict, forks.why) == ("worse", "in 1 of 3 seeds")


def test_an_unclear_answer_takes_all_looks_and_says_how_many_pairs_would_do():
    """Just as much slower as is allowed."""
    answer, _ = taken(noisy(np.random.default_rng(1), slower=1.03))
    assert answer.pairs == LOOKS[-1]
    assert [row.measure for row in answer.unclear] == ["wall_s"]
    assert answer.pairs_needed > LOOKS[-1]
    assert not answer.tripped


def test_without_a_change_few_sittings_have_an_alarm():
    """Of the whole sitting with all its looks: at most as many as are allowed, 2 of 100. By binomial chance 300
    sittings have more than 14 in one of 1,000 cases."""
    rng = np.random.default_rng(0)
    alarms = sum(taken(noisy(rng), Thresholds({"wall_s": 1.0}))[0].tripped for _ in range(300))
    assert alarms <= 14


def test_a_tenth_slower_is_found_at_twenty_pairs_in_nine_of_ten_cases():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(100):
        answer, _ = taken(noisy(rng, slower=1.1))
        found += answer.tripped and answer.pairs <= 20
    assert found >= 90


def test_a_look_takes_an_equal_part_of_the_false_alarms():
    rng = np.random.default_rng(0)
    pairs = [
        tuple(a_turn(np.exp(0.1 * rng.standard_normal())).measured.sitting for _ in "ab")
        for _ in range(6)
    ]
    (wall,) = [row for row in rows(pairs, STRICT) if row.measure == "wall_s"]
    logs = np.log(
        [
            new.benchmarks["digits"]["pbt"].measures["wall_s"][0]
            / old.benchmarks["digits"]["pbt"].measures["wall_s"][0]
            for old, new in pairs
        ]
    )
    from scipy.stats import ttest_1samp

    whole = ttest_1samp(logs, 0).confidence_interval(1 - STRICT.false_alarms / len(LOOKS))
    assert np.log([wall.ratio.low, wall.ratio.high]) == pytest.approx([whole.low, whole.high])


def test_turns_of_several_machines_by_name_are_one_machine():
    """A revision may bring other versions of packages, by which machines are told apart; here it is one."""
    old, new = (a_turn(1.0).measured.sitting for _ in "ab")
    found = rows([(old, new.model_copy(update={"machine": "other"}))] * 4, STRICT)
    assert {row.verdict for row in found} == {"same"}


def test_a_missed_target_is_missed_in_the_joined_turns():
    turns = [a_turn(1.0, seconds_to_target=[1.0, None, None]).measured.sitting] * 2
    entry = joined(turns).benchmarks["digits"]["pbt"]
    assert entry.measures["seconds_to_target"] == [None, None]
    assert entry.seeds == [0, 1]


def test_a_benchmark_that_only_one_turn_has_is_not_compared():
    first = a_turn(1.0).measured.sitting
    both = first.model_copy(
        update={"benchmarks": {**first.benchmarks, "late": first.benchmarks["digits"]}}
    )
    assert set(joined([both, first]).benchmarks) == {"digits"}


def test_a_benchmark_that_fails_trips_the_gate_and_ends_the_turns():
    answer, order = taken(
        lambda revision: a_turn(1.0, failed=["digits"] if revision is NEW else [])
    )
    assert answer.tripped
    assert [(revision.given, name) for revision, name, _ in answer.failed] == [("new", "digits")]
    assert len(order) == 4


def test_where_nothing_could_be_measured_the_failures_are_the_answer():
    answer, _ = taken(lambda revision: Turn(None, {"digits": "boom"}))
    assert answer.tripped
    assert answer.pairs == 0
    assert len(answer.failed) == 2


def test_what_is_clear_so_far_is_told_at_each_look_that_leaves_something_open():
    told = []
    rng = np.random.default_rng(1)
    taken(noisy(rng, slower=1.03), looks=lambda pairs, rows: told.append((pairs, tally(rows))))
    assert [pairs for pairs, _ in told] == [2, *LOOKS[:-1]]
    assert {text for _, text in told} == {"1 measure unclear and 1 measure same"}


def test_a_benchmark_of_one_revision_alone_is_new_or_missing():
    def only_in(there):
        answer, _ = taken(lambda revision: a_turn(1.0) if revision is there else Turn(None, {}))
        return [row.verdict for row in answer.rows], answer.tripped

    assert only_in(NEW) == (["new"], False)
    assert only_in(OLD) == (["missing"], True)


def test_no_benchmark_in_either_revision_is_refused():
    with pytest.raises(BadInput, match="no benchmark found in either revision"):
        taken(lambda revision: Turn(None, {}))


def missing(share):
    """Turns whose target is missed in that share of rounds, of each revision."""
    rng = np.random.default_rng(0)

    def take(revision):
        missed = rng.random(5) < share[revision]
        entry = an_entry({"seconds_to_target": [None if m else 1.0 for m in missed]}, exact=[])
        return Turn(Loaded(Path("turn"), a_sitting(digits=entry)), {})

    return take


def test_a_target_that_nobody_reaches_keeps_nobody_waiting():
    answer, order = taken(missing({OLD: 1, NEW: 1}))
    assert (len(order), answer.tripped, answer.unclear) == (4, False, [])


def test_a_target_that_is_missed_now_and_then_is_no_alarm():
    """The new turns' median is a miss in more turns than the base's about every other time."""
    take = missing({OLD: 0.5, NEW: 0.5})
    assert sum(taken(take)[0].tripped for _ in range(20)) <= 1


def test_a_target_that_is_not_reached_any_more_is_worse():
    answer, _ = taken(missing({OLD: 0, NEW: 1}))
    assert answer.tripped
    assert answer.pairs == LOOKS[0]


def test_no_pair_within_the_time_is_a_failure_and_no_pass():
    with pytest.raises(Failed, match="not a pair of turns was done in 2 minutes"):
        taken(lambda revision: None, limit_s=120)


def test_what_was_done_within_the_time_is_looked_at():
    """The time is over amid the fourth pair."""
    left = iter(range(7))

    def take(revision):
        return None if next(left) == 6 else a_turn(2.0 if revision is NEW else 1.0)

    answer, _ = taken(take)
    assert answer.pairs == 3
    assert answer.tripped


def test_a_turn_that_would_not_fit_is_not_begun(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(paired.time, "monotonic", lambda: now[0])
    rng = np.random.default_rng(0)

    def take(revision):
        now[0] += 10
        return a_turn(np.exp(0.03 * rng.standard_normal()))

    answer, order = taken(take, replace(STRICT, of_all={"wall_s": 1.0}), limit_s=95)
    assert len(order) == 9
    assert answer.pairs == 4
    assert answer.seconds == 90


def test_a_problem_whose_code_changed_is_compared_as_that_is_the_question():
    def take(revision):
        entry = an_entry({"wall_s": [2.0 if revision is NEW else 1.0]}, digest=revision.given)
        return Turn(Loaded(Path("turn"), a_sitting(digits=entry)), {})

    answer, _ = taken(take)
    assert [(row.measure, row.verdict) for row in answer.rows] == [("wall_s", "worse")]


def test_a_benchmark_of_other_settings_is_another_one():
    def take(revision):
        entry = an_entry({"wall_s": [1.0]}, interval=2 if revision is NEW else 1)
        return Turn(Loaded(Path("turn"), a_sitting(digits=entry)), {})

    answer, _ = taken(take)
    assert answer.tripped
    assert [row.verdict for row in answer.rows] == ["other"]
