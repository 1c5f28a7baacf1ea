"""What a report claims: never more than its numbers bear out. Each sentence is tried on made-up runs."""

import re

import numpy as np
import pytest
from fabricated import NAN, a_run, an_outcome, score, started, timed
from hypothesis import given
from hypothesis import strategies as st

from pbtbench.measures import measure
from pbtbench.measures.summary import summary
from pbtbench.report import tables
from pbtbench.report.findings import findings
from pbtbench.report.wording import score as shown
from pbtbench.statistics.baselines import comparisons
from pbtbench.statistics.cells import cells
from pbtbench.statistics.compare import tied

HIGH, LOW = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9], [0.1, 0.2, 0.3, 0.35, 0.36, 0.37]


def ends(*values, **run):
    """A run for each value, which is its final score; one member makes all iterations."""
    fields = {"iterations": 1, **run}
    return [
        (a_run(seed=i, **fields), an_outcome(timed("train", 0, 1), score(1, 0, 1, v), wall_s=2))
        for i, v in enumerate(values)
    ]


def pbt(*values, k=1, **run):
    return ends(*values, **{"method": "pbt", "interval": k, **run})


def cells_of(pairs):
    return cells([measure(run, outcome) for run, outcome in pairs])


def said(*groups):
    pairs = [pair for group in groups for pair in group]
    return " ".join(s for f in findings(cells_of(pairs)) for s in f.measured)


class TestTies:
    @given(st.floats(1e-12, 1e12), st.floats(-1e-5, 1e-5))
    def test_what_is_shown_as_equal_ties_and_so_does_what_rounding_tells_apart(self, value, change):
        assert tied(value, value * (1 + change))
        assert tied(-value, -value * (1 + change))

    @given(st.floats(0.1, 999), st.floats(0.1, 999))
    def test_scores_that_are_shown_as_equal_tie(self, a, b):
        if shown(a) == shown(b):
            assert tied(a, b)

    @pytest.mark.parametrize(
        ("a", "b", "tie"),
        [(0.5, 0.5, True), (0.9722, 0.9723, False), (0.97225 - 1e-9, 0.97225 + 1e-9, True), (0.0, 0.0, True),
         (0.0, -0.0, True), (0.0, 1e-9, False), (float("inf"), float("inf"), True), (1.0, float("inf"), False),
         (NAN, NAN, False), (-0.5, 0.5, False)],
    )  # fmt: skip
    def test_four_digits_count(self, a, b, tie):
        assert tied(a, b) == tie
        assert tied(b, a) == tie

    def test_equal_scores_of_two_intervals_have_no_best(self):
        text = said(pbt(0.9, k=1), pbt(0.9, k=5))
        assert "both intervals of pbt tie (equal scores)" in text
        assert "best" not in text

    def test_of_three_intervals_two_may_tie(self):
        text = said(pbt(0.9, 0.9, k=1), pbt(0.9, 0.90001, k=5), pbt(0.1, 0.1, k=9))
        claim = "pbt k=1 and pbt k=5 tie (medians equal to 4 digits) as the best of its 3 intervals"
        assert claim in text

    def test_who_ties_with_random_search_beats_nobody(self):
        text = said(pbt(0.9, 0.8), ends(0.9, 0.8))
        assert "pbt k=1 ties with random (equal scores)" in text
        assert "beats" not in text

    def test_rivals_that_tie_are_all_named(self):
        text = said(pbt(0.9, 0.9), ends(0.5, 0.5), ends(0.5, 0.5, method="grid"))
        assert "pbt k=1 beats random and grid in each of 2 seeds" in text

    def test_who_ties_at_a_target_takes_the_same_work(self):
        text = said(pbt(0.9, 0.9, targets=(0.5,)), ends(0.9, 0.9, targets=(0.5,)))
        claim = "takes the same work and wall time with pbt k=1 (2 of 2 seeds) and random (2 of 2 seeds)"
        assert f"accuracy ≥ 0.5 {claim}: 1 member-iteration and 1 s" in text
        assert "least" not in text

    def test_many_that_tie_at_a_target_are_counted(self):
        same = [pbt(0.9, k=k, targets=(0.5,)) for k in (1, 2, 3)]
        slow = [
            (run, an_outcome(score(1, 0, 1, 0.1), score(9, 0, 2, 0.9)))
            for run, _ in ends(0.9, targets=(0.5,), iterations=2)
        ]
        text = said(*same, ends(0.9, targets=(0.5,), method="grid"), slow)
        assert "takes least work with 4 of 5 that reach it, which tie: 1 member-iteration" in text

    def test_one_that_reaches_a_target_takes_least_of_nothing(self):
        alone = said(pbt(0.9, targets=(0.5,)))
        assert (
            "accuracy ≥ 0.5 is reached with pbt k=1 (1 of 1 seed), in 1 member-iteration and 1 s"
            in alone
        )
        assert "is reached with pbt k=1 (1 of 1 seed) alone" in said(
            pbt(0.9, targets=(0.5,)), ends(0.1, targets=(0.5,))
        )

    @pytest.mark.parametrize("goal", ["max", "min"])
    def test_in_tables_all_that_tie_are_bold_or_none(self, goal):
        def bold(*groups):
            pairs = [pair for group in groups for pair in group]
            return [row.best for row in tables.rows(cells_of(pairs))]

        good, bad = (0.9, 0.1) if goal == "max" else (0.1, 0.9)
        assert bold(pbt(good, goal=goal), ends(bad, goal=goal)) == [True, False]
        assert bold(pbt(good, goal=goal), pbt(good, k=2, goal=goal), ends(bad, goal=goal)) == [
            True, True, False,
        ]  # fmt: skip
        assert bold(pbt(good, goal=goal), ends(good, goal=goal)) == [False, False]
        assert bold(pbt(good, goal=goal)) == [False]

    def test_seeds_that_overlap_at_a_target_are_named(self):
        def reached_after(*iterations, **run):
            for seed, i in enumerate(iterations):
                scores = [score(t, 0, t, 0.9 * (t == i)) for t in range(1, i + 1)]
                fields = {"targets": (0.5,), "iterations": i, "seed": seed, **run}
                yield a_run(**fields), an_outcome(*scores)

        pbt = {"method": "pbt", "interval": 1}
        mixed = said(reached_after(2, 6, **pbt), reached_after(5, 9))
        assert (
            "takes least work with pbt k=1 (2 of 2 seeds): 4 member-iterations, seeds over" in mixed
        )
        clear = said(reached_after(2, 3, **pbt), reached_after(5, 9))
        assert "takes least work with pbt k=1 (2 of 2 seeds): 2.5 member-iterations; least" in clear


