import dataclasses
import math

import pytest
from fabricated import NAN, a_run, an_outcome, fork, score, timed
from hypothesis import given
from hypothesis import strategies as st

from pbtbench.measures.overhead import overhead
from pbtbench.measures.paths import path
from pbtbench.measures.quality import curve, curves, quality
from pbtbench.measures.summary import summary, summary_csv
from pbtbench.measures.target import Attempt, attempt, censored_median, ert
from pbtbench.problem import Objective
from pbtbench.record import TIMED
from pbtbench.statistics.cells import cells, measure

UP = Objective("accuracy", "max")
DOWN = Objective("loss", "min")


def two_members(*values):
    """Scores of two stacked members, one pair each second."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return [
        score(float(i), member, i, value)
        for i, pair in enumerate(pairs, 1)
        for member, value in enumerate(pair)
    ]


class TestOverhead:
    outcome = an_outcome(
        timed("setup", 0, 1),
        timed("train", 1, 4, worker=0),
        timed("train", 1, 3, worker=1),
        timed("evaluate", 5, 1, worker=0),
        timed("save", 6, 0.5, size=100),
        timed("persist", 6.5, 0.25, worker=0),
        timed("persist", 6.5, 3, worker=-1),
        timed("transfer", 4, 0.25, worker=1, size=100),
        timed("restore", 4.5, 0.5, worker=1, size=100),
        timed("restart", 5, 0.5, worker=1),
        timed("wait", 6, 1, worker=1),
        timed("decide", 7, 1),
        wall_s=10,
        workers=2,
    )

    def test_counts_what_blocks_a_worker_over_training_and_evaluation(self):
        cost = overhead(self.outcome)
        assert cost.checkpoint_overhead == pytest.approx(2 / 8)
        assert cost.pbt_overhead == pytest.approx(4 / 8)
        assert cost.seconds["persist"] == 0.25
        assert cost.seconds["unaccounted"] == pytest.approx(20 - 13)

    def test_counts_traffic(self):
        cost = overhead(self.outcome)
        assert (cost.saves, cost.restores, cost.forks) == (1, 1, 0)
        assert (cost.bytes_saved, cost.bytes_moved, cost.state_bytes) == (100, 200, 100)

    def test_has_no_ratio_and_no_state_without_work(self):
        cost = overhead(an_outcome())
        assert math.isnan(cost.checkpoint_overhead)
        assert cost.state_bytes is None

    @given(
        st.integers(1, 4),
        st.lists(
            st.tuples(st.sampled_from(TIMED), st.floats(0, 1), st.integers(-1, 3)), max_size=30
        ),
    )
    def test_conserves_worker_seconds(self, workers, rows):
        events = [timed(kind, 0, d, worker=min(w, workers - 1)) for kind, d, w in rows]
        cost = overhead(an_outcome(*events, wall_s=7, workers=workers))
        assert sum(cost.seconds.values()) == pytest.approx(workers * 7)


class TestTarget:
    def test_is_reached_by_the_first_score_as_good(self):
        outcome = an_outcome(*two_members(0.1, 0.2, 0.5, 0.6, 0.9, 0.1), workers=2)
        assert attempt(UP, 0.5, outcome) == Attempt(
            target=0.5, cause="", seconds=2, iterations=2, member_iterations=4,
            worker_seconds=4, spent_s=2, spent_member_iterations=4,
        )  # fmt: skip

    def test_counts_work_of_all_members_however_unequal(self):
        outcome = an_outcome(
            score(1, 0, 1, 0.1), score(2, 0, 2, 0.1), score(3, 1, 1, 0.8), score(4, 0, 3, 0.9)
        )
        found = attempt(UP, 0.8, outcome)
        assert (found.seconds, found.iterations, found.member_iterations) == (3, 1, 3)

    def test_of_a_min_problem_is_reached_from_above(self):
        outcome = an_outcome(*two_members(9, 8, 5, 4))
        assert attempt(DOWN, 5, outcome).seconds == 2
        assert attempt(DOWN, 3, outcome).cause == "budget"

    def test_is_never_reached_by_nan(self):
        found = attempt(DOWN, 5, an_outcome(*two_members(NAN, NAN), wall_s=3))
        assert not found.reached
        assert found.seconds is None
        assert found.spent_s == 3

    @pytest.mark.parametrize(
        ("cause", "told"), [("", "budget"), ("crash", "crash"), ("hang", "hang")]
    )
    def test_missed_is_censored_with_its_cause(self, cause, told):
        found = attempt(UP, 1, an_outcome(*two_members(0, 0), cause=cause))
        assert found.cause == told

    def test_reached_before_a_crash_is_reached(self):
        assert attempt(UP, 1, an_outcome(*two_members(1, 0), cause="crash")).reached

    def test_ert_counts_failures_at_their_cut_off(self):
        assert ert([2, 4, 10], [True, True, False]) == 8

    def test_ert_is_infinite_without_success(self):
        assert ert([10, 10], [False, False]) == math.inf
        assert math.isnan(ert([], []))

    def test_median_takes_a_miss_as_infinite(self):
        assert censored_median([3, 1, None]) == 3
        assert censored_median([3, None, None]) == math.inf
        assert censored_median([1, None]) == math.inf


class TestQuality:
    def test_final_is_the_best_of_the_last_scores_and_best_that_of_all(self):
        found = quality(UP, an_outcome(*two_members(0.9, 0.1, 0.5, 0.6)))
        assert (found.best_score, found.final_score, found.regret) == (0.9, 0.6, None)

    def test_turns_round_for_a_min_problem(self):
        known = Objective("loss", "min", optimum=1.0)
        found = quality(known, an_outcome(*two_members(2, 9, 4, 3)))
        assert (found.best_score, found.final_score, found.regret) == (2, 3, 2)

    @pytest.mark.parametrize(("goal", "behind"), [("max", -0.5), ("min", 0.5)])
    def test_regret_against_constants_is_below_zero_where_a_schedule_is_better(self, goal, behind):
        either = Objective("a", goal)
        found = quality(either, an_outcome(*two_members(1, 1, 2, 2)), best_constant=1.5)
        assert found.behind_constant == behind
        assert quality(either, an_outcome(*two_members(1, 1))).behind_constant is None

    def test_a_nan_member_scores_worst(self):
        found = quality(DOWN, an_outcome(*two_members(1, 2, NAN, 7)))
        assert (found.final_score, found.nan_members) == (7, 1)
        nothing = quality(DOWN, an_outcome(*two_members(NAN, NAN)))
        assert math.isnan(nothing.final_score)
        assert nothing.nan_members == 2

    def test_counts_scores_that_cannot_be(self):
        bounded = Objective("accuracy", "max", bound=1.0)
        outcome = an_outcome(*two_members(1.0, 1.0 + 1e-12, 1.1, 0.2))
        assert quality(bounded, outcome).beyond_bound == 1

    def test_curve_steps_to_the_best_so_far(self):
        outcome = an_outcome(*two_members(NAN, NAN, 3, 5, 4, 2))
        x, y = curve(a_run(goal="min"), outcome, "seconds")
        assert (x.tolist(), y.tolist()) == ([2, 3], [3, 2])
        x, y = curve(a_run(goal="min"), outcome, "member_iterations")
        assert (x.tolist(), y.tolist()) == ([4, 6], [3, 2])

    def test_curves_take_the_median_over_seeds_and_keep_what_has_ended(self):
        one = (a_run(seed=0), an_outcome(*two_members(0.1, 0, 0.3, 0)))
        two = (a_run(seed=1), an_outcome(*two_members(0.2, 0)))
        three = (a_run(seed=2), an_outcome(*two_members(0, 0), cause="crash"))
        frame = curves([one, two, three], "iteration", points=2)
        assert frame["median"].tolist() == pytest.approx([0.15, 0.25])
        assert frame[["low", "high"]].iloc[-1].tolist() == pytest.approx([0.2, 0.3])
        assert set(frame["n"]) == {2}

    @pytest.mark.parametrize(("goal", "final"), [("max", 0.3), ("min", 0.1)])
    def test_a_seed_that_starts_late_doesnt_cut_the_curve_of_the_others(self, goal, final):
        scores = two_members(0.2, 0.2, final, final)
        late = [event._replace(t_start_s=event.t_start_s + 100) for event in scores]
        runs = [(a_run(seed=seed, goal=goal), an_outcome(*scores)) for seed in range(2)]
        frame = curves([*runs, (a_run(seed=2, goal=goal), an_outcome(*late))], "seconds", points=50)
        assert frame["x"].iloc[0] == pytest.approx(1)
        assert frame["median"].tolist()[:: len(frame) - 1] == pytest.approx([0.2, final])
        assert (frame["low"] <= frame["median"]).all()
        assert (frame["median"] <= frame["high"]).all()
        assert frame[["low", "high"]].notna().all(axis=None)

    def test_forks_out_of_bounds_and_skipped_exploits_are_counted(self):
        outside = fork(2.0, 0, 1, 1, 0.1, 9.0)
        outside = outside._replace(detail={**outside.detail, "out_of_bounds": ["rate"]})
        skipped = timed("decide", 1, 1, worker=-1)._replace(detail={"exploits_skipped": [0, 1]})
        outcome = an_outcome(outside, fork(3.0, 1, 0, 2, 0.1, 0.2), skipped)
        found = quality(UP, outcome)
        assert (found.out_of_bounds, found.exploits_skipped) == (1, 2)

    def test_a_path_is_where_a_member_was_in_its_problems_plane(self):
        there = a_run(card=dataclasses.replace(a_run().card, plane=("x", "y")))
        at = score(1.0, 0, 1, 0.5)._replace(detail={"x": 3.0, "y": 4.0, "z": 5.0})
        elsewhere = score(1.0, 1, 1, 0.5)._replace(detail={"z": 5.0})
        found = path(measure(there, an_outcome(at, elsewhere)))
        assert found[["member", "x", "y"]].to_numpy().tolist() == [[0, 3, 4]]
        assert path(measure(a_run(), an_outcome(at))).empty

    def test_curves_of_nothing_are_empty(self):
        assert curves([], "seconds").empty
        assert curves([(a_run(), an_outcome())], "seconds").empty


class TestSummary:
    columns = """
        run problem method interval seed engine transport cluster population workers
        iterations state_bytes target reached cause seconds_to_target iterations_to_target
        member_iterations_to_target worker_seconds_to_target best_score final_score wall_s
        setup_s compile_s train_s evaluate_s save_s persist_s transfer_s restore_s
        restart_s wait_s decide_s idle_s unaccounted_s checkpoint_overhead pbt_overhead
        saves restores forks bytes_saved bytes_moved iterations_made
    """.split()  # noqa: SIM905

    def test_has_exactly_the_promised_columns(self):
        assert summary([]).columns.tolist() == self.columns
        pair = (a_run(), an_outcome(*two_members(0, 0)))
        assert summary([pair]).columns.tolist() == self.columns

    def test_has_a_row_for_each_run_and_target(self):
        hit = (a_run(targets=(0.1, 0.9), population=9), an_outcome(*two_members(0.2, 0)))
        plain = (a_run(method="pbt", interval=4), an_outcome(*two_members(0.2, 0)))
        frame = summary([hit, plain])
        assert frame["target"].tolist()[:2] == [0.1, 0.9]
        assert frame["cause"].tolist() == ["", "budget", ""]
        assert frame["population"].tolist() == [2, 2, 2]
        row = summary_csv([hit, plain]).splitlines()[3].split(",")
        told = dict(zip(self.columns, row, strict=True))
        assert told["interval"] == "4"
        assert told["target"] == told["reached"] == told["state_bytes"] == ""

    def test_morphing_counts_to_the_restore_so_that_seconds_still_add_up(self):
        rows = [timed("train", 0, 5.0), timed("morph", 5, 0.5), timed("restore", 5.5, 1.0)]
        (row,) = summary([(a_run(), an_outcome(*rows))]).to_dict("records")
        assert (row["restore_s"], row["unaccounted_s"]) == (1.5, 3.5)
        assert row["checkpoint_overhead"] == pytest.approx(1.0 / 5)
        assert row["pbt_overhead"] == pytest.approx(1.5 / 5)

    def test_cells_are_what_differs_by_seed_alone(self):
        good = an_outcome(*two_members(0.2, 0.1))
        bad = an_outcome(cause="crash", wall_s=4)
        pairs = [
            (a_run(targets=(0.2,), seed=0), good),
            (a_run(targets=(0.2,), seed=1), bad),
            (a_run(targets=(0.2,), method="pbt", interval=2), good),
        ]
        random, pbt = cells(pairs)
        assert (random.n, random.final.n, random.final.median) == (2, 1, 0.2)
        assert [m.outcome.cause for m in random.measures] == ["", "crash"]
        assert (random.targets[0].reached, random.targets[0].n) == (1, 2)
        assert random.targets[0].ert_s == 5
        assert random.targets[0].seconds == math.inf
        assert pbt.label == "pbt k=2"


def test_a_real_run_obeys_the_conservation_law():
    from pbtbench import engines
    from pbtbench.study import Study

    study = Study.load(None, {"problems": ["toy.noisy_quadratic"], "seeds": 1, "iterations": 100})
    for run in study.runs:
        outcome = engines.execute(run)
        cost = overhead(outcome)
        assert sum(cost.seconds.values()) == pytest.approx(outcome.wall_s)
        assert cost.seconds["unaccounted"] >= 0
