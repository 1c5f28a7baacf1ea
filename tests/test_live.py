"""What a person sees while a study runs."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from pbtbench.cli.live import View, about
from pbtbench.running.time_left import TimeLeft
from pbtbench.study.declaration import Declaration
from pbtbench.study.growth import Growth


def growth_of(runs, others: int = 0) -> Growth:
    return Growth(Declaration(), tuple(runs), (), (), len(runs), others)


def shown(planned, messages: list[str]) -> str:
    """What is printed without a terminal of a study whose runs fail with these messages."""
    text = io.StringIO()
    runs = planned(seeds=len(messages))
    with View(Console(file=text, width=200)) as view:
        view.planned(growth_of(runs), TimeLeft(runs))
        view.checking(runs[0])
        for run, message in zip(runs, messages, strict=True):
            view.started(run)
            view.ended(run, {"cause": "crash", "message": message, "wall_s": 1.0})
    return text.getvalue()


def test_a_line_that_repeats_for_every_run_is_said_once(planned):
    said = shown(planned, ["ValueError: no luck (mine.py:3)"] * 5)
    assert said.count("no luck") == 1
    assert said.count("crash, as before") == 4


def test_lines_that_differ_only_by_numbers_are_one(planned):
    said = shown(planned, [f"member {m} at iteration 2: no luck" for m in range(5)])
    assert said.count("no luck") == 1


def test_of_many_runs_only_what_is_new_gets_a_line(planned):
    said = shown(planned, ["no luck"] * 30 + ["no memory"] + ["no luck"] * 10)
    assert (said.count("no luck"), said.count("no memory")) == (1, 1)
    assert "as before" not in said


def test_what_differs_is_said(planned):
    said = shown(planned, ["no luck", "no memory", "no luck"])
    assert (said.count("no luck"), said.count("no memory")) == (1, 1)


def test_the_best_members_are_shown_best_first_and_the_others_counted(planned):
    text = io.StringIO()
    (run,) = planned(iterations=20)
    best = [[7, 20, 1.25, 3.0, 2, 4], [3, 19, 1.1, 2.9, 0, None]]
    counts = {"elapsed": 3.0, "saves": 2, "restores": 2, "forks": 2}
    with View(Console(file=text, width=120, force_terminal=True)) as view:
        view.planned(growth_of([run]), TimeLeft([run]))
        view.started(run)
        view.progressed({**counts, "members": 100_000, "best": best})
        view._live.refresh()
    lines = Text.from_ansi(text.getvalue()).plain.splitlines()
    first, second = (next(line for line in lines if f" {it}/20 " in line) for it in (20, 19))
    assert first.split()[:2] == ["7", "done"]
    assert "2 (last from 4)" in first
    assert second.split()[:2] == ["3", "training"]
    assert lines.index(first) < lines.index(second)
    assert "and 99998 more" in text.getvalue()


def test_before_anything_is_recorded_a_run_is_starting(planned):
    text = io.StringIO()
    (run,) = planned()
    with View(Console(file=text, width=120, force_terminal=True)) as view:
        view.planned(growth_of([run]), TimeLeft([run]))
        view.started(run)
        view._live.refresh()
    assert "starting" in text.getvalue()


def test_runs_that_the_command_does_not_plan_are_said_to_stay(planned):
    text = io.StringIO()
    with View(Console(file=text, width=200)) as view:
        view.planned(growth_of(planned(), others=2), TimeLeft(planned()))
    assert "2 more runs that this command does not plan stay in the folder" in text.getvalue()


def test_a_range_of_time_is_one_number_where_its_ends_are_close():
    assert (about(10.0, 12.0), about(10.0, 125.0)) == ("about 10 s", "about 10 s to 2:05")
