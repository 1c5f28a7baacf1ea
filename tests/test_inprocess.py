"""The in-process engine repeats itself to the bit, accounts for its time, and finds what PBT is known for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbtbench import catalogue, engines
from pbtbench.problem import member_seed
from pbtbench.record import TIMED
from pbtbench.space.columns import rows

FIGURE_2 = {
    "problems": ["toy.pbt_quadratic"],
    "methods": ["pbt"],
    "intervals": [4],
    "population": 2,
    "method": {
        "pbt": {
            "points": [{"h0": 1.0, "h1": 0.0}, {"h0": 0.0, "h1": 1.0}],
            "explore": "problems.toy.pbt_quadratic:add_noise",
        }
    },
}

# A problem whose member 0 breaks at step 5: `how` says in which way. Scores count the steps.
BREAKS = """
import numpy as np
from pbtbench import LoopedPopulation, Objective, Problem, Space, Uniform

class Member:
    size, traces = 1, 0

    def __init__(self, breaks, how):
        self.step, self.breaks, self.how = np.zeros(1), breaks, how

    def train(self, steps):
        self.step = self.step + steps
        if self.breaks and self.step[0] >= 5 and self.how == "raise":
            raise RuntimeError("out of\\nmemory")

    def evaluate(self):
        nan = self.breaks and self.step[0] >= 5
        return {"score": np.where(nan, np.nan, self.step)}

    def state(self, member):
        return {"step": self.step}

    def adopt(self, member, state, hyperparameters):
        self.step = self.step if state is None else state["step"]

def start(hyperparameters, seeds, how):
    return LoopedPopulation([Member(i == 0, how) for i in range(len(seeds))])

