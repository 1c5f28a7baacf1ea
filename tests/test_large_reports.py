"""Reports of much, and of odd things: no figure ends a study, and what isn't drawn is told."""

import math
from dataclasses import replace
from itertools import pairwise

import altair as alt
import pandas as pd
import pytest
from fabricated import NAN, a_run, an_outcome, fork, score, started, timed
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import engines, filename, report
from pbtbench.measures.lineage import Segment, living, segments
from pbtbench.report import figures, intervals, lineages, palette, paths
from pbtbench.report.failures import failures
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.store import Store
from pbtbench.study import Study

MEGABYTES = 3
"""Of a page, of which the scripts take one."""


def stored(folder, pairs):
    (folder / "study.toml").write_text("name = 'large'\n", "utf-8")
    store = Store(folder)
    for run, outcome in pairs:
        store.write(run, outcome)
    return store


@pytest.fixture(scope="module")
def thousands():
    """A run of 3000 members, of which PBT forks thousands at each iteration."""
    wanted = {
        "problems": ["toy.plain"],
        "methods": ["pbt"],
        "population": 3000,
        "iterations": 20,
        "seeds": 1,
    }
    (run,) = Study.load(None, wanted).runs
    return run, engines.execute(run)


class TestThousandsOfMembers:
    def test_make_a_page_of_a_usual_size(self, thousands, tmp_path):
        store = stored(tmp_path, [thousands])
        page = report.write(store, store.runs())
        text = page.read_text("utf-8")
        assert len(text) < MEGABYTES * 1e6
        assert "not drawn" not in text
        assert "of 3,000 members is drawn" in text
        assert "Of what died out, the 400 longest of" in text

    def test_leave_the_winners_lineage_whole(self, thousands):
        run, outcome = thousands
        tree = segments(run.card.objective, outcome.trace)
        drawn = lineages._lines(tree, [s.member for s in tree]).frame
        assert len(drawn) <= lineages.DEAD + lineages.LIVING + run.iterations * 3
        winner = drawn[(drawn["fate"] == "the best member's") & (drawn["x2"] > drawn["x"])]
        ends = sorted(zip(winner["x"], winner["x2"], strict=True))
        assert ends[0][0] == 0
        assert ends[-1][1] == run.iterations
        assert all(end == start for (_, end), (start, _) in pairwise(ends))

    def test_that_are_few_are_all_drawn(self):
        outcome = an_outcome(
            started(0, rate=1), started(1, rate=2),
            fork(2, 1, 0, 1, old=2, new=3), score(3, 0, 2, 0.5), score(3, 1, 2, 0.6),
        )  # fmt: skip
        tree = segments(a_run().card.objective, outcome.trace)
        assert lineages._lines(tree, [s.member for s in tree]).left_out == ""


@given(st.data())
def test_what_lives_on_in_some_members_is_part_of_what_lives_on_in_all(data):
    members = data.draw(st.integers(1, 5))
    tree = [Segment(m, 0, 1, {}) for m in range(members)]
    for i in range(data.draw(st.integers(0, 8))):
        member, donor = (data.draw(st.integers(0, members - 1)) for _ in range(2))
        parent = max(j for j, s in enumerate(tree) if s.member == donor)
        tree.append(Segment(member, i + 1, i + 2, {}, parent, i + 1))
    chosen = data.draw(st.sets(st.integers(0, members - 1)))
    some, rest = living(tree, chosen), living(tree, set(range(members)) - chosen)
    assert living(tree, range(members)) == [max(a, b) for a, b in zip(some, rest, strict=True)]
    assert all(until == -1 for until in living(tree, []))


def of_hyperparameters(names):
    """A card whose dynamic hyperparameters have these names."""
    return replace(
        a_run().card, dynamic=tuple(names), hyperparameters=dict.fromkeys(names, "Uniform(…)")
    )


def swept(intervals, seeds, **fields):
    for k in range(1, intervals + 1):
        for seed in range(seeds):
            run = a_run(method="pbt", interval=k, seed=seed, **fields)
            rows = [
                timed("train", 0, 1),
                score(1, 0, 1, 0.1 + 0.001 * seed),
                score(2, 0, 2, 0.2 + 0.01 * k),
            ]
            yield run, an_outcome(*rows)


