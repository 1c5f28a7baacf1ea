"""Trainables as people have them (`tests/brought`) do the same on every engine."""

import json
from pathlib import Path

import numpy as np
import pytest
from records import forks, made, scores

from pbtbench import BadInput, catalogue, engines
from pbtbench.space.columns import rows
from pbtbench.study import Study

BROUGHT = Path(__file__).parent / "brought"
ENGINES = ["inprocess", "ray", "tune"]
EVERYTHING = f"{BROUGHT}/climbers.py:EVERYTHING"


pytestmark = pytest.mark.usefixtures("shared_ray")


def planned(problem, on, kind="pbt", /, **keys):
    base = {"population": 4, "intervals": [3], "seeds": 1}
    over = {"problems": [problem], "methods": [kind], "engines": [on]}
    (run,) = Study.plan({**base, **over, **keys}).runs
    return run


def executed(*args, **keys):
    outcome = engines.execute(planned(*args, **keys))
    assert (outcome.cause, outcome.message) == ("", "")
    return outcome.record


def assert_forks_go_on_from_their_donors(record):
    """Climbers add their rate to their place: after a fork, a member's place is its donor's plus the new
    rate."""
    found = scores(record, "place")
    assert forks(record)
    for fork in forks(record):
        expected = found[fork.donor][fork.copied] + fork.new["rate"]
        assert found[fork.member][fork.iteration + 1] == pytest.approx(expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_everything_that_tune_takes_is_taken(engine):
    iterations = (
        6 if engine == "tune" else 9
    )  # there each interval starts a process for each member
    record = executed(EVERYTHING, engine, iterations=iterations)
    assert made(record) == dict.fromkeys(range(4), iterations)
    assert forks(record)
    moved = {"optimizer/rate", "model/dropout", "sizes"}
    for fork in forks(record):
        assert set(fork.old) == set(fork.new) == {*moved, "optimizer/name", "model/units", "layers",
                                                  "limit", "paths", "whole", "double"}  # fmt: skip
        assert fork.new["layers"] == [64, 32]
        assert json.loads(json.dumps(fork.new)) == fork.new
    table = record.scores
    assert (table.metrics["member"] == table.member).all()  # as its trial id says
    score, at = table.metrics["evaluation/place"], table.metrics["at"]
    measured, none = table.age == 0, np.isnan(score)
    assert measured.any()
    assert none.any()
    assert (table.iteration[none] < 3).all()
    assert (score[measured] == at[measured]).all()
    assert (table.iteration[measured] % 3 == 0).all()
    stands = ~measured & ~none
    assert (score[stands] < at[stands]).all()
    assert "score_age" not in table.metrics


def test_random_search_gives_the_same_scores_on_every_engine():
    """A member that starts, starts from `setup`, whatever `reset_config` keeps."""
    one, *others = (
        scores(executed(EVERYTHING, on, "random"), "evaluation/place") for on in ENGINES
    )
    for other in others:
        assert other.keys() == one.keys()
        for member, values in other.items():
            assert values == pytest.approx(one[member], nan_ok=True, rel=0, abs=0)


@pytest.mark.parametrize("reuse", [None, True])
def test_a_reset_that_keeps_the_state_leaks_it_to_nobody(tmp_path, reuse):
    """Four members on two actors: with reuse, each actor has two of them, one after another."""
    text = (BROUGHT / "climbers.py").read_text()
    beside = text.partition("\nclass Everything")[0]
    beside += 'PARAM_SPACE = {"rate": tune.uniform(0.0, 1.0)}\nMETRIC, MODE, ITERATIONS = "place", "max", 5\n'
    (tmp_path / "climber.py").write_text(beside)
    problem = f"{tmp_path}/climber.py:Climber"
    options = {} if reuse is None else {"engine": {"tune": {"reuse_actors": reuse}}}
    expected = scores(executed(problem, "inprocess", "random"), "place")
    assert scores(executed(problem, "tune", "random", **options), "place") == expected
    forked = executed(problem, "tune", intervals=[2], iterations=3, **options)
    assert_forks_go_on_from_their_donors(forked)


def test_a_function_reports_to_tune():
    record = executed(f"{BROUGHT}/reports.py:train", "tune")
    assert made(record) == dict.fromkeys(range(4), 6)
    assert_forks_go_on_from_their_donors(record)


def test_a_function_that_returns_early_made_what_it_reported():
    record = executed(f"{BROUGHT}/reports.py:SHORT", "tune", "random")
    assert made(record) == dict.fromkeys(range(4), 4)
    assert len(record.scores) == 4 * 4


@pytest.mark.parametrize("engine", ["inprocess", "ray"])
def test_a_function_elsewhere_is_refused_with_what_to_write(engine):
    with pytest.raises(
        BadInput, match="make it a class with setup, step, save_checkpoint"
    ) as error:
        planned(f"{BROUGHT}/reports.py:train", engine)
    assert "\n" not in str(error.value)


def test_a_class_gets_the_resources_that_it_asks_for_unless_the_study_says_otherwise():
    problem = f"{BROUGHT}/reports.py:Greedy"
    run = planned(problem, "tune", "random", iterations=2, workers=1)
    assert run.cluster.cpus_per_worker == 2.0
    assert planned(problem, "tune", "random", cpus_per_worker=1.0).cluster.cpus_per_worker == 1.0
    outcome = engines.execute(run)
    assert outcome.cause == ""
    assert set(outcome.record.scores.metrics["cpus"]) == {2.0}


def test_a_class_that_asks_for_what_workers_have_not_is_refused(tmp_path):
    text = (BROUGHT / "reports.py").read_text().replace('{"CPU": 1', '{"TPU": 1, "CPU": 1')
    (tmp_path / "reports.py").write_text(text)
    with pytest.raises(BadInput, match="default_resource_request asks for TPU"):
        planned(f"{tmp_path}/reports.py:Greedy", "tune")


@pytest.mark.parametrize("engine", ["inprocess", "ray"])
def test_quantized_values_stay_on_their_grid(engine):
    found = forks(executed(f"{BROUGHT}/quantized.py:Climber", engine, intervals=[1]))
    assert len(found) > 5
    space = catalogue.problem(f"{BROUGHT}/quantized.py:Climber").space
    assert all(space.contains(fork.new) for fork in found)


@pytest.mark.parametrize("kind", ["tune:pb2", "tune:optuna"])
def test_quantized_values_stay_on_their_grid_with_what_tune_has(kind):
    keys = {"intervals": [2], "engine": {"tune": {"reuse_actors": True}}}
    record = executed(f"{BROUGHT}/quantized.py:Climber", "tune", kind, **keys)
    assert set(made(record).values()) == {12}
    assert forks(record) or kind == "tune:optuna"
    assert not any(fork.out_of_bounds for fork in forks(record))


def test_a_grid_of_quantized_values_is_on_the_grid():
    problem = catalogue.problem(f"{BROUGHT}/quantized.py:Climber")
    points = rows(problem.space.grid(27))
    assert len(points) == 27
    assert all(problem.space.contains(point) for point in points)


def test_a_stop_on_a_metric_that_is_minimised_is_refused():
    engine = {"tune": {"stop": {"loss": 0.2}}}
    with pytest.raises(BadInput, match="loss is minimised: every trial would end at once") as error:
        planned("toy.noisy_quadratic", "tune", engine=engine)
    assert "\n" not in str(error.value)