PROBLEM = Problem(
    title="breaks", source="2024", finding="none", space=Space({"h": Uniform(0, 1)}),
    objective=Objective("score", "max"), iterations=10, steps_per_iteration=1, start=start,
    options={"how": "nan"},
)
"""


@pytest.fixture
def run_of(planned):
    """The outcome of the one run with the given keys of a study."""

    def run(**keys):
        (only,) = planned(**keys)
        return engines.execute(only)

    return run


@pytest.fixture
def breaking(tmp_path):
    """The path of a problem whose member 0 breaks at step 5."""
    file = tmp_path / "breaks.py"
    file.write_text(BREAKS)
    return str(file)


def scores(record, members):
    """Shape (members, iterations), in order of time."""
    values = objective(record)
    return np.array([values[record.scores.member == m] for m in range(members)])


def objective(record):
    """The first of what was measured, in order of time."""
    return next(iter(record.scores.metrics.values()))


def forks(record):
    """(iteration, member, donor, new hyperparameters) of each fork, in order of time."""
    made = record.forks.at(~record.forks.starts)
    columns = made.iteration.tolist(), made.member.tolist(), made.donor.tolist(), rows(made.new)
    return list(zip(*columns, strict=True))


def timed_rows(record):
    """The timed rows that last."""
    timeline = record.timeline
    return timeline.at(timeline.of(*TIMED) & (timeline.duration_s > 0))


keys_of_a_run = st.fixed_dictionaries(
    {
        "methods": st.sampled_from([["pbt"], ["random"], ["grid"]]),
        "intervals": st.integers(1, 12).map(lambda k: [k]),
        "population": st.integers(2, 9),
        "iterations": st.integers(13, 30),
        "method": st.fixed_dictionaries(
            {
                "pbt": st.fixed_dictionaries(
                    {
                        "synchronous": st.booleans(),
                        "exploit": st.sampled_from(["truncation", "tournament", "welch"]),
                        "burn_in_period": st.integers(0, 7),
                    }
                )
            }
        ),
    }
)


@given(keys_of_a_run)
def test_every_member_gets_its_whole_budget_and_no_rows_overlap(planned, keys):
    (run,) = planned(**keys)
    outcome = engines.execute(run)
    record = outcome.record
    assert outcome.cause == ""

    found = record.scores
    members = len(set(found.member.tolist()))
    assert members == keys["population"] or keys["methods"] == ["grid"]
    for member in range(members):
        mine = found.iteration[found.member == member]
        assert mine.tolist() == list(range(1, keys["iterations"] + 1))

    timed = timed_rows(record)
    ends = timed.t_start_s + timed.duration_s
    assert (timed.t_start_s[1:] >= ends[:-1] - 1e-9).all()
    assert ends[-1] <= outcome.wall_s

    assert all(
        iteration % keys["intervals"][0] == 0 and iteration < keys["iterations"]
        for iteration, *_ in forks(record)
    )


@given(keys_of_a_run)
def test_forks_say_what_a_member_trained_with_before_and_when_they_were_decided(planned, keys):
    """Of those decided together it is known whose iteration was copied; others have a moment each."""
    (run,) = planned(**keys)
    record = engines.execute(run).record
    starts = record.forks.at(record.forks.starts)
    assert starts.member.tolist() == sorted(set(record.scores.member.tolist()))
    present = dict(enumerate(rows(starts.new)))
    made = record.forks.at(~record.forks.starts)
    for member, old, new in zip(made.member.tolist(), rows(made.old), rows(made.new), strict=True):
        assert old == present[member]
        present[member] = new
    if keys["method"]["pbt"]["synchronous"]:
        assert made.copied_iteration.tolist() == made.iteration.tolist()
        assert len(set(made.t_s.tolist())) == len(set(made.iteration.tolist()))
    else:
        assert set(made.copied_iteration.tolist()) <= {-1}
        assert (np.diff(made.t_s) > 0).all()


@given(keys_of_a_run)
@settings(max_examples=20)
def test_the_same_run_twice_makes_the_same_forks_and_scores_to_the_bit(planned, keys):
    (run,) = planned(**keys)
    first, second = engines.execute(run).record, engines.execute(run).record
    assert forks(first) == forks(second)
    assert objective(first).tobytes() == objective(second).tobytes()


def test_another_seed_is_another_run(planned):
    one, other = (engines.execute(run).record for run in planned(seeds=2, iterations=20))
    assert forks(one) != forks(other)
    assert not np.array_equal(scores(one, 4), scores(other, 4))


@pytest.mark.parametrize("synchronous", [True, False])
def test_the_rows_explain_the_wall_time(run_of, synchronous):
    outcome = run_of(
        problems=["toy.noisy_quadratic"],
        population=64,
        intervals=[5],
        method={"pbt": {"synchronous": synchronous}},
    )
    explained = timed_rows(outcome.record).duration_s.sum()
    assert 0.98 * outcome.wall_s <= explained <= outcome.wall_s


@pytest.mark.parametrize("synchronous", [True, False])
def test_every_fork_has_a_save_of_its_donor_and_a_restore(run_of, synchronous):
    record = run_of(population=8, method={"pbt": {"synchronous": synchronous}}).record
    timeline = record.timeline
    saves, restores = timeline.at(timeline.rows("save")), timeline.at(timeline.rows("restore"))
    made = forks(record)
    assert [(i, m) for i, m, *_ in made] == list(
        zip(restores.iteration.tolist(), restores.member.tolist(), strict=True)
    )
    saved = set(zip(saves.iteration.tolist(), saves.member.tolist(), strict=True))
    assert saved == {(iteration, donor) for iteration, _, donor, _ in made}
    assert len(saved) <= len(saves) <= len(made)
    assert set(saves.bytes.tolist()) == {16}


def test_a_fork_goes_on_from_its_donors_state_with_the_new_hyperparameters(run_of):
    """The donor keeps its hyperparameters, so the problem itself tells what both must score next."""
    keys = {"population": 2, "iterations": 2, "method": FIGURE_2["method"]}
    record = run_of(**keys).record
    starts = rows(record.forks.at(record.forks.starts).new)
    ((iteration, member, donor, new),) = forks(record)
    toy = catalogue.problem("toy.pbt_quadratic")
    alone = toy.population([starts[donor]], [member_seed(0, donor)])
    alone.train(1)
    alone.adopt(0, None, new)
    alone.train(1)
    assert iteration == 1
    assert scores(record, 2)[member, 1] == alone.evaluate()["Q"][0]


def test_a_member_that_diverges_copies_a_sound_one_and_is_never_copied(run_of, breaking):
    outcome = run_of(problems=[breaking], intervals=[1], population=4)
    made = forks(outcome.record)
    assert outcome.cause == ""
    assert any(member == 0 and iteration >= 5 for iteration, member, *_ in made)
    assert not any(donor == 0 and iteration >= 5 for iteration, _, donor, _ in made)
    assert np.isnan(scores(outcome.record, 4)[0, 4:]).all()


def test_a_problem_that_raises_is_a_crash_told_in_one_line(run_of, breaking):
    outcome = run_of(problems=[breaking], options={"how": "raise"})
    assert (outcome.cause, outcome.message) == (
        "crash",
        "RuntimeError: out of memory (breaks.py:14)",
    )
    record = outcome.record
    assert len(record.timeline.rows("error")) == 1
    assert record.notes.text[record.notes.named("crash")].tolist() == [outcome.message]
    assert set(record.scores.iteration.tolist()) == {1, 2, 3, 4}


# What PBT is known for.


def test_figure_2_fixed_schedules_stay_below_039(run_of):
    points = {"points": FIGURE_2["method"]["pbt"]["points"]}
    record = run_of(**{**FIGURE_2, "methods": ["grid"], "method": {"grid": points}}).record
    assert scores(record, 2).max() <= 0.39


def test_figure_2_pbt_gets_past_119_with_the_same_schedules(planned):
    ends = [
        scores(engines.execute(run).record, 2)[:, -1].max()
        for run in planned(**{**FIGURE_2, "seeds": 5})
    ]
    assert min(ends) > 1.19


def test_greed_at_short_intervals_ends_worse_on_the_noisy_quadratic(planned):
    """For every seed: what an interval of 1 ends at is worse than what an interval of 50 does."""
    runs = planned(problems=["toy.noisy_quadratic"], population=16, intervals=[1, 50], seeds=5)
    ends = {
        (run.interval, run.seed): scores(engines.execute(run).record, 16)[:, -1].min()
        for run in runs
    }
    assert all(ends[1, seed] > ends[50, seed] for seed in range(5))
