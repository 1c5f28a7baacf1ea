"""What is known to break in Ray Tune, reproduced with it: each run ends within its limit and is recorded
with its cause, never as a short result that looks whole, and never as a hang."""

import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest
from small_studies import run

from pbtbench import engines
from pbtbench.study import Study

SLOW_SAVES = """
import time
from dataclasses import replace
from problems.toy.pbt_quadratic import PROBLEM as TOY, PBTQuadratic

class Slow(PBTQuadratic):
    def __init__(self, hyperparameters, seeds):
        super().__init__(hyperparameters)

    def train(self, steps):
        super().train(steps)
        time.sleep(0.02)

    def state(self, member):
        time.sleep(0.3)
        return super().state(member)

PROBLEM = replace(TOY, start=Slow)
"""

COUNTS = """
import os, sys, time
from pathlib import Path
import ray
from ray import tune

class Counts(tune.Trainable):
    def setup(self, config):
        self.made = 0

    def step(self):
        time.sleep(0.02)
        self.made += 1
        return {"made": self.made}

    def save_checkpoint(self, folder):
        Path(folder, "made").write_text(str(self.made))

    def load_checkpoint(self, folder):
        self.made = int(Path(folder, "made").read_text())
"""

RESTORED = """
    def reset_config(self, config):
        return True

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

class Interrupt(tune.Callback):
    left = 22  # into the second interval: between the two it now and then goes on

    def on_trial_result(self, *args, **info):
        self.left -= 1
        if self.left <= 0 and not os.environ.get("INTERRUPTED"):
            os.environ["INTERRUPTED"] = "once"
            raise KeyboardInterrupt

Tuner = tune.Tuner

class Restored(Tuner):
    '''An experiment of Ray's own in place of ours, which is interrupted and restored.'''

    def __init__(self, trainable, run_config, **keys):
        self.place = run_config.storage_path
        synchronous = tune.schedulers.PopulationBasedTraining(
            time_attr="training_iteration", perturbation_interval=3,
            hyperparam_mutations={"x": [1, 2, 3]}, synch=True)
        super().__init__(Counts, param_space={"x": tune.choice([1, 2, 3])},
            tune_config=tune.TuneConfig(metric="made", mode="max", num_samples=4,
                scheduler=synchronous, reuse_actors=True),
            run_config=tune.RunConfig(name="x", storage_path=self.place,
                stop={"training_iteration": 12}, callbacks=[Interrupt()], verbose=0))

    def fit(self):
        try:
            super().fit()
        except KeyboardInterrupt:
            return Tuner.restore(f"{self.place}/x", Counts).fit()

if sys.argv[0].endswith("worker.py"):  # in the run's process alone
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "0"  # so that what is restored is of just before
    tune.Tuner = Restored
from problems.toy.pbt_quadratic import PROBLEM
"""

NO_RESET = """
    def reset_config(self, config):
        return False

PARAM_SPACE = {"x": [1, 2, 3]}
HYPERPARAM_MUTATIONS = PARAM_SPACE
METRIC, MODE = "made", "max"
"""

KEYS = {"methods": ["pbt"], "engines": ["tune"], "population": 4, "intervals": [3]}
TOGETHER = {"pbt": {"synchronous": True}}


def problem(folder, text):
    (folder / "it.py").write_text(text)
    return str(folder / "it.py")


def test_a_result_is_whole_or_says_that_it_is_not(shared_address, tmp_path):
    """Synchronous PBT that saves after every iteration, slowly (ray#57906): now and then Tune ends a
    trial early without an error, or leaves it paused for ever."""
    keys = {**KEYS, "iterations": 9, "seeds": 2, "workers": 4, "cpus_per_worker": 0.5}
    keys |= {"method": TOGETHER, "engine": {"tune": {"checkpoint_frequency": 1}}, "limit_s": 8}
    reference = problem(tmp_path, SLOW_SAVES)
    store, notes = run([reference], tmp_path / "out", **keys, address=shared_address)
    assert len(notes.causes) == 2
    assert len(store.runs()) == 2
    for m in store.runs():
        made = Counter(store.record(m.run).scores.member.tolist())
        whole = made == dict.fromkeys(range(4), m.run.iterations)
        assert whole == (m.cause == ""), m.message
        assert m.wall_s < 80


