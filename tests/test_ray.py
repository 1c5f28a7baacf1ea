"""Our engine on Ray decides as one process does, moves each state once, and outlives its workers."""

import re
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbtbench import engines
from pbtbench.engines import cluster
from pbtbench.errors import BadInput
from pbtbench.record import MARKS
from pbtbench.report.findings import findings
from pbtbench.statistics.cells import cells
from pbtbench.study import Study

PROBLEM_FILE = """
import os, signal, time
from dataclasses import replace
from pathlib import Path
from problems.toy.pbt_quadratic import PROBLEM as TOY, PBTQuadratic

class Faulty(PBTQuadratic):
    def __init__(self, hyperparameters, seeds, fault, flag, pause_s):
        super().__init__(hyperparameters)
        self.chosen = any(seed.spawn_key == (1, 1) for seed in seeds)
        self.fault, self.flag, self.pause_s, self.made = fault, Path(flag), pause_s, 0

    def state(self, member):
        if self.fault == "no state":
            raise LookupError("the optimizer has none")
        return super().state(member)

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

PROBLEM = replace(TOY, start=Faulty, options={"fault": "", "flag": "", "pause_s": 0.0})
"""


@pytest.fixture(scope="module", autouse=True)
def _ray_once():
    yield
    engines.engine("ray").close()


@pytest.fixture
def faulty(tmp_path):
    """Keys of a study whose member 1 does something once, in its fifth iteration."""
    path = tmp_path / "faulty.py"
    path.write_text(PROBLEM_FILE)
    flag = tmp_path / "flag"

    def keys(fault, **options):
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


def scores(trace):
    """(member, iteration, score) of all scores, in that order."""
    rows = trace.rows("score")
    columns = trace.member[rows], trace.iteration[rows], trace.value[rows]
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def forks(trace):
    rows = trace.rows("fork")
    return [(int(trace.member[i]), int(trace.iteration[i]), trace.detail[i]) for i in rows]


def kinds(trace):
    return Counter(trace.kind.tolist())


ASYNCHRONOUS = {"pbt": {"synchronous": False}}


