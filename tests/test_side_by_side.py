"""Several studies beside each other: what of them is compared, what is kept apart, and what is said of it."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import pandas as pd
import pytest
from fabricated import CAME_FROM, a_folder, a_run, an_outcome, score, timed
from hostile import OUTSIDE
from test_hostile_folders import audited, of_format, with_every_text
from test_pages import Page

import pbtbench
from pbtbench import BadInput, cli
from pbtbench.measures import measure
from pbtbench.report import places
from pbtbench.statistics.places import side_by_side
from pbtbench.store import Store
from pbtbench.store.several import STUDIES

EVIL = "</script><img src=x onerror=alert(1)>\"'{{7*7}}"


def an_ending(final, t=1.0):
    return an_outcome(timed("train", 0, t), score(t, 0, 1, final / 2), score(2 * t, 1, 2, final))


def methods(seeds=2, **fields):
    """Two methods: `x` ends better, and `y` is faster."""
    for seed in range(seeds):
        for method, final, t in (("x", 0.9, 2.0), ("y", 0.8, 1.0)):
            yield a_run(method=method, seed=seed, targets=(0.7,), **fields), an_ending(final, t)


def a_study(folder, pairs, machine="here", cluster="local-2cpu", digest="digest", **about):
    """A study's folder whose runs were made on a machine."""
    store = a_folder(folder, **about)
    came_from = replace(CAME_FROM, machine=machine, problem=digest)
    for run, outcome in pairs:
        there = replace(outcome, cluster=cluster)
        store.write(run, there, measure(run, there), came_from)
    return folder


@pytest.fixture
def both(tmp_path):
    """The same study on two machines."""
    a_study(tmp_path / "A", methods(), title="one")
    a_study(tmp_path / "B", methods(), machine="there", cluster="ray-4x8cpu", title="two")
    return tmp_path


def front(tmp_path, *names):
    return pbtbench.load(*(tmp_path / name for name in names)).report(tmp_path / "both")


def comparables(tmp_path):
    results = pbtbench.load(tmp_path / "A", tmp_path / "B")
    return side_by_side({study.name: study.measures for study in results.studies})


def sentences(tmp_path):
    return [" ".join(one.sentences) for one in places.problems(comparables(tmp_path))]


class TestTheReport:
    def test_names_both_studies_and_links_each_ones_own_report(self, both):
        page = front(both, "A", "B")
        assert "<title>one (A) and two (B)" in page.read_text("utf-8")
        links = [place for place in Page(page).references if place.endswith("index.html")]
        assert links == ["A/index.html", "B/index.html"]
        for place, title in zip(links, ("one", "two"), strict=True):
            assert f"<h1>{title}</h1>" in (page.parent / place).read_text("utf-8")

    def test_has_what_each_methods_runs_took_at_each_place(self, both):
        page = front(both, "A", "B")
        table = pd.read_csv(page.parent / "tables" / "places.csv")
        assert table[["method", "study", "cluster", "machine"]].to_numpy().tolist() == [
            [method, *where]
            for method in ("x", "y")
            for where in (["A", "local-2cpu", "here"], ["B", "ray-4x8cpu", "there"])
        ]
        assert table["expected time"].tolist() == ["4 s", "4 s", "2 s", "2 s"]
        assert table["wall"].tolist() == ["10 s"] * 4

    def test_draws_what_each_place_took_and_no_machine_twice_in_a_colour(self, both):
        page = front(both, "A", "B")
        figures = [place for place in Page(page).references if place.endswith(".svg")]
        assert figures == ["figures/places-1-seconds.svg"]
        drawn = (page.parent / figures[0]).read_text("utf-8")
        for name in ("A", "B", "x", "y"):
            assert f">{name}</text>" in drawn
        assert "Compare within a colour" in page.read_text("utf-8")

    def test_says_that_seconds_of_places_are_not_compared(self, both):
        text = front(both, "A", "B").read_text("utf-8")
        assert places.NOT_COMPARED in text

    def test_has_a_summary_in_which_the_same_ids_are_told_apart(self, both):
        front(both, "A", "B")
        summary = pd.read_csv(both / "both" / "summary.csv")
        assert len(set(summary.run)) == len(summary) == 8
        assert summary.run[0] == "A/toy.hand/x/inprocess/s0"
        assert list(summary.study) == ["A"] * 4 + ["B"] * 4
        assert list(summary.machine) == ["here"] * 4 + ["there"] * 4

    def test_is_written_anew_over_an_earlier_one(self, both):
        front(both, "A", "B")
        a_study(both / "C", methods(), title="three")
        page = front(both, "A", "C")
        assert not (page.parent / "B").exists()
        assert (page.parent / "C" / "index.html").is_file()

    def test_leaves_the_studies_as_they_were(self, both):
        before = {f: f.read_bytes() for f in (both / "A").rglob("*") if f.is_file()}
        front(both, "A", "B")
        assert {f: f.read_bytes() for f in (both / "A").rglob("*") if f.is_file()} == before

    def test_shows_names_and_titles_as_text(self, tmp_path):
        name = "<img src=x onerror=alert(1)>"
        a_study(tmp_path / name, methods(), machine=EVIL, title=EVIL)
        a_study(tmp_path / "B", methods(), cluster="<b>x</b>")
        page = front(tmp_path, name, "B")
        text = page.read_text("utf-8")
        assert "<img src=x" not in text
        assert "<b>" not in text
        results = pbtbench.load(tmp_path / name, tmp_path / "B")
        assert "<img" not in results._repr_html_()
        for place in Page(page).references:
            assert place == "data:," or (page.parent / place).resolve().is_relative_to(page.parent)

    def test_tells_folders_of_one_name_apart(self, tmp_path):
        for place in ("a", "b"):
            a_study(tmp_path / place / "out", methods())
        results = pbtbench.load(tmp_path / "a" / "out", tmp_path / "b" / "out")
        assert [study.name for study in results.studies] == ["a-out", "b-out"]


