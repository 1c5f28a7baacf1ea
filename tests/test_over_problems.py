"""What is said and drawn over problems: ranks, verdicts, profiles."""

import math
from dataclasses import replace

import numpy as np
import pytest
from raced import race
from test_figures import marks

from pbtbench.report import palette, standings, target_profiles, verdicts
from pbtbench.report.over_problems import over_problems
from pbtbench.statistics.baselines import comparisons
from pbtbench.statistics.cells import cells
from pbtbench.statistics.overall import shared, tallies
from pbtbench.statistics.overall import standings as standings_of
from pbtbench.statistics.profiles import performance_profiles
from pbtbench.statistics.target_profiles import target_profiles as profiles_of
from pbtbench.statistics.time_to_target import Attempts

RNG = np.random.default_rng(0)


def a_study(problems=8, seeds=7, **more):
    """PBT at interval 5 is first everywhere, at interval 1 last."""
    found = []
    for i in range(problems):
        around = 4 + RNG.random((3, seeds))
        found += race(
            f"toy.p{i}",
            pbt_5=(around[0] - 3).tolist(),
            random=around[1].tolist(),
            pbt_1=(around[2] + 3).tolist(),
            **more,
        )
    return cells(found)


STUDY = a_study()
COLOURS = palette.series(STUDY)
(STANDING,) = standings_of(STUDY)


class TestRanks:
    def test_are_drawn_where_they_are(self):
        _, data = standings.critical_difference(STANDING, COLOURS, "ranks")
        of = {row["label"]: row for row in data["ranks"] if row["part"] in ("left", "right")}
        ranks = STANDING.ranks
        assert ranks.methods == ("pbt k=5", "random", "pbt k=1")
        for label, mean in zip(ranks.methods, ranks.means, strict=True):
            assert of[label]["rank"] == pytest.approx(mean)
        (scale,) = [row for row in data["ranks"] if row["part"] == "scale"]
        assert scale["rank2"] - scale["rank"] == pytest.approx(ranks.critical_difference, rel=1e-4)

    def test_labels_of_one_side_are_apart_and_none_is_above_a_bar(self):
        (standing,) = standings_of(a_study(8, 3, grid=[4.5] * 3, tournament_2=[4.6] * 3))
        _, data = standings.critical_difference(standing, COLOURS, "ranks")
        bars = [row["y"] for row in data["ranks"] if row["part"] == "group"]
        for side in ("left", "right"):
            labels = [row["y"] for row in data["ranks"] if row["part"] == side]
            assert len(set(labels)) == len(labels)
            assert min(np.abs(np.diff(sorted(labels))), default=99) >= standings.LINE
            assert min(labels) > max(bars, default=0)

    def test_bars_join_the_groups_that_are_not_told_apart(self):
        drawn, data = standings.critical_difference(STANDING, COLOURS, "ranks")
        ranks = STANDING.ranks
        assert [set(g) for g in ranks.groups] == [{"pbt k=5", "random"}, {"random", "pbt k=1"}]
        place = dict(zip(ranks.methods, ranks.means, strict=True))
        bars = [row for row in data["ranks"] if row["part"] == "group"]
        for bar, group in zip(bars, ranks.groups, strict=True):
            assert bar["rank"] < place[group[0]] <= place[group[-1]] < bar["rank2"]
        # the axis, a stalk and an arm of each method, two bars, the scale
        assert marks(drawn.svg, "rule") == 1 + 2 * 3 + 2 + 1
        assert marks(drawn.svg, "symbol") == 3
        assert "not drawn" not in drawn.svg

    def test_too_few_problems_are_said_to_decide_nothing(self):
        (standing,) = standings_of(a_study(2))
        assert not standing.ranks.decidable
        drawn, data = standings.critical_difference(standing, COLOURS, "ranks")
        assert not [row for row in data["ranks"] if row["part"] == "scale"]
        assert "2 problems can't decide" in drawn.svg
        (said,) = standings.sentences(standing)
        assert "2 problems can't decide between 3 methods" in said

    def test_groups_have_a_letter_each(self):
        table = standings.table(STANDING)
        assert [line[2] for line in table.body] == ["a", "a b", "b"]
        assert [line[5] for line in table.body] == ["56", "56", "56"]
        assert [line[0] for line in table.body] == list(STANDING.ranks.methods)

    def test_methods_that_some_problems_lack_are_named(self):
        extra = cells(race("toy.p0", grid=[4, 5, 6]))
        (standing,) = standings_of([*STUDY, *extra])
        *_, said = standings.sentences(standing)
        assert said.startswith(
            "Left out, for scores that are missing: grid (not of toy.p1, toy.p2, toy.p3"
        )
        assert "and 4 more" in said

    def test_of_one_problem_there_are_none(self):
        one = [c for c in STUDY if c.problem == "toy.p0"]
        assert standings_of(one) == []
        assert over_problems(one, comparisons(one), [], COLOURS) is None