@pytest.mark.usefixtures("shared_ray")
def test_trials_that_end_early_without_an_error_are_a_failure(monkeypatch):
    """Whatever makes Tune end them."""
    from ray.tune.schedulers import PopulationBasedTraining, TrialScheduler

    decide = PopulationBasedTraining.on_trial_result

    def ended(self, controller, trial, result):
        early = trial.trial_id.endswith("2") and result["training_iteration"] == 4
        return TrialScheduler.STOP if early else decide(self, controller, trial, result)

    monkeypatch.setattr(PopulationBasedTraining, "on_trial_result", ended)
    keys = {**KEYS, "problems": ["toy.pbt_quadratic"], "iterations": 9, "seeds": 1}
    outcome = engines.execute(
        Study.plan({**keys, "method": {"pbt": {"burn_in_period": 6}}}).runs[0]
    )
    assert outcome.cause == "crash"
    assert outcome.message == (
        "1 of 4 members did not reach iteration 9 (member 2 at 4), without an error"
    )


def test_a_record_that_does_not_come_in_is_a_failure(shared_ray, monkeypatch):
    monkeypatch.setattr("pbtbench.engines.tune.collector.LIMIT_S", 0.0)
    keys = {"problems": ["toy.pbt_quadratic"], "methods": ["random"], "engines": ["tune"]}
    (run,) = Study.plan({**keys, "population": 2, "iterations": 3, "workers": 2, "seeds": 1}).runs
    outcome = engines.execute(run)
    assert (outcome.cause, outcome.message) == (
        "crash",
        "the record lacks 6 iterations that the trials made",
    )


def test_a_run_ends_with_its_collector_and_another_ray_makes_the_next(shared_ray):
    keys = {"problems": ["toy.pbt_quadratic"], "methods": ["random"], "engines": ["tune"]}
    (run,) = Study.plan({**keys, "population": 2, "iterations": 2, "workers": 2, "seeds": 1}).runs
    for _ in range(2):
        engines.engine("tune").open(run)
        outcome = engines.execute(run)
        assert (outcome.cause, outcome.message) == ("", "")
        give_up = time.monotonic() + 60
        while "ray::Collector" in _names_of_children():
            assert time.monotonic() < give_up, "its collector goes on"
            time.sleep(0.05)
        engines.engine("tune").close()


def _names_of_children():
    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            found.add(" ".join(process.cmdline()))
    return found


def test_an_experiment_that_hangs_once_it_is_restored_is_ended(tmp_path):
    """Synchronous PBT after `Tuner.restore`: one iteration each, then all trials are paused for ever."""
    reference = problem(tmp_path, COUNTS + RESTORED)
    store, notes = run([reference], tmp_path / "out", **KEYS, iterations=9, seeds=1, limit_s=25)
    assert list(notes.causes.values()) == ["hang"], notes.messages
    assert "limit of 25 s" in next(iter(notes.messages.values()))
    assert [m.cause for m in store.runs()] == ["hang"]


@pytest.mark.parametrize("reuse", [False, True])
def test_a_trainable_that_refuses_to_be_reset_is_set_up_anew(shared_address, tmp_path, reuse):
    """With reused actors Tune alone waits for ever for one whose `reset_config` returns False."""
    reference = problem(tmp_path, COUNTS + NO_RESET) + ":Counts"
    keys = {**KEYS, "iterations": 6, "seeds": 1, "engine": {"tune": {"reuse_actors": reuse}}}
    store, notes = run([reference], tmp_path / "out", **keys, address=shared_address)
    assert list(notes.causes.values()) == [""]
    (m,) = store.runs()
    record = store.record(m.run)
    assert m.overhead.forks
    counted = zip(
        record.scores.iteration.tolist(), record.scores.metrics["made"].tolist(), strict=True
    )
    assert set(counted) == {(n, n) for n in range(1, 7)}