class TestWhatIsCompared:
    def test_methods_are_marked_within_a_place_alone(self, tmp_path):
        """All of B is faster than anything of A, and ends worse: each is judged at its own place."""
        a_study(tmp_path / "A", methods())
        quick = [(run, an_ending(0.75 - 0.01 * (run.method == "x"), 0.1)) for run, _ in methods()]
        a_study(tmp_path / "B", quick, machine="there")
        (of,) = comparables(tmp_path)
        marks = {(row.place.study, row.cell.method): (row.best, row.fastest_to) for row in of.rows}
        assert marks == {
            ("A", "x"): (True, None),
            ("A", "y"): (False, 0.7),
            ("B", "x"): (False, None),
            ("B", "y"): (True, None),
        }
        (said,) = sentences(tmp_path)
        assert "Best score (median of 2 seeds): x in A; y in B." in said

    def test_runs_of_one_seed_in_two_studies_are_not_put_together(self, tmp_path):
        for name in ("A", "B"):
            a_study(tmp_path / name, methods())
        (of,) = comparables(tmp_path)
        assert [row.cell.n for row in of.rows] == [2, 2, 2, 2]

    @pytest.mark.parametrize(
        ("fields", "digest", "said"),
        [
            ({"iterations": 4}, "digest", "iterations (2 there, 4 here)"),
            ({"population": 3}, "digest", "population (2 there, 3 here)"),
            ({"problem_options": {"a": 1}}, "digest", 'options ({} there, {"a": 1} here)'),
            ({}, "another", "the problem's code or options"),
        ],
    )
    def test_what_is_another_problem_is_kept_apart_and_said(self, fields, digest, said, tmp_path):
        a_study(tmp_path / "A", methods())
        a_study(tmp_path / "B", methods(**fields), digest=digest)
        one, other = comparables(tmp_path)
        assert (one.studies, other.studies) == (["A"], ["B"])
        headings = [shown.heading for shown in places.problems([one, other])]
        assert headings == ["toy.hand, as in A", "toy.hand, as in B"]
        assert sentences(tmp_path)[1].startswith(
            f"Not the same problem as in A, and not compared with it: {said}."
        )

    def test_other_targets_are_kept_apart_and_said(self, tmp_path):
        a_study(tmp_path / "A", methods())
        others = [(replace(run, targets=(0.6, 0.7)), outcome) for run, outcome in methods()]
        a_study(tmp_path / "B", others)
        assert "targets ([0.7] there, [0.6, 0.7] here)" in sentences(tmp_path)[1]

    def test_a_method_of_other_options_is_said(self, tmp_path):
        a_study(tmp_path / "A", methods())
        others = [
            (replace(run, method_options={"quantile": 0.5}), outcome) for run, outcome in methods()
        ]
        a_study(tmp_path / "B", others)
        assert (
            "x is another method, or has other options, in each of A and B"
            in sentences(tmp_path)[0]
        )

    def test_what_is_in_one_study_alone_is_said(self, tmp_path):
        a_study(tmp_path / "A", methods())
        a_study(tmp_path / "B", [p for p in methods() if p[0].method == "x"])
        assert "In A alone: y." in sentences(tmp_path)[0]

    def test_machines_of_one_study_are_places_of_their_own(self, tmp_path):
        a_study(tmp_path / "A", methods(seeds=1))
        there = [(run.at_seed(1), outcome) for run, outcome in methods(seeds=1)]
        a_study(tmp_path / "A", there, machine="there")
        a_study(tmp_path / "B", methods())
        (of,) = comparables(tmp_path)
        assert [places.where(place, of) for place in of.places] == [
            "A on local-2cpu (here)",
            "A on local-2cpu (there)",
            "B",
        ]


