"""What TensorBoard gets of a study is what the records say, and TensorBoard shows it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from events import events, points, single
from fabricated import CAME_FROM, a_folder, a_run, an_outcome, fork, score, started, timed
from hypothesis import given
from hypothesis import strategies as st
from small_studies import run
from stored import new_store
from tensorboard.plugins.hparams import api_pb2, metadata

from pbtbench import cli, engines
from pbtbench.errors import BadInput
from pbtbench.problem import Card, Objective
from pbtbench.recorder import Recorder
from pbtbench.tensorboard import files
from pbtbench.tensorboard.events import MemberEvents, encoded
from pbtbench.tensorboard.live import Live

BEGAN = datetime.fromisoformat(CAME_FROM.started).timestamp()
WAIT_S = 120.0
"""How long TensorBoard may take to start, on a busy machine."""

RUN = a_run(method="pbt", interval=2, iterations=3)
OUTCOME = an_outcome(
    started(0, rate=0.1),
    started(1, rate=0.7),
    timed("train", 0.0, 8.0, iteration=3),
    *(score(float(i), 0, i, 0.1 * i, loss=math.inf) for i in (1, 2)),
    *(score(i + 0.5, 1, i, math.nan, loss=-1e300) for i in (1, 2)),
    fork(3.0, 1, 0, 2, 0.7, 0.25),
    score(4.0, 0, 3, 0.3, loss=0.0),
    score(4.5, 1, 3, 0.2, loss=1.0),
)


def file_of(store, run, member):
    return store.path / "tensorboard" / run.id / str(member) / files.FILE


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


def test_the_command_imports_neither_tensorflow_nor_ray(study):
    code = (
        "import sys; from pbtbench.cli import cli; "
        f"cli(['tensorboard', {str(study.path)!r}], standalone_mode=False); "
        "print([m for m in ('tensorflow', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert file_of(study, RUN, 0).exists()


def test_what_is_written_live_is_what_is_written_afterwards(planned, tmp_path):
    (run,) = planned(intervals=[2], iterations=9)
    store = new_store(tmp_path / "out")
    live, at = Live(store.path, run), []

    def watch(recorder):
        at.append(datetime.now(UTC))
        live.watch(recorder, at[0])

    outcome = engines.execute(run, watch)
    live.finish(outcome)
    members = {m: file_of(store, run, m).read_bytes() for m in range(run.population)}
    came_from = vars(CAME_FROM) | {"started": at[0].isoformat(timespec="milliseconds")}
    store.write(run, outcome, None, type(CAME_FROM)(**came_from))
    files.write(store)
    assert {m: file_of(store, run, m).read_bytes() for m in members} == members


@pytest.mark.slow
def test_run_writes_all_of_it_with_the_flag_and_nothing_without(tmp_path):
    command = [sys.executable, "-m", "pbtbench", "run", "--problems", "toy.branin"]
    command += ["--methods", "random", "--population", "2", "--iterations", "2", "--out", "out"]
    subprocess.run([*command, "--seeds", "1"], cwd=tmp_path, check=True, capture_output=True)
    place = tmp_path / "out" / "tensorboard"
    assert not place.exists()
    more = [*command, "--seeds", "2", "--tensorboard"]
    done = subprocess.run(more, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.endswith("to look at it: tensorboard --logdir out/tensorboard\n")
    found = sorted(str(file.relative_to(place)) for file in place.rglob(files.FILE))
    of_runs = [f"toy.branin/random/inprocess/s{s}/{m}/{files.FILE}" for s in (0, 1) for m in (0, 1)]
    assert found == sorted([files.FILE, *of_runs])


WAITS = """
        if self.step == 3:
            import glob, time
            for _ in range(6000):
                found = glob.glob({place!r}, recursive=True)
                if sum(b"score" in open(file, "rb").read() for file in found) == 2:
                    break
                time.sleep(0.01)
            else:
                raise ArithmeticError("nothing was written while it trained")
"""


def test_events_appear_while_the_run_goes_on(tmp_path):
    from small_studies import PROBLEM

    place = str(tmp_path / "out" / "tensorboard" / "**" / files.FILE)
    problem = tmp_path / "waits.py"
    problem.write_text(PROBLEM.format(train=WAITS.format(place=place).strip()))
    _, notes = run([str(problem)], tmp_path / "out", population=2, tensorboard=True)
    assert notes.messages == {"waits/random/inprocess/s0": ""}


@contextmanager
def served(logdir):
    """TensorBoard on a free port; what asks it: a path, and JSON to be posted -> the answer."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)),
            *("--host", "127.0.0.1", "--port", "0", "--load_fast", "false"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    ending = threading.Timer(WAIT_S, process.kill)
    ending.start()
    try:
        lines = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)
        address = next(found[0] for found in lines if found)

        def ask(path, posted=None):
            request = urllib.request.Request(
                f"{address}/data/{path}",
                data=None if posted is None else json.dumps(posted).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return json.load(answer)

        yield ask
    finally:
        ending.cancel()
        process.kill()
        process.wait()


def until(ask, path, ready, posted=None):
    """Its answer, once TensorBoard has loaded what makes it `ready`; it is killed if it takes too long."""
    pause = threading.Event()
    while not ready(found := ask(path, posted)):
        pause.wait(0.2)
    return found


@pytest.mark.slow
def test_tensorboard_shows_scalars_and_a_table_of_all_members(tmp_path):
    other = a_run(method="random", iterations=3, seed=1)
    lost = an_outcome(started(0, rate=0.5), score(1.0, 0, 1, math.nan))
    store = a_folder(tmp_path / "out", (RUN, OUTCOME), (other, lost))
    files.write(store)
    members = {f"{RUN.id}/0", f"{RUN.id}/1", f"{other.id}/0"}
    with served(store.path / "tensorboard") as ask:
        tags = until(ask, "plugin/scalars/tags", lambda found: members <= found.keys())
        assert set(tags) == members
        assert set(tags[f"{RUN.id}/1"]) == {"accuracy", "loss", "hyperparameters/rate"}
        asked = f"plugin/scalars/scalars?run={RUN.id}/1&tag=hyperparameters/rate"
        assert [step for _, step, _ in ask(asked)] == [0, 1, 2, 3]
        assert [value for _, _, value in ask(asked)] == pytest.approx([0.7, 0.7, 0.7, 0.25])
        assert ask(asked)[1][0] == pytest.approx(BEGAN + 1.5, abs=1e-3)
        experiment = until(ask, "plugin/hparams/experiment", lambda found: found["hparamInfos"], {})
        columns = {info["name"] for info in experiment["hparamInfos"]}
        assert {"rate", "run.method", "run.seed", "run.member"} <= columns
        assert {info["name"]["tag"] for info in experiment["metricInfos"]} == {"accuracy", "loss"}
        wanted = {
            "allowedStatuses": ["STATUS_SUCCESS"],
            "colParams": [{"metric": {"tag": "accuracy", "group": ""}}],
            "startIndex": 0,
            "sliceSize": 100,
        }
        table = ask("plugin/hparams/session_groups", wanted)
        assert table["totalSize"] == 3
        rows = {group["name"]: group for group in table["sessionGroups"]}
        assert set(rows) == members
        assert rows[f"{RUN.id}/1"]["hparams"]["rate"] == 0.7
        metrics = {m["name"]["tag"]: m for m in rows[f"{RUN.id}/1"]["metricValues"]}
        assert metrics["accuracy"]["trainingStep"] == 3
        assert metrics["accuracy"]["value"] == pytest.approx(0.2)
        assert rows[f"{other.id}/0"]["metricValues"][0]["value"] == "NaN"
