"""Targets in full: times, work and cost of methods that reach, miss or crash; their tables and curves."""

import math
from dataclasses import replace

import numpy as np
import pytest
from raced import WALL_S, race
from test_figures import marks

from pbtbench.report import palette, survival, target_tables
from pbtbench.statistics import time_to_target
from pbtbench.statistics.attempts import attempts, common_budget, reaches, shown_target
from pbtbench.statistics.cells import cells
from pbtbench.statistics.ranks import holm
from pbtbench.statistics.speedups import COSTS
from pbtbench.statistics.time_to_target import Attempts, logrank

MIXED = cells(
    race(pbt_1=[2, 4, None, "3"], pbt_5=[1, 2, 3, 4], random=[5, 6, None, None], workers=2)
)


def of(cell, cost="seconds", target=0.5):
    return attempts(cell, target, cost)


class TestAttempts:
    def test_are_the_runs_on_each_axis(self):
        times, work, cost = (of(MIXED[0], cost) for cost in COSTS)
        assert times.spent.tolist() == [2, 4, WALL_S, 3]
        assert work.spent.tolist() == [1, 1, 1, 1]
        assert cost.spent.tolist() == [4, 8, 2 * WALL_S, 6]
        for one in (times, work, cost):
            assert one.reached.tolist() == [True, True, False, False]
            assert one.crashed.tolist() == [False, False, False, True]

    @pytest.mark.parametrize("cost", COSTS)
    def test_estimates_are_those_of_the_statistics_and_the_cells(self, cost):
        for reach in reaches(MIXED, cost):
            mine = of(reach.cell, cost, reach.target)
            assert reach.ert == time_to_target.ert(mine)
            assert reach.success == time_to_target.success_share(mine)
            assert reach.rmst == time_to_target.rmst(mine, reach.budget)
            found = reach.cell.target(reach.target)
            expected = {"seconds": found.ert_s, "member_iterations": found.ert_member_iterations}
            assert reach.ert.value == pytest.approx(expected.get(cost, 2 * found.ert_s))

    def test_targets_come_from_the_easy_to_the_hard(self):
        targets = [r.target for r in reaches(MIXED, "seconds")]
        assert targets == [0.5] * 3 + [0.9] * 3

    def test_the_log_rank_test_is_adjusted_over_the_target(self):
        first, second, baseline = reaches(MIXED, "seconds")[:3]
        p = [logrank(of(c), of(MIXED[2])) for c in MIXED[:2]]
        assert [first.against["random"], second.against["random"]] == holm(p).tolist()
        assert baseline.against == {}

    def test_that_nobody_reached_has_no_test(self):
        missed = [r for r in reaches(MIXED, "seconds") if r.target == 0.9]
        assert all(math.isnan(p) for r in missed for p in r.against.values())
        assert all(r.ert.value == math.inf for r in missed)
        assert missed[0].rmst.value == WALL_S


class TestCommonBudget:
    def made(self, spent, reached, crashed=None):
        crashed = np.zeros(len(spent), bool) if crashed is None else np.array(crashed)
        return Attempts(np.array(spent, float), np.array(reached), crashed)

    def test_is_where_the_first_method_is_lost_from_sight(self):
        short, long = self.made([3, 5], [True, False]), self.made([20, 30], [False, False])
        assert common_budget([short, long]) == 5
        assert math.isfinite(time_to_target.rmst(short, 5).value)
        assert math.isnan(time_to_target.rmst(short, 6).value)

    def test_is_all_time_where_none_is_lost(self):
        done, crashed = self.made([3, 5], [True, True]), self.made([9], [False], [True])
        assert common_budget([done, crashed]) == 9

    def test_is_of_one_cluster(self):
        slow = race(random=[5, None])
        fast = [replace(m, cluster="other", wall_s=2.0) for m in race(random=[1, 2])]
        both = cells([*slow, *fast])
        assert {r.cell.cluster: r.budget for r in reaches(both, "seconds") if r.target == 0.5} == {
            "local-2cpu": WALL_S, "other": 2,
        }  # fmt: skip


class TestShownTarget:
    def test_is_the_hardest_that_methods_with_an_interval_reach(self):
        assert shown_target(MIXED) == 0.5

    def test_is_that_of_baselines_where_they_alone_reach_one(self):
        assert shown_target(cells(race(pbt_1=[None], random=[2]))) == 0.5

    def test_is_the_hardest_of_all_where_none_is_reached(self):
        assert shown_target(cells(race(pbt_1=[None], random=["2"]))) == 0.9


