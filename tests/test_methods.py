"""Methods decide as the papers and Ray Tune say, from the scores and the generator given to them alone."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from pbtbench import BadInput, Choice, LogUniform, Space, Uniform, methods
from pbtbench.methods.leaderboard import Leaderboard
from pbtbench.methods.pbt import PBT
from pbtbench.methods.pbt.exploit import p_greater
from pbtbench.methods.pbt.explore import user_explore
from pbtbench.space.columns import rows

SPACE = Space({"rate": LogUniform(1e-3, 1.0), "units": Choice([16, 32], dynamic=False)})
FLAT = Space({"h": Uniform(0, 1)})

few_scores = st.sampled_from([0.0, 1.0, 2.0, math.inf, -math.inf, math.nan])  # ties and NaN abound
scores = st.one_of(few_scores, st.floats())
seeds = st.integers(0, 2**32)


def board_of(*scores: float, iteration: int = 1, method: PBT | None = None) -> Leaderboard:
    """A board on which member i has scores[i]."""
    history = method.history if method else 1
    board = Leaderboard({"h": np.full(len(scores), 0.5)}, 1, history)
    board.report(np.arange(len(scores)), np.array(scores), iteration)
    return board


def forks_of(method: PBT, board: Leaderboard, space: Space = FLAT, seed: int = 0):
    """Member -> donor, of those that fork."""
    rng = np.random.default_rng(seed)
    forks = method.decide(np.arange(board.size), board, space, rng)
    return dict(zip(forks.members.tolist(), forks.donors.tolist(), strict=True))


# Exploit.


@given(st.lists(scores, min_size=2, max_size=20), st.floats(0.01, 0.5), seeds)
def test_truncation_replaces_the_lowest_quantile_by_members_of_the_highest(scores, fraction, seed):
    board = board_of(*scores)
    n = len(scores)
    quantile = min(math.ceil(n * fraction), n // 2)  # Ray Tune's rule
    ranking = board.ranking().tolist()
    forks = forks_of(PBT(quantile_fraction=fraction), board, seed=seed)
    if board.latest[ranking[quantile - 1]] == -math.inf:  # nobody copies who has no score
        assert set(forks) <= set(ranking[n - quantile :])
    else:
        assert set(forks) == set(ranking[n - quantile :])
    assert set(forks.values()) <= set(ranking[:quantile])


def test_donors_are_drawn_uniformly_from_the_highest_quantile():
    board = board_of(*range(8))
    donors = Counter(
        donor for seed in range(500) for donor in forks_of(PBT(), board, seed=seed).values()
    )
    assert donors == {6: pytest.approx(500, rel=0.1), 7: pytest.approx(500, rel=0.1)}


@given(st.lists(scores, min_size=2, max_size=12), seeds)
def test_a_tournaments_loser_copies_a_member_with_a_better_score(scores, seed):
    board = board_of(*scores)
    forks = forks_of(PBT(exploit="tournament"), board, seed=seed)
    assert all(board.latest[donor] > board.latest[m] for m, donor in forks.items())
    best = board.latest.max()
    assert not any(board.latest[member] == best for member in forks)


def test_in_a_tournament_of_two_the_worse_always_copies_the_better():
    assert forks_of(PBT(exploit="tournament"), board_of(1.0, 2.0)) == {0: 1}
    assert forks_of(PBT(exploit="tournament"), board_of(1.0, 1.0)) == {}


def test_tournament_opponents_are_drawn_uniformly_from_the_others():
    board = board_of(0.0, 1.0, 2.0, 3.0)
    opponents = Counter(forks_of(PBT(exploit="tournament"), board, seed=s)[0] for s in range(1500))
    assert opponents == {m: pytest.approx(500, rel=0.15) for m in (1, 2, 3)}


samples = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=10)


def padded(*samples):
    """Samples as a board has them: as rows, NaN where there is no score."""
    return np.array([[math.nan] * (10 - len(sample)) + [*sample] for sample in samples])


@pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")
@given(st.lists(st.tuples(samples, samples), min_size=1, max_size=4))
def test_welchs_p_is_scipys(pairs):
    assume(all(np.var(a) + np.var(b) > 0 for a, b in pairs))
    expected = [ttest_ind(a, b, equal_var=False, alternative="greater").pvalue for a, b in pairs]
    found = p_greater(padded(*(a for a, _ in pairs)), padded(*(b for _, b in pairs)))
    assert found == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [
        ((1.0, 1.0), (1.0, 1.0), 1.0),
        ((2.0, 2.0), (1.0, 1.0), 0.0),
        ((1.0,), (0.0, 0.0), 1.0),
        ((1.0, 2.0), (1.0, -math.inf), 0.0),
        ((1.0, -math.inf), (1.0, 2.0), 1.0),
        ((1.0, -math.inf), (1.0, -math.inf), 1.0),
    ],
)
def test_welchs_p_where_scipy_gives_none(a, b, p):
    assert p_greater(padded(a), padded(b)).tolist() == [p]


def test_welch_copies_only_what_is_significantly_better():
    both, method = np.arange(2), PBT(exploit="welch")
    board = board_of(0.0, 0.1, method=method)
    for iteration, noise in enumerate([0.3, -0.3, 0.1], start=2):
        board.report(both, np.array([noise, 0.1 - noise]), iteration)
    assert forks_of(method, board) == {}
    for iteration in range(5, 15):
        board.report(both, np.array([0.0, 1.0]) + 0.01 * (iteration % 2), iteration)
    assert forks_of(method, board) == {0: 1}


@pytest.mark.parametrize("exploit", ["truncation", "tournament", "welch"])
def test_a_diverged_member_copies_and_is_never_copied(exploit):
    method = PBT(exploit=exploit, quantile_fraction=0.5)
    board = board_of(math.nan, 1.0, math.nan, 2.0, method=method)
    for iteration in (2, 3):
        scores = np.array([math.nan, 1.0, math.nan, 2.0]) + 0.01 * iteration
        board.report(np.arange(4), scores, iteration)
    forks = [forks_of(method, board, seed=seed) for seed in range(30)]
    assert {donor for fork in forks for donor in fork.values()} <= {1, 3}
    assert {0, 2} <= {member for fork in forks for member in fork}


@pytest.mark.parametrize("exploit", ["truncation", "tournament", "welch"])
def test_a_member_alone_keeps_on(exploit):
    assert forks_of(PBT(exploit=exploit), board_of(1.0)) == {}


def test_nobody_forks_before_the_burn_in_is_over():
    method = PBT(burn_in_period=10)
    assert forks_of(method, board_of(1.0, 2.0, iteration=9)) == {}
    assert forks_of(method, board_of(1.0, 2.0, iteration=10)) == {0: 1}


# Explore.


@given(seeds, st.floats(0, 1))
def test_what_is_static_comes_from_the_donor_unchanged_and_the_rest_stays_in_bounds(seed, resample):
    rng = np.random.default_rng(seed)
    donors = SPACE.sample(rng, 5)
    changed = PBT(resample_probability=resample).explored(donors, SPACE, rng)
    assert changed["units"].tolist() == donors["units"].tolist()
    assert all(map(SPACE.contains, rows(changed)))


def test_without_resampling_a_value_is_multiplied_by_one_of_the_factors():
    method = PBT(resample_probability=0, perturbation_factors=(3.0, 0.5))
    rng = np.random.default_rng(0)
    drawn = method.explored({"h": np.full(50, 0.1)}, FLAT, rng)["h"]
    assert sorted(set(drawn.tolist())) == pytest.approx([0.05, 0.3])


def test_resampled_values_are_draws_from_the_prior():
    rng = np.random.default_rng(0)
    method = PBT(resample_probability=1)
    drawn = method.explored({"h": np.full(1000, 0.001)}, FLAT, rng)["h"]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.03)


def test_each_value_is_resampled_as_often_as_asked_for_and_moved_by_each_factor_equally_often():
    rng = np.random.default_rng(0)
    method = PBT(resample_probability=0.25, perturbation_factors=(1.2, 0.8))
    space = Space({"h": Uniform(0, 1), "g": Uniform(0, 1)})
    changed = method.explored({"h": np.full(4000, 0.5), "g": np.full(4000, 0.5)}, space, rng)
    for values in changed.values():
        assert np.count_nonzero(values == 0.5 * 1.2) == pytest.approx(1500, rel=0.1)
        assert np.count_nonzero(values == 0.5 * 0.8) == pytest.approx(1500, rel=0.1)
    assert np.corrcoef(*changed.values())[0, 1] == pytest.approx(0, abs=0.05)


def test_an_explore_function_is_found_by_module_or_by_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def halve(h, space, rng):\n    return {k: v / 2 for k, v in h.items()}\n")
    rng = np.random.default_rng(0)
    donors = {"h": np.array([0.5, 0.25])}
    by_file = PBT(explore=f"{file}:halve").explored(donors, FLAT, rng)
    by_module = PBT(explore="problems.toy.pbt_quadratic:add_noise").explored(donors, FLAT, rng)
    assert rows(by_file) == [{"h": 0.25}, {"h": 0.125}]
    assert all(map(FLAT.contains, rows(by_module)))
    assert rows(by_module) != rows(donors)


def test_an_explore_function_must_return_every_hyperparameter(tmp_path):
    file = tmp_path / "forgetful.py"
    file.write_text("def forget(h, space, rng):\n    return {}\n")
    with pytest.raises(BadInput, match=r"returned the hyperparameters \[\]; it must return"):
        user_explore(f"{file}:forget")({"h": 1.0}, FLAT, np.random.default_rng(0))


# All methods.


@pytest.mark.parametrize("kind", methods.kinds())
def test_a_method_draws_from_the_given_generator_alone(kind):
    method = methods.build(kind, 1 if methods.uses_interval(kind) else None, {})

    def decisions(seed: int):
        rng = np.random.default_rng(seed)
        proposed = method.propose(SPACE, 8, rng)
        board = Leaderboard(proposed, 1)
        members = np.arange(board.size)
        board.report(members, members.astype(float), 1)
        forks = method.decide(members, board, SPACE, rng)
        decided = forks.members.tolist(), forks.donors.tolist(), rows(forks.hyperparameters)
        return rows(proposed), decided

    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert decisions(3) == decisions(3)
    assert (decisions(3) != decisions(4)) == (kind != "grid")
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("kind", methods.kinds())
@given(size=st.integers(1, 30), seed=seeds)
def test_a_proposal_is_within_bounds_and_within_the_population(kind, size, seed):
    method = methods.build(kind, None, {})
    proposed = rows(method.propose(SPACE, size, np.random.default_rng(seed)))
    assert 1 <= len(proposed) <= size
    assert all(SPACE.contains(point) for point in proposed)


@pytest.mark.parametrize("kind", ["random", "pbt"])
def test_given_points_come_first_and_what_they_leave_open_is_drawn(kind):
    method = methods.build(kind, None, {"points": [{"rate": 0.5, "units": 16}, {"units": 32}]})
    proposed = rows(method.propose(SPACE, 4, np.random.default_rng(0)))
    assert len(proposed) == 4
    assert proposed[0] == {"rate": 0.5, "units": 16}
    assert proposed[1]["units"] == 32


def test_a_grid_of_points_is_those_points():
    points = [{"rate": 0.1, "units": 16}, {"rate": 0.2, "units": 32}]
    grid = methods.build("grid", None, {"points": points})
    assert rows(grid.propose(SPACE, 8, np.random.default_rng(0))) == points


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("pbd", {}, "unknown method 'pbd': did you mean 'pbt'?"),
        ("pbt", {"burn_in": 3}, "did you mean 'burn_in_period'?"),
        ("random", {"interval": 3}, "unknown option of method 'random' 'interval'"),
        (
            "pbt",
            {"exploit": "tournment"},
            "unknown exploit 'tournment': did you mean 'tournament'?",
        ),
        ("pbt", {"quantile_fraction": 0.6}, "quantile_fraction 0.6: give a share in (0, 0.5]"),
        ("pbt", {"quantile_fraction": 0}, "quantile_fraction 0.0: give a share"),
        ("pbt", {"quantile_fraction": "half"}, 'quantile_fraction = "half": it should be'),
        ("pbt", {"resample_probability": 1.5}, "resample_probability 1.5: give 0 to 1"),
        ("pbt", {"resample_probability": math.nan}, "resample_probability nan: give 0 to 1"),
        ("pbt", {"perturbation_factors": []}, "perturbation_factors []: give numbers above 0"),
        ("pbt", {"perturbation_factors": [1.2, -1]}, "[1.2, -1.0]: give numbers above 0"),
        ("pbt", {"perturbation_factors": 1.2}, "perturbation_factors"),
        ("pbt", {"perturbation_factors": [math.nan]}, "[nan]: give numbers above 0"),
        ("pbt", {"perturbation_factors": [math.inf]}, "[inf]: give numbers above 0"),
        ("pbt", {"burn_in_period": -1}, "burn_in_period -1: give 0 iterations or more"),
        ("pbt", {"burn_in_period": "long"}, "burn_in_period"),
        ("pbt", {"synchronous": "maybe"}, 'synchronous = "maybe": it should be'),
        ("pbt", {"points": 3}, "points"),
        ("pbt", {"points": [3]}, "points"),
        ("pbt", {"explore": "shake"}, "explore 'shake': give 'perturb', 'package.module:name'"),
        ("pbt", {"explore": "no.such:thing"}, "explore 'no.such:thing' can't be loaded: Module"),
        ("pbt", {"explore": "math:pi"}, "explore 'math:pi' is no function"),
        ("grid", {"values": {"rate": [0.1]}, "points": [{"rate": 0.1}]}, "values or points, not"),
        ("grid", {"values": {"rate": 0.1}}, "values"),
        ("grid", {"values": [0.1]}, "values"),
    ],
)
def test_a_bad_option_is_refused_in_one_line_that_names_it(kind, options, says):
    with pytest.raises(BadInput) as refused:
        methods.build(kind, None, options)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_interval_below_one_is_refused():
    with pytest.raises(BadInput, match="perturbation interval 0: give at least 1 iteration"):
        methods.build("pbt", 0, {})


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([{"rat": 0.1}], "unknown hyperparameter 'rat': did you mean 'rate'?"),
        ([{"rate": 7.0}], "'rate': 7.0"),
        ([{"rate": 0.1}] * 5, "5 points for a population of 4: raise the population"),
    ],
)
def test_points_that_do_not_fit_the_space_or_the_population_are_refused(points, says):
    with pytest.raises(BadInput) as refused:
        PBT(points=points).propose(SPACE, 4, np.random.default_rng(0))
    assert says in str(refused.value)
