"""Methods with an interval against each baseline: pairs by seed, verdicts, what seeds could have shown."""

import math

import numpy as np
import pytest
from fabricated import NAN, a_run, an_outcome, score, timed
from hypothesis import given
from hypothesis import strategies as st
from reported import measured
from scipy import stats

from pbtbench.statistics.baselines import aligned, baselines, comparisons
from pbtbench.statistics.cells import cells
from pbtbench.statistics.overall import standings, tallies
from pbtbench.statistics.seeds import plan
from pbtbench.statistics.sequential import LEVEL_AT_LOOK, LOOKS, next_look
from pbtbench.statistics.signed_rank import signed_rank_p
from pbtbench.statistics.speedups import ert_ratio, speedups


def a_study(goal="max", /, **of_method):
    """A cell for each method, such as `pbt_1` or `random`: its scores, seed by seed."""
    pairs = []
    for name, scores in of_method.items():
        method, _, interval = name.partition("_")
        for seed, value in enumerate(scores):
            about = {"goal": goal, "seed": seed, "targets": (0.5,)}
            run = a_run(method=method, interval=int(interval) if interval else None, **about)
            pairs.append((run, an_outcome(timed("train", 0, 1), score(1, 0, 1, value))))
    return cells(measured(pairs))


UP = np.linspace(0.1, 0.3, 10)
BASE = np.random.default_rng(0).normal(size=10)


@pytest.mark.parametrize("n", [2, 5, 8, 20, 45])
def test_a_signed_rank_test_without_ties_is_scipys(n):
    apart = np.random.default_rng(n).normal(0.3, 1, n)
    expected = stats.wilcoxon(apart, method="exact").pvalue
    assert signed_rank_p(apart) == pytest.approx(expected)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=11))
def test_with_ties_and_zeros_it_is_what_turning_each_pair_round_gives(apart):
    apart = np.array(apart, float)
    ranks = stats.rankdata(np.abs(apart)) * (apart != 0)
    ways = np.array(np.meshgrid(*[[-1, 1]] * len(apart), indexing="ij")).reshape(len(apart), -1)
    far = np.abs((ways * ranks[:, None]).sum(axis=0)) >= abs((np.sign(apart) * ranks).sum()) - 1e-9
    assert signed_rank_p(apart) == pytest.approx(far.mean())


def test_five_pairs_can_never_be_sure_and_six_can():
    assert signed_rank_p(np.ones(5)) == 2 / 32
    assert signed_rank_p(np.ones(6)) == 2 / 64


@pytest.mark.parametrize("goal", ["max", "min"])
def test_what_is_better_in_all_of_ten_seeds_wins_and_what_is_worse_loses(goal):
    sign = 1 if goal == "max" else -1
    study = a_study(goal, pbt_1=BASE + sign * UP, pbt_5=BASE - sign * UP, random=BASE)
    first, second = comparisons(study)
    assert (first.verdict, second.verdict) == ("win", "loss")
    assert first.difference.value == pytest.approx(UP.mean())
    assert second.difference.value == pytest.approx(-UP.mean())
    assert first.improvement.value == 1
    assert first.p == pytest.approx(2 / 1024)
    assert first.adjusted_p == pytest.approx(4 / 1024)
    assert first.paired
    assert first.n == 10


def test_of_many_comparisons_of_a_problem_each_must_be_surer():
    """With ten pairs the least p is 2/1024: times 30 it is beyond 5%."""
    many = a_study(**{f"pbt_{k}": BASE + UP for k in range(1, 31)}, random=BASE)
    assert {c.verdict for c in comparisons(many)} == {"unclear"}


def test_equal_scores_tie_and_too_few_seeds_are_unclear():
    (tie,) = comparisons(a_study(pbt_1=BASE, random=BASE))
    assert tie.verdict == "tie"
    (few,) = comparisons(a_study(pbt_1=(BASE + 1)[:4], random=BASE[:4]))
    assert (few.verdict, few.smallest_difference, few.seeds_needed) == ("unclear", None, None)
    (one,) = comparisons(a_study(pbt_1=[1.0], random=[0.0]))
    assert one.verdict == "unclear"
    assert math.isnan(one.p)


def test_runs_without_a_score_are_worst():
    study = a_study(pbt_1=BASE, random=[NAN] * 10)
    (found,) = comparisons(study)
    assert found.verdict == "win"
    assert found.smallest_difference is None
    (both,) = comparisons(a_study(pbt_1=[NAN] * 10, random=[NAN] * 10))
    assert both.verdict == "tie"


def test_seeds_that_both_have_are_pairs():
    study = a_study(pbt_1=BASE, random=BASE[:7] + 1)
    ours, theirs, paired = aligned(*study)
    assert paired
    assert ours.tolist() == BASE[:7].tolist()
    assert theirs.tolist() == (BASE[:7] + 1).tolist()


def test_without_intervals_all_are_held_against_random_search():
    study = a_study(grid=BASE, random=BASE, other=BASE)
    assert [c.label for c in baselines(study)] == ["random"]
    assert [c.one.label for c in comparisons(study)] == ["grid", "other"]


def test_the_level_holds_where_there_is_no_difference():
    """Of studies in which methods differ by chance alone, at most 1 in 20 has a win or a loss."""
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(120):
        study = a_study(**{f"pbt_{k}": rng.normal(size=10) for k in (1, 2, 5)}, random=BASE)
        false += any(c.verdict != "unclear" for c in comparisons(study))
    assert false <= stats.binom.isf(1e-4, 120, 0.05)


