"""The matrix, the table of all results and the summary say what measures and statistics say."""

from fabricated import NAN, a_run, an_outcome, score, timed
from reported import a_study, measured

from pbtbench.report.cell_table import cell_table
from pbtbench.report.matrix import matrix
from pbtbench.statistics.baselines import comparisons
from pbtbench.statistics.cells import cells
from pbtbench.statistics.order import best_run, leaders, places


def runs(scores, *, goal="max", problem="toy.hand", seeds=1, engine="inprocess", targets=()):
    """`scores`: (method, interval) -> final score, to which seeds add a little."""
    sign = 1 if goal == "max" else -1
    for (method, interval), value in scores.items():
        for seed in range(seeds):
            run = a_run(problem, method, interval, engine, seed, goal=goal, targets=targets)
            final = value + sign * 0.001 * seed
            yield run, an_outcome(timed("train", 0, 1), score(1, 0, 1, final))


SCORES = {("pbt", 1): 0.9, ("pbt", 5): 0.7, ("random", None): 0.7, ("grid", None): 0.1}


def placed(scores, **more):
    of = cells(measured(runs(scores, **more)))
    return {c.label: (p.rank, p.tied) for c, p in zip(of, places(of), strict=True)}


def test_places_are_by_the_goal_and_ties_share_theirs():
    assert placed(SCORES) == {
        "pbt k=1": (1, False), "pbt k=5": (2, True), "random": (2, True), "grid": (4, False),
    }  # fmt: skip
    assert placed(SCORES, goal="min") == {
        "grid": (1, False), "pbt k=5": (2, True), "random": (2, True), "pbt k=1": (4, False),
    }  # fmt: skip
    assert placed({("pbt", 1): NAN, ("random", None): 0.5})["pbt k=1"] == (None, False)


def test_leaders_are_counted_over_problems_with_rivals():
    pairs = [
        *runs(SCORES, problem="a"),
        *runs({("pbt", 1): 0.5, ("random", None): 0.5}, problem="b"),
        *runs({("pbt", 1): 0.5}, problem="alone"),
    ]
    assert leaders(cells(measured(pairs))) == [("pbt k=1", 2, 1), ("random", 1, 0)]


def test_the_best_run_is_by_the_goal_among_those_that_completed():
    for goal, seed in (("max", 2), ("min", 2)):
        pairs = [*runs({("pbt", 1): 0.5}, seeds=3, goal=goal)]
        pairs.append((a_run(method="pbt", interval=1, seed=9), an_outcome(cause="crash")))
        (cell,) = cells(measured(pairs))
        assert best_run(cell).run.seed == seed
    (cell,) = cells(measured([(a_run(), an_outcome(cause="crash", message="x"))]))
    assert best_run(cell) is None


class TestMatrix:
    def test_has_each_cells_median_rank_and_verdict(self):
        of = cells(measured(runs(SCORES, seeds=8)))
        compared = comparisons(of)
        found = matrix(of, compared)
        assert found.labels == ["random", "grid", "pbt k=1", "pbt k=5"]
        (line,) = found.lines
        assert {label: (e.score, e.rank, e.leads) for label, e in line.entries.items()} == {
            "pbt k=1": ("0.9035", "1", True), "pbt k=5": ("0.7035", "=2", False),
            "random": ("0.7035", "=2", False), "grid": ("0.1035", "4", False),
        }  # fmt: skip
        assert [line.entries[label].sign for label in found.labels] == ["", "", "▲", ""]
        verdicts = {c.baseline.label: c.verdict for c in compared if c.one.label == "pbt k=5"}
        assert verdicts == {"random": "tie", "grid": "win"}
        assert line.entries["pbt k=5"].verdict == "unclear"
        assert "ties with random" in line.entries["pbt k=5"].words

    def test_a_loss_to_any_baseline_is_a_loss(self):
        of = cells(measured(runs({**SCORES, ("grid", None): 0.95}, seeds=8)))
        (line,) = matrix(of, comparisons(of)).lines
        assert (line.entries["pbt k=1"].verdict, line.entries["pbt k=1"].sign) == ("loss", "▼")

    def test_few_seeds_leave_it_open(self):
        of = cells(measured(runs(SCORES, seeds=3)))
        (line,) = matrix(of, comparisons(of)).lines
        assert {e.sign for e in line.entries.values()} == {"", "="} - {"="}
        assert line.seeds == "3"

    def test_has_a_line_for_each_problem_and_engine_and_gaps(self):
        pairs = [
            *runs({("pbt", 1): 0.5, ("random", None): 0.4}),
            *runs({("random", None): 0.5}, engine="tune"),
        ]
        found = matrix(cells(measured(pairs)), [])
        assert [(line.engine, len(line.entries)) for line in found.lines] == [
            ("inprocess", 2), ("tune", 1),
        ]  # fmt: skip
        assert found.engines == 2


class TestTable:
    of = cells(measured(a_study()))
    table = cell_table(of, {of[0].measures[0].run.id: "runs/x.html"})

    def test_has_a_line_for_each_cell_and_a_value_for_each_column(self):
        assert len(self.table.lines) == len(self.of) == self.table.count
        assert all(len(line.values) == len(self.table.header) for line in self.table.lines)
        assert [line.run_page for line in self.table.lines] == ["runs/x.html"] + [""] * (
            len(self.of) - 1
        )

    def test_sorts_by_the_numbers_themselves(self):
        names = [name for name, _ in self.table.header]
        for line, cell in zip(self.table.lines, self.of, strict=True):
            value = dict(zip(names, line.values, strict=True))
            assert float(value["validation score"].sorted_by) == cell.score.median
            (target,) = cell.targets
            assert float(value["expected work"].sorted_by) == target.ert_member_iterations
            assert float(value["expected time"].sorted_by) == target.ert_s
            assert value["interval"].sorted_by == (
                "" if cell.interval is None else str(cell.interval)
            )

    def test_offers_the_values_of_columns_that_have_several(self):
        columns = {
            self.table.header[column][0]: values for column, values in self.table.choices.items()
        }
        assert set(columns) == {"method", "interval", "engine"}
        assert columns["engine"] == ["inprocess", "tune"]
