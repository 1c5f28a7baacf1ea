"""What a report says: sentences, tables and the terminal, of measures."""

import csv
from dataclasses import replace
from io import StringIO

import pytest
from fabricated import NAN, a_run, an_outcome, fork, started, timed
from reported import a_study, measured, pbt_outcome
from rich.console import Console

from pbtbench.measures.lineage import segments, winning_values
from pbtbench.problem import Objective
from pbtbench.report import tables
from pbtbench.report.failures import failures
from pbtbench.report.findings import findings
from pbtbench.report.terminal import print_summary
from pbtbench.report.texts import Table
from pbtbench.report.wording import number, percent, seconds, signed, times
from pbtbench.statistics.cells import cells as cells_of


def tree_of(*rows):
    return segments(Objective("accuracy", "max"), an_outcome(*rows).record)


class TestLineage:
    tree = segments(Objective("accuracy", "max"), pbt_outcome().record)

    def test_a_fork_begins_a_segment_whose_parent_is_the_donors(self):
        columns = (self.tree.member, self.tree.start, self.tree.end, self.tree.parent)
        spans = list(zip(*(column.tolist() for column in columns), strict=True))
        assert spans == [(0, 0, 3, -1), (1, 0, 1, -1), (1, 1, 3, 0)]
        assert self.tree.hyperparameters["rate"].tolist() == [0.1, 0.4, 0.08]

    def test_the_winning_lineage_runs_through_the_donor(self):
        assert self.tree.wins_until.tolist() == [1, -1, 3]
        assert self.tree.survives_until.tolist() == [3, -1, 3]
        values = [winning_values(self.tree, i)["rate"] for i in (1, 2, 3)]
        assert values == [0.1, 0.08, 0.08]

    def test_synchronous_forks_take_the_states_before_any_fork(self):
        tree = tree_of(
            started(0, rate=1), started(1, rate=2),
            fork(2, 0, 1, 1, old=1, new=3), fork(2, 1, 0, 1, old=2, new=4),
            timed("save", 2, 0, member=0, iteration=1), timed("save", 2, 0, member=1, iteration=1),
        )  # fmt: skip
        assert tree.parent.tolist() == [-1, -1, 1, 0]

    def test_forks_one_after_another_take_the_states_after_those_before(self):
        tree = tree_of(
            started(0, rate=1), started(1, rate=2),
            fork(2, 0, 1, 1, old=1, new=3), timed("save", 2, 0, member=1, iteration=1),
            fork(3, 1, 0, 1, old=2, new=4), timed("save", 3, 0, member=0, iteration=1),
        )  # fmt: skip
        assert tree.parent.tolist() == [-1, -1, 1, 2]


class TestFindings:
    def said(self, pairs):
        return " ".join(s for f in findings(cells_of(measured(pairs))) for s in f.measured)

    def test_tell_endings_targets_costs_failures_and_divergence(self):
        said = self.said(a_study())
        assert "On inprocess, pbt k=1 ends at 0.6, pbt k=2 at 0.85, random at 0.5" in said
        assert "≥ 0.7 takes the same work and wall time with all 4 that reach it: 4 mem" in said
        assert (
            "a fork (with all saves made for it) costs 3 s on tune, 20 ms on inprocess: 150× "
            "(median of 2 seeds)." in said
        )
        assert "1 of 11 runs failed: 1 by crash." in said
        assert "2 of random" in said
        assert "on tune (median of 2 seeds)." in said

    def test_say_of_each_engine_how_many_seeds_it_had(self):
        pairs = [p for p in a_study() if (p[0].engine, p[0].seed) != ("tune", 1)]
        assert "pbt k=2 on inprocess (median of 2 seeds); " in self.said(pairs)
        assert "pbt k=2 on tune (one seed)." in self.said(pairs)

    def test_say_of_an_engine_between_which_its_intervals_seeds_are(self):
        pairs = [p for p in a_study() if (p[0].engine, p[0].seed, p[0].interval) != ("tune", 1, 2)]
        assert "pbt k=2 on tune (median of 1 to 2 seeds)." in self.said(pairs)


def test_numbers_read_as_people_write_them():
    assert [number(v) for v in (0.52468, -2, 12800, float("inf"), NAN)] == [
        "0.525", "−2", "12,800", "∞", "–",
    ]  # fmt: skip
    assert [seconds(v) for v in (5e-8, 3e-5, 0.0031, 4, 300, 1e4)] == [
        "50 ns", "30 µs", "3.1 ms", "4 s", "5.0 min", "2.8 h",
    ]  # fmt: skip
    assert [percent(v) for v in (0, 1e-5, 0.007, 0.41, 2.9, 27, NAN)] == [
        "0.0%", "<0.1%", "0.7%", "41%", "290%", "2,700%", "–",
    ]  # fmt: skip


