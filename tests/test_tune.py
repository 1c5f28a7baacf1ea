"""Ray Tune's runs: complete, accounted for, and failing with a reason. Ray starts once for the file."""

import math
import sys
from collections import Counter, defaultdict

import numpy as np
import pytest

from pbtbench import engines
from pbtbench.engines.tune.lanes import laid, numbered
from pbtbench.errors import BadInput
from pbtbench.record import MARKS, Event
from pbtbench.study import Study

PROBLEM_FILE = """
from dataclasses import replace
from pathlib import Path
import numpy as np
from pbtbench.problem import member_seed
from problems.toy.pbt_quadratic import PROBLEM as TOY, PBTQuadratic

class Faulty(PBTQuadratic):
    def __init__(self, hyperparameters, seeds, fault, marker):
        super().__init__(hyperparameters)
        self.chosen = seeds[0].spawn_key == (1, 1)
        self.fault, self.marker = fault, Path(marker)
        self.made, self.adopted = 0, False

    def train(self, steps):
        super().train(steps)
        self.made += 1
        if self.fault == "raise" and self.chosen and self.made == 3:
            raise ArithmeticError("member 1 fell over\\nbadly")
        if self.fault == "once" and self.chosen and self.due() and not self.marker.exists():
            self.marker.touch()
            raise ArithmeticError("once")

    def due(self):
        return self.made == 3 or self.adopted

    def adopt(self, member, state, hyperparameters):
        super().adopt(member, state, hyperparameters)
        self.adopted = True

    def evaluate(self):
        metrics = super().evaluate()
        if self.fault == "nan" and self.chosen:
            metrics["Q"] = np.full(1, np.nan)
        return metrics

def start(hyperparameters, seeds, fault, marker):
    return Faulty(hyperparameters, seeds, fault, marker)

PROBLEM = replace(TOY, start=start, options={"fault": "", "marker": ""})

def explore(hyperparameters, space, rng):
    return {name: 0.25 for name in hyperparameters}
"""


@pytest.fixture(scope="module", autouse=True)
def _ray_once():
    yield
    engines.engine("tune").close()


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    path = tmp_path_factory.mktemp("problems") / "faulty.py"
    path.write_text(PROBLEM_FILE)
    return str(path)


def planned(kind="pbt", /, on="tune", **keys):
    base = {
        "problems": ["toy.pbt_quadratic"],
        "methods": [kind],
        "engines": [on],
        "population": 4,
        "iterations": 8,
        "intervals": [2],
        "seeds": 1,
    }
    return Study.plan({**base, **keys}).runs[0]


def executed(*args, **keys):
    return engines.execute(planned(*args, **keys))


def scores(trace):
    """member -> its scores, in order of its iterations."""
    found = defaultdict(dict)
    for i in trace.rows("score"):
        found[int(trace.member[i])][int(trace.iteration[i])] = float(trace.value[i])
    return {member: [rows[n] for n in sorted(rows)] for member, rows in sorted(found.items())}


def starts(trace):
    """member -> the hyperparameters that it started with."""
    rows = [i for i in trace.rows("setup") if trace.iteration[i] == 0 and not trace.duration_s[i]]
    return {int(trace.member[i]): trace.detail[i] for i in rows}


def kinds(trace):
    return Counter(trace.kind.tolist())


@pytest.fixture(scope="module")
def pbt():
    return executed()


@pytest.fixture(scope="module")
def random_search():
    return executed("random")


@pytest.fixture(scope="module")
def crowded():
    return executed(population=6, intervals=[4], method={"pbt": {"synchronous": False}})


@pytest.mark.parametrize("run", ["pbt", "random_search", "crowded"])
def test_every_member_makes_its_budget_and_no_more(run, request):
    outcome = request.getfixturevalue(run)
    assert (outcome.cause, outcome.message) == ("", "")
    made = {member: len(values) for member, values in scores(outcome.trace).items()}
    assert made == dict.fromkeys(range(6 if run == "crowded" else 4), 8)
    assert kinds(outcome.trace)["score"] == sum(made.values())


@pytest.mark.parametrize("run", ["pbt", "random_search", "crowded"])
def test_conservation(run, request):
    outcome = request.getfixturevalue(run)
    trace = outcome.trace
    timed = ~np.isin(trace.kind, MARKS)
    for worker in range(outcome.workers):
        own = np.flatnonzero(timed & (trace.worker == worker))
        start, duration = trace.t_start_s[own], trace.duration_s[own]
        assert (duration >= 0).all()
        assert (start[1:] - (start + duration)[:-1] > -1e-6).all()
        assert duration.sum() == pytest.approx(outcome.wall_s, rel=0.02)