class TestSpread:
    """A difference is put down to every seed only where the seeds are apart, and `n` is named."""

    @pytest.mark.parametrize(
        ("one", "other", "says"),
        [
            ([0.9], [0.1], "beats random, with too few seeds to know the spread"),
            ([0.8, 0.9], [0.1, 0.2], "beats random in each of 2 seeds, too few to rule out chance"),
            ([0.7, 0.8, 0.9], [0.1, 0.2, 0.3], "in each of 3 seeds, too few to rule out chance"),
            (HIGH[:5], LOW[:5], "beats random in each of 5 seeds, too few to rule out chance"),
            (HIGH, LOW, "beats random in each of 6 seeds."),
            ([0.1, 0.9], [0.1, 0.2], "beats random on the median of 2 seeds, which overlap"),
            ([0.1, 0.2], [0.8, 0.9], "loses to random in each of 2 seeds"),
            ([0.8, 0.9, 0.9], [0.1, 0.2], "in each of 2 to 3 seeds"),
        ],
    )
    def test_of_seeds(self, one, other, says):
        assert says in said(pbt(*one), ends(*other))

    def test_chance_is_ruled_out_as_verdicts_do(self):
        """Six pairs are enough for one comparison, four comparisons need eight."""
        for n, sure in ((6, False), (7, False), (8, True)):
            high, low = (np.linspace(a, a + 0.2, n).tolist() for a in (0.7, 0.1))
            pairs = [*(pbt(*high, k=k) for k in (1, 2)), ends(*low), ends(*low, method="grid")]
            verdicts = {c.verdict for c in comparisons(cells_of([p for of in pairs for p in of]))}
            assert verdicts == ({"win"} if sure else {"unclear"})
            assert ("too few to rule out chance" in said(*pairs)) == (not sure)

    def test_a_run_without_a_score_counts_as_worst_and_is_named(self):
        text = said(pbt(0.8, 0.9, NAN), ends(0.1, 0.2, 0.3))
        assert "beats random on the median of 3 seeds, which overlap" in text
        assert "1 of 3 runs of pbt k=1" in text
        lost = said(pbt(0.8, NAN, NAN), ends(0.1, 0.2, 0.3))
        assert "beats" not in lost
        (cell, _) = cells_of([*pbt(0.8, NAN, goal="min"), *ends(0.1, goal="min")])
        assert (cell.final.low, cell.final.n, cell.scored) == (0.8, 2, False)

    def test_the_best_interval_is_one_of_its_own_methods(self):
        text = said(
            pbt(0.9, k=1),
            pbt(0.5, k=2),
            pbt(0.4, k=1, method="tournament"),
            pbt(0.3, k=2, method="tournament"),
        )
        claims = "pbt k=1 beats tournament k=1; pbt k=1, the shortest, is the best of 2 intervals"
        assert f"{claims}: all with too few seeds to know the spread." in text
        assert "of 4" not in text


