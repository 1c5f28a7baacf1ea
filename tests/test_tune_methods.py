"""Ray Tune's own schedulers and searchers run by name, within the same budget, and all they do is told."""

import re
from collections import defaultdict

import pytest

from pbtbench import engines
from pbtbench.errors import BadInput
from pbtbench.measures.summary import summary
from pbtbench.record import MARKS
from pbtbench.study import Study


@pytest.fixture(scope="module", autouse=True)
def _ray_once():
    yield
    engines.engine("tune").close()


def planned(kind, on="tune", /, **keys):
    base = {
        "problems": ["toy.pbt_quadratic"],
        "methods": [kind],
        "engines": [on],
        "population": 6,
        "iterations": 9,
        "intervals": [2],
        "seeds": 1,
    }
    return Study.plan({**base, **keys}).runs[-1]


def executed(kind, **keys):
    outcome = engines.execute(planned(kind, **keys))
    assert (outcome.cause, outcome.message) == ("", "")
    return outcome


def scores(trace):
    """member -> iteration -> score"""
    found = defaultdict(dict)
    for i in trace.rows("score"):
        found[int(trace.member[i])][int(trace.iteration[i])] = float(trace.value[i])
    return found


def starts(trace):
    """member -> the hyperparameters that it started with."""
    rows = [i for i in trace.rows("setup") if trace.iteration[i] == 0 and not trace.duration_s[i]]
    return {int(trace.member[i]): trace.detail[i] for i in rows}


def stopped(trace):
    return {int(trace.member[i]) for i in trace.rows("decide") if trace.detail[i]}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("asha", {"grace_period": 1, "reduction_factor": 2}),
        ("hyperband", {}),
        ("median", {"min_samples_required": 2}),
        ("fifo", {}),
    ],
)
def test_who_ends_early_was_ended_by_the_scheduler(name, options):
    trace = executed(f"tune:{name}", method={f"tune:{name}": options}).trace
    made = {member: len(found) for member, found in scores(trace).items()}
    assert set(made) == set(range(6))
    assert max(made.values()) == 9
    assert {member for member, count in made.items() if count < 9} <= stopped(trace)
    if name in ("asha", "median"):
        assert min(made.values()) < 9


def test_asha_keeps_at_each_rung_the_upper_part():
    """A trial goes on beyond a rung only if it is in the upper 1/reduction_factor of those that have
    been there so far (Li et al. 2020, algorithm 2): whoever is stopped at the first rung is no better
    than some who went on, whenever they came."""
    trace = executed("tune:asha", method={"tune:asha": {"grace_period": 1, "brackets": 1}}).trace
    found = scores(trace)
    ended = [member for member in found if len(found[member]) == 1]
    went_on = [member for member in found if len(found[member]) > 1]
    assert ended
    assert max(found[m][1] for m in ended) <= max(found[m][1] for m in went_on)


def test_pb2_moves_hyperparameters_within_their_bounds():
    run = planned("tune:pb2", iterations=16)
    assert run.id == "toy.pbt_quadratic/tune-pb2/tune/k2/s0"
    outcome = engines.execute(run)
    assert (outcome.cause, outcome.message) == ("", "")
    trace = outcome.trace
    forks = trace.rows("fork")
    assert len(forks)
    for i in forks:
        assert trace.detail[i]["donor"] != trace.member[i]
        assert all(0.0 <= value <= 1.0 for value in trace.detail[i]["new"].values())
    assert {len(found) for found in scores(trace).values()} == {16}


def test_a_searcher_proposes_one_trial_after_another():
    trace = executed("tune:optuna").trace
    assert {len(found) for found in scores(trace).values()} == {9}
    proposed = starts(trace)
    assert set(proposed) == set(range(6))
    assert len({tuple(sorted(h.items())) for h in proposed.values()}) == 6
    assert starts(executed("tune:optuna").trace)[0] == proposed[0]
    assert starts(executed("tune:optuna", seeds=2).trace)[0] != proposed[0]


def test_a_recorded_policy_is_replayed(tmp_path):
    """One trial with the hyperparameters of the best lineage, changed where the lineage changed."""
    recorded = executed(
        "pbt", population=4, iterations=12, engine={"tune": {"storage_path": str(tmp_path)}}
    ).trace
    policies = sorted(tmp_path.rglob("pbt_policy_*.txt"))
    assert policies
    changes = {int(recorded.member[i]) for i in recorded.rows("fork")}
    policy = next(p for p in policies if int(p.stem.rsplit("_", 1)[1]) in changes)
    trace = executed(
        "tune:replay", iterations=12, method={"tune:replay": {"policy": str(policy)}}
    ).trace
    assert {member: len(found) for member, found in scores(trace).items()} == {0: 12}
    assert len(trace.rows("fork")) >= 1
    last = trace.detail[trace.rows("fork")[-1]]["new"]
    member = int(policy.stem.rsplit("_", 1)[1])
    mine = [i for i in recorded.rows("fork") if recorded.member[i] == member]
    assert last == pytest.approx(recorded.detail[mine[-1]]["new"])


@pytest.mark.parametrize("name", ["asha", "optuna"])
def test_conservation(name):
    outcome = executed(f"tune:{name}")
    trace = outcome.trace
    for worker in range(outcome.workers):
        own = [
            i for i in range(len(trace)) if trace.worker[i] == worker and trace.kind[i] not in MARKS
        ]
        assert sum(trace.duration_s[own]) == pytest.approx(outcome.wall_s, rel=0.02)


def test_a_method_of_tune_has_a_row_in_the_summary():
    run = planned("tune:asha")
    row = summary([(run, engines.execute(run))]).iloc[0]
    assert row["method"] == "tune:asha"
    assert row.isna()["interval"]
    assert row["best_score"] <= 1.2


@pytest.mark.parametrize(
    ("name", "keys", "says"),
    [
        ("nothing", {}, "'nothing'"),
        ("asha", {"engines": ["inprocess"]}, "runs on engine 'tune' only, not on 'inprocess'"),
        ("asha", {"method": {"tune:asha": {"grace": 1}}}, "'grace'"),
        ("asha", {"method": {"tune:asha": {"metric": "x"}}}, "'metric'"),
        ("asha", {"method": {"tune:asha": {"reduction_factor": 0}}}, "method 'tune:asha'"),
        ("bayesopt", {}, "pip install bayesian-optimization"),
        ("replay", {}, "policy: give the path of a pbt_policy_*.txt"),
        ("replay", {"method": {"tune:replay": {"policy": "/no/such"}}}, "/no/such"),
    ],
)
def test_what_tune_cannot_do_is_bad_input_in_one_line(name, keys, says):
    with pytest.raises(BadInput, match=re.escape(says)) as error:
        planned(f"tune:{name}", **keys)
    assert "\n" not in str(error.value)
