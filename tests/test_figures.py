"""Figures draw what measures say: their rows are held against these, and their marks against the rows."""

import math
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from fabricated import NAN, a_run, an_outcome, fork, score, started, timed
from hypothesis import given
from hypothesis import strategies as st
from reported import a_study, a_study_of_costs, measured, pbt_outcome

from pbtbench.measures.checkpoints import BLOCKING
from pbtbench.measures.lineage import segments
from pbtbench.measures.occupation import occupation
from pbtbench.measures.paths import path
from pbtbench.record import TIMED
from pbtbench.report import (
    cost_figures,
    data,
    figures,
    intervals,
    lineages,
    palette,
    paths,
    plots,
    progress,
    spending,
    timeline,
)
from pbtbench.report.checkpoint_costs import checkpoint_costs, headline_table
from pbtbench.statistics import checkpoint_costs as costs_of
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.statistics.curves import band
from pbtbench.statistics.locations import locations


def marks(svg, kind):
    """How many marks of a kind a figure has, those of axes and legends not counted."""
    groups = re.findall(rf'<g class="mark-{kind} role-mark[^>]*>(.*?)</g>', svg)
    return sum(len(re.findall(r"<(?:path|line)\b", group)) for group in groups)


def close(shown, value):
    return shown is None if value is None or math.isnan(value) else math.isclose(
        shown, value, rel_tol=1e-4
    )  # fmt: skip


CELLS = cells_of(measured(a_study()))
ROWS = data.of_problem(CELLS)
COLOURS = palette.series(CELLS)


class TestRows:
    def test_of_cells_are_the_cells_medians(self):
        assert len(ROWS["cells"]) == len(CELLS)
        for row, cell in zip(ROWS["cells"], CELLS, strict=True):
            assert (row["label"], row["engine"]) == (cell.label, cell.engine)
            assert close(row["final"], cell.final.median)
            assert close(row["overhead"], cell.checkpoint_overhead)
            (target,) = cell.targets
            assert close(row["seconds"], target.ert_s if target.ert_s < math.inf else NAN)

    def test_of_cells_have_intervals_of_what_they_show(self):
        for row, cell in zip(ROWS["cells"], CELLS, strict=True):
            if cell.interval is None:
                assert "final_low" not in row
                continue
            found = locations(cell, 0.7)
            assert close(row["final"], found["final"].value)
            assert close(row["seconds"], found["seconds"].value)
            assert close(row["overhead"], found["overhead"].value)
            for key, estimate in found.items():
                assert close(row[f"{key}_low"], estimate.low)
                assert close(row[f"{key}_high"], estimate.high)

    def test_an_interval_that_leaves_the_figure_is_cut(self):
        (final, *_) = intervals.by_interval(CELLS, ROWS, COLOURS)
        low, high = final.spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
        whole = [row["final_low"] for row in ROWS["cells"] if "final_low" in row]
        assert min(whole) < low < 0.5 < 0.9 < high
        assert "not drawn" not in final.svg

    def test_of_worker_seconds_are_all_of_the_cells_shares(self):
        for row, cell in zip(ROWS["cells"], CELLS, strict=True):
            shares = dict(zip(row["kind"], row["share"], strict=True))
            for kind in (*TIMED, "unaccounted"):
                assert math.isclose(shares.get(kind, 0), cell.shares[kind], abs_tol=1e-4)

    def test_of_runs_are_each_runs_measures(self):
        swept = [c for c in CELLS if c.interval is not None]
        assert len(ROWS["runs"]) == len(swept)
        for row, cell in zip(ROWS["runs"], swept, strict=True):
            assert row["seed"] == [m.run.seed for m in cell.measures]
            for i, m in enumerate(cell.measures):
                assert close(row["final"][i], m.quality.final_score)
                assert close(row["seconds"][i], m.attempts[0].seconds)
                assert close(row["overhead"][i], m.overhead.checkpoint_overhead)

    def test_of_a_failed_run_have_its_time_to_a_target_alone(self):
        crash = replace(pbt_outcome(), cause="crash", message="no luck")
        run = a_run(method="pbt", interval=1, targets=(0.5,))
        (row,) = data.of_problem(cells_of(measured([(run, crash)])))["runs"]
        assert (row["final"], row["overhead"]) == ([None], [None])
        assert row["seconds"] == [1]

    @pytest.mark.parametrize("axis", data.AXES)
    def test_of_curves_say_the_same_as_the_whole_grid_with_fewer_points(self, axis):
        for row in (row for row in ROWS["curves"] if row["axis"] == axis):
            (cell,) = [c for c in CELLS if (c.label, c.engine) == (row["label"], row["engine"])]
            whole = band(cell, axis, data.POINTS)
            assert row["n"] == whole.n
            assert len(row["x"]) < len(whole.x)
            places = np.searchsorted(row["x"], [float(f"{x:.4g}") for x in whole.x], "right") - 1
            for name in ("median", "low", "high"):
                assert np.allclose(np.array(row[name])[places], getattr(whole, name), rtol=1e-4)

    def test_have_few_digits_and_no_number_that_is_none(self):
        values = [NAN, math.inf, None, 0.123456789, 3.0, 12345678.0]
        assert data.numbers(values) == [None, None, None, 0.12346, 3, 12346000]

    def test_lose_control_characters(self):
        run = a_run(method="a\x07b\x1b", interval=1)
        rows = data.of_problem(cells_of(measured([(run, pbt_outcome())])))
        assert rows["cells"][0]["method"] == "a b "


