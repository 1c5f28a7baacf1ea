"""Which perturbation interval is recommended: made-up studies in which it is known which one is best."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from fabricated import a_folder, a_run, an_outcome, score, timed
from rich.console import Console
from test_cli import pbtbench as command

import pbtbench
from pbtbench import BadInput
from pbtbench.cli.advise import _say
from pbtbench.measures import measure
from pbtbench.report.advise import said, sentences, table
from pbtbench.report.findings import findings
from pbtbench.statistics.cells import cells
from pbtbench.statistics.interval_choice import COLUMNS, choices

MEMBERS, ITERATIONS = 2, 20
ITERATION_S, CHECKPOINTS_S = 0.5, 1.0
WORK = {1: 10, 2: 11, 5: 14, 10: 22}
"""Interval -> member-iterations to the target: the longer the interval, the more."""
TARGET = 0.9


def overhead(k):
    """Ω falls as one over the interval."""
    return CHECKPOINTS_S / (k * ITERATION_S)


def cost(k, work=WORK):
    return work[k] * ITERATION_S * (1 + overhead(k))


def a_pair(k, work, seed=0, *, targets=(TARGET,), goal="max", workers=1, cause="", **fields):
    """A run and its outcome: member after member makes its iterations, and the target is reached with the given
    number of member-iterations; None for a run that misses it."""
    run = a_run(
        method="pbt", interval=k, seed=seed, targets=targets, goal=goal, iterations=ITERATIONS,
        **fields,
    )  # fmt: skip
    far, near = (0.5, 0.95) if goal == "max" else (3.0, 0.85)
    rows, made = [], MEMBERS * ITERATIONS
    for j in range(1, made + 1):
        member, iteration = (j - 1) % MEMBERS, (j + 1) // MEMBERS
        t = j * ITERATION_S
        rows.append(timed("train", t - ITERATION_S, 0.8 * ITERATION_S, 0, member, iteration))
        rows.append(
            timed("evaluate", t - 0.2 * ITERATION_S, 0.2 * ITERATION_S, 0, member, iteration)
        )
        rows.append(score(t, member, iteration, near if work and j >= work else far))
    added = made * ITERATION_S * overhead(k)
    rows.append(timed("save", made * ITERATION_S, added, member=0, iteration=1, size=1000))
    wall_s = made * ITERATION_S + added
    return run, an_outcome(*rows, wall_s=wall_s, workers=workers, cause=cause)


def a_sweep(seeds=6, work=WORK, **fields):
    return [a_pair(k, work[k], seed, **fields) for seed in range(seeds) for k in work]


def choices_of(pairs, *args, **kwargs):
    return choices(cells([measure(run, outcome) for run, outcome in pairs]), *args, **kwargs)


def choice_of(pairs, *args, **kwargs):
    (found,) = choices_of(pairs, *args, **kwargs)
    return found


def values(choice, name):
    return {c.interval: getattr(c, name) for c in choice.costs}


class TestTheBestIntervalIsKnown:
    choice = choice_of(a_sweep())

    def test_it_is_where_the_product_is_least(self):
        assert min(WORK, key=cost) == 5
        assert self.choice.recommended.interval == 5
        assert (self.choice.target, self.choice.iterations, self.choice.seeds) == (TARGET, 20, 6)

    def test_costs_are_work_times_pace_times_overhead(self):
        assert self.choice.iteration_s == pytest.approx(ITERATION_S)
        assert values(self.choice, "work") == WORK
        for c in self.choice.costs:
            assert c.overhead == pytest.approx(overhead(c.interval))
            assert c.seconds.value == pytest.approx(cost(c.interval))

    def test_seeds_that_are_all_alike_leave_no_doubt(self):
        for c in self.choice.costs:
            assert c.seconds.low == pytest.approx(c.seconds.high)
            assert c.regret.value == pytest.approx(cost(c.interval) / cost(5) - 1)
            assert c.apart == (c.interval != 5)
        assert values(self.choice, "cheapest") == {1: 0, 2: 0, 5: 1, 10: 0}

    def test_is_said_with_the_neighbours_and_the_dearest(self):
        assert said(self.choice) == (
            "Set perturbation_interval to 5 (toy.hand, pbt on inprocess): accuracy ≥ 0.9 in 9.8 s expected "
            "(9.8 to 9.8 s), cheapest in 100% of resampled studies; 2 costs 12% more (12% to 12%), 10 costs "
            "35% more (35% to 35%); 1 costs 53% more."
        )

    def test_half_the_workers_take_twice_as_long(self):
        on_two = choice_of([a_pair(k, WORK[k], s, workers=2) for s in range(2) for k in WORK])
        for c in on_two.costs:
            assert c.seconds.value == pytest.approx(cost(c.interval) / 2)

    def test_a_minimised_objective_is_no_different(self):
        other = choice_of(a_sweep(goal="min"))
        assert values(other, "seconds") == values(self.choice, "seconds")

    def test_a_table_has_a_row_for_each_interval(self):
        shown = table(self.choice)
        assert [row[0] for row in shown.body] == ["1", "2", "5", "10"]
        assert {i for i, _ in shown.bold} == {2}


class TestSeeds:
    def test_of_hard_and_easy_problems_are_compared_in_pairs(self):
        """Work of all intervals grows alike with the seed: times overlap, ratios are exact."""
        pairs = [a_pair(k, (1 + s) * {1: 4, 5: 5}[k], s) for s in range(6) for k in (1, 5)]
        choice = choice_of(pairs)
        one, five = choice.costs
        assert choice.recommended is five
        assert five.seconds.high > one.seconds.low
        ratio = 4 * (1 + overhead(1)) / (5 * (1 + overhead(5)))
        assert one.regret.low == pytest.approx(one.regret.high) == pytest.approx(ratio - 1)
        assert one.apart

    def test_that_differ_either_way_tell_nothing_apart(self):
        faster = [{1: 4, 5: 12}, {1: 14, 5: 4}] * 3
        choice = choice_of([a_pair(k, w[k], s) for s, w in enumerate(faster) for k in w])
        assert not any(c.apart for c in choice.costs)
        assert choice.alike == choice.costs
        one = choice.costs[0]
        assert one.regret.low < 0 < one.regret.high
        assert "these seeds can't tell 1 and 5 apart" in said(choice)

    def test_drawn_anew_give_the_same_each_time(self):
        pairs = [a_pair(k, 5 + 3 * s + k, s) for s in range(5) for k in (1, 5)]
        assert values(choice_of(pairs), "seconds") == values(choice_of(pairs), "seconds")

    def test_that_tie_recommend_fewest_checkpoints(self):
        """10·(1 + Ω(1)) = 15·(1 + Ω(2)), but for rounding."""
        choice = choice_of([a_pair(k, {1: 10, 2: 15}[k], s) for s in range(5) for k in (1, 2)])
        one, two = choice.costs
        assert one.seconds.value == pytest.approx(two.seconds.value) == pytest.approx(15)
        assert choice.recommended is two
        assert not one.apart
        assert (one.cheapest, two.cheapest) == (0.5, 0.5)

    def test_one_alone_has_no_interval(self):
        choice = choice_of(a_sweep(seeds=1))
        assert choice.recommended.interval == 5
        for c in choice.costs:
            assert (c.seconds.low, c.seconds.high) == (0, math.inf)
            assert math.isnan(c.cheapest)
            assert not c.apart
        assert "It is one seed" in said(choice)
        assert "resampled" not in said(choice)
        assert "∞" not in said(choice)

    def test_fewer_than_five_are_too_few_to_be_sure(self):
        assert "4 seeds are too few to be sure" in said(choice_of(a_sweep(seeds=4)))
        assert "too few" not in said(choice_of(a_sweep(seeds=5)))

    def test_are_those_that_all_intervals_have(self):
        pairs = [*a_sweep(seeds=2), a_pair(5, None, seed=2), a_pair(1, 4, seed=3)]
        assert values(choice_of(pairs), "work") == WORK

    def test_of_two_intervals_without_one_in_common_are_not_compared(self):
        assert choices_of([a_pair(1, 10, seed=0), a_pair(5, 14, seed=1)]) == []

    def test_intervals_hold_the_truth_about_as_often_as_they_say(self):
        """Twenty studies of eight seeds each, whose work is drawn around 14."""
        rng = np.random.default_rng(1)
        held = 0
        for _ in range(20):
            work = rng.integers(9, 20, size=8).tolist()
            pairs = [a_pair(k, w, s) for s, w in enumerate(work) for k in (1, 5)]
            found = choice_of(pairs).costs[1].seconds
            held += found.low <= 14 * ITERATION_S * (1 + overhead(5)) <= found.high
        assert held >= 17


class TestMisses:
    pairs = (a_pair(1, 10, 0), a_pair(1, None, 1), a_pair(5, 14, 0), a_pair(5, 14, 1))

    def test_count_at_what_they_spent(self):
        choice = choice_of(self.pairs)
        assert values(choice, "work") == {1: 10 + MEMBERS * ITERATIONS, 5: 14}
        assert values(choice, "reached") == {1: 1, 5: 2}

    def test_make_studies_in_which_nobody_gets_there(self):
        one = choice_of(self.pairs).costs[0]
        assert one.seconds.high == math.inf
        assert one.regret.high == math.inf

    def test_crashes_are_such_too(self):
        run, outcome = a_pair(1, None, 1, cause="crash")
        choice = choice_of([self.pairs[0], (run, outcome), *self.pairs[2:]])
        assert values(choice, "work")[1] == 10 + MEMBERS * ITERATIONS

    def test_of_all_seeds_never_got_there(self):
        choice = choice_of([a_pair(k, w, s) for s in range(6) for k, w in ((1, None), (5, 14))])
        assert choice.costs[0].regret.value == math.inf
        assert choice.costs[0].apart
        assert "1 never got there" in said(choice)


class TestNothingReached:
    choice = choice_of(a_sweep(work=dict.fromkeys(WORK)))

    def test_recommends_nothing_and_says_how_far_they_came(self):
        assert self.choice.recommended is None
        assert said(self.choice) == (
            "No interval reached accuracy ≥ 0.9 within 20 iterations (toy.hand, pbt on inprocess): the data "
            "can't tell which one to set. Best accuracy within 20 iterations, median of 6 seeds: 0.5 at 1, 0.5 "
            "at 2, 0.5 at 5 and 0.5 at 10. Give a --target that was reached, such as 0.5, or run more "
            "iterations."
        )
        assert [row[5:] for row in table(self.choice).body] == [["–", "–"]] * 4

    @pytest.mark.parametrize("best", [0.123456, 0.98765, 1234.5678, -0.0123456, 2.0])
    @pytest.mark.parametrize("goal", ["max", "min"])
    def test_the_target_that_is_proposed_was_reached(self, best, goal):
        pairs = []
        for k in (1, 5):
            run = a_run(method="pbt", interval=k, goal=goal, targets=())
            rows = [timed("train", 0, 1, member=0, iteration=1), score(1, 0, 1, best)]
            pairs.append((run, an_outcome(*rows)))
        text = said(choice_of(pairs))
        assert "No target is given" in text
        proposed = float(text.split("such as ")[1].split(",")[0])
        assert choice_of(pairs, proposed).recommended is not None
        assert proposed == pytest.approx(best, rel=0.01)

    def test_without_any_training_timed_says_so(self):
        pairs = [(a_run(method="pbt", interval=k), an_outcome(score(1, 0, 1, 0.5))) for k in (1, 2)]
        choice = choice_of(pairs, 0.4)
        assert choice.recommended is None
        assert "No training was timed" in said(choice)


class TestTargets:
    def test_the_hardest_that_any_reached_is_taken(self):
        assert choice_of(a_sweep(targets=(0.4, TARGET, 0.99))).target == TARGET

    @pytest.mark.parametrize("goal", ["max", "min"])
    def test_one_that_was_not_timed_is_found_on_the_curves(self, goal):
        timed_, found = (
            choice_of(a_sweep(goal=goal)),
            choice_of(a_sweep(goal=goal, targets=()), TARGET),
        )
        for name in ("work", "seconds", "regret", "cheapest", "reached"):
            assert values(found, name) == values(timed_, name)

    def test_one_that_none_can_reach_is_refused(self):
        with pytest.raises(BadInput, match="at most 1"):
            choices_of(a_sweep(seeds=1, bound=1.0), 1.5)

    def test_a_smaller_budget_cuts_attempts(self):
        """After 6 iterations there are 12 member-iterations: 5 (work 14) misses, 1 and 2 don't."""
        choice = choice_of(a_sweep(), iterations=6)
        assert values(choice, "reached") == {1: 6, 2: 6, 5: 0, 10: 0}
        assert choice.iterations == 6
        assert choice.recommended.interval == 2
        pairs = [a_pair(k, w, s) for s, w in enumerate((4, 14)) for k in (1, 5)]
        assert values(choice_of(pairs, iterations=6), "work") == {1: 4 + 12, 5: 4 + 12}


