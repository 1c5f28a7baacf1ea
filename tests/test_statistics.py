"""What is counted and compared over the runs of methods."""

from collections import Counter
from dataclasses import asdict, replace

import pytest
from fabricated import NAN, a_run, an_outcome, score, started
from reported import a_study, measured, pbt_outcome

from pbtbench.statistics.cells import cells
from pbtbench.statistics.forks import fork_costs
from pbtbench.statistics.totals import totals

CELLS = cells(measured(a_study()))


def of(*pairs):
    return cells(measured(pairs))


def test_totals_of_several_methods_are_the_sums_of_each_ones():
    summed = Counter()
    failed = Counter()
    for cell in CELLS:
        counts = asdict(totals([cell]))
        failed.update(counts.pop("failed"))
        summed.update(counts)
    together = asdict(totals(CELLS))
    assert together.pop("failed") == failed
    assert together == summed
    assert together["forks"] > 0
    assert together["nan_members"] > 0


def test_of_a_run_that_failed_only_its_scores_count():
    crash = replace(pbt_outcome(), cause="crash", message="no luck")
    found = totals(of((a_run(), pbt_outcome()), (a_run(seed=1), crash)))
    assert (found.runs, found.failures, found.forks, found.scores) == (2, 1, 1, 12)


def test_a_run_in_which_nobody_ends_with_a_score_is_unscored_unless_it_failed():
    nothing = an_outcome(started(0, rate=1), score(1, 0, 1, NAN))
    crash = replace(nothing, cause="crash", message="no luck")
    found = totals(of((a_run(), nothing), (a_run(seed=1), crash), (a_run(seed=2), pbt_outcome())))
    assert found.unscored == 1


def test_worker_seconds_of_a_cell_add_up_to_its_runs_and_shares_to_one():
    for cell in CELLS:
        wall = [m.workers * m.wall_s for m in cell.completed]
        assert sum(cell.seconds.values()) == pytest.approx(sum(wall) / len(wall))
        assert sum(cell.shares.values()) == pytest.approx(1)


def test_without_a_completed_run_there_are_no_seconds_and_no_shares():
    (cell,) = of((a_run(), replace(pbt_outcome(), cause="crash", message="no luck")))
    assert (cell.seconds, cell.shares, cell.state_bytes) == ({}, {}, 0)


def test_forks_are_compared_where_they_cost_more_on_one_engine_than_clocks_can_tell():
    def at(engine, cost):
        return a_run(method="pbt", interval=1, engine=engine), pbt_outcome(engine_cost=cost)

    found = fork_costs(of(at("ray", 0.5), at("tune", 1.5), at("inprocess", 0.01)))
    assert (found.dear.engine, found.cheap.engine) == ("tune", "inprocess")
    assert found.times == pytest.approx(150)
    assert fork_costs(of(at("ray", 0.5), at("tune", 0.52))) is None
    assert fork_costs(of(at("ray", 0.5))) is None
