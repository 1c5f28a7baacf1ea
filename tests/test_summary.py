"""The sentences at the top of a report: derived from verdicts and intervals, and never more than these bear."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raced import race

from pbtbench.report.decided import clauses, in_short
from pbtbench.report.speedups import sentence
from pbtbench.report.summary import summary
from pbtbench.report.wording import number, times
from pbtbench.statistics.baselines import comparisons
from pbtbench.statistics.cells import cells
from pbtbench.statistics.overall import standings
from pbtbench.statistics.speedups import speedups

RNG = np.random.default_rng(1)
EARLY, MIDDLE, LATE = ((at + RNG.random(10)).tolist() for at in (1, 4, 7))


def said(study, cost="worker_seconds"):
    return summary(study, comparisons(study), standings(study), speedups(study, cost))


def of(problem="toy.hand", **methods):
    return cells(race(problem, **methods))


class TestProblem:
    def test_a_win_says_by_how_much_and_of_how_many_seeds(self):
        study = of(pbt_5=EARLY, random=MIDDLE)
        ((_, (ends, faster)),) = said(study).problems
        (found,) = comparisons(study)
        size = found.difference
        assert ends == (
            f"pbt k=5 ends better than random by {number(size.value)} "
            f"(95% interval {number(size.low)} to {number(size.high)}, n = 10)."
        )
        (speedup,) = speedups(study, "worker_seconds")
        ratio = speedup.ratio
        assert faster == (
            f"pbt k=5 reaches accuracy ≥ 0.5 in {times(ratio.value)} less worker-time than random "
            f"(95% interval {number(ratio.low)} to {number(ratio.high)}, n = 10)."
        )

    def test_a_loss_is_said_first_and_turned_over(self):
        study = of(pbt_5=EARLY, pbt_1=LATE, random=MIDDLE)
        ((_, (ends, faster)),) = said(study).problems
        assert ends.startswith("pbt k=1 ends worse than random by ")
        assert "; pbt k=5 ends better than random by " in ends
        (loss,) = [s for s in speedups(study, "worker_seconds") if s.ratio.value < 1]
        assert faster.startswith(
            f"random reaches accuracy ≥ 0.5 in {times(1 / loss.ratio.value)} less worker-time than pbt k=1"
        )
        assert (
            f"(95% interval {number(1 / loss.ratio.high)} to {number(1 / loss.ratio.low)}" in faster
        )

    def test_what_is_undecided_says_what_could_have_been_shown(self):
        mixed = np.roll(MIDDLE, 3).tolist()
        study = of(pbt_5=mixed, random=MIDDLE)
        (found,) = comparisons(study)
        assert found.verdict == "unclear"
        (text,) = clauses([found])
        assert text.startswith("these seeds decide nothing about pbt k=5 against random (n = 10): ")
        assert f"could have shown a difference of {number(found.smallest_difference.value)}" in text

    @pytest.mark.parametrize(
        ("n", "words"), [(1, "one seed decides nothing (n = 1)"), (3, "fewer than 5")]
    )
    def test_few_seeds_decide_nothing(self, n, words):
        study = of(pbt_5=EARLY[:n], random=LATE[:n])
        ((_, (ends, faster)),) = said(study).problems
        assert words in ends.lower()
        assert faster == (
            f"To reach accuracy ≥ 0.5, these seeds can't decide who takes less worker-time (n = {n})."
        )

    def test_five_seeds_apart_say_why_they_decide_nothing(self):
        (text,) = clauses(comparisons(of(pbt_5=EARLY[:5], random=LATE[:5])))
        assert "ranks of so few seeds" in text

    def test_equal_runs_tie(self):
        ((_, (ends, faster)),) = said(of(pbt_5=EARLY, random=EARLY)).problems
        assert ends == "Equal seed by seed (n = 10): pbt k=5 and random."
        assert faster == "To reach accuracy ≥ 0.5, all take the same worker-time (n = 10)."

    def test_a_method_that_alone_reaches_a_target_has_no_factor(self):
        only = said(of(pbt_5=EARLY, random=[None] * 10)).problems[0][1][1]
        assert only == "pbt k=5 reaches accuracy ≥ 0.5 in 10 of 10 runs, random never (n = 10)."
        both = of(pbt_5=EARLY, random=[None] * 10, grid=[None] * 10)
        assert "random and grid never (n = 10)" in said(both).problems[0][1][1]
        never = said(of(pbt_5=[None] * 10, random=EARLY)).problems[0][1][1]
        assert never == (
            "pbt k=5 never reaches accuracy ≥ 0.5, random does in 10 of 10 runs (n = 10)."
        )

    def test_misses_are_said_beside_a_factor(self):
        study = of(pbt_5=EARLY, random=[*MIDDLE[:7], None, None, None])
        assert "random in 7 of 10)" in said(study).problems[0][1][1]

    def test_a_win_is_held_against_the_cheapest_baseline_that_is_beaten(self):
        study = of(pbt_5=EARLY, random=LATE, grid=MIDDLE)
        assert "less worker-time than grid (" in next(sentence(speedups(study, "worker_seconds")))

    def test_runs_without_a_score_leave_the_size_open(self):
        study = of(pbt_5=EARLY, random=MIDDLE)
        dead = [
            replace(m, quality=replace(m.quality, final_score=float("nan")))
            if (m.run.method, m.run.seed) == ("random", 0)
            else m
            for c in study
            for m in c.measures
        ]
        found = said(cells(dead))
        assert "by how much is not clear" in found.problems[0][1][0]
        assert found.overall == ("1 run ended without a score and counts as worst.",)

    def test_without_a_baseline_there_is_nothing_to_hold_against(self):
        alone = of(pbt_5=EARLY, random=["1", "2"])
        assert said(alone).problems[0][1][0].startswith("Nothing to hold pbt k=5 against")
        failed = of(pbt_5=["1"], random=[1, 2])
        assert said(failed).problems[0][1][0] == "No run of pbt k=5 completed."
        dead = of(pbt_5=["1"], random=["1", "2"])
        assert said(dead).problems[0][1] == ("No run completed.",)
        (failed,) = said(dead).overall
        assert failed.startswith(
            "3 of 3 runs failed (3 by crash): scores are those of the others, "
        )

    def test_engines_that_say_the_same_say_it_together(self):
        study = cells([
            m for e in ("inprocess", "ray")
            for m in race(engine=e, pbt_5=EARLY, random=MIDDLE)
        ])  # fmt: skip
        ((_, (ends, *_)),) = said(study).problems
        assert ends.startswith("On inprocess and ray: pbt k=5 ends better than random by ")


ENDS = st.one_of(st.none(), st.floats(0.5, 9).map(lambda t: round(t, 2)), st.just("2"))
RUNS = st.lists(ENDS, min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(RUNS, RUNS)
def test_nothing_is_claimed_that_an_interval_does_not_bear(one, other):
    study = of(pbt_5=one, random=other)
    compared, faster = comparisons(study), speedups(study, "worker_seconds")
    text = " ".join(said(study).lines)
    verdicts = {c.verdict for c in compared}
    assert ("ends better" in text) == ("win" in verdicts)
    assert ("ends worse" in text) == ("loss" in verdicts)
    claimed = bool(re.search(r"less worker-time than|never (reaches|\(n)", text))
    assert claimed == any(s.clear for s in faster)
    for s in faster:
        assert not s.clear or s.ratio.n >= 6
    assert not re.search(r"nan|NaN|None", text)


class TestStudy:
    def problems(self, count, **methods):
        return cells([m for i in range(count) for m in race(f"toy.p{i}", **methods)])

    def test_counts_wins_and_losses_those_that_lose_first(self):
        study = self.problems(5, pbt_5=EARLY, pbt_1=LATE, random=MIDDLE)
        first, second = said(study).overall
        assert first == (
            "Against random, pbt k=1 loses on 5 of 5 problems, pbt k=5 wins on 5 of 5 problems (n = 10; level "
            "5% over each problem's comparisons)."
        )
        assert "pbt k=5 has the best mean rank, 1.00" in second

    def test_without_a_verdict_says_so_once(self):
        study = self.problems(3, pbt_5=EARLY[:3], random=LATE[:3])
        assert said(study).overall[0] == (
            "None of 3 comparisons with random on 3 problems is decided by these seeds (n = 3)."
        )

    def test_problems_with_a_loss_come_first(self):
        study = [
            *self.problems(2, pbt_5=EARLY, random=MIDDLE),
            *of("toy.z", pbt_5=LATE, random=MIDDLE),
        ]
        assert [name for name, _ in said(study).problems] == ["toy.z", "toy.p0", "toy.p1"]

    def test_of_many_problems_each_has_a_short_sentence(self):
        study = self.problems(11, pbt_5=EARLY, pbt_1=LATE, random=MIDDLE, grid=MIDDLE)
        found = said(study)
        assert {text for _, text in found.problems} == {
            (
                "pbt k=1 loses to random and grid; pbt k=5 beats random and grid (n = 10).",
            )
        }  # fmt: skip
        assert found.lines[len(found.overall)].startswith("toy.p0: pbt k=1 loses")

    def test_short_sentences_count_what_is_undecided(self):
        study = of(pbt_5=EARLY[:3], pbt_1=LATE[:3], random=MIDDLE[:3])
        assert list(in_short(comparisons(study))) == ["2 of 2 comparisons undecided (n = 3)"]