def test_states_are_saved_and_restored_with_their_size(pbt):
    trace = pbt.trace
    assert set(trace.bytes[trace.rows("save")]) == {16}  # two float64
    assert set(trace.bytes[trace.rows("restore")]) == {16}
    assert (trace.bytes[trace.rows("persist")] > 16).all()


def test_forks_have_a_donor_and_new_hyperparameters(pbt):
    trace = pbt.trace
    assert len(trace.rows("fork"))
    for i in trace.rows("fork"):
        fork = trace.detail[i]
        assert fork["donor"] in range(4)
        assert fork["donor"] != trace.member[i]
        assert set(fork["old"]) == set(fork["new"]) == {"h0", "h1"}
        outside = [name for name, value in fork["new"].items() if not 0 <= value <= 1]
        assert fork.get("out_of_bounds", []) == outside
        assert trace.iteration[i] in (2, 4, 6)


def test_without_perturbations_nothing_is_saved(random_search):
    found = kinds(random_search.trace)
    assert not any(found[kind] for kind in ("save", "persist", "restore", "restart", "fork"))


def test_random_search_is_that_of_one_process_to_the_bit(random_search):
    reference = executed("random", on="inprocess")
    assert scores(random_search.trace) == scores(reference.trace)


def test_members_start_as_in_one_process(pbt):
    reference = executed(on="inprocess")
    assert starts(pbt.trace) == starts(reference.trace)
    assert len(starts(pbt.trace)) == 4


@pytest.fixture(scope="module")
def odd(faulty):
    """A run in which member 1 scores NaN, and the user explores."""
    return executed(
        problems=[faulty],
        options={"fault": "nan"},
        intervals=[4],
        method={"pbt": {"explore": f"{faulty}:explore"}},
    )


def test_a_member_that_scores_nan_is_the_worst_not_the_end(odd):
    assert odd.cause == ""
    own = scores(odd.trace)
    assert all(math.isnan(score) for score in own[1])
    assert all(math.isfinite(score) for m in (0, 2, 3) for score in own[m])
    assert odd.trace.member[odd.trace.rows("fork")].tolist() == [1]


def test_the_user_explores(odd):
    (fork,) = odd.trace.rows("fork")
    assert odd.trace.detail[fork]["new"] == {"h0": 0.25, "h1": 0.25}


def test_a_stop_condition_ends_a_member_that_meets_it_and_no_other():
    outcome = executed("random", engine={"tune": {"stop": {"Q": -0.35}}})
    assert not outcome.cause
    whole = scores(executed("random", on="inprocess").trace)
    until = {
        member: next((i for i, q in enumerate(rows, 1) if q >= -0.35), len(rows))
        for member, rows in whole.items()
    }
    assert {member: len(rows) for member, rows in scores(outcome.trace).items()} == until
    assert len(set(until.values())) > 1


def test_a_stop_condition_on_a_metric_that_isnt_there_fails_the_run_in_one_line():
    outcome = executed("random", engine={"tune": {"stop": {"QQ": 1.0}}})
    assert outcome.cause == "crash"
    assert "QQ" in outcome.message
    assert "\n" not in outcome.message


def test_a_member_that_raises_fails_the_run_in_one_line(faulty):
    outcome = executed("random", problems=[faulty], options={"fault": "raise"})
    assert outcome.cause == "crash"
    assert "member 1 at iteration 3" in outcome.message
    assert "badly" in outcome.message
    assert "\n" not in outcome.message
    assert kinds(outcome.trace)["score"] > 0


