"""Our engine on Ray decides as one process does, moves each state once, and outlives its workers."""

import re
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from held_out import problem_file
from hypothesis import given, settings
from hypothesis import strategies as st
from records import assert_accounted_for

from pbtbench import engines
from pbtbench.engines import cluster
from pbtbench.engines.formats import TransportFailed
from pbtbench.errors import BadInput
from pbtbench.measures import measure
from pbtbench.record import TIMED
from pbtbench.report.findings import findings
from pbtbench.space.columns import rows
from pbtbench.statistics.cells import cells
from pbtbench.study import Study

PROBLEM_FILE = """
import os, signal, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from problems.toy.pbt_quadratic import PROBLEM as TOY, PBTQuadratic

class Faulty(PBTQuadratic):
    def __init__(self, hyperparameters, seeds, fault, flag, pause_s, ballast):
        super().__init__(hyperparameters)
        self.chosen = any(seed.spawn_key == (1, 1) for seed in seeds)
        self.fault, self.flag, self.pause_s, self.made = fault, Path(flag), pause_s, 0
        self.ballast = np.ones(ballast, np.uint8)

    def state(self, member):
        if self.fault == "no state":
            raise LookupError("the optimizer has none")
        return {**super().state(member), "ballast": self.ballast}

    def train(self, steps):
        super().train(steps)
        time.sleep(self.pause_s)
        self.made += 1
        if self.chosen and self.made == 5 and self.flag.exists():
            if self.fault == "raise":
                raise ArithmeticError("member 1 fell over\\nbadly")
            self.flag.unlink()
            if self.fault == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(3600)

PROBLEM = replace(TOY, start=Faulty, options={"fault": "", "flag": "", "pause_s": 0.0, "ballast": 0})
"""


pytestmark = pytest.mark.usefixtures("shared_ray")

ALONE = {"workers": 1, "cpus_per_worker": 2.0}
"""One worker, on the Ray that others have two on."""


@pytest.fixture
def faulty(tmp_path):
    """Keys of a study whose member 1 does something once, in its fifth iteration, if it is to."""
    path = tmp_path / "faulty.py"
    path.write_text(PROBLEM_FILE)
    flag = tmp_path / "flag"

    def keys(fault, **options):
        if fault:
            flag.touch()
        given = {"fault": fault, "flag": str(flag), **options}
        return {"problems": [str(path)], "options": given}

    return keys


def executed(on="ray", **keys):
    base = {
        "problems": ["toy.pbt_quadratic"],
        "methods": ["pbt"],
        "engines": [on],
        "population": 7,
        "iterations": 12,
        "intervals": [2],
        "seeds": 1,
    }
    (run,) = Study.plan({**base, **keys}).runs
    return engines.execute(run)


def scores(record):
    """(member, iteration, score) of all scores, in that order."""
    found = record.scores
    (values, *_) = found.metrics.values()  # the objective
    columns = found.member.tolist(), found.iteration.tolist(), values.tolist()
    return sorted(zip(*columns, strict=True))


def forks(record):
    """(member, iteration, donor, old and new hyperparameters) of each fork, in order of time."""
    made = record.forks.at(~record.forks.starts)
    columns = made.member.tolist(), made.iteration.tolist(), made.donor.tolist()
    return list(zip(*columns, rows(made.old), rows(made.new), strict=True))


def at(record, *kinds):
    """The timeline's rows of these kinds."""
    return record.timeline.at(record.timeline.rows(*kinds))


ASYNCHRONOUS = {"pbt": {"synchronous": False}}