class TestWhatIsRefused:
    def test_a_folder_that_is_given_twice(self, both):
        (both / "link").symlink_to(both / "A")
        with pytest.raises(BadInput, match=r"link: the same folder as .*A; give each"):
            pbtbench.load(both / "A", both / "link")

    @pytest.mark.parametrize("name", ["empty", "nowhere"])
    def test_a_folder_without_a_study(self, name, both):
        (both / "empty").mkdir()
        with pytest.raises(BadInput, match=rf"{name}: no"):
            pbtbench.load(both / "A", both / name)

    @pytest.mark.parametrize("place", ["A", "A/both", "A/runs/toy.hand", "link/both", "link"])
    def test_to_write_into_a_study(self, place, both):
        (both / "link").symlink_to(both / "B")
        before = sorted(both.rglob("*"))
        with pytest.raises(BadInput, match="a study's folder"):
            pbtbench.load(both / "A", both / "B").report(both / place)
        assert sorted(both.rglob("*")) == before

    @pytest.mark.parametrize("name", ["summary.csv", "report", STUDIES])
    def test_to_write_over_what_somebody_else_keeps(self, name, both):
        (both / "mine").mkdir()
        (both / "mine" / name).write_text(OUTSIDE["summary.csv"])
        with pytest.raises(BadInput, match=r"mine.*give --out a new or empty folder"):
            pbtbench.load(both / "A", both / "B").report(both / "mine")
        assert (both / "mine" / name).read_text() == OUTSIDE["summary.csv"]
        assert len(list((both / "mine").iterdir())) == 1

    def test_to_follow_a_link_out_of_the_folder(self, both):
        (both / "secret.toml").write_text("[studies]\n")
        (both / "mine").mkdir()
        (both / "mine" / STUDIES).symlink_to(both / "secret.toml")
        with pytest.raises(BadInput, match="a link stands there"):
            pbtbench.load(both / "A", both / "B").report(both / "mine")

    def test_to_report_several_without_a_folder_for_it(self, both):
        with pytest.raises(BadInput, match="give --out"):
            pbtbench.load(both / "A", both / "B").report()
        with pytest.raises(BadInput, match="give the path of a folder"):
            pbtbench.load(both / "A", both / "B").report("")


