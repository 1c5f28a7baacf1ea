"""Ray Tune's runs: complete, accounted for, and failing with a reason."""

import math
import sys
import threading
import time
from pathlib import Path

import pytest
from held_out import problem_file
from records import assert_accounted_for, forks, kinds, made, scores, starts

from pbtbench import engines
from pbtbench.engines.tune.lanes import Counts, TimelineRow, laid
from pbtbench.errors import BadInput
from pbtbench.measures import measure
from pbtbench.record import CODES, KINDS
from pbtbench.running.progress import Progress
from pbtbench.study import Study

pytestmark = pytest.mark.usefixtures("shared_ray")

PROBLEM_FILE = """
import time
from dataclasses import replace
from pathlib import Path
import numpy as np
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
        if self.fault == "nan" and self.chosen and self.made == 3:
            self.wait_until_seen()

    def due(self):
        return self.made == 3 or self.adopted

    def wait_until_seen(self):
        for _ in range(6000):
            if self.marker.exists():
                return
            time.sleep(0.01)
        raise ArithmeticError("nobody saw its scores while it trained")

    def morph(self, state, hyperparameters):
        if self.fault != "nan":
            return state
        time.sleep(0.02)
        return dict(state)

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


@pytest.fixture(scope="module")
def pbt():
    return executed()


@pytest.fixture(scope="module")
def random_search():
    return executed("random")


@pytest.fixture(scope="module")
def random_in_process():
    return executed("random", on="inprocess")


@pytest.fixture(scope="module")
def crowded():
    return executed(population=6, intervals=[4], method={"pbt": {"synchronous": False}})


@pytest.mark.parametrize("run", ["pbt", "random_search", "crowded"])
def test_every_member_makes_its_budget_and_no_more(run, request):
    outcome = request.getfixturevalue(run)
    assert (outcome.cause, outcome.message) == ("", "")
    assert made(outcome.record) == dict.fromkeys(range(6 if run == "crowded" else 4), 8)
    assert len(outcome.record.scores) == sum(made(outcome.record).values())


@pytest.mark.parametrize("run", ["pbt", "random_search", "crowded"])
def test_conservation(run, request):
    assert_accounted_for(request.getfixturevalue(run))


def test_states_are_saved_and_restored_with_their_size(pbt):
    rows = pbt.record.timeline
    assert set(rows.bytes[rows.of("save")]) == {16}  # two float64
    assert set(rows.bytes[rows.of("restore")]) == {16}
    assert (rows.bytes[rows.of("persist")] > 16).all()


def test_forks_have_a_donor_and_new_hyperparameters(pbt):
    assert forks(pbt.record)
    for fork in forks(pbt.record):
        assert fork.donor in range(4)
        assert fork.donor != fork.member
        assert fork.iteration in (2, 4, 6)
        assert set(fork.old) == set(fork.new) == {"h0", "h1"}
        assert fork.out_of_bounds == any(not 0 <= value <= 1 for value in fork.new.values())


def test_without_perturbations_nothing_is_saved(random_search):
    found = kinds(random_search.record)
    assert not any(found[kind] for kind in ("save", "persist", "restore", "restart"))
    assert not forks(random_search.record)


def test_random_search_is_that_of_one_process_to_the_bit(random_search, random_in_process):
    assert scores(random_search.record, "Q") == scores(random_in_process.record, "Q")


def test_members_start_as_in_one_process(pbt):
    reference = executed(on="inprocess")
    assert starts(pbt.record) == starts(reference.record)
    assert len(starts(pbt.record)) == 4


def test_processes_can_be_told_apart(pbt):
    """Each actor is a process of its own, whichever members it holds one after another."""
    rows, notes = pbt.record.timeline, pbt.record.notes
    processes = set(notes.text[notes.named("process")])
    assert len(processes) >= pbt.workers
    assert measure(planned(), pbt).forks.process_starts == len(processes)
    assert rows.of("memory").sum() >= len(processes)


@pytest.fixture(scope="module")
def odd(faulty, tmp_path_factory):
    """A run in which member 1 scores NaN and goes on only once others' scores were seen, the user
    explores, and states are morphed."""
    marker = tmp_path_factory.mktemp("seen") / "marker"

    def watch(recorder):
        threading.Thread(target=look, args=(recorder, marker), daemon=True).start()

    options = {"fault": "nan", "marker": str(marker)}
    explore = {"pbt": {"explore": f"{faulty}:explore"}}
    run = planned(problems=[faulty], options=options, intervals=[4], method=explore)
    return run, engines.execute(run, watch)


def look(recorder, marker: Path):
    """Touch `marker` once a live view shows that some member has scored, and member 1 twice."""
    progress = Progress(recorder, planned().card.objective)
    for _ in range(6000):
        best = {member: about for member, *about in progress.to_dict()["best"]}
        if any(math.isfinite(score) for _, score, *_ in best.values()) and best.get(1, [0])[0] == 2:
            marker.touch()
            return
        time.sleep(0.01)


def test_scores_are_seen_while_the_run_goes_on(odd):
    """Member 1 waits for it."""
    _, outcome = odd
    assert (outcome.cause, outcome.message) == ("", "")


def test_a_member_that_scores_nan_is_the_worst_not_the_end(odd):
    _, outcome = odd
    own = {member: list(found.values()) for member, found in scores(outcome.record, "Q").items()}
    assert all(math.isnan(score) for score in own[1])
    assert all(math.isfinite(score) for m in (0, 2, 3) for score in own[m])
    assert [fork.member for fork in forks(outcome.record)] == [1]


def test_the_user_explores(odd):
    (fork,) = forks(odd[1].record)
    assert fork.new == {"h0": 0.25, "h1": 0.25}


def test_a_morph_is_a_part_of_its_restore_and_of_the_checkpoint_overhead(odd):
    """As on engines of ours, it has a row of its own, and leaves its restore one row."""
    run, outcome = odd
    rows, overhead = outcome.record.timeline, measure(run, outcome).overhead
    morphs, restores = rows.at(rows.of("morph")), rows.at(rows.of("restore"))
    assert len(morphs) == len(restores) > 0
    assert (morphs.duration_s >= 0.02).all()  # as long as it sleeps
    assert (morphs.member == restores.member).all()
    assert morphs.t_start_s + morphs.duration_s == pytest.approx(restores.t_start_s)
    assert overhead.seconds["morph"] == pytest.approx(morphs.duration_s.sum())
    others = ("save", "persist", "transfer", "restore", "restart")
    without = sum(overhead.seconds[kind] for kind in others) / overhead.work_s
    assert overhead.checkpoint_overhead - without >= 0.02 * len(morphs) / overhead.work_s
    assert_accounted_for(outcome)


def test_a_stop_condition_ends_a_member_that_meets_it_and_no_other(random_in_process):
    outcome = executed("random", engine={"tune": {"stop": {"Q": -0.35}}})
    assert not outcome.cause
    whole = scores(random_in_process.record, "Q")
    until = {
        member: next((i for i, q in found.items() if q >= -0.35), len(found))
        for member, found in whole.items()
    }
    assert made(outcome.record) == until
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
    assert len(outcome.record.scores)


@pytest.mark.parametrize("kind", ["random", "pbt"])
def test_a_trial_that_fails_starts_again_where_that_is_allowed(
    kind, faulty, tmp_path, random_in_process
):
    once = {"fault": "once", "marker": str(tmp_path / "fallen")}
    outcome = executed(kind, problems=[faulty], options=once, engine={"tune": {"max_failures": 1}})
    assert (outcome.cause, outcome.message) == ("", "")
    record = outcome.record
    (error,) = record.timeline.rows("error")
    assert (record.timeline.member[error], record.timeline.iteration[error]) == (1, 2)
    discarded = record.timeline.value[error]
    assert discarded == (2 if kind == "random" else 0)
    (note,) = record.notes.named("crash")
    assert (record.notes.member[note], record.notes.value[note]) == (1, discarded)
    assert record.notes.text[note] == "its trial failed and starts again"
    assert made(record) == dict.fromkeys(range(4), 8)
    assert len(record.scores) == 4 * 8 + discarded
    if kind == "random":
        assert scores(record, "Q") == scores(random_in_process.record, "Q")


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
    return TimelineRow(start, duration, -1, member, -1, CODES[kind])


def counts(*scored):
    """The counts of members that scored: (member, moment)."""
    found = Counts()
    for member, moment in scored:
        found.add(member, moment)
    return found


def test_an_actor_follows_on_the_lane_that_was_freed():
    first = [row(-9, 11, "setup"), row(2, 1, "train"), row(3, 1, "wait")]
    second = [row(-9, 12, "setup", 1), row(3, 2, "train", 1)]
    third = [row(4.5, 0.5, "setup"), row(5, 0.5, "restore"), row(5.5, 0.5, "train")]
    lives, made_by = {"a": first, "b": second, "c": third}, counts((0, 3), (1, 5))
    rows = [(actor, made_by.numbered(r)) for actor, life in lives.items() for r in life]
    laid_out = laid(rows, 2, 8.0)
    assert [(KINDS[r.kind], r.t_start_s, r.duration_s) for r in laid_out if r.worker == 0] == [
        ("setup", 0, 2),
        ("train", 2, 1),
        ("wait", 3, 1),
        ("restart", 4, 0.5),
        ("restart", 4.5, 0.5),
        ("restore", 5, 0.5),
        ("train", 5.5, 0.5),
        ("idle", 6, 2),
    ]
    assert [KINDS[r.kind] for r in laid_out if r.worker == 1] == ["setup", "train", "idle"]
    assert {r.worker for r in laid_out} == {0, 1}


def test_a_member_counts_its_own_iterations_across_actors():
    """Whichever actor's rows arrive first."""
    made_by = counts((0, 7), (0, 1))
    rows = [
        row(0, 1, "train"),
        row(1, 1, "save"),
        row(5, 1, "restore"),
        row(6, 1, "train"),
        row(7, 1, "wait"),
        row(7, 1, "wait", member=1),
    ]
    assert [made_by.numbered(r).iteration for r in rows] == [1, 1, 1, 2, 2, 0]
    assert [made_by.at(0, moment) for moment in (0, 1, 6, 7)] == [0, 1, 1, 2]