class TestMarks:
    def test_of_worker_seconds_are_a_bar_for_each_share(self):
        drawn = spending.worker_seconds(CELLS, ROWS)
        assert marks(drawn.svg, "rect") == sum(len(row["kind"]) for row in ROWS["cells"]) > 10

    def test_of_the_interval_are_points_for_runs_and_rules_for_rivals(self):
        drawn = {f.name: f for f in intervals.by_interval(CELLS, ROWS, COLOURS)}
        final = drawn["toy.hand-interval-final"]
        known = [v for row in ROWS["runs"] for v in row["final"] if v is not None]
        assert marks(final.svg, "symbol") == len(known) == 8
        bars = sum(row.get("final_low") is not None for row in ROWS["cells"])
        assert bars == 4
        assert marks(final.svg, "rule") == 1 + bars
        assert marks(final.svg, "line") == 2
        overhead = drawn["toy.hand-interval-overhead"]
        assert marks(overhead.svg, "rule") == bars

    def test_of_progress_are_a_line_and_a_band_for_each_method_of_an_engine(self):
        drawn = list(progress.progress(CELLS, ROWS, COLOURS))
        assert [f.name for f in drawn] == [
            *("toy.hand-inprocess-seconds", "toy.hand-inprocess-member-iterations"),
            *("toy.hand-tune-seconds", "toy.hand-tune-member-iterations"),
        ]
        lines = [(marks(f.svg, "line"), marks(f.svg, "area")) for f in drawn]
        assert lines == [(3, 3), (3, 3), (2, 2), (2, 2)]
        small = progress.thumbnail(ROWS, COLOURS)
        assert marks(small, "line") == 3
        assert "<text" not in small

    def test_name_the_rows_that_they_use_and_hold_none(self):
        drawn = [*progress.progress(CELLS, ROWS, COLOURS), spending.worker_seconds(CELLS, ROWS)]
        drawn += intervals.by_interval(CELLS, ROWS, COLOURS)
        assert {f.uses for f in drawn} == {("curves",), ("cells",), ("cells", "runs")}
        assert not any("values" in layer for f in drawn for layer in [f.spec.get("data", {})])


