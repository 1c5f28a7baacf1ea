"""The series of a history and their steps: found where they are, and shown in the terminal, as Markdown and
on a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sittings import a_pytest_benchmark_file, a_sitting, an_entry

from pbtbench import cli
from pbtbench.errors import BadInput
from pbtbench.regression import history
from pbtbench.regression.series import series
from pbtbench.regression.sitting import Loaded
from pbtbench.regression.thresholds import Thresholds
from pbtbench.report import history as shown
from pbtbench.report import history_page

HOSTILE = "</script><img src=x onerror=alert(1)>\"'{{7*7}}|=1+1"


def sha(place):
    return f"{place:07x}" + "0" * 33


def lines(*points, machine="m"):
    """Sittings of these benchmarks: name -> entry, each."""
    return [
        history.line(
            Loaded(
                Path("measured.json"),
                a_sitting(machine=machine, **one).model_copy(update={"commit": sha(place)}),
                date=f"2026-11-{1 + place % 28:02d}T10:00:00Z",
            )
        )
        for place, one in enumerate(points)
    ]


def found(entries, measure=None, thresholds=None):
    """The series of one benchmark with these entries: the one of a measure, or all by their measure."""
    by_measure = {
        one.measure: one
        for one in series(lines(*({"one": e} for e in entries)), thresholds or Thresholds())
    }
    return by_measure if measure is None else by_measure[measure]


def times(factors, seed=0, **more):
    """An entry for each factor: seconds that scatter by 2%."""
    noise = np.exp(0.02 * np.random.default_rng(seed).standard_normal((len(factors), 5)))
    return [
        an_entry({"wall_s": (factor * of).tolist()}, **more)
        for factor, of in zip(factors, noise, strict=True)
    ]


@pytest.mark.parametrize(
    ("measure", "goal", "base", "new", "verdict", "seeds"),
    [
        ("forks", "max", [10, 10], [10, 11], "worse", "in 1 of 2 seeds"),
        ("forks", "max", [10, 10, 10], [10, 10, 9], "better", "in 1 of 3 seeds"),
        ("final_score", "max", [0.9, 0.8], [0.9, 0.79], "worse", "in 1 of 2 seeds"),
        ("final_score", "min", [0.9, 0.8], [0.89, 0.79], "better", "in 2 of 2 seeds"),
        ("iterations_to_target", "max", [5, 6], [5, None], "worse", "in 1 of 2 seeds"),
    ],
)
def test_any_change_of_what_repeats_exactly_is_a_step(measure, goal, base, new, verdict, seeds):
    one = found([an_entry({measure: v}, goal=goal) for v in (base, base, new, new)], measure)
    (step,) = one.steps
    assert (step.place, step.verdict, step.seeds) == (2, verdict, seeds)


def test_what_repeats_exactly_may_differ_by_rounding():
    values = (0.1 + 0.2, 0.3, 0.3 + 1e-12)
    assert found([an_entry({"final_score": [v]}) for v in values], "final_score").steps == ()


def test_a_count_that_comes_to_none_is_a_step():
    some, none = an_entry({"forks": [3, 4]}), an_entry({"wall_s": [1.0, 1.0]})
    (step,) = found([some, some, none], "forks").steps
    assert (step.place, step.before, step.after) == (2, 3.5, 0)


def test_a_step_of_a_time_is_found_with_where_it_comes_from():
    def entry(place):
        save, noise = (3.0 if place >= 12 else 1.0), 1 + 0.01 * (place % 3)
        wall = noise * (10 + save)
        return an_entry({"wall_s": [wall], "train_s": [10 * noise], "save_s": [save]})

    (step,) = found([entry(i) for i in range(20)], "wall_s").steps
    assert (step.place, step.verdict) == (12, "worse")
    assert step.after / step.before == pytest.approx(13 / 11, rel=0.02)
    assert [(change.name, change.new / change.base) for change in step.where] == [("save", 3)]


def test_what_changed_some_time_after_a_step_is_not_where_it_comes_from():
    """The wall time steps at the 20th sitting; five later there are more forks, for most of the level."""
    noise = np.exp(0.02 * np.random.default_rng(0).standard_normal((40, 5)))
    entries = [
        an_entry(
            {
                "wall_s": (of * (1.3 if at >= 20 else 1)).tolist(),
                "forks": [5 if at >= 25 else 3] * 5,
            }
        )
        for at, of in enumerate(noise)
    ]
    (step,) = found(entries, "wall_s").steps
    assert step.place == 20
    assert step.where == ()
    (step,) = found(entries, "forks").steps
    assert step.place == 25


def test_a_series_is_cut_where_the_benchmark_became_another_and_has_no_step_there():
    entries = times([1.0] * 10) + times([2.0] * 10, seed=1, digest="e")
    one = found(entries, "wall_s")
    assert (one.cuts, one.steps) == ((10,), ())
    assert [level for *_, level in one.levels] == pytest.approx([1, 2], rel=0.05)
    changed = [an_entry({"forks": [3]}), an_entry({"forks": [4]}, population=9)]
    assert (found(changed, "forks").cuts, found(changed, "forks").steps) == ((1,), ())


def test_another_machine_has_another_series_and_no_step(tmp_path):
    for machine, factor in (("m", 1.0), ("n", 3.0)):
        for line in lines(*({"one": e} for e in times([factor] * 10)), machine=machine):
            history.add(tmp_path, line)
    for of_machine in history.load(tmp_path).values():
        (one,) = series(of_machine, Thresholds())
        assert (len(one.values), one.steps) == (10, ())


@pytest.mark.parametrize(("points", "missing"), [(1, 5), (5, 1), (6, 0)])
def test_how_many_points_a_series_lacks_is_known(points, missing):
    assert found(times([1.0] * points), "wall_s").missing == missing
    cut = times([1.0] * 9, digest="e") + times([1.0] * points)
    assert found(cut, "wall_s").missing == missing
    counts = found([an_entry({"forks": [3]})] * points, "forks")
    assert counts.missing == (1 if points == 1 else 0)


def test_a_benchmark_may_come_later_and_be_missing_at_times():
    entries = times([1.0] * 8 + [1.3] * 8)
    there = [{"one": e} if place % 2 else {"two": e} for place, e in enumerate(entries)]
    one, two = series(lines(*there), Thresholds())
    assert (len(one.values), len(two.values)) == (8, 8)
    assert [one.lines[step.place].commit for step in one.steps] == [sha(9)]


def test_what_the_gate_does_not_look_at_is_not_shown():
    entries = [an_entry({"wall_s": [1.0], "save_s": [1.0], "forks": [3]})] * 3
    assert set(found(entries)) == {"wall_s", "forks"}
    allowed = Thresholds({"save_s": 2.0}, {"on*": {"wall_s": 1.5}})
    assert set(found(entries, thresholds=allowed)) == {"wall_s", "save_s"}


def test_a_score_that_does_not_repeat_has_no_series():
    assert found([an_entry({"final_score": [0.5], "forks": [3]}, exact=["forks"])]).keys() == {
        "forks"
    }


def machines(*of):
    return [shown.Machine("m", of_one, series(of_one, Thresholds())) for of_one in of]


def printed(found):
    console = Console(file=StringIO(), width=100)
    shown.print_history(found, console)
    return console.file.getvalue()


def stepped(name="two"):
    """A benchmark with a step of its times and of its forks, behind one that has none."""
    still, up = times([1.0] * 20), times([1.0] * 12 + [1.3] * 8, seed=1)
    up = [
        e.model_copy(update={"measures": {**e.measures, "forks": [3 + (i >= 4)] * 5}})
        for i, e in enumerate(up)
    ]
    return lines(*({"one": a, name: b} for a, b in zip(still, up, strict=True)))


def test_steps_are_named_with_their_commits_and_the_rest_is_counted():
    text = printed(machines(stepped()))
    assert "a CPU (m): 20 sittings, 0000000 (2026-11-01) to 0000013 (2026-11-20)" in text
    assert re.search(r"wall_s +20 +1\.3 s +▲ worse: \+\d\d% at 000000c \(2026-11-13\)", text)
    assert re.search(r"forks +20 +4 +▲ worse: \+33% at 0000004 \(2026-11-05\)", text)
    assert "one pbt" not in text
    assert "2 of 3 series with steps." in text


def test_a_series_of_one_point_is_said_to_be_too_short():
    text = printed(machines(lines({"one": times([1.0])[0]})))
    assert "0 of 1 series with steps." in text
    assert "1 too short to have one as yet: 5 more sittings will do." in text


def test_of_many_steps_the_last_are_named():
    counts = lines(*({"one": an_entry({"forks": [i % 2 + 3]})} for i in range(30)))
    text = printed(machines(counts))
    assert text.count("at 00") == 5
    assert "and 24 before" in text


def test_markdown_has_a_row_for_each_series_with_steps():
    text = shown.markdown(machines(stepped("a|b")))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "2 of 3 series with steps." in text


class Page(HTMLParser):
    """What a page has: its elements, ids and references, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.references, self.handlers, self.text = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.references += [value for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", ["two", HOSTILE])
def test_a_page_draws_each_series_and_needs_nothing_else(name):
    text = history_page.page(machines(stepped(name)), Path(f"some/{name}".replace("</", "")))
    page = Page(text)
    assert page.tags.count("svg") == 3
    for measure, benchmark in (("wall_s", "one"), ("wall_s", name), ("forks", name)):
        assert f"{measure} of {benchmark} pbt" in page.text
    assert "000000c" in page.text
    assert not {"script", "img", "iframe"} & {*page.tags}
    assert page.handlers == []
    assert len(set(page.ids)) == len(page.ids)
    for reference in page.references:
        assert reference == "data:," or reference.removeprefix("#") in page.ids
    assert "default-src 'none'" in text
    assert not re.search(r"nan|inf\b", " ".join(re.findall(r' d="([^"]*)"', text)))


@pytest.mark.parametrize(
    "measures",
    [
        {"seconds_to_target": [None]},
        {"seconds_to_target": [5e-324]},
        {"final_score": [-1.7e308, 1.7e308, 1.7e308]},
        {"final_score": [0.0], "forks": [3]},
        {"wall_s": [1.7e308]},
    ],
)
@pytest.mark.parametrize("many", [1, 2, 9])
def test_any_values_can_be_shown(measures, many):
    of = machines(lines(*[{"one": an_entry(measures)}] * many))
    assert "series with steps" in printed(of)
    assert "nan" not in history_page.page(of, Path("history"))


def test_a_page_of_many_steps_marks_the_last():
    counts = lines(*({"one": an_entry({"forks": [i % 2 + 3]})} for i in range(99)))
    text = history_page.page(machines(counts), Path("history"))
    assert text.count('<a class="mark') == history_page.STEPS
    assert "48 steps before the last 50 not marked" in text


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Writes what pytest-benchmark stores for a commit, to a file; where one stands, no thresholds are."""
    monkeypatch.chdir(tmp_path)

    def write(name="benchmark.json", **about):
        table = a_pytest_benchmark_file(one=an_entry({"forks": [3], "wall_s": [1.0]}), **about)
        (tmp_path / name).write_text(json.dumps(table))
        return name

    return write


def run(*arguments):
    """The command, whose exit code is 0 if it comes back, and 2 for `BadInput`."""
    cli.cli.main(["history", *arguments], standalone_mode=False)


def test_the_command_adds_and_shows_and_writes(measured, capsys):
    """As CI calls it: the folder is there already, the worktree of a branch."""
    Path("history").mkdir()
    Path("history/.git").write_text("gitdir: elsewhere")
    Path("summary.md").write_text("before\n")
    command = ["history", "--add", measured(), "--markdown", "summary.md"]
    run(*command)
    said = capsys.readouterr().out
    assert "benchmark.json: added" in said
    assert "2 too short to have one as yet" in said
    assert Path("summary.md").read_text().startswith("before\n**a CPU (m): 1 sitting, ccccccc")
    run(*command, "--page", "page.html")
    assert "benchmark.json: there already, not added again" in capsys.readouterr().out
    assert Path("page.html").read_text().startswith("<!doctype html>")
    assert len(Path("history/m.jsonl").read_text().splitlines()) == 1


def test_several_are_added_in_their_order_or_none(measured, capsys):
    files = [measured(f"{c}.json", commit=c * 40) for c in "ab"]
    dirty = measured("d.json", dirty=True)
    adding = [word for file in files for word in ("--add", file)]
    with pytest.raises(BadInput, match=r"d\.json: made of files that differ from their commit"):
        run("history", *adding, "--add", dirty)
    assert not Path("history").exists()
    run("history", *adding)
    assert [line.commit[0] for line in history.load(Path("history"))["m"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none"], "none: no such folder; --add FILE makes it"),
        (["none", "--add", "none.json"], "none.json: no such file"),
        (["benchmark.json"], "a file or a link stands where a folder should be"),
    ],
)
def test_a_history_that_is_none_is_bad_input(measured, arguments, says):
    measured()
    with pytest.raises(BadInput, match=says):
        run(*arguments)
    assert not Path("none").exists()


def test_steps_are_no_failure(measured, capsys):
    for place in range(3):
        measured(f"{place}.json", commit=sha(place))
        table = json.loads(Path(f"{place}.json").read_text())
        entry = table["benchmarks"][0]["extra_info"]["pbtbench"]["entries"]["pbt"]
        entry["measures"]["forks"] = [3 + place]
        Path(f"{place}.json").write_text(json.dumps(table))
        run("history", "--add", f"{place}.json")
    assert "▲ worse: +25% at 0000002" in capsys.readouterr().out