class TestShared:
    def test_is_the_largest_table_without_gaps(self):
        found = shared({"a": ["p", "q", "r"], "b": ["p", "q"], "c": ["r"]})
        assert (found.labels, found.problems) == (("a", "b"), ("p", "q"))
        assert found.missing == {"r": ("b",), "c": ("p", "q")}


class TestVerdicts:
    compared = comparisons(STUDY)

    def test_signs_are_the_verdicts(self):
        table = verdicts.sign_table(self.compared)
        assert table.header == ["problem", "pbt k=5", "pbt k=1"]
        assert [line[1:] for line in table.body] == [["+", "−"]] * 8

    def test_of_several_baselines_each_has_a_column(self):
        study = a_study(1, 3, grid=[4, 5, 6])
        table = verdicts.sign_table(comparisons(study))
        assert table.header[1:3] == ["pbt k=5 : random", "pbt k=5 : grid"]
        assert set(table.body[0][1:]) == {"?"}

    def test_what_is_not_compared_is_left_empty(self):
        without = [
            c for c in self.compared if (c.one.problem, c.one.label) != ("toy.p0", "pbt k=5")
        ]
        table = verdicts.sign_table(without)
        assert table.header == ["problem", "pbt k=1", "pbt k=5"]
        assert table.body[:2] == [["toy.p0", "−", ""], ["toy.p1", "−", "+"]]

    def test_counts_are_those_of_the_signs(self):
        table = verdicts.tally_table(tallies(self.compared))
        assert table.header[2:] == ["problems", "wins", "ties", "losses", "undecided"]
        assert table.body == [
            ["pbt k=5", "random", "8", "8", "0", "0", "0"],
            ["pbt k=1", "random", "8", "0", "0", "8", "0"],
        ]

    def test_a_figure_has_a_field_for_each(self):
        rows = verdicts.rows(self.compared)
        (drawn,) = verdicts.figures(rows, "verdicts")
        assert marks(drawn.svg, "rect") == len(self.compared) == 16
        assert (drawn.svg.count(">+<"), drawn.svg.count(">−<")) == (8, 8)
        assert "losses" in drawn.svg
        assert "undecided" not in drawn.svg


