"""What a report says of checkpoint costs: of made-up runs whose costs are known."""

import math
from dataclasses import replace

import pytest
from checkpointed import (
    ITERATION_S,
    RESTORE_S,
    SAVE_S,
    SIZE,
    cells_of,
    costs_of,
    longer,
    several_sizes,
    training,
    with_row,
)
from fabricated import a_folder, timed

from pbtbench import report
from pbtbench.measures import closed_forms
from pbtbench.report.checkpoint_costs import headline_table
from pbtbench.report.cost_sentences import sentences
from pbtbench.report.findings import findings
from pbtbench.report.wording import signed, size
from pbtbench.statistics.checkpoint_costs import checkpoint_costs, headline, outside
from pbtbench.statistics.intervals import least_interval


class TestReport:
    pairs = tuple(several_sizes())
    costs = costs_of(pairs)

    def test_the_headline_has_a_row_for_each_size_and_the_limit(self):
        table = headline_table(self.costs)
        assert table.header[:5] == [
            "state",
            *("fork, Ray Tune", "fork, ours", "fork, in process", "fork, one memcpy"),
        ]
        assert [line[0] for line in table.body] == ["1 MB", "16 MB"]
        assert table.body[0][1:5] == ["100 ms (k=1)", "100 ms (k=1)", "100 ms (k=1)", "100 µs"]
        assert set(headline(self.costs)) == {SIZE, 16 * SIZE}

    def test_sentences_say_what_a_fork_costs_and_which_interval_to_take(self):
        text = " ".join(sentences(self.costs))
        assert "100 ms on Ray Tune at k=1 (one seed, 62.5×)" in text
        assert "2 at 1 MB and 2 at 16 MB on Ray Tune" in text
        assert "off by <0.1% in the median of 12 longer intervals" in text

    def test_a_tax_says_of_each_engine_how_many_seeds_it_is_of(self):
        again = [
            (replace(run, seed=1), outcome) for run, outcome in self.pairs if run.engine != "tune"
        ]
        text = " ".join(sentences(costs_of([*self.pairs, *again])))
        assert "on Ray Tune (one seed)" in text
        assert "on the ray engine (median of 2 seeds)" in text
        assert "(PBT tax, start-up counted in; one seed)." in " ".join(sentences(self.costs))

    def test_a_fork_that_takes_less_than_a_copy_says_why_it_can(self):
        """Here copying a gigabyte takes 100 s, and a fork of 16 MB 0.1 s."""

        def said(**made):
            pairs = list(several_sizes(("tune", "inprocess"), (1,), **made))
            return " ".join(sentences(costs_of(pairs, 100.0)))

        assert (
            "100 ms in process at k=1 (one seed, less than a copy: so small a state stays in the"
            in said()
        )
        assert (
            "100 ms in process at k=1 (one seed, less than a copy: members of one process share"
            in said(sizes=(1, 100))
        )
        assert (
            "100 ms on Ray Tune at k=1 (one seed, less than a copy took when the study began)"
            in said()
        )
        assert "×" not in said().partition(".")[0]
        moved = [
            (run, with_row(outcome, timed("transfer", 1, 1, worker=-1, size=1)))
            for run, outcome in several_sizes(("tune", "inprocess"), (1,))
        ]
        costs = costs_of(moved, 100.0)
        assert "the rest of it goes on behind the training" in " ".join(sentences(costs))

    @pytest.mark.parametrize("unknown", [math.nan, None, "fast", 0, -1.0, math.inf])
    def test_without_a_known_memcpy_nothing_is_held_against_it(self, unknown):
        costs = costs_of(self.pairs, unknown)
        text = " ".join(sentences(costs))
        assert "With a state of 16 MB a fork and all saves made for it" in text
        assert "–" not in text
        assert "copy" not in text
        assert headline_table(costs).body[0][4] == "–"

    def test_a_search_that_never_forked_has_no_sentence_of_a_fork(self):
        pairs = [
            (run, training(None)) if run.interval else (run, outcome) for run, outcome in self.pairs
        ]
        assert "With a state of" not in " ".join(sentences(costs_of(pairs)))

    def test_page_and_tables_are_written(self, tmp_path):
        store = a_folder(tmp_path, *self.pairs)
        store.write_machine({"memcpy_s_per_gb": 0.1})
        page = report.write(store, store.runs()).read_text("utf-8")
        assert "What checkpoints cost" in page
        assert "fork, one memcpy" in page
        assert "What came with the forks" in page
        for name in ("overhead", "stages", "closed_forms"):
            for kind in ("md", "tex", "csv"):
                assert (tmp_path / "report" / "tables" / f"{name}.{kind}").read_text("utf-8")
        drawn = {f.name for f in (tmp_path / "report" / "figures").iterdir()}
        assert {"checkpoint-costs-fork.svg", "checkpoint-costs-tune-stages-by-size.svg"} <= drawn


class TestLeastIntervals:
    """Any problem gets what a study of costs does: the interval that keeps checkpoints within 5%."""

    def said(self, pairs):
        return " ".join(s for f in findings(cells_of(pairs)) for s in f.measured)

    def test_are_told_on_each_engine_with_the_size_of_the_state(self):
        text = self.said(several_sizes(sizes=[1]))
        assert (
            "to stay within 5% of the time, the interval must be at least, in iterations:" in text
        )
        for on in ("in process", "on the ray engine", "on Ray Tune"):
            assert f"2 {on} (pbt k=1, state of 1 MB, one seed)" in text

    def test_need_no_control_and_no_second_interval(self):
        pairs = [(run, o) for run, o in several_sizes(["ray"], [2], [1]) if run.interval]
        assert "2 on the ray engine (pbt k=2, state of 1 MB, one seed)" in self.said(pairs)

    @pytest.mark.parametrize("k", [1, 2, 3, 4])
    def test_are_the_same_by_whatever_interval_was_measured(self, k):
        """A save and a restore at each interval but the last, for two workers' iterations."""
        pairs = [(run, dear(o)) for run, o in several_sizes(["ray"], [k], [1]) if run.interval]
        (cell,) = cells_of(pairs)
        each = (SAVE_S + 100 * RESTORE_S) / 2
        assert least_interval(cell) == closed_forms.least_interval(each, ITERATION_S, 0.05)

    def test_beyond_the_budget_say_so(self):
        pairs = [(run, dear(o)) for run, o in several_sizes(["tune"], [1], [1])]
        assert "more than the budget of 12" in self.said(pairs)

    def test_are_not_told_where_nothing_was_saved(self):
        assert "to stay within" not in self.said(
            (run, training(None)) for run, _ in several_sizes()
        )

    def test_scores_of_a_users_own_problem_stay_in_the_report_where_it_comes_in_several_sizes(self):
        found = cells_of(several_sizes())
        assert outside(found, checkpoint_costs(found, 0.1)) == found
        shipped = [(replace(run, problem="synthetic.state_size"), o) for run, o in several_sizes()]
        found = cells_of(shipped)
        assert outside(found, checkpoint_costs(found, 0.1)) == []


def dear(outcome):
    """With restores that take a hundred times as long."""
    return longer(outcome, "restore", 100)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "–"), (250, "250 bytes"), (1000, "1 kB"), (999_600, "1 MB"), (63_999_988, "64 MB"), (2.5e9, "2.5 GB")],
)  # fmt: skip
def test_sizes_as_people_read_them(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.031, "+3.1%"), (-0.5, "−50%"), (0.0, "+0.0%"), (math.nan, "–"), (29, "+2,900%")]
)  # fmt: skip
def test_signed_shares(share, text):
    assert signed(share) == text
