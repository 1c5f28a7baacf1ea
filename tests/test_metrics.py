import dataclasses
import json
import math

import numpy as np
import pytest
from fabricated import NAN, a_run, an_outcome, fork, lost, note, score, started, timed
from hypothesis import given
from hypothesis import strategies as st

from pbtbench.measures import frame, from_json, measure, to_json
from pbtbench.measures.of_run import weighted_median
from pbtbench.measures.overhead import overhead
from pbtbench.measures.paths import path
from pbtbench.measures.quality import STEPS, curve, quality
from pbtbench.measures.summary import summary, summary_csv
from pbtbench.measures.target import Attempt, attempt, ert
from pbtbench.problem import Objective
from pbtbench.record import TIMED
from pbtbench.runs import Provenance
from pbtbench.statistics.cells import cells
from pbtbench.statistics.curves import band

UP = Objective("accuracy", "max")
DOWN = Objective("accuracy", "min")


def two_members(*values, metric="accuracy", since=0.0):
    """Scores of two stacked members, one pair each second."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return [
        score(since + i, member, i, value, metric=metric)
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
    def test_every_second_of_a_worker_is_its_kinds_or_unaccounted(self, workers, rows):
        events = [timed(kind, 0, d, worker=min(w, workers - 1)) for kind, d, w in rows]
        cost = overhead(an_outcome(*events, wall_s=7, workers=workers))
        for kind in TIMED:
            spent = [d for of_kind, d, worker in rows if of_kind == kind and worker >= 0]
            assert cost.seconds[kind] == pytest.approx(sum(spent))
        timed_s = sum(d for _, d, worker in rows if worker >= 0)
        assert cost.seconds["unaccounted"] == pytest.approx(workers * 7 - timed_s)

    def test_a_fork_costs_all_that_checkpoints_took_and_nothing_without_one(self):
        rows = [
            timed("save", 0, 3),
            timed("morph", 3, 1),
            fork(4, 0, 1, 1, 0.1, 0.2),
            started(0, rate=1),
        ]
        assert overhead(an_outcome(*rows, fork(5, 1, 0, 1, 0.1, 0.2))).fork_s == 2
        assert math.isnan(overhead(self.outcome).fork_s)


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
        ("cause", "expected"), [("", "budget"), ("crash", "crash"), ("hang", "hang")]
    )
    def test_missed_is_censored_with_its_cause(self, cause, expected):
        found = attempt(UP, 1, an_outcome(*two_members(0, 0), cause=cause))
        assert found.cause == expected

    def test_reached_before_a_crash_is_reached(self):
        assert attempt(UP, 1, an_outcome(*two_members(1, 0), cause="crash")).reached

    def test_ert_counts_failures_at_their_cut_off(self):
        assert ert([2, 4, 10], [True, True, False]) == 8

    def test_ert_is_infinite_without_success(self):
        assert ert([10, 10], [False, False]) == math.inf
        assert math.isnan(ert([], []))


class TestQuality:
    def test_final_is_the_best_of_the_last_scores_and_best_that_of_all(self):
        found = quality(UP, record(*two_members(0.9, 0.1, 0.5, 0.6)))
        assert (found.best_score, found.final_score, found.regret) == (0.9, 0.6, None)

    def test_turns_round_for_a_min_problem(self):
        known = Objective("accuracy", "min", optimum=1.0)
        found = quality(known, record(*two_members(2, 9, 4, 3)))
        assert (found.best_score, found.final_score, found.regret) == (2, 3, 2)

    @pytest.mark.parametrize(("goal", "behind"), [("max", -0.5), ("min", 0.5)])
    def test_regret_against_constants_is_below_zero_where_a_schedule_is_better(self, goal, behind):
        either = Objective("accuracy", goal)
        found = quality(either, record(*two_members(1, 1, 2, 2)), best_constant=1.5)
        assert found.behind_constant == behind
        assert quality(either, record(*two_members(1, 1))).behind_constant is None

    def test_a_nan_member_scores_worst(self):
        found = quality(DOWN, record(*two_members(1, 2, NAN, 7)))
        assert (found.final_score, found.nan_members) == (7, 1)
        nothing = quality(DOWN, record(*two_members(NAN, NAN)))
        assert math.isnan(nothing.final_score)
        assert nothing.nan_members == 2

    def test_counts_scores_that_cannot_be(self):
        bounded = Objective("accuracy", "max", bound=1.0)
        scores = two_members(1.0, 1.0 + 1e-12, 1.1, 0.2)
        assert quality(bounded, record(*scores)).beyond_bound == 1

    def test_curve_steps_to_the_best_so_far(self):
        scores = record(*two_members(NAN, NAN, 3, 5, 4, 2, 9, 9)).scores
        by_time, by_work, by_iteration = (
            curve(DOWN, scores, axis) for axis in ("seconds", "member_iterations", "iteration")
        )
        assert (by_time.x, by_time.y, by_time.end) == ((2, 3), (3, 2), 4)
        assert (by_work.x, by_work.y, by_work.end) == ((4, 6), (3, 2), 8)
        assert (by_iteration.x, by_iteration.y, by_iteration.end) == ((2, 3), (3, 2), 4)

    def test_curve_along_iterations_is_in_their_order_whoever_made_them_first(self):
        scores = record(
            score(1, 0, 1, 0.3), score(2, 0, 2, 0.9), score(3, 1, 1, 0.5), score(4, 1, 2, 0.1)
        ).scores
        found = curve(UP, scores, "iteration")
        assert (found.x, found.y) == ((1, 2), (0.5, 0.9))

    def test_a_curve_of_many_steps_keeps_its_ends(self):
        rising = [score(i, 0, i, float(i)) for i in range(1, 4 * STEPS)]
        found = curve(UP, record(*rising).scores, "seconds")
        assert len(found.x) == STEPS
        assert found.x[0] == found.y[0] == 1
        assert found.x[-1] == found.y[-1] == found.end == 4 * STEPS - 1

    def test_a_band_takes_the_median_over_seeds_and_keeps_what_has_ended(self):
        one = measure(a_run(seed=0), an_outcome(*two_members(0.1, 0, 0.3, 0)))
        two = measure(a_run(seed=1), an_outcome(*two_members(0.2, 0)))
        three = measure(a_run(seed=2), an_outcome(*two_members(0, 0), cause="crash"))
        (cell,) = cells([one, two, three])
        found = band(cell, "iteration", points=2)
        assert found.median.tolist() == pytest.approx([0.15, 0.25])
        assert (found.low[-1], found.high[-1]) == pytest.approx((0.2, 0.3))
        assert found.n == 2

    @pytest.mark.parametrize(("goal", "final"), [("max", 0.3), ("min", 0.1)])
    def test_a_seed_that_starts_late_doesnt_cut_the_curve_of_the_others(self, goal, final):
        values = (0.2, 0.2, final, final)
        runs = [
            measure(a_run(seed=seed, goal=goal), an_outcome(*two_members(*values, since=since)))
            for seed, since in enumerate((0, 0, 100))
        ]
        (cell,) = cells(runs)
        found = band(cell, "seconds", points=50)
        assert found.x[0] == pytest.approx(1)
        assert (found.median[0], found.median[-1]) == pytest.approx((0.2, final))
        assert (found.low <= found.median).all()
        assert (found.median <= found.high).all()

    def test_forks_out_of_bounds_and_skipped_exploits_are_counted(self):
        outside = fork(2.0, 0, 1, 1, 0.1, 9.0, out_of_bounds=True)
        skipped = note("exploits_skipped", value=2.0)
        found = quality(UP, record(outside, fork(3.0, 1, 0, 2, 0.1, 0.2), skipped))
        assert (found.out_of_bounds, found.exploits_skipped) == (1, 2)

    def test_a_score_that_stands_from_before_is_counted_but_diverged_only_once(self):
        rows = [score(1, 0, 1, NAN), score(2, 0, 2, NAN, age=1), score(2, 1, 2, 0.5)]
        found = quality(UP, record(*rows))
        assert (found.scores, found.standing, found.nan_members) == (3, 1, 1)

    def test_a_path_is_where_a_member_was_in_its_problems_plane(self):
        there = a_run(card=dataclasses.replace(a_run().card, plane=("x", "y")))
        at = score(1.0, 0, 1, 0.5, x=3.0, y=4.0, z=5.0)
        elsewhere = score(1.0, 1, 1, 0.5, z=5.0)
        found = path(there, record(at, elsewhere))
        assert found[["member", "x", "y", "score"]].to_numpy().tolist() == [[0, 3, 4, 0.5]]
        assert set(found["method"]) == {"random"}
        assert path(a_run(), record(at)).empty

    def test_without_a_score_there_is_no_band(self):
        (cell,) = cells([measure(a_run(), an_outcome())])
        assert band(cell, "seconds", points=50) is None


def record(*written):
    return an_outcome(*written).record


class TestSummary:
    columns = """
        run problem method interval seed engine transport cluster population workers
        iterations state_bytes target reached cause seconds_to_target iterations_to_target
        member_iterations_to_target worker_seconds_to_target best_score final_score wall_s
        setup_s compile_s train_s evaluate_s save_s persist_s transfer_s restore_s
        restart_s wait_s decide_s idle_s unaccounted_s checkpoint_overhead pbt_overhead
        saves restores forks bytes_saved bytes_moved iterations_made morph_s machine commit
        test_score selection_optimism
    """.split()  # noqa: SIM905

    def test_has_exactly_the_promised_columns(self):
        assert summary([]).columns.tolist() == self.columns
        assert summary([plain()]).columns.tolist() == self.columns
        assert summary_csv([]) == ",".join(self.columns) + "\n"

    def test_has_a_row_for_each_run_and_target(self):
        hit = measure(a_run(targets=(0.1, 0.9), population=9), an_outcome(*two_members(0.2, 0)))
        other = plain(method="pbt", interval=4)
        found = summary([hit, other])
        assert found["target"].tolist()[:2] == [0.1, 0.9]
        assert found["cause"].tolist() == ["", "budget", ""]
        assert found["population"].tolist() == [2, 2, 2]
        row = summary_csv([hit, other]).splitlines()[3].split(",")
        columns = dict(zip(self.columns, row, strict=True))
        assert columns["interval"] == "4"
        assert columns["target"] == columns["reached"] == columns["state_bytes"] == ""

    def test_morphing_is_a_part_of_the_restore_and_of_both_overheads(self):
        rows = [timed("train", 0, 5.0), timed("morph", 5, 0.5), timed("restore", 5.5, 1.0)]
        (row,) = summary([measure(a_run(), an_outcome(*rows))]).to_dict("records")
        assert (row["restore_s"], row["morph_s"], row["unaccounted_s"]) == (1.5, 0.5, 3.5)
        assert row["checkpoint_overhead"] == pytest.approx(1.5 / 5)
        assert row["pbt_overhead"] == pytest.approx(1.5 / 5)

    def test_text_from_outside_is_no_formula_and_no_second_line(self):
        named = plain(problem="=HYPERLINK(1)", method="a\nb")
        line = summary_csv([named]).splitlines()[1]
        assert ",'=HYPERLINK(1),a b," in line

    def test_names_the_machine_and_the_commit(self):
        made = dataclasses.replace(plain(), provenance=PROVENANCE)
        (row,) = summary([made]).to_dict("records")
        assert (row["machine"], row["commit"]) == ("m1", "abc-dirty")

    def test_identity_stands_in_columns_of_the_frame(self):
        run = a_run(
            "toy.hand", method="mine", kind="pbt", interval=2, engine="ray",
            engine_label="ray+disk", problem_name="toy.hand@16MB", id="not/to/be/parsed",
        )  # fmt: skip
        (row,) = frame([measure(run, an_outcome())]).to_dict("records")
        shown = [row[name] for name in ("problem", "method", "kind", "label", "engine_label")]
        assert shown == ["toy.hand@16MB", "mine", "pbt", "mine k=2", "ray+disk"]

    def test_cells_are_what_differs_by_seed_alone(self):
        good = an_outcome(*two_members(0.2, 0.1))
        bad = an_outcome(cause="crash", wall_s=4)
        random, pbt = cells(
            [
                measure(a_run(targets=(0.2,), seed=0), good),
                measure(a_run(targets=(0.2,), seed=1), bad),
                measure(a_run(targets=(0.2,), method="pbt", interval=2), good),
            ]
        )
        assert (random.n, random.final.n, random.final.median) == (2, 1, 0.2)
        assert [m.cause for m in random.measures] == ["", "crash"]
        assert (random.targets[0].reached, random.targets[0].n) == (1, 2)
        assert random.targets[0].ert_s == 5
        assert pbt.label == "pbt k=2"

    def test_runs_of_unlike_machines_are_never_one_cell(self):
        here, there = (
            dataclasses.replace(plain(), provenance=dataclasses.replace(PROVENANCE, machine=name))
            for name in ("m1", "m2")
        )
        assert [c.cluster for c in cells([here, here])] == ["local-2cpu"]
        assert [c.cluster for c in cells([here, there])] == ["local-2cpu (m1)", "local-2cpu (m2)"]

    def test_a_target_that_was_added_later_is_of_the_runs_that_tried_it(self):
        good = an_outcome(*two_members(0.2, 0.1))
        (cell,) = cells(
            [
                measure(a_run(targets=(0.2,), seed=0), good),
                measure(a_run(targets=(0.2, 0.3), seed=1), good),
            ]
        )
        assert [(t.target, t.reached, t.n) for t in cell.targets] == [(0.2, 2, 2), (0.3, 0, 1)]

    @given(st.lists(st.integers(0, 9), min_size=1))
    def test_the_median_of_what_members_made_is_that_of_all_of_them(self, made):
        counts = {i: made.count(i) for i in made}
        assert weighted_median(counts) == np.median(made)


PROVENANCE = Provenance("1", "abc", True, "m1", "d", "2026-01-01T00:00:00+00:00")


def plain(**fields):
    return measure(a_run(**fields), an_outcome(*two_members(0, 0)))


anything = st.one_of(st.floats(), st.just(NAN), st.just(math.inf))


class TestStored:
    """Measures come back from JSON as they were."""

    @given(
        values=st.lists(anything, min_size=2, max_size=8).filter(lambda v: len(v) % 2 == 0),
        optimum=st.none() | st.floats(0, 1),
        cause=st.sampled_from(["", "crash", "hang"]),
        message=st.text(st.characters(exclude_categories=["Cs"])),
    )
    def test_whatever_their_numbers(self, values, optimum, cause, message):
        run = a_run(targets=(0.5, 0.7), optimum=optimum, goal="max", interval=1)
        rows = [
            *(started(0, rate=0.5), started(1, rate=1), timed("train", 0, 1, iteration=1)),
            *two_members(*values),
            *(fork(1.5, 1, 0, 1, 1, 2), timed("memory", 1, size=5), lost("crash", "gone")),
        ]
        before = measure(run, an_outcome(*rows, cause=cause, message=message))
        text = json.dumps(to_json(before), allow_nan=False)
        after = from_json(run, PROVENANCE, json.loads(text))
        assert repr(after) == repr(dataclasses.replace(before, provenance=PROVENANCE))

    def stored(self):
        return to_json(measure(a_run(targets=(0.5,)), an_outcome(*two_members(0.1, 0.6))))

    @pytest.mark.parametrize(
        ("group", "key", "value"),
        [
            ("overhead", "seconds", {"train": 1.0}),
            ("overhead", "saves", -1),
            ("overhead", "saves", 2**63),
            ("overhead", "state_bytes", "large"),
            ("quality", "final_score", None),
            ("quality", "nan_members", 1.5),
            ("checkpoints", "stages", {}),
            ("curves", "seconds", {"x": [1.0], "y": [], "end": 1.0}),
            ("curves", "seconds", {"x": [2.0, 1.0], "y": [1.0, 2.0], "end": 1.0}),
            ("curves", "elsewhere", {"x": [], "y": [], "end": 1.0}),
            ("forks", "peak_memory_bytes", {"a worker": 1}),
            (None, "cause", "bad luck"),
            ("curves", "seconds", {"x": [1.0], "y": ["NaN"], "end": 1.0}),
            ("forks", "peak_memory_bytes", {"0": 2**63}),
            (None, "made", {"2": 0}),
            (None, "made", {"-1": 2}),
            (None, "made", {str(2**63): 2}),
            (None, "attempts", []),
            (None, "early", [1]),
            (None, "wall_s", "long"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, group, key, value):
        run, found = a_run(targets=(0.5,)), self.stored()
        assert from_json(run, None, found).attempts[0].reached
        (found if group is None else found[group])[key] = value
        with pytest.raises(ValueError, match=r"\w"):
            from_json(run, None, found)

    def test_what_is_missing_or_of_another_run_is_refused(self):
        for key in self.stored():
            found = self.stored()
            del found[key]
            with pytest.raises(ValueError, match=key):
                from_json(a_run(targets=(0.5,)), None, found)
        with pytest.raises(ValueError, match="targets"):
            from_json(a_run(targets=(0.6,)), None, self.stored())


def test_a_real_run_obeys_the_conservation_law():
    """Each worker's rows follow one another, and what they leave open is what is unaccounted."""
    from pbtbench import engines
    from pbtbench.study import Study

    study = Study.load(None, {"problems": ["toy.noisy_quadratic"], "seeds": 1, "iterations": 100})
    for run in study.runs:
        outcome = engines.execute(run)
        assert not outcome.cause, outcome.message
        rows = outcome.record.timeline
        rows = rows.at(rows.of(*TIMED) & (rows.worker >= 0))
        ends = rows.t_start_s + rows.duration_s
        assert (rows.t_start_s[1:] >= ends[:-1] - 1e-9).all()
        gaps = rows.t_start_s[0] + (rows.t_start_s[1:] - ends[:-1]).sum()
        gaps += outcome.wall_s - ends[-1]
        unaccounted = overhead(outcome).seconds["unaccounted"]
        assert unaccounted == pytest.approx(gaps, abs=1e-6)
        assert 0 <= unaccounted < outcome.wall_s