class TestManyOfAKind:
    """Where Altair's own limit of 5,000 rows would be passed."""

    def test_seeds(self):
        cells = cells_of(list(swept(2, 2600)))
        drawn = list(intervals.by_interval(cells, palette.series(cells)))
        assert drawn
        assert all("not drawn" not in f.svg for f in drawn)
        assert "Drawn are 2,000 of 5,200 points, chosen at random." in drawn[0].caption

    def test_intervals(self):
        cells = cells_of(list(swept(100, 1)))
        shown = [*figures.progress(cells, palette.series(cells)), figures.worker_seconds(cells)]
        assert all("not drawn" not in f.svg for f in shown)
        assert "Drawn are the first 60 of 100 rows of the table." in shown[-1].caption

    def test_places(self):
        card = replace(a_run().card, plane=("x", "y"))
        rows = [
            score(i, member, i, 0.5)._replace(detail={"x": float(i), "y": float(member)})
            for i in range(1, 4000)
            for member in (0, 1)
        ]
        cells = cells_of([(a_run(card=card), an_outcome(*rows))])
        (drawn,) = paths.paths(cells, palette.series(cells))
        assert "Drawn are 1,500 of 7,998, chosen at random." in drawn.caption
        (values,) = drawn.spec["datasets"].values()
        assert {row["member"] for row in values} == {0, 1}

    def test_hyperparameters(self):
        names = [f"h{i}" for i in range(20)]
        card = of_hyperparameters(names)
        old, new = dict.fromkeys(names, 1.0), dict.fromkeys(names, 2.0)
        forked = fork(2, 1, 0, 1, 1, 2)._replace(detail={"donor": 0, "old": old, "new": new})
        rows = [
            started(0, **old),
            started(1, **old),
            forked,
            score(3, 0, 2, 0.5),
            score(3, 1, 2, 0.6),
        ]
        (cell,) = cells_of([(a_run(method="pbt", interval=1, card=card), an_outcome(*rows))])
        drawn = list(lineages.lineages(cell.completed[0], "stem"))
        assert len(drawn) == 1 + lineages.SCHEDULES
        assert "Drawn are the first 12 of 20 hyperparameters that changed." in drawn[1].caption


class TestNames:
    @given(st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=2, unique=True))
    def test_of_files_are_short_plain_and_stay_different(self, names):
        one, other = map(filename.part, names)
        assert one != other
        assert len(one.encode()) < 120
        assert not set(one) - set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
        )

    ODD = (
        *("model.lr", "optimizer/lr", "drop out", "layer[0].rate", "it's", 'say "x"', "η_0", "a:b"),
        *("a b", "<b>&amp;", "100%", "\\\\alpha", "x" * 400),
    )

    def test_of_hyperparameters_may_be_of_any_kind(self, tmp_path):
        card = of_hyperparameters(self.ODD)
        old, new = dict.fromkeys(self.ODD, 1.0), dict.fromkeys(self.ODD, 2.0)
        forked = fork(2, 1, 0, 1, 1, 2)._replace(detail={"donor": 0, "old": old, "new": new})
        rows = [
            started(0, **old),
            started(1, **old),
            forked,
            score(3, 0, 2, 0.5),
            score(3, 1, 2, 0.6),
        ]
        store = stored(tmp_path, [(a_run(method="pbt", interval=1, card=card), an_outcome(*rows))])
        text = report.write(store, store.runs()).read_text("utf-8")
        assert "not drawn" not in text
        drawn = list((tmp_path / "report" / "figures").glob("*.svg"))
        assert len(drawn) == text.count("<figure>")


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, NAN, 1e308, -1e308, 0.0, 5e-324], ids=str
)  # fmt: skip
@pytest.mark.parametrize("goal", ["max", "min"])
def test_any_score_makes_a_report(tmp_path, value, goal):
    rows = [
        started(0, rate=value), started(1, rate=10**400), timed("train", 0, 1),
        score(1, 0, 1, value), score(1, 1, 1, 0.5), fork(2, 1, 0, 1, 10**400, value),
        score(3, 0, 2, value), score(3, 1, 2, value),
    ]  # fmt: skip
    pairs = [
        (a_run(method=m, interval=k, goal=goal, targets=(0.5,), optimum=0.0), an_outcome(*rows))
        for m, k in (("pbt", 1), ("pbt", 2), ("random", None))
    ]
    store = stored(tmp_path, pairs)
    assert "not drawn" not in report.write(store, pairs).read_text("utf-8")


def test_a_chart_that_cannot_be_drawn_says_so():
    class Broken(alt.Chart):
        def to_json(self, *args, **options):
            raise RuntimeError("no such mark")

    drawn = figures.figure("x", "title", "caption", Broken(pd.DataFrame({"x": [1]})).mark_point())
    assert "not drawn: RuntimeError: no such mark" in drawn.svg


def test_runs_that_failed_for_one_reason_are_one_line():
    crash = an_outcome(cause="crash", message="RuntimeError: no luck")
    other = an_outcome(cause="crash", message="RuntimeError: else")
    pairs = [(a_run(seed=seed), crash) for seed in range(5)] + [(a_run(seed=5), other)]
    many, one = failures(pairs)
    assert (many.which, many.told) == (
        "toy.hand/random/inprocess/s0 and 4 more",
        "crash (5 runs): RuntimeError: no luck",
    )
    assert (one.which, one.told) == ("toy.hand/random/inprocess/s5", "crash: RuntimeError: else")