@pytest.mark.parametrize(
    "keys",
    [
        {"workers": 1},
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
    here = {key: value for key, value in keys.items() if key not in ("workers", "transports")}
    outcome, reference = executed(**keys), executed("inprocess", **here)
    assert (outcome.cause, outcome.message) == ("", "")
    assert scores(outcome.trace) == scores(reference.trace)
    assert forks(outcome.trace) == forks(reference.trace)
    assert forks(outcome.trace) or keys.get("methods")


@pytest.mark.parametrize("method", [{}, ASYNCHRONOUS])
@pytest.mark.parametrize("workers", [1, 2])
def test_every_member_makes_its_budget_and_no_more(method, workers):
    outcome = executed(method=method, workers=workers)
    assert (outcome.cause, outcome.message) == ("", "")
    made = [(member, iteration) for member, iteration, _ in scores(outcome.trace)]
    assert made == [(member, i) for member in range(7) for i in range(1, 13)]


@pytest.mark.parametrize("method", [{}, ASYNCHRONOUS])
def test_conservation(method):
    outcome = executed(method=method, iterations=60)
    trace = outcome.trace
    timed = ~np.isin(trace.kind, MARKS)
    for worker in range(outcome.workers):
        own = np.flatnonzero(timed & (trace.worker == worker))
        start, duration = trace.t_start_s[own], trace.duration_s[own]
        assert (start[1:] - (start + duration)[:-1] > -1e-6).all()
        assert duration.sum() == pytest.approx(outcome.wall_s, rel=0.02)


def test_within_an_actor_no_state_leaves_the_process():
    found = kinds(executed(workers=1).trace)
    assert found["fork"]
    assert not found["transfer"]


def test_a_donor_sends_once_however_many_take_its_state():
    """Of eight members the best is donor of the two worst; only what crosses to the other actor moves."""
    outcome = executed(
        population=8, iterations=40, intervals=[1], method={"pbt": {"quantile_fraction": 0.5}}
    )
    trace = outcome.trace
    shard = {member: int(member >= 4) for member in range(8)}
    crossing = Counter()
    for member, iteration, detail in forks(trace):
        if shard[member] != shard[detail["donor"]]:
            crossing[iteration, detail["donor"]] += 1
    assert max(crossing.values()) > 1
    donated = Counter()
    for i in trace.rows("transfer"):
        if (int(trace.iteration[i]), int(trace.member[i])) in crossing:
            donated[int(trace.iteration[i]), int(trace.member[i])] += 1
    members = {(iteration, member) for member, iteration, _ in forks(trace)}
    assert all(donated[key] == 1 for key in crossing if key not in members)


def test_nobody_saves_in_advance():
    assert not kinds(executed(methods=["random"]).trace)["save"]
    found = kinds(executed(iterations=3, intervals=[2]).trace)
    assert 0 < found["save"] <= found["fork"]


def test_the_driver_calls_each_actor_about_once_an_interval():
    """A call begins with a `wait`; besides there are those that fetch a donor's state, and the last."""
    outcome = executed(iterations=100, intervals=[10], method={"pbt": {"exploit": "welch"}})
    trace = outcome.trace
    waits = Counter(trace.worker[trace.rows("wait")].tolist())
    donations = kinds(trace)["transfer"]
    for worker in (0, 1):
        assert 10 <= waits[worker] <= 10 + 1 + donations


def test_asynchronous_members_do_not_wait_for_a_slow_one(faulty):
    """One shard's iterations take a quarter of a second, the other's next to nothing."""
    keys = faulty("slow")
    file = Path(keys["problems"][0])
    file.write_text(
        file.read_text().replace("time.sleep(self.pause_s)", "time.sleep(0.25 * self.chosen)")
    )
    outcome = executed(**keys, population=4, intervals=[1], iterations=8, method=ASYNCHRONOUS)
    trace = outcome.trace
    ends = {
        member: max(trace.t_start_s[i] for i in trace.rows("score") if trace.member[i] == member)
        for member in range(4)
    }
    assert max(ends[2], ends[3]) < min(ends[0], ends[1]) - 8 * 0.25 / 2


@pytest.mark.parametrize("method", [{}, ASYNCHRONOUS])
@pytest.mark.parametrize("fault", ["die", "hang"])
def test_lost_members_are_started_again_and_the_run_goes_on(faulty, fault, method):
    outcome = executed(
        **faulty(fault), intervals=[1], method=method, engine={"ray": {"hang_s": 3.0}}
    )
    assert (outcome.cause, outcome.message) == ("", "")
    trace = outcome.trace
    made = [(member, iteration) for member, iteration, _ in scores(trace)]
    assert made == [(member, i) for member in range(7) for i in range(1, 13)]
    errors = [(int(trace.member[i]), trace.detail[i]) for i in trace.rows("error")]
    lost = {member: told for member, told in errors if "discarded_iterations" in told}
    assert set(lost) == {0, 1, 2, 3}
    assert {told["cause"] for told in lost.values()} == {"crash" if fault == "die" else "hang"}
    assert all(0 <= told["discarded_iterations"] <= 4 for told in lost.values())
    others = [told["message"] for _, told in errors if "discarded_iterations" not in told]
    assert all("the donor's state was lost" in message for message in others)
    assert kinds(trace)["restart"] == 1
    total = sum(trace.duration_s[i] for i in range(len(trace)) if trace.worker[i] >= 0)
    assert total == pytest.approx(outcome.workers * outcome.wall_s, rel=0.02)


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
    trace = outcome.trace
    behind = [i for i in trace.rows("persist") if trace.worker[i] == -1]
    assert {int(trace.member[i]) for i in behind} == set(range(7))
    discarded = {trace.detail[i]["discarded_iterations"] for i in trace.rows("error")}
    assert discarded <= {0, 2}
    restored = [i for i in trace.rows("restore") if trace.iteration[i] < 10]
    assert len([i for i in restored if trace.member[i] < 4]) == 4


def test_a_problem_that_raises_fails_the_run_in_one_line(faulty):
    outcome = executed(**faulty("raise"))
    assert outcome.cause == "crash"
    assert "members 0 to 3" in outcome.message
    assert "ArithmeticError: member 1 fell over badly" in outcome.message
    assert "\n" not in outcome.message


def test_memory_of_every_worker_is_known():
    trace = executed().trace
    rows = trace.rows("memory")
    assert set(trace.worker[rows]) == {0, 1}
    assert (trace.bytes[rows] > 10_000_000).all()


def test_more_workers_than_members_are_idle_not_unaccounted():
    outcome = executed(population=1, workers=2, methods=["random"])
    trace = outcome.trace
    assert {int(w) for w in trace.worker[trace.rows("idle")]} == {0, 1}
    assert {int(w) for w in trace.worker[trace.rows("train")]} == {0}


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


def test_nodes_of_a_cluster_come_and_go():
    """Two nodes, one of which is removed: its members go on with the other's."""
    keys = {"nodes": 2, "cpus_per_node": 1, "workers": 2, "population": 4, "intervals": [1]}
    outcome = executed(**keys)
    assert (outcome.cause, outcome.cluster) == ("", "ray-2x1cpu")
    assert scores(outcome.trace) == scores(executed("inprocess", population=4, intervals=[1]).trace)

    def remove_once_it_trains():
        give_up = time.monotonic() + 60
        while not _training() and time.monotonic() < give_up:
            time.sleep(0.05)
        (node,) = cluster.nodes().worker_nodes
        cluster.nodes().remove_node(node)

    remover = threading.Thread(target=remove_once_it_trains)
    remover.start()
    outcome = executed(
        **keys,
        problems=["synthetic.state_size"],
        iterations=30,
        options={"state_bytes": 10_000, "step_s": 0.01},
    )
    remover.join()
    assert (outcome.cause, outcome.message) == ("", "")
    made = Counter(member for member, _, _ in scores(outcome.trace))
    assert made == dict.fromkeys(range(4), 30)
    assert len(outcome.trace.rows("error")) == 2


def _training():
    """Whether some actor is in a call."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if line.read_text().startswith("ray::Worker.advance"):
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize(("size", "spills"), [(20_000_000, False), (120_000_000, True)])
def test_a_state_larger_than_the_object_store_spills_and_says_so(monkeypatch, size, spills):
    """Forks go on, the trace marks every such state, and the report's first sentence names it."""
    engines.engine("ray").close()
    monkeypatch.setattr(cluster, "STORE_BYTES", 100_000_000)
    (run,) = Study.plan(
        {
            "problems": ["synthetic.state_size"],
            "options": {"state_bytes": size, "step_s": 0.001},
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
    engines.engine("ray").close()
    assert (outcome.cause, outcome.message) == ("", "")
    trace = outcome.trace
    donors = [trace.detail[i] for i in trace.rows("transfer") if trace.detail[i]]
    assert donors == [{"spilled_beyond": 100_000_000}] * len(donors)
    assert bool(donors) == spills
    told = " ".join(s for f in findings(cells([(run, outcome)])) for s in f.measured)
    assert ("did not fit into the object store of 100 MB" in told) == spills
