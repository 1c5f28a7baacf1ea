"""A trace comes back from its file as it was, and what is no trace is refused."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import BadInput, Trace
from pbtbench.record import KINDS, TIMED, Event, Recorder

hyperparameters = st.dictionaries(
    st.text(max_size=5), st.one_of(st.floats(allow_nan=False), st.integers(), st.text(max_size=5))
)
details = st.fixed_dictionaries(
    {"donor": st.integers(0, 9), "old": hyperparameters, "new": hyperparameters}
)
events = st.builds(
    Event,
    t_start_s=st.floats(0, 1e6),
    duration_s=st.floats(0, 1e6),
    worker=st.integers(-1, 2**31 - 1),
    member=st.integers(-1, 2**31 - 1),
    iteration=st.integers(-1, 2**31 - 1),
    kind=st.sampled_from(KINDS),
    bytes=st.integers(0, 2**62),
    value=st.floats(),
    detail=st.none() | details,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A place for a trace."""
    return tmp_path_factory.mktemp("traces") / "trace.parquet"


@pytest.fixture
def stored(file):
    """The file of a trace of two rows."""
    recorder = Recorder()
    recorder.add("train", 0.0, 1.0, iteration=1)
    recorder.add("score", 1.0, member=0, iteration=1, value=0.5)
    recorder.trace("toy/pbt/s0").write(file)
    return file


@given(rows=st.lists(events, max_size=8), run=st.text(max_size=10))
def test_a_trace_comes_back_from_its_file_as_it_was(file, rows, run):
    trace = Recorder(events=rows).trace(run)
    trace.write(file)
    again = Trace.read(file)
    assert again.run == (run if rows else "")
    assert again.detail == trace.detail
    for column in fields(Trace)[1:-1]:
        before, after = getattr(trace, column.name), getattr(again, column.name)
        assert np.array_equal(before, after, equal_nan=before.dtype == float), column.name
        assert before.dtype == after.dtype, column.name


@given(st.lists(events, max_size=8))
def test_rows_stand_in_order_of_their_start(rows):
    trace = Recorder(events=rows).trace("run")
    assert (np.diff(trace.t_start_s) >= 0).all()
    assert sum(len(trace.rows(kind)) for kind in KINDS) == len(rows)


def test_the_file_has_the_promised_columns_with_nulls_for_none(stored):
    table = pq.read_table(stored)
    assert table.column_names == [
        *("run", "t_start_s", "duration_s", "worker", "member", "iteration"),
        *("kind", "bytes", "value", "detail"),
    ]
    assert table["member"].to_pylist() == [None, 0]
    assert table["run"].to_pylist() == ["toy/pbt/s0"] * 2


def test_laps_follow_one_another_without_a_gap_from_the_start_of_the_run():
    recorder = Recorder()
    recorder.lap("setup")
    between = recorder.now()
    recorder.lap("train", member=3)
    setup, train = recorder.events
    assert setup.t_start_s == 0
    assert train.t_start_s == setup.t_start_s + setup.duration_s
    assert train.t_start_s <= between <= recorder.lapped <= recorder.now()
    assert (train.kind, train.member) == ("train", 3)
    assert math.isnan(train.value)


def test_no_kind_is_too_long_for_its_column():
    recorder = Recorder()
    for kind in KINDS:
        recorder.add(kind, 0.0)
    assert tuple(recorder.trace("run").kind) == KINDS
    assert set(TIMED) < set(KINDS)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused_by_name(stored, share):
    whole = stored.read_bytes()
    stored.write_bytes(whole[: int(len(whole) * share)])
    refuses(stored)


def test_a_file_that_is_no_parquet_is_refused(file):
    file.write_text("t_start_s,duration_s\n0,1\n")
    refuses(file)


def test_another_table_is_refused(file):
    pq.write_table(pa.table({"run": ["a"], "price": [1.0]}), file)
    refuses(file)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("t_start_s", pa.array(["soon", "later"])),
        ("member", pa.array(["first", "second"])),
        ("kind", pa.array([1, 2])),
        ("detail", pa.array(["{", "no JSON"])),
    ],
)
def test_a_column_of_the_wrong_kind_is_refused(stored, column, values):
    table = pq.read_table(stored)
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, values), stored)
    refuses(stored)


def test_a_missing_file_is_refused(tmp_path):
    refuses(tmp_path / "nowhere.parquet")


def refuses(file):
    with pytest.raises(BadInput) as refused:
        Trace.read(file)
    assert str(file) in str(refused.value)
    assert "run again" in str(refused.value)
    assert "\n" not in str(refused.value)
