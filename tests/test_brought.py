"""Trainables as people have them (`tests/brought`) do the same on every engine. Ray starts once for each."""

import json
import math
from pathlib import Path

import pytest

from pbtbench import BadInput, catalogue, engines
from pbtbench.space.columns import rows
from pbtbench.study import Study

BROUGHT = Path(__file__).parent / "brought"
ENGINES = ["inprocess", "ray", "tune"]
EVERYTHING = f"{BROUGHT}/climbers.py:EVERYTHING"


@pytest.fixture(scope="module", autouse=True)
def _ray_once():
    yield
    for name in ("ray", "tune"):
        engines.engine(name).close()


def planned(problem, on, kind="pbt", /, **keys):
    base = {"population": 4, "intervals": [3], "seeds": 1}
    over = {"problems": [problem], "methods": [kind], "engines": [on]}
    (run,) = Study.plan({**base, **over, **keys}).runs
    return run


def executed(*args, **keys):
    outcome = engines.execute(planned(*args, **keys))
    assert (outcome.cause, outcome.message) == ("", "")
    return outcome.trace


def scores(trace):
    """member -> iteration -> score"""
    found = {}
    for i in trace.rows("score"):
        found.setdefault(int(trace.member[i]), {})[int(trace.iteration[i])] = float(trace.value[i])
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_everything_that_tune_takes_is_taken(engine):
    trace = executed(EVERYTHING, engine)
    assert {m: len(own) for m, own in scores(trace).items()} == dict.fromkeys(range(4), 9)
    forks = trace.rows("fork")
    assert len(forks)
    moved = {"optimizer/rate", "model/dropout", "sizes"}
    for i in forks:
        old, new = trace.detail[i]["old"], trace.detail[i]["new"]
        assert set(old) == set(new) == {*moved, "optimizer/name", "model/units", "layers", "limit",
                                        "paths", "whole", "double"}  # fmt: skip
        assert new["layers"] == [64, 32]
        assert json.loads(json.dumps(new)) == new
    for i in trace.rows("score"):
        detail, iteration = trace.detail[i], int(trace.iteration[i])
        assert detail["member"] == trace.member[i]  # as its trial id tells
        if math.isnan(trace.value[i]):
            assert iteration < 3
        elif not detail.get("score_age"):
            assert trace.value[i] == detail["at"]
            assert iteration % 3 == 0
        else:
            assert trace.value[i] < detail["at"]


def test_random_search_gives_the_same_scores_on_every_engine():
    """A member that starts, starts from `setup`, whatever `reset_config` keeps."""
    problem = f"{BROUGHT}/climbers.py:EVERYTHING"
    found = [scores(executed(problem, on, "random")) for on in ENGINES]
    for own in found[1:]:
        for member, values in own.items():
            assert values == pytest.approx(found[0][member], nan_ok=True, rel=0, abs=0)


@pytest.mark.parametrize("reuse", [None, True])
def test_a_reset_that_keeps_the_state_leaks_it_to_nobody(tmp_path, reuse):
    """Four members on two actors: with reuse, each actor has two of them, one after another."""
    text = (BROUGHT / "climbers.py").read_text()
    beside = text.partition("\nclass Everything")[0]
    beside += 'PARAM_SPACE = {"rate": tune.uniform(0.0, 1.0)}\nMETRIC, MODE, ITERATIONS = "place", "max", 5\n'
    (tmp_path / "climber.py").write_text(beside)
    problem = f"{tmp_path}/climber.py:Climber"
    options = {} if reuse is None else {"engine": {"tune": {"reuse_actors": reuse}}}
    expected = scores(executed(problem, "inprocess", "random"))
    trace = executed(problem, "tune", "random", **options)
    assert scores(trace) == expected
    trace = executed(problem, "tune", intervals=[2], **options)
    found = scores(trace)
    forks = trace.rows("fork").tolist()
    assert forks
    for i in forks:
        member, made, told = int(trace.member[i]), int(trace.iteration[i]), trace.detail[i]
        expected = found[told["donor"]][told["copied"]] + told["new"]["rate"]
        assert found[member][made + 1] == pytest.approx(expected)


