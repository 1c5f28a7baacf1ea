"""Ray Tune's own schedulers and searchers run by name, within the same budget, and all they do is recorded."""

import re
from functools import cache

import pytest
from records import assert_accounted_for, forks, made, scores, starts

from pbtbench import engines
from pbtbench.errors import BadInput
from pbtbench.measures import measure
from pbtbench.measures.summary import summary
from pbtbench.study import Study

pytestmark = pytest.mark.usefixtures("shared_ray")


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


@cache
def with_defaults(kind):
    """Of a method's runs the one that several tests look at."""
    return executed(kind)


def stopped(record):
    """The members that their scheduler ended."""
    return set(record.notes.member[record.notes.named("stopped")].tolist())


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
    record = executed(f"tune:{name}", method={f"tune:{name}": options}).record
    found = made(record)
    assert set(found) == set(range(6))
    assert max(found.values()) == 9
    assert {member for member, count in found.items() if count < 9} == stopped(record)
    if name in ("asha", "median"):
        assert min(found.values()) < 9


def test_asha_keeps_at_each_rung_the_upper_part():
    """A trial goes on beyond a rung only if it is in the upper 1/reduction_factor of those that have
    been there so far (Li et al. 2020, algorithm 2): whoever is stopped at the first rung is no better
    than some who went on, whenever they came."""
    found = scores(with_defaults("tune:asha").record, "Q")
    ended = [member for member in found if len(found[member]) == 1]
    went_on = [member for member in found if len(found[member]) > 1]
    assert ended
    assert max(found[m][1] for m in ended) <= max(found[m][1] for m in went_on)


def test_pb2_moves_hyperparameters_within_their_bounds():
    run = planned("tune:pb2", iterations=16)
    assert run.id == "toy.pbt_quadratic/tune-pb2/tune/k2/s0"
    outcome = engines.execute(run)
    assert (outcome.cause, outcome.message) == ("", "")
    assert forks(outcome.record)
    for fork in forks(outcome.record):
        assert fork.donor != fork.member
        assert all(0.0 <= value <= 1.0 for value in fork.new.values())
        assert not fork.out_of_bounds
    assert set(made(outcome.record).values()) == {16}


def test_a_searcher_proposes_one_trial_after_another():
    record = with_defaults("tune:optuna").record
    assert set(made(record).values()) == {9}
    proposed = starts(record)
    assert set(proposed) == set(range(6))
    assert len({tuple(sorted(h.items())) for h in proposed.values()}) == 6
    assert starts(executed("tune:optuna", iterations=1).record)[0] == proposed[0]
    assert starts(executed("tune:optuna", iterations=1, seeds=2).record)[0] != proposed[0]


def test_a_recorded_policy_is_replayed(tmp_path):
    """One trial with the hyperparameters of the best lineage, changed where the lineage changed."""
    recorded = forks(
        executed(
            "pbt", population=4, iterations=12, engine={"tune": {"storage_path": str(tmp_path)}}
        ).record
    )
    policies = {int(p.stem.rsplit("_", 1)[1]): p for p in tmp_path.rglob("pbt_policy_*.txt")}
    member = min(set(policies) & {fork.member for fork in recorded})
    options = {"tune:replay": {"policy": str(policies[member])}}
    record = executed("tune:replay", iterations=12, method=options).record
    assert made(record) == {0: 12}
    (*_, last) = forks(record)
    assert (last.member, last.donor) == (0, 0)
    (*_, original) = (fork for fork in recorded if fork.member == member)
    assert last.new == pytest.approx(original.new)


@pytest.mark.parametrize("name", ["asha", "optuna"])
def test_conservation(name):
    assert_accounted_for(with_defaults(f"tune:{name}"))


def test_a_method_of_tune_has_a_row_in_the_summary():
    row = summary([measure(planned("tune:asha"), with_defaults("tune:asha"))]).iloc[0]
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