def test_a_share_and_a_ratio_each_have_one_unit_at_every_size():
    assert [signed(v) for v in (-0.031, 0, 0.56, 1.99, 2.9)] == [
        "−3.1%", "+0.0%", "+56%", "+199%", "+290%",
    ]  # fmt: skip
    assert [times(v) for v in (0.51, 2.9, 1234)] == ["0.51×", "2.9×", "1,234×"]


class TestTables:
    cells = cells_of(measured(a_study()))

    def test_mark_the_best_and_escape_the_rest(self):
        worse = (a_run(method="worse"), pbt_outcome(0.8))
        named = cells_of(measured([(a_run(method="a_b|c&%"), pbt_outcome()), worse]))
        assert r"a\_b\|c&%" in tables.comparison(named).markdown()
        assert r"a\_b\textbar{}c\&\%" in tables.comparison(named).latex()
        assert "**0.9**" in tables.comparison(named).markdown()
        assert r"\textbf{0.9}" in tables.comparison(named).latex()
        assert "**0.8**" not in tables.comparison(named).markdown()

    def test_have_a_line_for_each_cell(self):
        assert len(tables.comparison(self.cells).csv().splitlines()) == len(self.cells) + 1
        assert tables.comparison(self.cells).latex().count(r" \\") == len(self.cells) + 1

    @pytest.mark.parametrize("width", [80, 120])
    def test_fit_the_terminal(self, width):
        console = Console(width=width, record=True, file=StringIO())
        print_summary(measured(a_study()), console)
        text = console.export_text()
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
        assert "RuntimeError: no luck" in text
        assert ("[min–max]" in text) == (width == 120)

    def test_take_names_as_they_are_on_the_terminal(self):
        console = Console(width=120, record=True, file=StringIO())
        run = a_run(method="[red]x[/]", id="a[b]/\x1b]0;x\x07/s0")
        crash = an_outcome(cause="crash", message="\x1b[2J[/bold]")
        print_summary(measured([(run, crash)]), console)
        text = console.export_text()
        assert "[red]x[/]" in text
        assert "[/bold]" in text
        assert "\x1b" not in text

    def test_quote_what_a_spreadsheet_would_compute(self):
        table = Table(["name", "n"], [["=1+1", "-2"], ["@x", "–"], ["plain", "3"]])
        rows = list(csv.reader(table.csv().splitlines()))
        assert rows == [["name", "n"], ["'=1+1", "-2"], ["'@x", ""], ["plain", "3"]]

    def test_have_all_targets_of_a_problem_that_any_run_tried(self):
        pairs = [
            (a_run(targets=(0.5, 0.7)), pbt_outcome()),
            (a_run(method="pbt", interval=1, targets=(0.7,)), pbt_outcome()),
        ]
        first, second = tables.rows(cells_of(measured(pairs)))
        assert [t.target for t in first.targets] == [t.target for t in second.targets]
        assert (second.targets[0].reached, second.targets[1].reached) == ("–", "1/1")

    def test_tell_clusters_apart_where_the_same_was_run_on_several(self):
        there = replace(pbt_outcome(), cluster="ray-4x8cpu")
        pairs = [(a_run(), pbt_outcome()), (a_run(seed=1), there)]
        rows = tables.rows(tables.distinct(cells_of(measured(pairs))))
        assert [row.engine for row in rows] == [
            "inprocess on local-2cpu",
            "inprocess on ray-4x8cpu",
        ]
        alone = tables.rows(tables.distinct(cells_of(measured(pairs[:1]))))
        assert [row.engine for row in alone] == ["inprocess"]


def test_runs_that_failed_for_one_reason_are_one_line():
    crash = an_outcome(cause="crash", message="RuntimeError: no luck")
    other = an_outcome(cause="crash", message="RuntimeError: else")
    pairs = [(a_run(seed=seed), crash) for seed in range(5)] + [(a_run(seed=5), other)]
    many, one = failures(measured(pairs))
    assert (many.which, many.reason) == (
        "toy.hand/random/inprocess/s0 and 4 more",
        "crash (5 runs): RuntimeError: no luck",
    )
    assert (one.which, one.reason) == (
        "toy.hand/random/inprocess/s5",
        "crash: RuntimeError: else",
    )