class TestProfiles:
    (times,) = profiles_of(STUDY, "seconds")

    def test_are_of_all_targets_and_of_the_hardest_that_is_reached(self):
        assert self.times.pairs == 16
        assert self.times.paired
        spent = {
            label: [
                Attempts(np.array([a.spent_s for m in c.measures for a in m.attempts[:1]]),
                         np.ones(c.n, bool), np.zeros(c.n, bool))
                for c in STUDY if c.label == label
            ]
            for label in ("pbt k=5", "random", "pbt k=1")
        }  # fmt: skip
        expected = performance_profiles(spent, paired=True)
        for label, found in self.times.performance.items():
            assert found.score == expected[label].score
        assert self.times.performance["pbt k=5"].score.value == 1
        assert all(p.share.max() == 0.5 for p in self.times.runtime.values())

    def test_curves_go_through_the_profiles_points(self):
        rows = target_profiles.rows(self.times)
        profiles = {label: p.profile for label, p in self.times.performance.items()}
        for kind, of in (("runtime", self.times.runtime), ("performance", profiles)):
            for row in rows[kind]:
                profile = of[row["label"]]
                on = np.isclose(profile.at[:, None], row["x"], rtol=1e-3)
                for name in ("share", "low", "high"):
                    on &= np.isclose(getattr(profile, name)[:, None], row[name], rtol=1e-3)
                assert on.any(axis=0).all()
                assert (row["share"][0], row["share"][-1]) == (profile.share[0], profile.share[-1])
                assert len(row["x"]) <= target_profiles.STEPS + 1

    def test_scores_have_their_intervals(self):
        work = profiles_of(STUDY, "member_iterations")
        table = target_profiles.score_table([self.times, *work])
        assert table.header[1:5] == ["wall time", "95% interval", "work", "95% interval"]
        assert table.body[0][:3] == ["pbt k=5", "1", "1 to 1"]

    def test_seconds_of_unlike_machines_stay_apart(self):
        other = cells([replace(m, cluster="other") for c in STUDY for m in c.measures])
        found = profiles_of([*STUDY, *other], "seconds")
        assert [one.cluster for one in found] == ["local-2cpu", "other"]
        split = [c for c in STUDY if c.label == "random"] + [
            c for c in other if c.label != "random"
        ]
        assert [set(one.runtime) for one in profiles_of(split, "seconds")] == [
            {"pbt k=5", "pbt k=1"}
        ]

    def test_where_nothing_is_reached_nobody_is_near_the_best(self):
        never = [
            m for i in range(2) for m in race(f"toy.p{i}", pbt_1=[None, None], random=["2", None])
        ]
        (found,) = profiles_of(cells(never), "seconds")
        assert {p.score.value for p in found.performance.values()} == {0}
        drawn, _ = target_profiles.figures(found, COLOURS, {"runtime": "r", "performance": "p"})
        assert [f.name for f in drawn] == ["p"]

    def test_single_seeds_may_be_anything(self):
        (found,) = profiles_of(a_study(3, 1), "seconds")
        score = found.performance["pbt k=5"].score
        assert (score.value, score.low, score.high) == (1, 0, 1)


class TestAll:
    def test_is_one_value_with_figures_tables_and_their_rows(self):
        found = over_problems(STUDY, comparisons(STUDY), [STANDING], COLOURS)
        assert [f.name for f in found.figures] == [
            *("verdicts-inprocess-against-random", "mean-ranks"),
            *("runtime-seconds", "performance-seconds"),
            *("runtime-member-iterations", "performance-member-iterations"),
        ]
        assert {name for f in found.figures for name in f.uses} == set(found.data)
        assert not any("not drawn" in f.svg for f in found.figures)
        names = ["tallies", "standing", "target_scores"]
        assert [t.name for t in found.tables] == names
        assert set(found.files()) == {
            f"tables/{name}.{kind}"
            for name in [*names, "verdicts"]
            for kind in ("md", "tex", "csv")
        }

    def test_of_very_many_methods_there_are_tables_alone(self):
        many = cells([
            m
            for i in range(2)
            for m in race(f"toy.p{i}", random=[4, 5], **{f"pbt_{k}": [3, 4] for k in range(1, 42)})
        ])  # fmt: skip
        found = over_problems(many, comparisons(many), standings_of(many), COLOURS)
        assert [t.name for t in found.tables] == ["tallies", "standing"]
        assert "Of more than 40 methods ranks are not drawn" in " ".join(found.tables[-1].about)

    def test_names_that_are_no_plain_text_are_drawn_as_what_can_be_shown(self):
        odd = "a\x07<b>"
        study = cells([
            replace(m, run=replace(m.run, method=odd)) if m.run.method == "random" else m
            for c in STUDY for m in c.measures
        ])  # fmt: skip
        found = over_problems(study, comparisons(study), standings_of(study), palette.series(study))
        assert not any("not drawn" in f.svg or "<b>" in f.svg for f in found.figures)
        assert all("series-" in f.svg for f in found.figures[1:])

    def test_runs_without_a_score_are_ranked_last_and_drawn(self):
        dead = [
            replace(m, quality=replace(m.quality, final_score=math.nan))
            if m.run.method == "random"
            else m
            for c in STUDY
            for m in c.measures
        ]
        study = cells(dead)
        (standing,) = standings_of(study)
        assert standing.ranks.methods[-1] == "random"
        assert standing.normalised == {}
        found = over_problems(study, comparisons(study), [standing], COLOURS)
        assert not any("not drawn" in f.svg for f in found.figures)