def test_a_metric_that_comes_now_and_then_is_named_and_no_divergence():
    def at(iteration, value, age=0):
        return score(iteration, 0, iteration, value, age=age)

    rows = [at(1, NAN, age=1), at(2, 0.5), at(3, 0.5, age=1), at(4, 0.6)]
    text = said([(a_run(iterations=4), an_outcome(*rows))])
    assert (
        "Iterations that gave no accuracy, so that the last one stands: 2 of 4 of random." in text
    )
    assert "diverged" not in text
    assert "stopped early" not in text


@pytest.mark.parametrize(("seeds", "compared"), [(1, False), (2, True)])
def test_schedules_are_compared_where_seeds_are_apart_and_several(seeds, compared):
    def trained(final, rate, **run):
        for seed in range(seeds):
            yield (
                a_run(method="pbt", seed=seed, **run),
                an_outcome(started(0, rate=rate), score(1, 0, 1, 0.1), score(2, 0, 2, final)),
            )

    text = said(trained(0.5, 0.1, interval=1), trained(0.9, 0.8, interval=2))
    assert ("What differs early on" in text) == compared
    assert ("rate 0.1 under pbt k=1, 0.8 under pbt k=2 (median of 2 seeds)" in text) == compared


class TestEarlyStops:
    @pytest.fixture
    def stopped(self):
        """Two of three members stop after 1 and 2 of 8 iterations."""
        scores = [score(i, 0, i, 0.1 * i) for i in range(1, 9)]
        scores += [score(1, 1, 1, 0.1), score(1, 2, 1, 0.1), score(2, 2, 2, 0.1)]
        return a_run(method="tune:asha", iterations=8), an_outcome(*scores)

    def test_are_named_with_their_iterations(self, stopped):
        assert "by iterations made: 2 of 3 of tune:asha after 1 to 2 of 8." in said([stopped])

    def test_stand_in_tables_where_there_are_any(self, stopped):
        cells = cells_of([stopped])
        table = tables.comparison(cells)
        assert table.body[0][list(table.header).index("iterations")] == "1 to 8 of 8"
        assert "iterations" not in tables.comparison(cells_of(ends(0.5))).header

    def test_are_a_column_of_the_summary(self, stopped):
        frame = summary([measure(*stopped)])
        assert (frame["iterations"][0], frame["iterations_made"][0]) == (8, 2)

    def test_are_seen_where_the_last_score_is_only_repeated(self):
        rows = [score(1, 0, 1, 0.5), score(2, 0, 2, 0.5, done=True)]
        assert "1 of 1 of random after 1 of 2" in said([(a_run(), an_outcome(*rows))])

    def test_whole_runs_have_none(self):
        assert "stopped early" not in said(ends(0.5, 0.6))

    def test_a_failed_run_did_not_stop_its_members_early(self):
        run, outcome = a_run(iterations=8), an_outcome(score(1, 0, 1, 0.5), cause="crash")
        assert "stopped early" not in said([(run, outcome)])


SENTENCE = re.compile(r"^[^ ].*[^ ]\.$")


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "values", [(0.5, 0.5), (0.5, 0.9), (NAN, 0.5), (NAN, NAN), (float("inf"), 0.5), (0.0, 0.0)]
)
@pytest.mark.parametrize("goal", ["max", "min"])
def test_every_finding_is_a_whole_sentence(n, values, goal):
    """No empty lists, no numbers that aren't, whatever scores there are."""
    for optimum in (None, 0.0):
        common = {"goal": goal, "targets": (0.6,), "optimum": optimum}
        groups = [pbt(*[values[0]] * n, k=k, **common) for k in (1, 2)]
        pairs = [*groups[0], *groups[1], *ends(*[values[1]] * n, **common)]
        for finding in findings(cells_of(pairs)):
            for sentence in finding.measured:
                assert SENTENCE.match(sentence)
                assert "  " not in sentence
                assert " –" not in sentence
                assert "nan" not in sentence