@pytest.mark.parametrize(
    "keys",
    [
        ALONE,
        {"workers": 2},
        {"workers": 2, "intervals": [1], "method": {"pbt": {"exploit": "tournament"}}},
        {"workers": 2, "intervals": [5], "method": {"pbt": {"exploit": "welch"}}},
        {"workers": 2, "problems": ["toy.noisy_quadratic"], "population": 16, "intervals": [1]},
        {"workers": 2, "methods": ["random"]},
        {"workers": 2, "methods": ["grid"], "population": 9},
        {"workers": 2, "transports": ["disk-npz"]},
        {"workers": 2, "transports": ["disk-npz-async"]},
    ],
)
def test_decisions_and_scores_are_those_of_one_process_to_the_bit(keys):
    here = {key: value for key, value in keys.items() if key not in (*ALONE, "transports")}
    outcome, reference = executed(**keys), executed("inprocess", **here)
    assert (outcome.cause, outcome.message) == ("", "")
    assert scores(outcome.record) == scores(reference.record)
    assert forks(outcome.record) == forks(reference.record)
    assert forks(outcome.record) or keys.get("methods")
    copied = [o.record.forks.copied_iteration.tolist() for o in (outcome, reference)]
    assert copied[0] == copied[1]


@pytest.mark.parametrize("method", [{}, ASYNCHRONOUS])
@pytest.mark.parametrize("workers", [ALONE, {"workers": 2}], ids=["one", "two"])
def test_every_member_makes_its_budget_and_no_more(method, workers):
    outcome = executed(method=method, **workers)
    assert (outcome.cause, outcome.message) == ("", "")
    made = [(member, iteration) for member, iteration, _ in scores(outcome.record)]
    assert made == [(member, i) for member in range(7) for i in range(1, 13)]


@pytest.mark.parametrize("method", [{}, ASYNCHRONOUS])
def test_conservation(method):
    outcome = executed(method=method, iterations=60)
    timeline = outcome.record.timeline
    for worker in range(outcome.workers):
        own = timeline.at(timeline.of(*TIMED) & (timeline.worker == worker))
        ends = own.t_start_s + own.duration_s
        assert (own.t_start_s[1:] - ends[:-1] > -1e-6).all()
        assert own.duration_s.sum() == pytest.approx(outcome.wall_s, rel=0.02)


def test_within_an_actor_no_state_leaves_the_process():
    record = executed(**ALONE).record
    assert forks(record)
    assert not len(at(record, "transfer"))


def test_a_donor_sends_once_however_many_take_its_state():
    """Of eight members the best is donor of the two worst; only what crosses to the other actor moves."""
    outcome = executed(
        population=8, iterations=40, intervals=[1], method={"pbt": {"quantile_fraction": 0.5}}
    )
    record = outcome.record
    shard = {member: int(member >= 4) for member in range(8)}
    crossing = Counter(
        (iteration, donor)
        for member, iteration, donor, *_ in forks(record)
        if shard[member] != shard[donor]
    )
    assert max(crossing.values()) > 1
    moved = at(record, "transfer")
    donated = Counter(zip(moved.iteration.tolist(), moved.member.tolist(), strict=True))
    members = {(iteration, member) for member, iteration, *_ in forks(record)}
    assert all(donated[key] == 1 for key in crossing if key not in members)


def test_nobody_saves_in_advance():
    assert not len(at(executed(methods=["random"]).record, "save"))
    record = executed(iterations=3, intervals=[2]).record
    assert 0 < len(at(record, "save")) <= len(forks(record))


def test_the_driver_calls_each_actor_about_once_an_interval():
    """A call begins with a `wait`; besides there are those that fetch a donor's state, and the last."""
    outcome = executed(iterations=100, intervals=[10], method={"pbt": {"exploit": "welch"}})
    waits = Counter(at(outcome.record, "wait").worker.tolist())
    donations = len(at(outcome.record, "transfer"))
    for worker in (0, 1):
        assert 10 <= waits[worker] <= 10 + 1 + donations


def test_asynchronous_members_do_not_wait_for_a_slow_one(faulty):
    """One shard's iterations take a quarter of a second, the other's next to nothing."""
    keys = faulty("")
    file = Path(keys["problems"][0])
    file.write_text(
        file.read_text().replace("time.sleep(self.pause_s)", "time.sleep(0.25 * self.chosen)")
    )
    outcome = executed(**keys, population=4, intervals=[1], iterations=8, method=ASYNCHRONOUS)
    found = outcome.record.scores
    ends = [found.t_s[found.member == member].max() for member in range(4)]
    assert max(ends[2], ends[3]) < min(ends[0], ends[1]) - 8 * 0.25 / 2