def test_a_function_reports_to_tune():
    trace = executed(f"{BROUGHT}/reports.py:train", "tune")
    found = scores(trace)
    assert {m: len(own) for m, own in found.items()} == dict.fromkeys(range(4), 6)
    forks = trace.rows("fork")
    assert len(forks)
    for i in forks.tolist():
        member, made, told = int(trace.member[i]), int(trace.iteration[i]), trace.detail[i]
        expected = found[told["donor"]][told["copied"]] + told["new"]["rate"]
        assert found[member][made + 1] == pytest.approx(expected)


def test_a_function_that_returns_early_made_what_it_reported():
    trace = executed(f"{BROUGHT}/reports.py:SHORT", "tune", "random")
    assert {m: len(own) for m, own in scores(trace).items()} == dict.fromkeys(range(4), 4)


@pytest.mark.parametrize("engine", ["inprocess", "ray"])
def test_a_function_elsewhere_is_refused_with_what_to_write(engine):
    with pytest.raises(BadInput, match="make it a class with setup, step, save_checkpoint") as told:
        planned(f"{BROUGHT}/reports.py:train", engine)
    assert "\n" not in str(told.value)


def test_a_class_gets_the_resources_that_it_asks_for_unless_the_study_says_otherwise():
    problem = f"{BROUGHT}/reports.py:Greedy"
    run = planned(problem, "tune", "random", iterations=2)
    assert run.cluster.cpus_per_worker == 2.0
    assert planned(problem, "tune", "random", cpus_per_worker=1.0).cluster.cpus_per_worker == 1.0
    outcome = engines.execute(run)
    assert outcome.cause == ""
    trace = outcome.trace
    assert {trace.detail[i]["cpus"] for i in trace.rows("score")} == {2.0}


def test_a_class_that_asks_for_what_workers_have_not_is_refused(tmp_path):
    text = (BROUGHT / "reports.py").read_text().replace('{"CPU": 1', '{"TPU": 1, "CPU": 1')
    (tmp_path / "reports.py").write_text(text)
    with pytest.raises(BadInput, match="default_resource_request asks for TPU"):
        planned(f"{tmp_path}/reports.py:Greedy", "tune")


@pytest.mark.parametrize("engine", ["inprocess", "ray"])
def test_quantized_values_stay_on_their_grid(engine):
    trace = executed(f"{BROUGHT}/quantized.py:Climber", engine, intervals=[1])
    assert len(trace.rows("fork")) > 5
    space = catalogue.problem(f"{BROUGHT}/quantized.py:Climber").space
    for i in trace.rows("fork"):
        assert space.contains(trace.detail[i]["new"])


@pytest.mark.parametrize("kind", ["tune:pb2", "tune:optuna"])
def test_quantized_values_stay_on_their_grid_with_what_tune_has(kind):
    trace = executed(f"{BROUGHT}/quantized.py:Climber", "tune", kind, intervals=[2])
    assert {len(own) for own in scores(trace).values()} == {12}
    assert len(trace.rows("fork")) or kind == "tune:optuna"
    assert not any("out_of_bounds" in trace.detail[i] for i in trace.rows("fork"))


def test_a_grid_of_quantized_values_is_on_the_grid():
    problem = catalogue.problem(f"{BROUGHT}/quantized.py:Climber")
    points = rows(problem.space.grid(27))
    assert len(points) == 27
    assert all(problem.space.contains(point) for point in points)


def test_a_stop_on_a_metric_that_is_minimised_is_refused():
    engine = {"tune": {"stop": {"loss": 0.2}}}
    with pytest.raises(BadInput, match="loss is minimised: every trial would end at once") as told:
        planned("toy.noisy_quadratic", "tune", engine=engine)
    assert "\n" not in str(told.value)
