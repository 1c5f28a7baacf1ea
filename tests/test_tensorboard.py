"""What TensorBoard gets of a study is what the records say."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from events import BEGAN, OUTCOME, RUN, events, file_of, points, single
from fabricated import a_folder, a_run, an_outcome, fork, score, started
from hypothesis import given
from hypothesis import strategies as st
from stored import new_store
from tensorboard.plugins.hparams import api_pb2, metadata

from pbtbench import cli
from pbtbench.errors import BadInput
from pbtbench.problem import Card, Objective
from pbtbench.recorder import Recorder
from pbtbench.tensorboard import files
from pbtbench.tensorboard.events import MemberEvents, encoded
from pbtbench.tensorboard.live import Live


@pytest.fixture
def study(tmp_path):
    return a_folder(tmp_path / "out", (RUN, OUTCOME))


def tensorboard(*arguments):
    """The command `pbtbench tensorboard`: its exit code as the shell sees it, and what it says."""
    result = CliRunner().invoke(cli.cli, ["tensorboard", *map(str, arguments)])
    if isinstance(result.exception, BadInput):
        return 2, str(result.exception)
    return result.exit_code, result.output


def test_scores_are_those_of_the_record_by_iteration_nan_and_infinite_ones_too(study):
    assert files.write(study) == []
    assert points(file_of(study, RUN, 0)) == {
        "accuracy": [(1, single(0.1)), (2, single(0.2)), (3, single(0.3))],
        "loss": [(1, math.inf), (2, math.inf), (3, 0.0)],
        "hyperparameters/rate": [(i, single(0.1)) for i in (0, 1, 2, 3)],
    }
    of_other = points(file_of(study, RUN, 1))
    assert of_other["accuracy"] == [(1, "nan"), (2, "nan"), (3, single(0.2))]
    assert of_other["loss"] == [(1, -math.inf), (2, -math.inf), (3, 1.0)]


def test_a_schedule_follows_forks_from_the_iteration_after_them(study):
    files.write(study)
    rates = points(file_of(study, RUN, 1))["hyperparameters/rate"]
    assert rates == [(0, single(0.7)), (1, single(0.7)), (2, single(0.7)), (3, 0.25)]


def test_times_are_the_runs_start_and_the_records_seconds(study):
    files.write(study)
    header, *found = events(file_of(study, RUN, 1))
    assert header.file_version == "brain.Event:2"
    seconds = {e.step: e.wall_time for e in found if e.summary.value[0].tag == "accuracy"}
    assert seconds == pytest.approx({1: BEGAN + 1.5, 2: BEGAN + 2.5, 3: BEGAN + 4.5}, abs=1e-6)


def test_what_is_no_number_is_text_where_it_changes_and_static_ones_have_no_schedule(tmp_path):
    start = {"activation": "relu", "layers": [8, 8], "nesterov": True, "units": 3}
    later = {**start, "activation": "tanh", "nesterov": False}
    fields = {**vars(RUN.card), "dynamic": ("activation", "layers", "nesterov")}
    one = a_run(method="pbt", interval=1, card=Card(**fields))
    outcome = an_outcome(
        started(0, **start),
        score(1.0, 0, 1, 0.5),
        fork(1.5, 0, 0, 1, start, later),
        score(2.0, 0, 2, 0.6),
    )
    store = a_folder(tmp_path / "out", (one, outcome))
    files.write(store)
    assert points(file_of(store, one, 0)) == {
        "accuracy": [(1, 0.5), (2, single(0.6))],
        "hyperparameters/activation": [(0, "relu"), (2, "tanh")],
        "hyperparameters/layers": [(0, "[8, 8]")],
        "hyperparameters/nesterov": [(0, 1.0), (1, 1.0), (2, 0.0)],
    }


STEPS = st.lists(st.sampled_from(["score", "fork", "cut"]), max_size=30)


@given(STEPS)
def test_rows_in_pieces_give_the_events_of_all_rows_at_once(steps):
    whole, pieces, piece, iteration = Recorder(), [], Recorder(), 0
    writes = [started(0, rate=1.0)]
    for time, step in enumerate(steps, 1):
        iteration += step == "score"
        if step == "score":
            writes.append(score(float(time), 0, iteration, 0.5 * time))
        elif step == "fork":
            writes.append(fork(float(time), 0, 0, iteration, 1.0, float(time)))
        for write in writes:
            write(whole)
            write(piece)
        writes = []
        if step == "cut":
            pieces.append(piece.record())
            piece = Recorder()
    for write in writes:
        write(whole)
        write(piece)
    pieces.append(piece.record())

    def of(records):
        found = MemberEvents(RUN, 0, BEGAN)
        return encoded(e for r in records for e in found.of(r.forks, r.scores))

    assert of(pieces) == of([whole.record()])


def test_the_table_has_a_row_for_each_member_from_its_start_to_its_end(study):
    files.write(study)
    by_tag = {
        e.summary.value[0].tag: e.summary.value[0] for e in events(file_of(study, RUN, 1))[1:]
    }
    content = by_tag[metadata.SESSION_START_INFO_TAG].metadata.plugin_data.content
    session = metadata.parse_session_start_info_plugin_data(content)
    values = {
        name: value.number_value or value.string_value for name, value in session.hparams.items()
    }
    assert values == {
        "run.problem": "toy.hand",
        "run.method": "pbt",
        "run.interval": 2.0,
        "run.engine": "inprocess",
        "run.seed": "",
        "run.member": 1.0,
        "rate": 0.7,
    }
    assert session.start_time_secs == BEGAN
    content = by_tag[metadata.SESSION_END_INFO_TAG].metadata.plugin_data.content
    ended = metadata.parse_session_end_info_plugin_data(content)
    assert ended.status == api_pb2.STATUS_SUCCESS
    assert ended.end_time_secs == BEGAN + OUTCOME.wall_s


def test_a_failed_runs_members_end_as_failures(tmp_path):
    broken = an_outcome(
        started(0, rate=0.1), score(1.0, 0, 1, 0.5), cause="crash", message="it broke"
    )
    store = a_folder(tmp_path / "out", (RUN, broken))
    files.write(store)
    content = events(file_of(store, RUN, 0))[-1].summary.value[0].metadata.plugin_data.content
    ended = metadata.parse_session_end_info_plugin_data(content)
    assert ended.status == api_pb2.STATUS_FAILURE


def test_the_tables_columns_are_of_all_runs_and_typed(tmp_path):
    others = a_run(
        "toy.other", card=Card(**{**vars(RUN.card), "objective": Objective("loss", "min")})
    )
    odd = {"units": 3, "name": "a", "on": True, "rate": math.nan}
    outcome = an_outcome(started(0, **odd), score(1.0, 0, 1, 0.5, metric="loss"))
    store = a_folder(tmp_path / "out", (RUN, OUTCOME), (others, outcome))
    files.write(store)
    _, event = events(store.path / "tensorboard" / files.FILE)
    (value,) = event.summary.value
    found = metadata.parse_experiment_plugin_data(value.metadata.plugin_data.content)
    kinds = {info.name: api_pb2.DataType.Name(info.type) for info in found.hparam_infos}
    assert kinds == {
        **dict.fromkeys(["run.problem", "run.method", "run.engine", "name"], "DATA_TYPE_STRING"),
        **dict.fromkeys(["run.interval", "run.seed", "run.member", "units"], "DATA_TYPE_FLOAT64"),
        "on": "DATA_TYPE_BOOL",
        "rate": "DATA_TYPE_STRING",  # one of its values is no number
    }
    assert {info.name.tag for info in found.metric_infos} == {"accuracy", "loss"}


def test_written_again_files_are_the_same_and_what_a_problem_wrote_stays(study):
    files.write(study)
    before = file_of(study, RUN, 1).read_bytes()
    own = file_of(study, RUN, 1).parent / "problem" / "events.out.tfevents.1.mine"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    gone = file_of(study, RUN, 7)  # of an attempt with more members
    gone.parent.mkdir()
    gone.write_bytes(before)
    file_of(study, RUN, 1).write_bytes(b"cut")
    files.write(study)
    assert file_of(study, RUN, 1).read_bytes() == before
    assert own.read_bytes() == b"mine"
    assert not gone.exists()
    assert not list(study.path.glob(".part-*"))


def test_what_is_discarded_of_a_run_are_its_events_too(study):
    files.write(study)
    study.discard(RUN)
    assert not file_of(study, RUN, 0).parent.parent.exists()


def test_of_many_members_the_first_get_files_and_a_line_names_the_others(study, monkeypatch):
    monkeypatch.setattr(files, "MOST_MEMBERS", 1)
    (line,) = files.write(study)
    assert line == f"{RUN.id}: members 1 to 1; TensorBoard gets the first 1 of a run"
    assert file_of(study, RUN, 0).exists()
    assert not file_of(study, RUN, 1).exists()


def test_a_damaged_record_is_named_and_the_others_are_written(tmp_path):
    other = a_run(method="pbt", interval=2, iterations=3, seed=1)
    store = a_folder(tmp_path / "out", (RUN, OUTCOME), (other, OUTCOME))
    (store.path / "runs" / RUN.id / "scores.parquet").write_bytes(b"broken")
    code, said = tensorboard(store.path)
    assert code == 0
    assert re.search(
        rf"^left out: .*{re.escape(RUN.id)}/scores\.parquet: damaged", said, re.MULTILINE
    )
    assert file_of(store, other, 0).exists()
    assert not file_of(store, RUN, 0).exists()


def test_bad_input_is_one_line(tmp_path):
    assert tensorboard(tmp_path / "nowhere")[0] == 2
    code, said = tensorboard(new_store(tmp_path / "empty").path)
    assert code == 2
    assert said.endswith("no run is kept in it yet; `pbtbench run` makes some")


def test_no_link_is_followed_out_of_the_folder(study, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (study.path / "tensorboard").symlink_to(outside)
    code, said = tensorboard(study.path)
    assert code == 2
    assert "tensorboard" in said
    live = Live(study.path, RUN)
    recorder = Recorder()
    live.watch(recorder, datetime.now(UTC))
    score(1.0, 0, 1, 0.5)(recorder)
    live.finish(OUTCOME)
    assert recorder.summaries is None
    assert list(outside.iterdir()) == []
