"""What a recorder collects is what its record shows: in order of time, whichever way it was written."""

from __future__ import annotations

import math
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench.record import CODES, KINDS, MARKS, NOBODY, NOTES, TIMED
from pbtbench.recorder import Recorder
from pbtbench.space.columns import columns, rows

times = st.floats(0, 1e6)
numbers = st.integers(-1, 2**31 - 1)
timed = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "t_start_s": times,
        "duration_s": times,
        "worker": numbers,
        "member": numbers,
        "iteration": numbers,
        "bytes": st.integers(0, 2**62),
        "value": st.floats(),
    }
)
blocks = st.lists(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(
            times,
            st.lists(st.integers(0, 9), min_size=n, max_size=n),
            st.integers(1, 99),
            st.lists(st.floats(), min_size=n, max_size=n),
        )
    ),
    max_size=5,
)


def same(one, other):
    """Whether two tables hold the same, of the same types."""
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        pairs = (
            [(left[name], right[name]) for name in {**left, **right}]
            if isinstance(left, dict)
            else [(left, right)]
        )
        for a, b in pairs:
            assert a.dtype == b.dtype, field.name
            np.testing.assert_array_equal(a, b)


@given(st.lists(timed, max_size=8))
def test_rows_of_the_timeline_stand_in_order_of_their_start_as_they_were_added(given_rows):
    recorder = Recorder()
    for row in given_rows:
        recorder.add(**row)
    timeline = recorder.record().timeline
    ordered = sorted(given_rows, key=lambda row: row["t_start_s"])  # stable, as the record is
    for name in ("t_start_s", "duration_s", "worker", "member", "iteration", "bytes", "value"):
        np.testing.assert_array_equal(getattr(timeline, name), [row[name] for row in ordered])
    assert [KINDS[code] for code in timeline.kind] == [row["kind"] for row in ordered]
    assert sum(len(timeline.rows(kind)) for kind in KINDS) == len(given_rows)


def test_a_timeline_has_the_promised_types_also_without_rows():
    promised = ["float64", "float64", "int32", "int32", "int32", "int8", "int64", "float64"]
    full = Recorder()
    full.add("train", 0.0, 1.0, iteration=1)
    for recorder in (Recorder(), full):
        timeline = recorder.record().timeline
        assert [str(getattr(timeline, f.name).dtype) for f in fields(timeline)] == promised


def test_every_kind_is_timed_or_a_mark():
    recorder = Recorder()
    for kind in KINDS:
        recorder.add(kind, 0.0)
    timeline = recorder.record().timeline
    assert timeline.kind.tolist() == [CODES[kind] for kind in KINDS]
    assert len(timeline.rows(*TIMED)) + len(timeline.rows(*MARKS)) == len(KINDS)
    assert not set(TIMED) & set(MARKS)


@given(blocks)
def test_a_block_of_scores_says_what_single_ones_say(scores):
    together, singly = Recorder(), Recorder()
    for t_s, members, iteration, values in scores:
        together.scored(np.array(members), iteration, {"loss": np.array(values)}, t_s=t_s)
        for member, value in zip(members, values, strict=True):
            singly.scored(np.array([member]), iteration, {"loss": np.array([value])}, t_s=t_s)
    same(together.record().scores, singly.record().scores)


@given(blocks)
def test_a_block_of_forks_says_what_single_ones_say(forks):
    together, singly = Recorder(), Recorder()
    for t_s, members, iteration, values in forks:
        made = [{"rate": value, "layers": place, "kind": "x"} for place, value in enumerate(values)]
        many = {"old": columns(made), "new": columns(made[::-1])}
        together.forked(np.array(members), 0, iteration, t_s=t_s, **many)
        for member, old, new in zip(members, made, made[::-1], strict=True):
            one = {"old": columns([old]), "new": columns([new])}
            singly.forked(np.array([member]), 0, iteration, t_s=t_s, **one)
    same(together.record().forks, singly.record().forks)


def test_scores_stand_in_order_of_time_and_those_of_a_moment_as_they_came():
    recorder = Recorder()
    late, early = np.array([2, 0]), np.array([1, 3])
    recorder.scored(late, 2, {"loss": np.array([0.1, 0.2])}, t_s=9.0)
    recorder.scored(early, 1, {"loss": np.array([0.3, 0.4])}, t_s=4.0)
    scores = recorder.record().scores
    assert scores.member.tolist() == [1, 3, 2, 0]
    assert scores.metrics["loss"].tolist() == [0.3, 0.4, 0.1, 0.2]


def test_a_metric_that_was_not_always_measured_is_nan_where_it_was_not():
    recorder = Recorder()
    recorder.scored(np.array([0]), 1, {"loss": np.array([0.5])}, t_s=1.0)
    recorder.scored(np.array([0]), 2, {"loss": np.array([0.4]), "depth": np.array([3])}, t_s=2.0)
    metrics = recorder.record().scores.metrics
    np.testing.assert_array_equal(metrics["depth"], [math.nan, 3.0])
    assert metrics["loss"].tolist() == [0.5, 0.4]


def test_what_a_score_leaves_open_is_fresh_and_not_done():
    recorder = Recorder()
    recorder.scored(np.arange(2), 1, {"loss": np.zeros(2)})
    recorder.scored(
        np.arange(2), 2, {"loss": np.zeros(2)}, age=np.array([0.0, 3.0]), done=np.array([0.0, 1.0])
    )
    scores = recorder.record().scores
    assert scores.age.tolist() == [0, 0, 0, 3]
    assert scores.done.tolist() == [False, False, False, True]