@pytest.mark.parametrize("method", [{}, ASYNCHRONOUS])
@pytest.mark.parametrize("fault", ["die", "hang"])
def test_lost_members_are_started_again_and_the_run_goes_on(faulty, fault, method):
    outcome = executed(
        **faulty(fault), intervals=[1], method=method, engine={"ray": {"hang_s": 3.0}}
    )
    assert (outcome.cause, outcome.message) == ("", "")
    record = outcome.record
    made = [(member, iteration) for member, iteration, _ in scores(record)]
    assert made == [(member, i) for member in range(7) for i in range(1, 13)]
    errors, notes = at(record, "error"), record.notes.at(record.notes.named("crash", "hang"))
    lost = ~np.isnan(errors.value)
    assert errors.member.tolist() == notes.member.tolist()
    assert set(errors.member[lost].tolist()) == {0, 1, 2, 3}
    assert set(notes.name[lost]) == {"crash" if fault == "die" else "hang"}
    assert ((errors.value[lost] >= 0) & (errors.value[lost] <= 4)).all()
    assert all("the donor's state was lost" in message for message in notes.text[~lost])
    assert len(at(record, "restart")) == 1
    total = record.timeline.duration_s[record.timeline.worker >= 0].sum()
    assert total == pytest.approx(outcome.workers * outcome.wall_s, rel=0.02)


def test_a_start_that_fails_leaves_the_cluster_to_the_next_run(faulty):
    keys = faulty("")
    file = Path(keys["problems"][0])
    file.write_text(
        file.read_text().replace("super().__init__(hyperparameters)", "time.sleep(3600)")
    )
    outcome = executed(**keys, engine={"ray": {"hang_s": 0.5}})
    assert (outcome.cause, outcome.message) == ("hang", "members 0 to 3 did not start in time")
    idle = at(outcome.record, "idle")
    assert set(idle.worker.tolist()) == {0, 1}
    assert executed().cause == ""


def test_a_donor_that_raises_fails_the_run(faulty):
    """Each member on its own worker: no fork is within one."""
    outcome = executed(**faulty("no state"), population=4, workers=4, cpus_per_worker=0.5)
    assert outcome.cause == "crash"
    assert "the optimizer has none" in outcome.message


def test_a_worker_that_dies_too_often_fails_the_run(faulty):
    outcome = executed(**faulty("die"), engine={"ray": {"max_failures": 0}})
    assert outcome.cause == "crash"
    assert "members 0 to 3" in outcome.message
    assert "max_failures is 0" in outcome.message


def test_what_is_persisted_behind_the_training_is_where_lost_members_go_on(faulty):
    """Nobody forks before iteration 10, so that the persisted states of iteration 4 are all that survives."""
    keys = faulty("die", pause_s=0.1)
    outcome = executed(
        **keys,
        intervals=[2],
        engine={"ray": {"persist_every": 2}},
        method={"pbt": {"burn_in_period": 10}},
    )
    assert (outcome.cause, outcome.message) == ("", "")
    written = at(outcome.record, "persist")
    assert set(written.member[written.worker == -1].tolist()) == set(range(7))
    assert set(at(outcome.record, "error").value.tolist()) <= {0, 2}
    restored = at(outcome.record, "restore")
    assert ((restored.iteration < 10) & (restored.member < 4)).sum() == 4


def test_a_state_that_cannot_be_persisted_is_noted_and_the_run_goes_on(monkeypatch):
    def refused(*_, **__):
        raise TransportFailed("states can't be kept in /full: the disk is full")

    monkeypatch.setattr("pbtbench.engines.formats.Npz.write", refused)
    outcome = executed(engine={"ray": {"persist_every": 6}})
    assert (outcome.cause, outcome.message) == ("", "")
    notes = outcome.record.notes.at(outcome.record.notes.named("unpersisted"))
    assert sorted(notes.member.tolist()) == list(range(7))
    assert all("the disk is full" in text for text in notes.text)
    assert not len(at(outcome.record, "error"))