class TestTables:
    def test_have_misses_and_crashes_in_sight(self):
        table = target_tables.table(reaches(MIXED, "seconds"), "seconds")
        lines = [dict(zip(table.header, line, strict=True)) for line in table.body]
        assert [line["reached"] for line in lines] == ["2/4", "4/4", "2/4", "0/4", "0/4", "0/4"]
        assert [line["crashed"] for line in lines[:3]] == ["1", "0", "0"]
        assert lines[0]["expected wall time"] == "9.5 s"
        assert lines[3]["expected wall time"] == "∞"
        assert lines[2]["p against random"] == "–"

    def test_are_one_for_each_axis_that_says_something_of_its_own(self):
        assert list(target_tables.tables(MIXED)) == ["seconds", "member_iterations"]
        unlike = cells([*race(random=[2], workers=2), *race(pbt_1=[2])])
        assert list(target_tables.tables(unlike)) == list(COSTS)

    def test_of_one_seed_have_no_interval(self):
        table = target_tables.table(reaches(cells(race(random=[2])), "seconds"), "seconds")
        assert table.body[0][table.header.index("95%")] == "–"

    def test_of_a_problem_without_targets_are_none(self):
        assert target_tables.tables([]) == {}


class TestSurvival:
    rows = survival.rows(MIXED)
    colours = palette.series(MIXED)

    def test_curves_are_the_estimates_turned_over(self):
        for row in self.rows["reached"]:
            (cell,) = [c for c in MIXED if c.label == row["label"]]
            curve = time_to_target.survival(of(cell, row["axis"]))
            count = len(curve.time)
            assert row["x"][:count] == pytest.approx(curve.time.tolist())
            assert row["share"][:count] == pytest.approx((1 - curve.share).tolist(), rel=1e-4)
            assert row["low"][:count] == pytest.approx((1 - curve.high).tolist(), rel=1e-4)
            assert row["high"][:count] == pytest.approx((1 - curve.low).tolist(), rel=1e-4)

    def test_what_all_have_reached_stays_so_until_the_end(self):
        whole = next(r for r in self.rows["reached"] if r["label"] == "pbt k=5")
        assert (whole["x"][-1], whole["share"][-1]) == (WALL_S, 1)

    def test_runs_without_the_target_are_marked_on_their_curve(self):
        (mine, *_) = self.rows["missed"]
        assert (mine["x"], mine["ended"]) == ([WALL_S, 3], ["missed", "crashed"])
        assert mine["share"] == [0.5, 0.25]

    def test_a_figure_has_a_curve_a_band_and_the_marks_of_each(self):
        drawn = list(survival.figures(MIXED, self.rows, self.colours))
        assert [f.name for f in drawn] == [
            "toy.hand-inprocess-reached-seconds", "toy.hand-inprocess-reached-member-iterations",
        ]  # fmt: skip
        for f in drawn:
            assert "not drawn" not in f.svg
            assert (marks(f.svg, "line"), marks(f.svg, "area"), marks(f.svg, "symbol")) == (3, 3, 4)

    def test_what_nobody_reached_is_not_drawn(self):
        missed = cells(race(pbt_1=[None, None], random=["1", None]))
        rows = survival.rows(missed)
        assert {s for row in rows["reached"] for s in row["share"]} == {0}
        assert list(survival.figures(missed, rows, palette.series(missed))) == []
        reached = [line[2] for line in target_tables.tables(missed)["seconds"].body]
        assert reached == ["0/2"] * 4

    def test_a_target_that_baselines_alone_reach_is_drawn(self):
        alone = cells(race(pbt_1=[None, None], random=[2, None]))
        drawn = list(survival.figures(alone, survival.rows(alone), palette.series(alone)))
        assert "accuracy ≥ 0.5" in drawn[0].title

    def test_without_targets_there_is_nothing(self):
        none = [replace(c, targets=()) for c in MIXED]
        assert math.isnan(shown_target(none))
        assert survival.rows(none) == {"reached": [], "missed": []}
        assert list(survival.figures(none, survival.rows(none), self.colours)) == []
