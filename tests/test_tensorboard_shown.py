"""TensorBoard shows what it gets of a study, also while a run goes on; the commands that write it."""

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
from events import BEGAN, OUTCOME, RUN, file_of
from fabricated import CAME_FROM, a_folder, a_run, an_outcome, score, started
from small_studies import PROBLEM, run
from stored import new_store

from pbtbench import engines
from pbtbench.tensorboard import files
from pbtbench.tensorboard.live import Live

WAIT_S = 120.0
"""How long TensorBoard may take to start, on a busy machine."""


@pytest.fixture
def study(tmp_path):
    return a_folder(tmp_path / "out", (RUN, OUTCOME))


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