def test_a_problem_that_raises_fails_the_run_in_one_line(faulty):
    outcome = executed(**faulty("raise"))
    assert outcome.cause == "crash"
    assert "members 0 to 3" in outcome.message
    assert "ArithmeticError: member 1 fell over badly" in outcome.message
    assert "\n" not in outcome.message


def test_memory_of_every_worker_is_known():
    memory = at(executed().record, "memory")
    assert set(memory.worker.tolist()) == {0, 1}
    assert (memory.bytes > 10_000_000).all()


def test_more_workers_than_members_are_idle_not_unaccounted():
    outcome = executed(population=1, workers=2, methods=["random"])
    assert set(at(outcome.record, "idle").worker.tolist()) == {0, 1}
    assert set(at(outcome.record, "train").worker.tolist()) == {0}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"gpus_per_worker": 1000.0}, "2000 GPUs, and Ray sees 0"),
        ({"engine": {"ray": {"hang_s": 0.0}}}, "hang_s"),
        ({"engine": {"ray": {"storage_path": "/no/such/folder"}}}, "no such folder"),
        ({"engine": {"ray": {"storage_path": "/proc"}}}, "/proc can't be written to"),
        ({"engine": {"ray": {"persist_every": -1}}}, "persist_every"),
        ({"transports": ["memory"]}, "has none of the transports memory"),
        ({"transports": ["carrier-pigeon"]}, "carrier-pigeon"),
        ({"address": "auto", "nodes": 2}, "address and nodes"),
        ({"cpus_per_node": 2}, "cpus_per_node: give nodes"),
    ],
)
def test_what_cannot_be_is_bad_input_in_one_line(keys, says):
    with pytest.raises(BadInput, match=re.escape(says)) as error:
        executed(**keys)
    assert "\n" not in str(error.value)


def test_no_cluster_at_the_address():
    with pytest.raises(BadInput, match=r"address '127.0.0.1:1': no Ray cluster answers"):
        executed(address="127.0.0.1:1")


@given(skew=st.floats(-1e4, 1e4), there=st.floats(0, 0.004), back=st.floats(0, 0.004))
@settings(max_examples=10)
def test_another_machines_clock_is_off_by_no_more_than_is_said(skew, there, back):
    def ask():
        time.sleep(there)
        then = time.perf_counter() + skew
        time.sleep(back)
        return "another boot", then

    offset, uncertainty = cluster.compared(ask)
    assert abs(offset - skew) <= uncertainty + 1e-9
    assert uncertainty >= (there + back) / 2


def test_a_machine_that_shares_the_boot_shares_the_clock():
    assert cluster.compared(cluster.reading) == (0.0, 0.0)


def test_nodes_of_a_cluster_come_and_go(faulty):
    """Two nodes, one of which is removed: its members go on with the other's."""
    keys = {"nodes": 2, "cpus_per_node": 1, "workers": 2, "population": 4, "intervals": [1]}
    outcome = executed(**keys)
    assert (outcome.cause, outcome.cluster) == ("", "ray-2x1cpu")
    reference = executed("inprocess", population=4, intervals=[1])
    assert scores(outcome.record) == scores(reference.record)

    def remove_once_it_trains():
        give_up = time.monotonic() + 60
        while not _training() and time.monotonic() < give_up:
            time.sleep(0.05)
        (node,) = cluster.nodes().worker_nodes
        cluster.nodes().remove_node(node)

    remover = threading.Thread(target=remove_once_it_trains)
    remover.start()
    outcome = executed(**keys, **faulty("", pause_s=0.1), iterations=30)
    remover.join()
    assert (outcome.cause, outcome.message) == ("", "")
    made = Counter(member for member, _, _ in scores(outcome.record))
    assert made == dict.fromkeys(range(4), 30)
    assert len(at(outcome.record, "error")) == 2