def test_what_members_start_with_are_forks_from_nobody():
    recorder = Recorder()
    recorder.started({"rate": np.array([0.1, 0.2])}, first=3)
    recorder.forked(
        np.array([3]),
        4,
        5,
        old={"rate": np.array([0.1])},
        new={"rate": np.array([0.3])},
        copied_iteration=5,
        out_of_bounds=True,
    )
    forks = recorder.record().forks
    assert forks.starts.tolist() == [True, True, False]
    assert forks.member.tolist() == [3, 4, 3]
    assert forks.donor.tolist() == [NOBODY, NOBODY, 4]
    assert forks.iteration.tolist() == [0, 0, 5]
    assert forks.copied_iteration.tolist() == [-1, -1, 5]
    assert forks.out_of_bounds.tolist() == [False, False, True]
    assert rows(forks.old) == [{"rate": 0.1}, {"rate": 0.2}, {"rate": 0.1}]
    assert rows(forks.new) == [{"rate": 0.1}, {"rate": 0.2}, {"rate": 0.3}]


def test_what_is_lost_is_an_error_and_a_note_that_says_why():
    recorder = Recorder()
    recorder.lost("hang", "no answer", worker=1, member=2, iteration=7, iterations=3.0)
    recorder.note("members", "stacked")
    record = recorder.record()
    (error,) = record.timeline.rows("error")
    at = record.timeline.at([error])
    assert (at.worker[0], at.member[0], at.iteration[0], at.value[0]) == (1, 2, 7, 3.0)
    (why,) = record.notes.named("crash", "hang")
    assert record.notes.name[why] == "hang"
    assert (record.notes.text[why], record.notes.value[why]) == ("no answer", 3.0)
    assert record.notes.text[record.notes.named("members")].tolist() == ["stacked"]
    assert {"crash", "hang", "members"} <= set(NOTES)


def test_laps_follow_one_another_without_a_gap_from_the_start_of_the_run():
    recorder = Recorder()
    recorder.lap("setup")
    between = recorder.now()
    recorder.lap("train", member=3)
    timeline = recorder.record().timeline
    (first, second), (lasted, _) = timeline.t_start_s, timeline.duration_s
    assert first == 0
    assert second == first + lasted
    assert second <= between <= recorder.lapped <= recorder.now()
    assert [KINDS[code] for code in timeline.kind] == ["setup", "train"]
    assert timeline.member.tolist() == [-1, 3]
    assert np.isnan(timeline.value).all()


def filled(recorder, iterations):
    for iteration in iterations:
        recorder.add("train", float(iteration), iteration=iteration)
        recorder.scored(np.arange(3), iteration, {"loss": np.zeros(3)}, t_s=float(iteration))
    recorder.forked(np.array([0]), 1, iterations[-1], old={}, new={}, t_s=float(iterations[-1]))
    recorder.note("stopped", member=0)
    return recorder


def test_what_one_recorder_hands_out_another_takes_in_and_nothing_twice():
    worker, driver = filled(Recorder(), [1, 2]), filled(Recorder(), [4])
    driver.put(worker.take())
    assert [len(table) for table in tables(worker.record())] == [0, 0, 0, 0]
    filled(worker, [3])
    driver.put(worker.take())
    whole = driver.record()
    assert whole.timeline.iteration.tolist() == [1, 2, 3, 4]
    assert whole.scores.iteration.tolist() == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert whole.forks.iteration.tolist() == [2, 3, 4]
    assert len(whole.notes) == 3


def tables(record):
    return [getattr(record, field.name) for field in fields(record)]


@pytest.fixture
def clock(monkeypatch):
    """The time of a recorder that starts at 0, to be set."""
    now = [0.0]
    monkeypatch.setattr("pbtbench.recorder.time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def test_a_run_stands_still_from_when_it_last_went_on(clock):
    recorder = Recorder(start=0.0)
    clock[0] = 2.0
    recorder.add("train", 1.0, iteration=1)
    assert recorder.still_s() == 0
    clock[0] = 5.0
    assert recorder.still_s() == 3
    recorder.scored(np.arange(2), 1, {"loss": np.zeros(2)})
    assert recorder.still_s() == 0


def test_what_members_do_again_is_no_progress(clock):
    recorder = Recorder(start=0.0)
    for iteration in (1, 2):
        recorder.add("train", 0.0, member=0, iteration=iteration)
        recorder.scored(np.arange(2), iteration, {"loss": np.zeros(2)})
    assert recorder.still_s() == 0
    clock[0] = 4.0
    recorder.add("train", 3.0, member=0, iteration=2)
    recorder.scored(np.arange(2), 2, {"loss": np.zeros(2)})
    assert recorder.still_s() == 4
    recorder.scored(np.array([1]), 3, {"loss": np.zeros(1)})
    assert recorder.still_s() == 0


def test_what_is_done_between_two_rows_is_progress(clock):
    recorder, steps = Recorder(start=0.0), [1]
    recorder.unrecorded = lambda: steps[0]
    recorder.still_s()
    clock[0] = 3.0
    assert recorder.still_s() == 3
    steps[0] += 1
    assert recorder.still_s() == 0


def test_while_the_clock_is_paused_no_time_passes_but_a_hang_is_seen(clock):
    recorder = Recorder(start=0.0)
    recorder.still_s()
    clock[0] = 2.0
    with recorder.paused():
        clock[0] = 9.0
        recorder.note("test", value=0.5, member=0)
        assert (recorder.now(), recorder.still_s()) == (2.0, 9.0)
    clock[0] = 10.0
    recorder.lap("train")
    assert recorder.now() == 3.0
    record = recorder.record()
    assert (record.notes.t_s.tolist(), record.timeline.duration_s.tolist()) == ([2.0], [3.0])