@pytest.mark.parametrize("kind", ["random", "pbt"])
def test_a_trial_that_fails_starts_again_where_that_is_allowed(kind, faulty, tmp_path):
    once = {"fault": "once", "marker": str(tmp_path / "fallen")}
    outcome = executed(kind, problems=[faulty], options=once, engine={"tune": {"max_failures": 1}})
    assert (outcome.cause, outcome.message) == ("", "")
    trace = outcome.trace
    (error,) = trace.rows("error")
    assert (trace.member[error], trace.iteration[error]) == (1, 2)
    discarded = trace.detail[error]["discarded_iterations"]
    assert discarded == (2 if kind == "random" else 0)
    assert {m: len(own) for m, own in scores(trace).items()} == dict.fromkeys(range(4), 8)
    assert kinds(trace)["score"] == 4 * 8 + discarded
    if kind == "random":
        assert scores(trace) == scores(executed("random", on="inprocess").trace)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"method": {"pbt": {"exploit": "tournament"}}}, "truncation"),
        ({"engine": {"tune": {"num_to_keep": 1, "checkpoint_frequency": 1}}}, "ray#9036"),
        ({"engine": {"tune": {"storage_path": "/proc/none"}}}, "/proc can't be written to"),
        ({"engine": {"tune": {"max_failures": -2}}}, "max_failures"),
        ({"gpus_per_worker": 1000.0}, "GPUs"),
        ({"cpus_per_worker": -1.0}, "cpus_per_worker"),
        ({"engine": {"tune": {"stop": {"Q": "high"}}}}, "stop Q"),
    ],
)
def test_what_tune_cannot_do_is_bad_input(keys, says):
    with pytest.raises(BadInput, match=says) as error:
        executed(**keys)
    assert "\n" not in str(error.value)


def row(start, duration, kind, member=0):
    return Event(start, duration, -1, member, -1, kind)


def test_an_actor_follows_on_the_lane_that_was_freed():
    first = [row(-9, 11, "setup"), row(2, 1, "train"), row(3, 0, "score"), row(3, 1, "wait")]
    second = [row(-9, 12, "setup", 1), row(3, 2, "train", 1), row(5, 0, "score", 1)]
    third = [row(4.5, 0.5, "setup"), row(5, 0.5, "restore"), row(5.5, 0.5, "train")]
    lives = {"a": first, "b": second, "c": third}
    rows = [(actor, r) for actor, life in lives.items() for r in life]
    laid_out = [r for r in laid(numbered(rows), 2, 8.0) if r.kind != "score"]
    assert [(r.kind, r.t_start_s, r.duration_s) for r in laid_out if r.worker == 0] == [
        ("setup", 0, 2),
        ("train", 2, 1),
        ("wait", 3, 1),
        ("restart", 4, 0.5),
        ("restart", 4.5, 0.5),
        ("restore", 5, 0.5),
        ("train", 5.5, 0.5),
        ("idle", 6, 2),
    ]
    assert [r.kind for r in laid_out if r.worker == 1] == ["setup", "train", "idle"]
    assert {r.worker for r in laid_out} == {0, 1}


def test_a_member_counts_its_own_iterations_across_actors():
    rows = [
        ("b", row(5, 1, "restore")),
        ("b", row(6, 1, "train")),
        ("b", row(7, 0, "score")),
        ("a", row(0, 1, "train")),
        ("a", row(1, 0, "score")),
        ("a", row(1, 1, "save")),
    ]
    counted = [(r.kind, r.iteration) for _, r in numbered(rows)]
    assert counted == [
        ("train", 1),
        ("score", 1),
        ("save", 1),
        ("restore", 1),
        ("train", 2),
        ("score", 2),
    ]


HELPED = """
from pathlib import Path
from ray import tune
from helper_of_a_trainable import gain

class Climber(tune.Trainable):
    def setup(self, config):
        self.rate, self.place = config["rate"], 0.0
    def step(self):
        from late_helper_of_a_trainable import factor
        self.place += factor * gain(self.rate)
        return {"place": self.place}
    def save_checkpoint(self, folder):
        Path(folder, "place.txt").write_text(repr(self.place))
    def load_checkpoint(self, folder):
        self.place = float(Path(folder, "place.txt").read_text())

PARAM_SPACE = {"rate": tune.uniform(1, 2)}
METRIC, MODE, ITERATIONS = "place", "max", 2
"""


def test_a_trainables_trials_find_the_modules_beside_its_file(tmp_path, monkeypatch):
    """Also from another working directory, where Ray's workers don't look."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "helped.py").write_text(HELPED)
    (tmp_path / "helper_of_a_trainable.py").write_text("def gain(rate): return 2 * rate\n")
    (tmp_path / "late_helper_of_a_trainable.py").write_text("factor = 3\n")
    reference = f"{tmp_path / 'helped.py'}:Climber"
    outcome = executed("random", problems=[reference], iterations=2)
    assert (outcome.cause, outcome.message) == ("", "")
    firsts = [made[0] for made in scores(outcome.trace).values()]
    assert len(firsts) == 4
    assert min(firsts) >= 6
