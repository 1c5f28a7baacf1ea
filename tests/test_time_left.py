"""How long a study still takes, as far as the runs before tell."""

from __future__ import annotations

from pbtbench.running.time_left import TimeLeft


def test_nothing_is_said_before_anything_is_known(planned):
    assert TimeLeft(planned(seeds=3)).range_s() is None


def test_runs_that_differ_by_seed_alone_last_alike(planned):
    runs = planned(seeds=5)
    left = TimeLeft(runs)
    left.ended(runs[0], 2.0)
    left.ended(runs[1], 4.0)
    assert left.range_s() == (9.0, 9.0)


def test_slow_runs_that_come_later_are_not_taken_for_quick_ones(planned):
    """The quick kind's runs come first: of the other nothing is known but that there are such."""
    quick, slow = planned(seeds=4), planned(problems=["toy.noisy_quadratic"], seeds=4)
    left = TimeLeft([*quick, *slow], [(slow[0], 100.0)])
    for run in quick:
        left.ended(run, 1.0)
    assert left.range_s() == (400.0, 400.0)


def test_a_kind_that_nobody_has_seen_may_last_as_any_that_was(planned):
    seen, other = planned(seeds=2), planned(population=16, seeds=2)
    unseen = planned(problems=["toy.branin"], seeds=3)
    left = TimeLeft([*seen, *other, *unseen])
    for run, seconds in zip([*seen, *other], [1.0, 1.0, 5.0, 5.0], strict=True):
        left.ended(run, seconds)
    assert left.range_s() == (3.0, 15.0)


def test_another_method_on_the_same_problem_tells_more_than_another_problem(planned):
    pbt, random = planned(seeds=2), planned(methods=["random"], seeds=2)
    elsewhere = planned(problems=["toy.branin"], seeds=1)
    left = TimeLeft([*pbt, *random, *elsewhere])
    for run, seconds in zip([*pbt, *elsewhere], [3.0, 3.0, 50.0], strict=True):
        left.ended(run, seconds)
    assert left.range_s() == (6.0, 6.0)
