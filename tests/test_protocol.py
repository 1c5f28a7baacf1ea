"""The protocol of populations: what breaks it is refused with what it gave and what it must give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pbtbench import BadInput, LoopedPopulation, engines
from pbtbench.catalogue import problem
from pbtbench.engines.shard import Shard
from pbtbench.problem import member_seed
from pbtbench.protocol import check_metrics, check_state, scores
from pbtbench.recorder import Recorder

OWN = object()


class Members:
    """`size` members that count their steps; what they give may be set from outside."""

    traces = 0

    def __init__(self, size, metrics=OWN, state=OWN):
        self.size, self.metrics, self.handed = size, metrics, state
        self.step = np.zeros(size)

    def train(self, steps):
        self.step += steps

    def evaluate(self):
        return {"score": self.step.copy()} if self.metrics is OWN else self.metrics

    def state(self, member):
        return {"step": self.step[member].copy()} if self.handed is OWN else self.handed

    def adopt(self, member, state, hyperparameters):
        self.step[member] = self.step[member] if state is None else state["step"]


def a_problem(start):
    """Three members of it, started."""
    mine = replace(problem("toy.pbt_quadratic"), start=start)
    return mine.population([{"h0": 0.0, "h1": 0.0}] * 3, [member_seed(0, m) for m in range(3)])


def refusal(call):
    with pytest.raises(BadInput) as refused:
        call()
    assert "\n" not in str(refused.value)
    return str(refused.value)


class Half:
    size, traces = 3, 0

    def train(self, steps): ...


LIES = {
    "fewer members": (lambda h, s: Members(2), "a population of 2 members for 3"),
    "more members": (lambda h, s: Members(4), "a population of 4 members for 3"),
    "no members": (lambda h, s: LoopedPopulation([]), "a population of 0 members for 3"),
    "a size of 3.0": (lambda h, s: _sized(3.0), "size is 3.0"),
    "a size that is true": (lambda h, s: _sized(True), "size is True"),
    "a size of text": (lambda h, s: _sized("3"), "size is '3'"),
    "nothing": (lambda h, s: None, "gives a NoneType without train, evaluate, state, adopt"),
    "half a population": (lambda h, s: Half(), "gives a Half without evaluate, state, adopt"),
}


def _sized(size):
    members = Members(3)
    members.size = size
    return members


@pytest.mark.parametrize("what", LIES)
def test_a_population_that_is_not_what_was_asked_for_is_refused(what):
    start, says = LIES[what]
    assert says in refusal(lambda: a_problem(start))


def test_a_size_that_changes_while_members_train_is_refused():
    members = Members(3)
    shard = Shard(problem("toy.pbt_quadratic"), members, Recorder())
    members.size, members.metrics = 2, {"Q": np.zeros(2)}
    assert "'Q' with shape (2,); it must be (3,)" in refusal(shard.iterate)


BAD_METRICS = {
    "complex": np.array([1j, 0, 0]),
    "text": ["0.1", "0.2", "0.3"],
    "bytes": [b"1", b"2", b"3"],
    "missing": [0.1, None, 0.3],
    "all missing": [None] * 3,
    "masked": np.ma.masked_array([0.1, 0.2, 0.3], [False, True, False]),
    "objects": np.array([object()] * 3),
    "huge whole numbers": [10**400] * 3,
    "dates": np.array(["2024-01-01"] * 3, "datetime64[D]"),
    "one number for all": 0.5,
    "a number too few": [0.1, 0.2],
    "a column": np.zeros((3, 1)),
    "ragged": [[0.1], [0.2, 0.3], []],
    "a set": {0.1, 0.2, 0.3},
    "None": None,
}


@pytest.mark.parametrize("what", BAD_METRICS)
def test_a_metric_is_one_real_number_for_each_member(what):
    line = refusal(lambda: check_metrics({"score": np.zeros(3), "x": BAD_METRICS[what]}, 3))
    assert "evaluate() gives 'x'" in line
    assert "a real number" in line or "it must be (3,), a number for each member" in line


@pytest.mark.parametrize("metrics", [None, 0.5, [("x", [1.0] * 3)], np.zeros(3)])
def test_metrics_are_a_dictionary(metrics):
    assert "it must give a dictionary" in refusal(lambda: check_metrics(metrics, 3))


@pytest.mark.parametrize("name", [3, None, "", ("a", "b"), "a\x1b", "x" * 201])
def test_a_metrics_name_is_text(name):
    assert f"named {name!r}" in refusal(lambda: check_metrics({name: np.zeros(3)}, 3))


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(3, np.float32),
        np.zeros(3, np.float16),
        [1, 2, 3],
        (0.5, float("nan"), float("inf")),
        np.array([True, False, True]),
        np.ma.masked_array([0.1, 0.2, 0.3]),
    ],
)
def test_any_real_numbers_are_scores_also_of_members_that_diverged(values):
    found = scores({"x": values}, "x", 3)["x"]
    np.testing.assert_array_equal(found, np.asarray(values, float))
    assert found.dtype == np.float64


def test_an_objective_that_is_not_measured_is_told_with_the_nearest_one():
    metrics = {"accuracy": np.zeros(3), "loss": np.zeros(3)}
    line = refusal(lambda: scores(metrics, "val_accuracy", 3))
    assert "evaluate() gives 'accuracy', 'loss', but not the objective 'val_accuracy'" in line
    assert "did you mean 'accuracy'?" in line
    assert "metrics=" in line


def test_members_that_measure_different_things_are_refused():
    population = LoopedPopulation(
        [Members(1, {"loss": [0.1]}), Members(1, {"loss": [0.1], "depth": [3]})]
    )
    assert "loss and, member 1, loss, depth" in refusal(population.evaluate)


BAD_STATES = {
    "nothing": (None, "a NoneType; it must give a dictionary"),
    "a list": ([np.zeros(2)], "a list; it must give a dictionary"),
    "numbers": ({"step": 3}, "'step' as a int"),
    "a list of numbers": ({"w": [0.1, 0.2]}, "'w' as a list"),
    "objects": ({"w": np.array([{}, {}])}, "'w' as an array of Python objects"),
    "objects in a structure": (
        {"w": np.zeros(2, [("a", float), ("b", object)])},
        "'w' as an array of Python objects",
    ),
    "names that are no text": ({0: np.zeros(2)}, "an array named 0"),
    "a nested dictionary": ({"layer": {"w": np.zeros(2)}}, "'layer' as a dict"),
}


@pytest.mark.parametrize("what", BAD_STATES)
def test_a_state_is_a_dictionary_of_arrays_without_objects(what):
    state, says = BAD_STATES[what]
    assert says in refusal(lambda: check_state(state))
    shard = Shard(problem("toy.pbt_quadratic"), Members(3, state=state), Recorder())
    assert says in refusal(lambda: shard.snapshot(1))


@pytest.mark.parametrize(
    "state", [{}, {"w": np.zeros((2, 2)), "step": np.int64(3)}, {"name": np.array("adam")}]
)
def test_numbers_and_text_are_a_state(state):
    check_state(state)


NEVER_FINITE = """
import numpy as np
from dataclasses import replace
from problems.toy.pbt_quadratic import PROBLEM, PBTQuadratic

class Diverged(PBTQuadratic):
    def evaluate(self):
        found = super().evaluate()
        return {name: np.where(np.arange(self.size) < FINITE, q, np.nan) for name, q in found.items()}

def start(hyperparameters, seeds):
    population = START(hyperparameters, seeds)
    population.__class__ = Diverged
    return population

START = PROBLEM.start
PROBLEM = replace(PROBLEM, start=start)
"""


@pytest.mark.parametrize(("finite", "cause"), [(0, "crash"), (1, "")])
def test_a_run_fails_where_no_member_ever_has_a_finite_score(finite, cause, planned, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(NEVER_FINITE.replace("FINITE", str(finite), 1))
    (run,) = planned(problems=[str(mine)], methods=["random"], iterations=3)
    outcome = engines.execute(run)
    assert outcome.cause == cause
    assert ("no member ever had a finite 'Q'" in outcome.message) == bool(cause)
