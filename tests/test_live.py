"""What a person sees while a study runs."""

from __future__ import annotations

import io

from rich.console import Console

from pbtbench.cli.live import View


def shown(planned, messages: list[str]) -> str:
    """What is printed without a terminal of a study whose runs fail with these messages."""
    text = io.StringIO()
    runs = planned(seeds=len(messages))
    with View(Console(file=text, width=200)) as view:
        view.planned(0, len(runs))
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