def test_a_member_that_lost_iterations_counts_them_again():
    """Also where its scores of before arrive after the loss is known."""
    made_by = counts((0, 1), (0, 2))
    made_by.add(0, 4, -2)
    made_by.add(0, 3)
    made_by.add(0, 6)
    assert [made_by.at(0, moment) for moment in (1, 2, 3, 4, 5, 6)] == [1, 2, 3, 1, 1, 2]


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
    firsts = [found[1] for found in scores(outcome.record, "place").values()]
    assert len(firsts) == 4
    assert min(firsts) >= 6


def of_members(record):
    """member -> its test score."""
    notes = record.notes.at(record.notes.named("test"))
    return dict(zip(notes.member.tolist(), notes.value.tolist(), strict=True))


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("pbt", {}),
        ("pbt", {"method": {"pbt": {"synchronous": False}}, "population": 5}),
        ("random", {"engine": {"tune": {"reuse_actors": False}}}),
        ("tune:asha", {"method": {"tune:asha": {"grace_period": 1, "reduction_factor": 2}}}),
    ],
)
def test_every_member_is_tested_once_in_its_last_state(tmp_path, kind, keys):
    """Those that a scheduler stopped early, too."""
    outcome = executed(kind, problems=[problem_file(tmp_path)], **keys)
    assert (outcome.cause, outcome.message) == ("", "")
    last = {m: list(found.values())[-1] for m, found in scores(outcome.record, "score").items()}
    assert of_members(outcome.record) == {m: value / 2 + 0.1 for m, value in last.items()}
    assert len(last) == keys.get("population", 4)
    assert_accounted_for(outcome)