class TestFamilies:
    run = a_run(method="pbt", interval=1)

    def test_of_few_are_all_drawn(self):
        found = lineages.family(self.run, pbt_outcome().record)
        assert found.left_out == ""
        lines = {
            fate: list(
                zip(*(getattr(mine, n).tolist() for n in ("x", "x2", "of", "to")), strict=True)
            )
            for fate, mine in found.drawn.items()
        }
        assert lines == {
            "died out": [(0, 1, 1, 1)],
            "lives on": [(1, 3, 0, 0)],
            "the best member's": [(0, 1, 0, 0), (1, 3, 2, 2), (1, 1, 0, 2)],
        }
        assert found.heights["rate"].tolist() == [0.1, 0.4, 0.08]
        tree, rate = lineages.lineages(found)
        assert [p.d.count("M") for p in tree.paths] == [1, 1, 3]
        assert (tree.title, rate.title) == ("Family tree", "rate")
        assert tree.paths[0].d == "M0 250H333"

    def test_tell_the_schedule_of_the_best_members_lineage(self):
        found = lineages.family(self.run, pbt_outcome().record)
        told = [(s.start, s.end, s.member, dict(s.values)) for s in found.schedule]
        assert told == [(0, 1, 0, {"rate": "0.1"}), (1, 3, 1, {"rate": "0.08"})]

    def test_without_forks_are_none(self):
        outcome = an_outcome(started(0, rate=1), score(1, 0, 1, 0.5))
        assert lineages.family(self.run, outcome.record) is None

    def test_leave_what_never_changed_and_what_is_no_number_undrawn(self):
        names = {"kept": (1, 1), "word": ("a", "b"), "rate": (1.0, 2.0), "gone": (1.0, None)}
        old, new = ({name: pair[i] for name, pair in names.items()} for i in (0, 1))
        rows = [started(0, **old), started(1, **old), fork(2, 1, 0, 1, old, new)]
        card = replace(self.run.card, dynamic=tuple(names))
        found = lineages.family(replace(self.run, card=card), an_outcome(*rows).record)
        assert list(found.heights) == ["rate"]

    def test_of_thousands_are_drawn_as_what_can_be_seen(self):
        tree = large_family(3000, 20)
        drawn, left_out = lineages.lines(tree)
        assert len(drawn["died out"]) == lineages.DEAD
        assert 0 < len(drawn["lives on"]) <= lineages.LIVING
        assert "of 3,000 members is drawn" in left_out
        assert f"Of what died out, the {lineages.DEAD} longest of" in left_out
        winner = drawn["the best member's"]
        stretches = winner.x2 > winner.x
        ends = sorted(zip(winner.x[stretches], winner.x2[stretches], strict=True))
        assert (ends[0][0], ends[-1][1]) == (0, 20)
        assert all(end == start for (_, end), (start, _) in pairwise(ends))

    def test_shown_in_part_show_nothing_that_is_not_there(self):
        tree = large_family(3000, 20)
        drawn, _ = lineages.lines(tree)
        for fate, mine in drawn.items():
            stretch = mine.of == mine.to
            segment = mine.of[stretch]
            assert (mine.x[stretch] >= tree.start[segment]).all()
            assert (mine.x2[stretch] <= tree.end[segment]).all()
            lives = mine.x2[stretch] <= tree.survives_until[segment]
            assert lives.all() if fate != "died out" else not lives.any()
            assert (tree.parent[mine.to[~stretch]] == mine.of[~stretch]).all()

    def test_of_one_hundred_thousand_are_as_few_lines(self):
        drawn, _ = lineages.lines(large_family(100_000, 10))
        assert sum(map(len, drawn.values())) <= lineages.DEAD + lineages.LIVING + lineages.WINNING


