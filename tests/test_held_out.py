"""The selected member's score on data that no decision saw: tested once, off the clock, compared by, and less
flattering than what was selected by."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from fabricated import NAN, a_folder, a_run, an_outcome, note, score, started, timed
from held_out import problem_file
from hypothesis import given, settings
from hypothesis import strategies as st
from records import assert_accounted_for, forks, scores
from reported import reported
from scipy.integrate import quad
from scipy.stats import norm
from small_studies import run as run_study

from pbtbench import engines
from pbtbench.measures import measure
from pbtbench.measures.summary import summary
from pbtbench.report import tables
from pbtbench.report.findings import findings
from pbtbench.report.matrix import matrix
from pbtbench.statistics.cells import cells
from pbtbench.statistics.optimism import looks, trend
from pbtbench.store import Store


def members(*validation, test=(), **more):
    """Members that end with these validation scores, and test scores where there are some."""
    written = [score(1, m, 1, value) for m, value in enumerate(validation)]
    written += [note("test", value=value, member=m) for m, value in enumerate(test)]
    return an_outcome(timed("train", 0, 1), *written, wall_s=2, **more)


def quality(outcome, **run):
    return measure(a_run(**run), outcome).quality


class TestMeasures:
    def test_the_test_score_is_the_selected_members(self):
        found = quality(members(0.5, 0.9, 0.7, test=(0.8, 0.6, 0.7)))
        assert (found.final_score, found.test_score) == (0.9, 0.6)
        assert found.selection_optimism == pytest.approx(0.3)

    def test_what_flatters_is_above_zero_for_a_loss_too(self):
        found = quality(members(0.5, 0.2, test=(0.5, 0.3)), goal="min")
        assert (found.final_score, found.test_score) == (0.2, 0.3)
        assert found.selection_optimism == pytest.approx(0.1)

    def test_of_members_that_tie_the_first_is_selected(self):
        found = quality(members(0.1, 0.9, 0.9, test=(0.0, 0.4, 0.8)))
        assert found.test_score == 0.4

    def test_the_last_score_of_a_member_counts_not_its_best(self):
        outcome = an_outcome(
            *(score(1, 0, 1, 0.99), score(1, 1, 1, 0.1), score(2, 0, 2, 0.2), score(2, 1, 2, 0.5)),
            *(note("test", value=0.11, member=0), note("test", value=0.22, member=1)),
        )
        assert quality(outcome).test_score == 0.22

    def test_without_a_test_there_is_none_and_nothing_to_say(self):
        found = quality(members(0.5, 0.9))
        assert (found.test_score, found.selection_optimism, found.untested) == (None, None, "")

    @pytest.mark.parametrize("value", [NAN, math.inf, -math.inf])
    def test_what_is_no_finite_score_is_none_and_says_so(self, value):
        found = quality(members(0.5, 0.9, test=(0.4, value)))
        assert (found.test_score, found.selection_optimism) == (None, None)
        assert found.untested == f"test() gave {value:g} for member 1, which was selected"
        assert quality(members(0.9, 0.5, test=(0.4, value))).test_score == 0.4

    def test_why_there_is_none_is_the_text_of_the_note(self):
        outcome = an_outcome(score(1, 0, 1, 0.5), note("untested", "test(): broken", member=0))
        assert quality(outcome).untested == "test(): broken"

    def test_a_selected_member_that_was_not_tested_is_named(self):
        outcome = an_outcome(
            score(1, 0, 1, 0.5), score(1, 1, 1, 0.9), note("test", value=0.1, member=0)
        )
        assert quality(outcome).untested == "member 1 was not tested"

    def test_without_a_score_nobody_is_selected(self):
        found = quality(members(NAN, NAN, test=(0.4, 0.5)))
        assert (found.test_score, found.untested) == (None, "")

    def test_both_stand_at_the_end_of_the_summary(self):
        with_test = measure(a_run(), members(0.5, test=(0.25,)))
        without = measure(a_run(seed=1), members(0.5))
        table = summary([with_test, without])
        assert table.columns.tolist()[-2:] == ["test_score", "selection_optimism"]
        assert table.iloc[0, -2:].tolist() == [0.25, 0.25]
        assert table.iloc[1, -2:].isna().all()

    def test_measures_of_older_definitions_are_made_anew_without_a_test_score(self, tmp_path):
        store = a_folder(tmp_path, (a_run(), members(0.5)))
        (file,) = tmp_path.rglob("measures.json")
        text = file.read_text()
        for key in ("test_score", "selection_optimism"):
            text = text.replace(f'"{key}": null, ', "")
        file.write_text(text.replace('"definitions": 2', '"definitions": 1'))
        assert "test_score" not in file.read_text()
        (found,) = Store(store.path).runs()
        assert (found.quality.final_score, found.quality.test_score) == (0.5, None)


def study(*groups):
    return [(run, outcome) for group in groups for run, outcome in group]


def random(*outcomes, **run):
    return [(a_run(seed=seed, **run), outcome) for seed, outcome in enumerate(outcomes)]


def pbt(*outcomes, k=1, **run):
    return random(*outcomes, method="pbt", interval=k, **run)


def cells_of(pairs):
    return cells([measure(run, outcome) for run, outcome in pairs])


def said(pairs):
    return " ".join(s for f in findings(cells_of(pairs)) for s in f.measured)


LUCKY = members(0.9, test=(0.5,))
SOUND = members(0.8, test=(0.7,))


class TestComparison:
    def test_methods_are_compared_by_test_scores_where_all_runs_have_one(self):
        lucky, sound = cells_of(study(random(LUCKY, LUCKY), pbt(SOUND, SOUND)))
        assert lucky.held_out
        assert sound.held_out
        assert (lucky.score.median, lucky.final.median) == (0.5, 0.9)
        assert lucky.optimism.median == pytest.approx(0.4)
        assert lucky.scores == (0.5, 0.5)
        assert [row.best for row in tables.rows([lucky, sound])] == [False, True]

    def test_one_run_without_a_test_score_has_all_of_its_problem_compared_by_validation(self):
        pairs = study(random(LUCKY, members(0.9)), pbt(SOUND, SOUND))
        other = random(LUCKY, problem="toy.other", problem_name="toy.other")
        one, two, three = cells_of(pairs + other)
        assert (one.held_out, two.held_out, three.held_out) == (False, False, True)
        assert (two.score.median, two.optimism) == (0.8, None)
        assert two.scores == (0.8, 0.8)
        assert "1 of 4 runs have no test score, so that validation scores are compared" in said(
            pairs
        )

    def test_a_run_that_failed_or_never_scored_takes_nobodys_test_score(self):
        nothing = members(NAN)
        crash = members(0.9, cause="crash", message="no luck")
        (cell,) = cells_of(random(SOUND, nothing, crash, LUCKY, SOUND))
        assert cell.held_out
        assert (cell.score.n, cell.score.median) == (4, 0.6)
        assert math.isnan(cell.score.low)
        np.testing.assert_equal(cell.scores, (0.7, NAN, 0.5, 0.7))

    def test_a_problem_without_a_scored_run_is_not_held_out(self):
        (cell,) = cells_of(random(members(NAN)))
        assert not cell.held_out

    def test_targets_and_the_best_constants_regret_stay_on_validation(self):
        (cell,) = cells_of(random(LUCKY, targets=(0.8,), optimum=1.0))
        assert (cell.targets[0].reached, cell.regret) == (1, pytest.approx(0.1))
        text = said(random(LUCKY, SOUND, targets=(0.8,), optimum=1.0))
        assert "Median regret on validation data of 2 seeds" in text
        assert "Validation accuracy ≥ 0.8" in text

    def test_tables_say_of_which_data_their_scores_are(self):
        tested, plain = random(LUCKY), random(members(0.4), problem="b", problem_name="b")
        assert "test score" in tables.comparison(cells_of(tested)).header
        assert "selection optimism" in tables.comparison(cells_of(tested)).header
        header = tables.comparison(cells_of(plain)).header
        assert "validation score" in header
        assert "selection optimism" not in header
        mixed = tables.comparison(cells_of(study(tested, plain)))
        column = mixed.header.index("score of")
        assert [line[column] for line in mixed.body] == ["test", "validation"]
        assert mixed.header[column + 1] == "score"
        assert [line[column + 1] for line in mixed.body] == ["0.5", "0.4"]
        glance = matrix(cells_of(study(tested, plain)), [])
        assert [line.metric for line in glance.lines] == [
            "test accuracy ↑",
            "validation accuracy ↑",
        ]

    def test_sentences_say_of_which_data_their_scores_are(self):
        pairs = study(random(LUCKY, LUCKY), pbt(SOUND, SOUND))
        assert "pbt k=1 ends at 0.7, random at 0.5 (median test accuracy of 2 seeds" in said(pairs)
        untested = study(random(members(0.5)), pbt(members(0.7)))
        assert "(validation accuracy of 1 seed" in said(untested)

    def test_the_table_of_optimism_has_both_scores_and_looks(self):
        table = tables.optimism(cells_of(study(random(LUCKY), pbt(SOUND, iterations=8, k=2))))
        assert table.body[0][3:8] == ["1", "1", "0.9", "0.5", "0.4"]
        assert table.body[1][3:8] == ["1", "4", "0.8", "0.7", "0.1"]
        assert tables.optimism(cells_of(random(members(0.4)))) is None

    def test_a_report_leads_with_the_test_score_and_keeps_the_table(self, tmp_path):
        reported(tmp_path / "out", study(random(LUCKY, LUCKY), pbt(SOUND, SOUND)))
        page = (tmp_path / "out" / "report" / "index.html").read_text("utf-8")
        assert ">test accuracy</th>" in page
        text = (tmp_path / "out" / "report" / "tables" / "optimism.csv").read_text("utf-8")
        assert "selection optimism" in text.splitlines()[0]


class TestLooks:
    def looks(self, **run):
        outcome = an_outcome(*(started(m, rate=0.1) for m in range(8)), score(1, 0, 1, 0.5))
        return looks(measure(a_run(population=8, iterations=40, **run), outcome))

    def test_are_all_members_at_every_interval_or_once(self):
        assert self.looks() == 8
        assert self.looks(method="pbt", interval=1) == 320
        assert self.looks(method="pbt", interval=4) == 80
        assert self.looks(method="pbt", interval=64) == 8
        assert self.looks(method="asha", kind="tune:asha") is None


def lucky_run(rng, n, sigma):
    """n members that are equally good, measured with noise on validation and on test data."""
    validation, test = rng.normal(0.5, sigma, (2, n))
    return members(*validation.tolist(), test=test.tolist())


def expected_maximum(n):
    """Of n standard normals."""
    return quad(lambda x: x * n * norm.pdf(x) * norm.cdf(x) ** (n - 1), -12, 12)[0]


class TestOracle:
    @pytest.mark.parametrize("n", [1, 4, 32])
    def test_optimism_of_equal_members_is_the_noise_times_the_expected_maximum(self, n):
        rng, sigma, runs = np.random.default_rng(n), 0.02, 1000
        found = [quality(lucky_run(rng, n, sigma)).selection_optimism for _ in range(runs)]
        error = np.std(found) / math.sqrt(runs)
        assert np.mean(found) == pytest.approx(sigma * expected_maximum(n), abs=4 * error)
        assert error < 0.1 * sigma

    def test_the_expected_maximum_is_the_known_one(self):
        assert expected_maximum(2) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-9)

    def test_optimism_that_grows_with_looks_is_found_and_said(self):
        rng = np.random.default_rng(1)
        few = random(*(lucky_run(rng, 2, 0.02) for _ in range(10)), population=2)
        many = random(
            *(lucky_run(rng, 200, 0.02) for _ in range(10)),
            method="wide",
            kind="random",
            population=200,
        )
        found = trend(cells_of(study(many, few)))
        assert found.grows
        assert (found.few.method, found.many.method, found.runs) == ("random", "wide", 20)
        assert "grows with looks: " in said(study(few, many))
        assert "(200 looks)" in said(study(few, many))

    def test_optimism_that_does_not_grow_is_said_not_to_be_shown(self):
        rng = np.random.default_rng(2)
        groups = [
            random(
                *(lucky_run(rng, 1, 0.02) for _ in range(10)), method=m, interval=k, iterations=8
            )
            for m, k in (("random", None), ("pbt", 1))
        ]
        assert not trend(cells_of(study(*groups))).grows
        assert "is not shown to grow with looks" in said(study(*groups))

    def test_equal_optimism_is_no_growth(self):
        groups = [random(*[SOUND] * 5, method="pbt", interval=k, iterations=8) for k in (1, 8)]
        found = trend(cells_of(study(*groups)))
        assert (found.tau, found.p, found.grows) == (0, 1, False)

    @given(st.integers(1, 4))
    @settings(max_examples=4)
    def test_of_few_runs_or_one_number_of_looks_nothing_is_claimed(self, n):
        assert trend(cells_of(random(*[SOUND] * n))) is None
        assert trend(cells_of(random(*[SOUND] * 9))) is None
        assert "too few or too alike" in said(random(*[SOUND] * n))

    def test_by_chance_growth_is_claimed_in_one_study_of_twenty(self):
        """Where optimism is noise alone."""
        rng, claimed, studies = np.random.default_rng(3), 0, 400
        base = study(
            *(random(*[SOUND] * 5, method="pbt", interval=k, iterations=8) for k in (1, 2, 8))
        )
        runs = [measure(run, outcome) for run, outcome in base]
        for _ in range(studies):
            drawn = rng.normal(0.5, 0.02, len(runs)).tolist()
            lucky = [
                replace(m, quality=replace(m.quality, selection_optimism=value))
                for m, value in zip(runs, drawn, strict=True)
            ]
            claimed += trend(cells(lucky)).grows
        assert 0.02 < claimed / studies < 0.09


class TestInProcess:
    def executed(self, planned, folder, *, tested=True, **keys):
        base = {"problems": [problem_file(folder, tested=tested)], "intervals": [2]}
        (run,) = planned(**{**base, **keys})
        return run, engines.execute(run)

    def of_members(self, outcome):
        notes = outcome.record.notes
        notes = notes.at(notes.named("test"))
        return dict(zip(notes.member.tolist(), notes.value.tolist(), strict=True))

    @pytest.mark.parametrize("method", ["pbt", "random"])
    def test_every_member_is_tested_once_after_its_last_iteration(self, planned, tmp_path, method):
        run, outcome = self.executed(planned, tmp_path, methods=[method])
        last = {m: made[8] for m, made in scores(outcome.record, "score").items()}
        assert self.of_members(outcome) == {m: value / 2 + 0.1 for m, value in last.items()}
        found = measure(run, outcome).quality
        assert found.test_score == max(last.values()) / 2 + 0.1
        assert outcome.cause == ""

    @pytest.mark.parametrize("synchronous", [True, False])
    def test_testing_changes_no_decision_to_the_bit(self, planned, tmp_path, synchronous):
        method = {"pbt": {"synchronous": synchronous}}
        found = [
            self.executed(planned, tmp_path, tested=tested, method=method)[1].record
            for tested in (True, False)
        ]
        one, other = ((scores(r, "score"), repr(forks(r))) for r in found)
        assert one == other
        assert len(forks(found[0])) > 0

    def test_its_time_is_none_of_the_runs(self, planned, tmp_path):
        began = time.perf_counter()
        run, outcome = self.executed(planned, tmp_path, options={"how": "slow"}, population=2)
        assert len(self.of_members(outcome)) == 2
        assert time.perf_counter() - began - outcome.wall_s >= 2 * 0.3
        assert outcome.record.notes.t_s.max() <= outcome.wall_s
        found = measure(run, outcome)
        accounted = sum(found.overhead.seconds.values())
        assert accounted == pytest.approx(outcome.wall_s, rel=1e-6)

    @pytest.mark.parametrize(
        ("how", "says"),
        [
            ("raises", "test(): ArithmeticError: test data are spoilt (climbers.py:"),
            ("leaves", "test(): SystemExit: 3 (climbers.py:"),
            ("misnamed", "test() gives 'scores', but not the objective 'score'"),
            ("lopsided", "test() gives 'score' with shape (3,)"),
            ("nan", "test() gave nan for member"),
        ],
    )
    def test_one_that_goes_wrong_costs_nothing_but_test_scores(self, planned, tmp_path, how, says):
        run, outcome = self.executed(planned, tmp_path, options={"how": how})
        assert (outcome.cause, len(outcome.record.scores)) == ("", 4 * 8)
        found = measure(run, outcome).quality
        assert found.final_score > 0
        assert found.test_score is None
        assert says in found.untested
        assert found.untested in said([(run, outcome)])

    def test_what_is_not_tested_leaves_no_note(self, planned, tmp_path):
        run, outcome = self.executed(planned, tmp_path, tested=False)
        assert not set(outcome.record.notes.name.tolist()) & {"test", "untested"}
        assert not measure(run, outcome).quality.untested

    def test_the_rows_explain_the_wall_time(self, planned, tmp_path):
        _, outcome = self.executed(
            planned, tmp_path, iterations=300, options={"how": "slow"}, population=2
        )
        assert_accounted_for(outcome)


@pytest.mark.slow
def test_a_test_that_hangs_costs_nothing_but_test_scores_and_the_study_goes_on(tmp_path):
    store, notes = run_study(
        [problem_file(tmp_path)],
        tmp_path / "out",
        options={"how": "hangs"},
        limit_s=1.0,
        seeds=2,
    )
    assert set(notes.causes.values()) == {""}
    for m in store.runs():
        assert m.quality.final_score > 0
        assert m.quality.untested.startswith("test(): no progress within its limit of 1 s")
