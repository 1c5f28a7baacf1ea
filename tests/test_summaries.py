"""What a problem writes by `tf.summary` lands in the log of its member, on every engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from events import points, problems_files, single

from pbtbench import engines, summaries
from pbtbench.study import Study
from pbtbench.tensorboard.files import FILE
from pbtbench.tensorboard.live import Live

pytestmark = pytest.mark.usefixtures("shared_ray")

LOOPED = """
import numpy as np
import tensorflow as tf
from pbtbench import LoopedPopulation, Objective, Problem, Space, Uniform

class One:
    size, traces = 1, 0
    def __init__(self, x): self.x = x
    def train(self, steps): tf.summary.scalar("x", self.x)
    def evaluate(self):
        tf.summary.scalar("evaluated", self.x)
        return {"score": np.array([self.x])}
    def state(self, member): return {"x": np.array(self.x)}
    def adopt(self, member, state, hyperparameters): self.x = hyperparameters["x"]

def start(hyperparameters, seeds):
    return LoopedPopulation([One(h["x"]) for h in hyperparameters])

PROBLEM = Problem(
    "t", "s", "f", Space({"x": Uniform(0, 1)}), Objective("score", "max"), 3, 1, start,
    framework="tensorflow",
)
"""

TRAINABLE = """
from pathlib import Path
import tensorflow as tf
from ray import tune

class Own(tune.Trainable):
    def setup(self, config): self.x = config["x"]
    def step(self):
        tf.summary.scalar("x", self.x)
        tf.summary.scalar("evaluated", self.x)
        return {"score": self.x}
    def save_checkpoint(self, folder): Path(folder, "x").write_text(str(self.x))
    def load_checkpoint(self, folder): pass

def function(config):
    for _ in range(3):
        tf.summary.scalar("x", config["x"])
        tf.summary.scalar("evaluated", config["x"])
        tune.report({"score": config["x"]})

PARAM_SPACE = {"x": tune.uniform(0, 1)}
METRIC, MODE, ITERATIONS = "score", "max", 3
"""

KERAS = """
import numpy as np
from pbtbench import LogUniform, Objective, Problem, Space
from pbtbench.adapters.keras import keras_population

SPACE = Space({"x": LogUniform(0.001, 0.1)})

def data():
    inputs = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    both = inputs, (inputs.sum(1) > 0).astype(np.int64)
    return {"train": both, "validation": both}

def build(hyper):
    import keras
    import tensorflow as tf

    class Dense(keras.layers.Dense):
        def call(self, inputs, training=False):
            if training:
                tf.summary.scalar("x", hyper["x"] * 1.0)
            else:
                tf.summary.scalar("evaluated", tf.reduce_mean(self.kernel))
            return super().call(inputs)

    model = keras.Sequential([keras.Input((4,)), Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, keras.optimizers.SGD(hyper["x"]), loss

PROBLEM = Problem(
    "t", "s", "f", SPACE, Objective("accuracy", "max"), 3, 1, keras_population(SPACE, build, data)
)
"""


@pytest.fixture
def problem(tmp_path):
    """Writes a problem's file, and gives its reference: that of what is called so in it."""

    def write(text, name=""):
        file = tmp_path / "writes.py"
        file.write_text(text)
        return f"{file}:{name}" if name else str(file)

    return write


def executed(problem, engine, folder, *, tensorboard=True):
    """The outcome of a run, whose events go to a study's folder."""
    study = Study.plan(
        {
            "problems": [problem],
            "methods": ["random"],
            "seeds": 1,
            "population": 3,
            "iterations": 3,
            "engines": [engine],
            "workers": 2,
        }
    )
    (run,) = study.runs
    folder.mkdir()
    live = Live(folder, run)
    outcome = engines.execute(
        run, (lambda recorder: live.watch(recorder, datetime.now(UTC))) if tensorboard else None
    )
    live.finish(outcome)
    assert outcome.cause == "", outcome.message
    if tensorboard:
        assert_events_are_the_records(outcome.record, run, folder)
    return outcome


def assert_events_are_the_records(record, run, folder):
    """Whatever engine it is that scores come from while it goes on."""
    scores, metric = record.scores, run.card.objective.metric
    for member in range(run.population):
        mine = scores.member == member
        values = map(single, scores.metrics[metric][mine].tolist())
        expected = sorted(zip(scores.iteration[mine].tolist(), values, strict=True))
        found = points(folder / "tensorboard" / run.id / str(member) / FILE)
        assert found[metric] == expected
        assert [step for step, _ in found["hyperparameters/x"]] == [0, 1, 2, 3]


def assert_each_member_has_its_own(outcome, folder):
    """Each member's log holds its own hyperparameter, and what its evaluation wrote, by iteration."""
    forks = outcome.record.forks
    own = dict(zip(forks.member.tolist(), forks.new["x"].tolist(), strict=True))
    found = {}
    for member, files in problems_files(folder).items():
        (file,) = files
        found[member] = {tag.rpartition("/")[2]: values for tag, values in points(file).items()}
    assert set(found) == {0, 1, 2}
    for member, x in own.items():
        assert set(found[member]) == {"x", "evaluated"}
        for points_of_tag in found[member].values():
            assert [step for step, _ in points_of_tag] == [1, 2, 3]
        assert [v for _, v in found[member]["x"]] == pytest.approx([x] * 3, rel=1e-6)


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_of_members_that_train_one_after_another(engine, problem, tmp_path):
    outcome = executed(problem(LOOPED), engine, tmp_path / "out")
    assert_each_member_has_its_own(outcome, tmp_path / "out")


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_of_a_trainable(engine, problem, tmp_path):
    outcome = executed(problem(TRAINABLE, "Own"), engine, tmp_path / "out")
    assert_each_member_has_its_own(outcome, tmp_path / "out")


def test_of_a_function_trainable(problem, tmp_path):
    outcome = executed(problem(TRAINABLE, "function"), "tune", tmp_path / "out")
    assert_each_member_has_its_own(outcome, tmp_path / "out")


@pytest.mark.parametrize("engine", ["inprocess", "tune"])
def test_of_the_graph_that_keras_members_share(engine, problem, tmp_path):
    outcome = executed(problem(KERAS), engine, tmp_path / "out")
    assert_each_member_has_its_own(outcome, tmp_path / "out")


def test_nothing_is_written_where_nobody_asked(problem, tmp_path):
    executed(problem(LOOPED), "inprocess", tmp_path / "out", tensorboard=False)
    assert problems_files(tmp_path / "out") == {}


def test_nothing_is_left_of_a_run_for_who_writes_after_it(problem, tmp_path):
    import tensorflow as tf

    executed(problem(LOOPED), "inprocess", tmp_path / "out")
    with summaries.of_member(0):
        assert not tf.summary.scalar("late", 1.0, step=9)
    assert "late" not in json.dumps(
        [points(file) for files in problems_files(tmp_path / "out").values() for file in files]
    )