class TestDamage:
    @pytest.mark.parametrize("text", ["= no TOML", "name = 3\n"])
    def test_a_damaged_study_is_named_and_the_others_are_reported(self, text, both):
        (both / "B" / "study.toml").write_text(text)
        results = pbtbench.load(both / "A", both / "B")
        assert [study.name for study in results.studies] == ["A"]
        (line,) = results.left_out
        assert line.startswith(f"{both / 'B' / 'study.toml'}: damaged")
        assert str(both / "B") in results.report(both / "both").read_text("utf-8")

    def test_a_damaged_run_is_named(self, both):
        run = both / "B/runs/toy.hand/x/inprocess/s0"
        (run / "timeline.parquet").write_bytes(b"")
        page = front(both, "A", "B")
        assert str(run) in page.read_text("utf-8")

    def test_a_study_without_a_run_is_named(self, both):
        shutil.rmtree(both / "B" / "runs")
        (line,) = pbtbench.load(both / "A", both / "B").left_out
        assert line == f"{both / 'B'}: no run is kept in it"

    def test_nothing_left_is_refused(self, both):
        for name in ("A", "B"):
            shutil.rmtree(both / name / "runs")
        with pytest.raises(
            BadInput, match=r"no study is left to report: .*A: no run is kept in it"
        ):
            pbtbench.load(both / "A", both / "B")

    def test_a_newer_format_is_refused(self, both):
        about = both / "B/runs/toy.hand/x/inprocess/s0/run.json"
        about.write_text(json.dumps({**json.loads(about.read_text()), "format": 99}))
        with pytest.raises(BadInput, match="update pbtbench"):
            pbtbench.load(both / "A", both / "B")


def test_a_study_alone_can_be_reported_elsewhere(both):
    page = front(both, "A")
    assert "<title>one (A)" in page.read_text("utf-8")
    assert not Store(both / "A").folder.has("report")


def test_nothing_that_a_strangers_folder_names_is_imported_or_read(world, tmp_path):
    folder = of_format(2, world)
    with_every_text(folder, f"{world.outside}/evil.py:PROBLEM")
    a_study(tmp_path / "B", methods())
    with audited() as heard:
        results = pbtbench.load(folder, tmp_path / "B")
        results.measures, results.compare(), results._repr_html_(), results.notes
        results.report(tmp_path / "both")
    assert [study.name for study in results.studies] == ["in", "B"]
    for event, texts in heard:
        if event in ("import", "exec", "compile", "subprocess.Popen", "os.system"):
            assert not any("evil" in text for text in texts), (event, texts)
    assert not (world.outside / "ran").exists()


class TestTheCommand:
    def said(self, monkeypatch, capsys, folder, *arguments):
        """Exit code, and what stands on standard output and error."""
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["pbtbench", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code, *capsys.readouterr()

    def test_reports_several_and_prints_where_what_ran(self, both, monkeypatch, capsys):
        arguments = ("report", "A", "B", "--out", "both")
        code, out, err = self.said(monkeypatch, capsys, both, *arguments)
        assert (code, err) == (0, "")
        lines = [line.split() for line in out.splitlines()]
        assert ["x", "A", "2", "0.9", "2/2,", "4", "s", "0.0%", "10", "s"] in lines
        assert ["y", "B", "2", "0.8", "2/2,", "2", "s", "0.0%", "10", "s"] in lines
        assert lines[-1] == ["report:", "both/report/index.html"]
        assert max(len(line) for line in out.splitlines() if not line.startswith("note: ")) <= 80

    def test_reports_one_in_its_own_folder(self, both, monkeypatch, capsys):
        code, out, _ = self.said(monkeypatch, capsys, both, "report", "A")
        assert (code, out.splitlines()[-1]) == (0, "report: A/report/index.html")

    def test_names_what_is_damaged_and_reports_the_rest(self, both, monkeypatch, capsys):
        (both / "B" / "study.toml").write_text("=")
        arguments = ("report", "A", "B", "--out", "both")
        code, out, _ = self.said(monkeypatch, capsys, both, *arguments)
        assert code == 0
        assert out.startswith("left out: B/study.toml: damaged")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("A B", "give --out"),
            ("A A --out both", "the same folder as A"),
            ("A empty --out both", "empty: no study.toml in it"),
            ("A nowhere --out both", "nowhere: no such folder"),
            ("A B --out A", "A: a study's folder"),
            ("A B --out file", "a file stands where a folder should be"),
            ("A B --out .", "not empty"),
            ("", "FOLDER"),
        ],
    )
    def test_refuses_in_one_line(self, arguments, said, both, monkeypatch, capsys):
        (both / "empty").mkdir()
        (both / "file").touch()
        code, out, err = self.said(monkeypatch, capsys, both, "report", *arguments.split())
        assert (code, out) == (2, "")
        assert said in err
        assert len(err.splitlines()) == 1
        assert not (both / "both").exists()