def test_testing_takes_none_of_the_runs_time(tmp_path):
    began = time.perf_counter()
    slow = {"problems": [problem_file(tmp_path)], "options": {"how": "slow"}}
    outcome = executed("random", workers=2, **slow)
    assert len(of_members(outcome.record)) == 4
    assert time.perf_counter() - began - outcome.wall_s >= 2 * 0.3
    assert outcome.record.notes.t_s.max() <= outcome.wall_s
    assert_accounted_for(outcome)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raises", "test(): ArithmeticError: test data are spoilt (climbers.py:"),
        ("dies", "test(): "),
        ("hangs", "test() did not end within the limit of 25 s"),
    ],
)
def test_a_test_that_goes_wrong_costs_nothing_but_test_scores(tmp_path, how, says):
    keys = {"problems": [problem_file(tmp_path)], "options": {"how": how}, "limit_s": 25.0}
    outcome = executed("random", iterations=3, **keys)
    assert (outcome.cause, outcome.message) == ("", "")
    assert made(outcome.record) == dict.fromkeys(range(4), 3)
    notes = outcome.record.notes
    texts = notes.text[notes.named("untested")].tolist()
    assert texts
    assert all(text.startswith(says) for text in texts)
    assert not of_members(outcome.record)
    assert executed("random", iterations=2, population=2).cause == "", "the cluster has room again"