def large_family(members, rounds):
    """Of members of whom a fifth fork from a better fifth after each iteration."""
    rng = np.random.default_rng(0)
    recorder_rows = []
    names = np.arange(members)
    values = rng.random(members)

    def start(recorder):
        recorder.started({"rate": values})

    recorder_rows.append(start)
    for i in range(1, rounds + 1):
        chosen = rng.permutation(members)
        bad, good = chosen[: members // 5], chosen[-(members // 5) :]
        recorder_rows.append(scored_at(i, names, rng.random(members)))
        if i < rounds:
            recorder_rows.append(forked_at(i, bad, good))
    return segments(a_run().card.objective, an_outcome(*recorder_rows).record)


def scored_at(i, members, values):
    return lambda recorder: recorder.scored(members, i, {"accuracy": values}, t_s=float(i))


def forked_at(i, members, donors):
    new = {"rate": np.random.default_rng(i).random(len(members))}
    more = {"old": new, "new": new, "t_s": i + 0.5, "copied_iteration": i}
    return lambda recorder: recorder.forked(members, donors, i, **more)


def swept(count, seeds, **fields):
    for k in range(1, count + 1):
        for seed in range(seeds):
            run = a_run(method="pbt", interval=k, seed=seed, **fields)
            rows = [
                timed("train", 0, 1),
                score(1, 0, 1, 0.1 + 0.001 * seed),
                score(2, 0, 2, 0.2 + 0.01 * k),
            ]
            yield run, an_outcome(*rows)


class TestManyOfAKind:
    def test_seeds_are_a_sample(self):
        cells = cells_of(measured(swept(2, 1100)))
        rows = data.of_problem(cells)
        drawn = list(intervals.by_interval(cells, rows, palette.series(cells)))
        assert "Drawn are 2,000 of 2,200 runs, chosen at random." in drawn[0].caption
        assert marks(drawn[0].svg, "symbol") == sum(len(r["seed"]) for r in rows["runs"]) == 2000

    def test_intervals_are_the_first(self):
        cells = cells_of(measured(swept(70, 1)))
        rows = data.of_problem(cells)
        drawn = [*progress.progress(cells, rows, palette.series(cells))]
        drawn.append(spending.worker_seconds(cells, rows))
        assert all("not drawn" not in f.svg for f in drawn)
        assert "Drawn are the first 60 of 70 rows of the table." in drawn[-1].caption

    def test_places_are_a_sample_of_each_method(self):
        card = replace(a_run().card, plane=("x", "y"))
        rows = [
            score(i, member, i, 0.5, x=float(i), y=float(member))
            for i in range(1, 1000)
            for member in (0, 1)
        ]
        outcome = an_outcome(*rows)
        cells = cells_of(
            measured([(a_run(card=card), outcome), (a_run(method="grid", card=card), outcome)])
        )
        found = [(c, path(c.run, outcome.record)) for c in cells]
        places = {"places": paths.places(found)}
        (drawn,) = paths.paths("toy.hand", ("x", "y"), places, palette.series(cells))
        assert "Drawn are 1,500 of 3,996, chosen at random." in drawn.caption
        assert marks(drawn.svg, "symbol") == paths.POINTS
        for row in places["places"]:
            assert set(row["member"]) == {0, 1}
            assert row["x"] == row["iteration"]
            assert row["y"] == row["member"]

    def test_hyperparameters_are_the_first(self):
        names = [f"h{i}" for i in range(20)]
        card = replace(
            a_run().card,
            dynamic=tuple(names),
            hyperparameters=dict.fromkeys(names, "Uniform(…)"),
        )
        old, new = dict.fromkeys(names, 1.0), dict.fromkeys(names, 2.0)
        rows = [started(0, **old), started(1, **old), fork(2, 1, 0, 1, old, new)]
        run = a_run(method="pbt", interval=1, card=card)
        found = lineages.family(run, an_outcome(*rows, score(3, 1, 2, 0.5)).record)
        drawn = list(lineages.lineages(found))
        assert len(drawn) == 1 + lineages.SCHEDULES
        assert "Drawn are the first 12 of 20 hyperparameters that changed." in drawn[1].caption


@pytest.fixture(scope="module")
def costs():
    return costs_of.checkpoint_costs(cells_of(measured(a_study_of_costs())), 1e-3)


class TestCheckpointCosts:
    def test_are_the_rows_of_the_figures(self, costs):
        rows = cost_figures.rows(costs)
        assert len(rows) == len(costs) == 8
        for row, c in zip(rows, costs, strict=True):
            assert close(row["fork"], c.fork_s)
            assert close(row["copy"], c.limit_s)
            assert close(row["measured"], c.measured)
            assert close(row["predicted"], c.predicted)
            assert row["stage"] == list(BLOCKING)
            assert math.isclose(sum(row["of_fork"]), c.fork_s, rel_tol=1e-4)
            assert math.isclose(sum(row["of_work"]), c.cell.checkpoint_overhead, rel_tol=1e-4)

    def test_are_drawn_a_mark_for_each(self, costs):
        shown = checkpoint_costs(costs)
        drawn = {f.name: f for f in shown.figures}
        assert marks(drawn["checkpoint-costs-fork"].svg, "symbol") == 8
        by_interval = drawn["checkpoint-costs-tune-stages-by-interval"]
        assert marks(by_interval.svg, "rect") == 2 * 2
        by_size = drawn["checkpoint-costs-inprocess-stages-by-size"]
        assert marks(by_size.svg, "rect") == 2 * 2
        closed = next(f for name, f in drawn.items() if "2kB-" in name)
        assert marks(closed.svg, "symbol") == 4
        assert not any("not drawn" in f.svg for f in shown.figures)

    def test_say_the_interval_of_each_fork(self, costs):
        (first, _) = headline_table(costs).body
        assert first[:3] == ["1 kB", "1.9 s (k=2)", "1.2 s (k=1)"]
        said = " ".join(checkpoint_costs(costs).sentences)
        assert "1.9 s on Ray Tune at k=2" in said
        assert "1.2 s in process at k=1" in said


def test_what_cannot_be_drawn_says_so():
    drawn = figures.figure("x", "title", "caption", {"mark": "no such mark"}, {})
    assert "not drawn: " in drawn.svg
    assert drawn.uses == ()


def test_text_for_figures_has_no_control_characters():
    spec = {
        "data": {"name": "d"},
        "mark": "point",
        "encoding": {"x": {"field": "a", "title": "\x00\x1b\ud800"}},
    }
    drawn = figures.figure("n\x00", "t\x1b", "c\x07", spec, {"d": [{"a": 1}]})
    assert "not drawn" not in drawn.svg
    assert (drawn.title, drawn.caption) == ("t ", "c ")
    assert drawn.size[0] > 100


def test_colours_are_one_for_each_method_all_over_a_report():
    labels = [row["label"] for row in ROWS["cells"]]
    scale = figures.of_methods(labels, COLOURS)["scale"]
    assert Counter(scale["domain"]) == Counter(set(labels))
    assert len(set(scale["range"])) == len(scale["domain"])


class TestOccupation:
    @given(st.data())
    def test_adds_up_to_what_each_kind_took_of_the_run(self, data):
        rows, end = [], 0.0
        for _ in range(data.draw(st.integers(1, 20))):
            wait, took = data.draw(st.tuples(st.floats(0, 2), st.floats(0, 2)))
            kind = data.draw(st.sampled_from(["train", "save", "wait"]))
            rows.append((kind, end + wait, took))
            end += wait + took
        record = an_outcome(*(timed(kind, t, took) for kind, t, took in rows)).record
        wall_s, bins = end + 1.0, data.draw(st.integers(1, 30))
        kinds = ["train", "save", "wait"]
        spent = occupation(record.timeline, wall_s, [0], kinds, bins)
        assert spent.shape == (1, 3, bins)
        for j, kind in enumerate(kinds):
            took = math.fsum(took for of, _, took in rows if of == kind)
            assert math.isclose(spent[0, j].sum(), took, abs_tol=1e-9)
        assert (spent.sum(axis=1) <= wall_s / bins + 1e-9).all()

    def test_is_where_the_rows_are(self):
        rows = [timed("train", 0, 1.5), timed("save", 2, 1), timed("train", 0, 4, worker=1)]
        record = an_outcome(*rows).record
        spent = occupation(record.timeline, 4.0, [0, 1], ["train", "save"], 4)
        assert spent.tolist() == [
            [[1, 0.5, 0, 0], [0, 0, 1, 0]],
            [[1, 1, 1, 1], [0, 0, 0, 0]],
        ]

    def test_draws_few_rows_as_they_were_and_many_in_slices(self):
        few = an_outcome(timed("train", 0, 2), timed("save", 2, 3), wall_s=10)
        (plot,) = drawn_timelines(few)
        assert [path.d for path in plot.paths] == ["M0 90H200V910H0Z", "M200 90H500V910H200Z"]
        assert [mark.text for mark in plot.key] == ["train 20%", "save 30%"]
        rows = [timed("train", i * 0.01, 0.005, worker=i % 2) for i in range(timeline.EXACT + 10)]
        (plot,) = drawn_timelines(an_outcome(*rows, wall_s=20, workers=2))
        assert plot.paths[0].d.count("M") <= timeline.BOXES
        assert "slices" in plot.caption


def drawn_timelines(outcome):
    (m,) = measured([(a_run(), outcome)])
    yield timeline.timeline(m, outcome.record)


@pytest.mark.parametrize(
    ("low", "high", "log", "texts"),
    [
        (0, 10, False, ["0", "2", "4", "6", "8", "10"]),
        (0.0012, 3, True, ["0.01", "0.1", "1"]),
        (0.2, 0.4, True, ["0.2", "0.25", "0.3", "0.35", "0.4"]),
        (-1e300, 1e300, False, None),
    ],
)
def test_axes_have_a_few_round_numbers_in_order(low, high, log, texts):
    ticks = plots.Axis(low, high, log=log).ticks()
    assert texts is None or [tick.text for tick in ticks] == texts
    places = [tick.at for tick in ticks]
    assert 1 <= len(places) <= 12
    assert places == sorted(places)
    assert places[0] >= 0
    assert places[-1] <= 100