class TestWhatIsCompared:
    def test_engines_are_advised_apart(self):
        pairs = [*a_sweep(), *a_sweep(engine="tune", work={1: 10, 5: 40})]
        first, second = choices_of(pairs)
        assert (first.cell.engine, first.recommended.interval) == ("inprocess", 5)
        assert (second.cell.engine, second.recommended.interval) == ("tune", 1)

    def test_runs_of_another_population_are_not(self):
        pairs = [a_pair(1, 10), a_pair(5, 14, population=3)]
        assert choices_of(pairs) == []

    def test_methods_without_intervals_are_not(self):
        assert choices_of([(a_run(), an_outcome()), a_pair(1, 10)]) == []

    def test_an_end_of_the_range_is_told(self):
        longest = said(choice_of([a_pair(k, 10, s) for s in range(5) for k in (1, 5)]))
        assert "5 is the longest interval that was run: a longer one may cost less" in longest
        shortest = said(choice_of([a_pair(k, k * k, s) for s in range(5) for k in (2, 5)]))
        assert "2 is the shortest interval that was run" in shortest


class TestAReport:
    def test_says_it_beside_what_costs_alone_allow(self):
        of = cells([measure(run, outcome) for run, outcome in a_sweep()])
        (finding,) = findings(of)
        (sentence,) = sentences(of)
        assert sentence in finding.measured
        assert any(s.startswith("For checkpoints to stay within 5%") for s in finding.measured)

    def test_says_nothing_of_a_target_that_none_reached(self):
        of = cells([measure(*pair) for pair in a_sweep(work=dict.fromkeys(WORK))])
        assert list(sentences(of)) == []


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of a study of two engines."""
    folder = tmp_path_factory.mktemp("kept") / "out"
    a_folder(folder, *a_sweep(), *a_sweep(engine="tune", work={1: 10, 5: 38}))
    return folder


class TestFromPython:
    def test_gives_the_same_numbers(self, kept):
        frame = pbtbench.load(kept).advise()
        assert list(frame.columns) == list(COLUMNS)
        mine = frame[frame.engine == "inprocess"]
        assert dict(zip(mine.interval, mine.seconds, strict=True)) == pytest.approx(
            {k: cost(k) for k in WORK}
        )
        assert frame.interval[frame.recommended].tolist() == [5, 1]

    def test_of_one_engine(self, kept):
        assert set(pbtbench.load(kept).advise(engine="tune").engine) == {"tune"}

    def test_of_several_studies_names_them(self, kept, tmp_path):
        other = tmp_path / "other"
        a_folder(other, *a_sweep(seeds=2))
        frame = pbtbench.load(kept, other).advise()
        assert dict(frame.groupby("study").size()) == {"out": 6, "other": 4}

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            ({"engine": "tun"}, "did you mean 'tune'"),
            ({"problem": "toy.han"}, "did you mean 'toy.hand'"),
            ({"target": math.nan}, "finite"),
            ({"target": "high"}, "number"),
            ({"iterations": 0}, "iterations"),
            ({"iterations": 21}, "give 20 at most"),
            ({"iterations": 2.5}, "iterations"),
        ],
    )
    def test_bad_input_is_refused_in_one_line(self, kept, asked, told):
        with pytest.raises(BadInput, match=told) as refused:
            pbtbench.load(kept).advise(**asked)
        assert "\n" not in str(refused.value)


def test_the_command_line_says_the_same(kept, tmp_path):
    done = command("advise", kept, "--engine", "inprocess", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said(choice_of(a_sweep())))
    assert "start-up" in done.stdout


def test_a_study_of_one_interval_is_told_what_to_run(tmp_path):
    a_folder(tmp_path / "out", a_pair(5, 14))
    done = command("advise", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "pbtbench: out: no method was run at two intervals with a seed in common; run it at several, as in "
        "--intervals 1,5,20"
    )


def test_a_name_from_a_folder_is_shown_as_text(tmp_path):
    problem = "toy.[red]\x1b[31m"
    pairs = [a_pair(k, 10, problem="toy.hand") for k in (1, 5)]
    named = [(replace(run, problem_name=problem), outcome) for run, outcome in pairs]
    text = said(choice_of(named))
    assert problem in text
    console = Console(width=300, record=True, file=io.StringIO())
    _say(text, console)
    shown = console.export_text()
    assert "\x1b" not in shown
    assert "[red]" in shown