def test_a_plan_asks_for_the_seeds_that_show_what_was_seen():
    rng = np.random.default_rng(2)
    study = a_study(pbt_1=BASE + rng.normal(0.5, 1, 10), random=BASE)
    (found,) = comparisons(study)
    assert found.verdict == "unclear"
    asked = plan([found])
    assert asked.seeds == found.seeds_needed.value > 10
    assert (asked.shows, asked.unclear, asked.too_few, asked.too_small) == (1, 1, 0, 0)
    assert plan(comparisons(a_study(pbt_1=BASE + UP, random=BASE))) is None
    few = plan(comparisons(a_study(pbt_1=BASE[:3] + 1, random=BASE[:3])))
    assert (few.seeds, few.shows, few.too_few) == (10, 0, 1)


def test_seeds_are_added_until_all_is_clear_or_the_last_look():
    clear = comparisons(a_study(pbt_1=BASE + UP, random=BASE), LEVEL_AT_LOOK)
    unclear = comparisons(a_study(pbt_1=BASE, random=BASE[::-1]), LEVEL_AT_LOOK)
    assert next_look([], 0) == LOOKS[0]
    assert next_look(clear, LOOKS[0]) is None
    assert next_look(unclear, LOOKS[0]) == LOOKS[1]
    assert next_look(unclear, LOOKS[-1]) is None


def test_a_ratio_of_expected_times_counts_misses_in():
    one, other = np.array([[2.0, 1], [4, 1]]), np.array([[10.0, 1], [20, 0]])
    assert ert_ratio(one, other, paired=True).value == pytest.approx(30 / 3)
    assert ert_ratio(other, one, paired=True).value == pytest.approx(3 / 30)
    missed = np.array([[10.0, 0], [20, 0]])
    assert ert_ratio(one, missed, paired=True).value == math.inf
    assert ert_ratio(missed, one, paired=True).value == 0
    single = ert_ratio(one[:1], other[:1], paired=True)
    assert (single.value, single.low, single.high) == (5, 0, math.inf)


@given(st.integers(2, 12), st.integers(0, 99))
def test_a_ratio_turned_round_is_its_inverse(n, seed):
    rng = np.random.default_rng(seed)
    a, b = (np.column_stack([rng.exponential(size=n), rng.random(n) < 0.8]) for _ in range(2))
    if a[:, 1].any() and b[:, 1].any():
        found, back = ert_ratio(a, b, paired=True), ert_ratio(b, a, paired=True)
        assert found.value == pytest.approx(1 / back.value)
        assert found.low <= found.value <= found.high


def test_speedups_are_at_the_hardest_target_that_any_reached():
    runs = []
    for method, interval, at in (("pbt", 1, 2.0), ("random", None, 6.0)):
        for seed in range(6):
            run = a_run(method=method, interval=interval, seed=seed, targets=(0.5, 0.8, 0.9))
            events = score(at / 2, 0, 1, 0.6), score(at, 0, 2, 0.85)
            runs.append((run, an_outcome(*events, workers=3)))
    (found,) = speedups(cells(measured(runs)), "worker_seconds")
    assert found.target == 0.8
    assert found.ratio.value == pytest.approx(3)
    assert (found.ratio.low, found.ratio.high) == (pytest.approx(3), pytest.approx(3))
    assert (found.reached, found.baseline_reached, found.ratio.n) == (6, 6, 6)
    (work,) = speedups(cells(measured(runs)), "member_iterations")
    assert work.ratio.value == 1


def over_problems(**of_problem):
    """Problem -> method -> scores."""
    runs = []
    for problem, methods in of_problem.items():
        for method, scores in methods.items():
            for seed, value in enumerate(scores):
                run = a_run(f"toy.{problem}", method, 1 if method == "pbt" else None, seed=seed)
                runs.append((run, an_outcome(timed("train", 0, 1), score(1, 0, 1, value))))
    return cells(measured(runs))


def test_standings_are_over_the_problems_that_methods_share_and_name_the_rest():
    study = over_problems(
        a={"pbt": BASE + 1, "random": BASE, "grid": BASE},
        b={"pbt": BASE + 1, "random": BASE, "grid": BASE - 1},
        c={"random": BASE, "grid": BASE},
    )
    (found,) = standings(study)
    assert found.problems == ("toy.a", "toy.b")
    assert found.missing == {"toy.c": ("pbt k=1",)}
    assert found.ranks.methods[0] == "pbt k=1"
    assert dict(zip(found.ranks.methods, found.ranks.means, strict=True)) == {
        "pbt k=1": 1.0,
        "random": 2.25,  # ties with grid search once
        "grid": 2.75,
    }
    assert found.normalised["pbt k=1"].value > found.normalised["random"].value


def test_one_problem_has_no_standing_and_problems_where_all_tie_no_normalised_scores():
    assert standings(over_problems(a={"pbt": BASE, "random": BASE})) == []
    equal = {"pbt": BASE, "random": BASE}
    (found,) = standings(over_problems(a=equal, b=equal))
    assert found.normalised == {}
    assert found.ranks.p == 1


def test_verdicts_are_counted_over_problems():
    study = over_problems(
        a={"pbt": BASE + UP, "random": BASE},
        b={"pbt": BASE - UP, "random": BASE},
        c={"pbt": BASE, "random": BASE},
    )
    (tally,) = tallies(comparisons(study))
    assert (tally.label, tally.baseline) == ("pbt k=1", "random")
    assert tally.counts == {"win": 1, "loss": 1, "tie": 1}