def _training():
    """Whether some actor of this process's cluster is in a call."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if " ".join(process.cmdline()).startswith("ray::Worker.advance"):
                return True
    return False


@pytest.fixture(scope="module")
def small_store():
    """A Ray whose object store holds 100 MB."""
    engines.engine("ray").close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "STORE_BYTES", 100_000_000)
        yield
    engines.engine("ray").close()


@pytest.mark.usefixtures("small_store")
@pytest.mark.parametrize(("size", "spills"), [(20_000_000, False), (120_000_000, True)])
def test_a_state_larger_than_the_object_store_spills_and_says_so(faulty, size, spills):
    """Forks go on, the record notes every such state, and the report's first sentence names it."""
    (run,) = Study.plan(
        {
            **faulty("", ballast=size),
            "methods": ["pbt"],
            "engines": ["ray"],
            "workers": 2,
            "population": 4,
            "iterations": 4,
            "intervals": [1],
            "seeds": 1,
        }
    ).runs
    outcome = engines.execute(run)
    assert (outcome.cause, outcome.message) == ("", "")
    record = outcome.record
    notes = record.notes.at(record.notes.named("spilled_beyond"))
    moved = at(record, "transfer")
    large = moved.at(moved.bytes > 100_000_000)
    assert bool(len(large)) == spills
    assert set(notes.value.tolist()) <= {100_000_000}
    noted, sent = (
        set(zip(table.member.tolist(), table.iteration.tolist(), strict=True))
        for table in (notes, large)
    )
    assert noted <= sent
    assert bool(noted) == spills
    said = " ".join(s for f in findings(cells([measure(run, outcome)])) for s in f.measured)
    assert ("did not fit into the object store of 100 MB" in said) == spills


def of_members(record):
    """member -> its test score."""
    notes = record.notes.at(record.notes.named("test"))
    return dict(zip(notes.member.tolist(), notes.value.tolist(), strict=True))


@pytest.mark.parametrize("keys", [{"workers": 2}, {"workers": 2, "methods": ["random"]}, ALONE])
def test_test_scores_are_those_of_one_process_to_the_bit(tmp_path, keys):
    given = {"problems": [problem_file(tmp_path)], "iterations": 8, **keys}
    one = executed(
        "inprocess",
        **{k: v for k, v in given.items() if k in ("problems", "methods", "iterations")},
    )
    other = executed(**given)
    assert len(of_members(one.record)) == 7
    assert of_members(other.record) == of_members(one.record)
    assert scores(other.record) == scores(one.record)


def test_testing_changes_no_decision_and_takes_none_of_the_runs_time(tmp_path):
    began = time.perf_counter()
    given = {"workers": 2, "iterations": 8, "population": 4}
    slow = {"problems": [problem_file(tmp_path)], "options": {"how": "slow"}}
    tested = executed(**given, **slow)
    assert time.perf_counter() - began - tested.wall_s >= 2 * 0.3
    assert tested.record.notes.t_s.max() <= tested.wall_s
    assert_accounted_for(tested)
    untested = executed(**given, problems=[problem_file(tmp_path, tested=False)])
    assert not of_members(untested.record)
    assert forks(tested.record) == forks(untested.record) != []
    assert scores(tested.record) == scores(untested.record)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raises", "test(): ArithmeticError: test data are spoilt (climbers.py:"),
        ("leaves", "test(): SystemExit: 3 (climbers.py:"),
        ("dies", "test(): its process died"),
        ("hangs", "test() did not end within hang_s = 2"),
    ],
)
def test_a_test_that_goes_wrong_costs_nothing_but_test_scores(tmp_path, how, says):
    given = {"problems": [problem_file(tmp_path)], "options": {"how": how}, "iterations": 8}
    outcome = executed(workers=2, engine={"ray": {"hang_s": 2.0}}, **given)
    assert outcome.cause == ""
    assert len(outcome.record.scores) == 7 * 8
    notes = outcome.record.notes
    texts = notes.text[notes.named("untested")].tolist()
    assert len(texts) == 2
    assert all(text.startswith(says) for text in texts)
