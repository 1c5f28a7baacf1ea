"""A run that has ended is measured and kept with where it comes from, whatever goes wrong on the way."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from fabricated import an_outcome, score, timed

import pbtbench
from pbtbench import machine
from pbtbench.errors import Failed
from pbtbench.measures import measure, to_json
from pbtbench.recorder import Recorder
from pbtbench.running import keeping
from pbtbench.running.keeping import keep, provenance
from pbtbench.running.worker import Watchdog
from pbtbench.store import Store

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


@pytest.fixture
def run(planned):
    (only,) = planned(methods=["random"], iterations=1)
    return only


@pytest.fixture
def store(tmp_path):
    (tmp_path / "out").mkdir()
    return Store(tmp_path / "out")


def ended(cause="", message=""):
    written = [timed("train", 0.0, 1.0, iteration=1), score(1.0, 0, 1, 0.5, metric="Q")]
    return an_outcome(*written, cause=cause, message=message)


def test_a_run_is_kept_with_its_measures_and_where_it_comes_from(run, store):
    outcome = ended()
    assert keep(store, run, outcome, STARTED) is outcome
    (kept,) = store.runs()
    assert to_json(kept) == to_json(measure(run, outcome))
    came_from = kept.provenance
    assert came_from.version == pbtbench.__version__
    assert came_from.started == "2026-01-02T03:04:05.678+00:00"
    assert came_from.machine == machine.fingerprint(machine.facts())


def test_a_record_that_can_not_be_measured_is_kept_as_a_crash_that_says_so(run, store, monkeypatch):
    def fails(run, outcome):
        raise ZeroDivisionError("no work")

    monkeypatch.setattr(keeping, "measure", fails)
    outcome = keep(store, run, ended(), STARTED)
    assert outcome.cause == "crash"
    assert outcome.message.startswith("its record can't be measured: ZeroDivisionError: no work")
    monkeypatch.undo()
    (kept,) = store.runs()
    assert (kept.cause, kept.message) == (outcome.cause, outcome.message)
    assert len(store.record(run).scores) == 1


def test_why_a_run_failed_is_said_before_what_could_not_be_measured(run, store, monkeypatch):
    monkeypatch.setattr(keeping, "measure", lambda run, outcome: {}["nothing"])
    outcome = keep(store, run, ended("hang", "no progress"), STARTED)
    assert outcome.cause == "hang"
    assert outcome.message.startswith("no progress; its record can't be measured: KeyError")


def test_a_record_that_no_reader_would_take_is_left_out_and_the_run_kept(run, store):
    """A score that is given for a member before the first."""
    recorder = Recorder()
    recorder.scored(np.array([-5]), 1, {"Q": np.array([0.5])}, t_s=1.0)
    recorder.scored(np.array([0]), 1, {"Q": np.array([0.5])}, t_s=1.0)
    outcome = keep(store, run, an_outcome(lambda r: r.put(recorder.take())), STARTED)
    assert outcome.cause == "crash"
    assert "its record can't be kept" in outcome.message
    assert [k.cause for k in store.all_kept()] == ["crash"]
    assert [m.message for m in store.runs()] == [outcome.message]
    assert len(store.record(run).scores) == 0


class Said:
    """A channel that keeps what is sent."""

    def __init__(self):
        self.messages = []

    def send(self, message):
        self.messages.append(message)

    def done(self, outcome):
        self.send({"done": outcome.cause})


def test_a_run_that_can_not_be_stored_is_a_failure_of_the_study_in_one_line(
    run, store, monkeypatch
):
    def full(*_):
        raise Failed("/out: the disk is full")

    monkeypatch.setattr(Store, "write", full)
    channel = Said()
    Watchdog(run, store, channel).finish(ended())
    assert channel.messages == [{"failed": "/out: the disk is full"}]


def test_a_problem_is_known_by_its_code_and_options_alone(planned, tmp_path):
    def digest(**keys):
        (only,) = planned(**keys)
        return provenance(only, STARTED).problem

    toy = digest()
    (tmp_path / "mine.py").write_text(
        "def explore(hyperparameters, space, rng): return hyperparameters"
    )
    explore = {"pbt": {"explore": f"{tmp_path / 'mine.py'}:explore"}}
    assert digest(population=8, iterations=3, method=explore) == toy
    assert digest(problems=["toy.noisy_quadratic"]) != toy
    sizes = [{"state_bytes": size, "step_s": 0.0} for size in (10_000, 20_000)]
    assert (
        len({digest(problems=["synthetic.state_size"], options=options) for options in sizes}) == 2
    )


def test_another_version_of_pbtbench_makes_no_other_machine():
    facts = machine.facts()
    newer = {**facts, "versions": {**facts["versions"], "pbtbench": "99.0"}}
    assert machine.fingerprint(newer) == machine.fingerprint(facts)
    other = {**facts, "versions": {**facts["versions"], "tensorflow": "99.0"}}
    assert machine.fingerprint(other) != machine.fingerprint(facts)
