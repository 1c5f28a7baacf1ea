"""The gate: what is exact is compared exactly, the rest by intervals that hold for the whole table."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sittings import a_sitting, an_entry

from pbtbench.errors import BadInput
from pbtbench.regression import gate, sitting, thresholds
from pbtbench.regression.stages import changes
from pbtbench.regression.thresholds import Thresholds


def verdicts(base, new, allowed=None, **machine):
    rows = gate.compare(a_sitting(one=base), a_sitting(one=new, **machine), allowed or Thresholds())
    return {row.measure: row.verdict for row in rows}


def noisy(middle, spread, n=5, seed=0):
    return (middle * np.exp(spread * np.random.default_rng(seed).standard_normal(n))).tolist()


def test_what_did_not_change_is_the_same():
    one = an_entry({"forks": [3, 4], "final_score": [0.5, 0.6], "iterations_to_target": [None, 7]})
    assert set(verdicts(one, one).values()) == {"same"}


@pytest.mark.parametrize(
    ("measure", "goal", "base", "new", "verdict"),
    [
        ("forks", "max", [10, 10], [10, 11], "worse"),
        ("forks", "max", [10, 10], [10, 9], "better"),
        ("final_score", "max", [0.9, 0.8], [0.9, 0.79], "worse"),
        ("final_score", "min", [0.9, 0.8], [0.9, 0.79], "better"),
        ("final_score", "max", [0.9, 0.8], [0.9, 0.8 + 1e-12], "same"),
        ("iterations_to_target", "max", [5, 6], [5, None], "worse"),
        ("iterations_to_target", "max", [5, None], [5, 6], "better"),
        ("iterations_to_target", "max", [None, None], [None, None], "same"),
    ],
)
def test_what_repeats_exactly_is_compared_exactly(measure, goal, base, new, verdict):
    found = verdicts(*(an_entry({measure: values}, goal=goal) for values in (base, new)))
    assert found == {measure: verdict}


def test_an_exact_count_may_be_allowed_to_grow():
    base, new = an_entry({"forks": [10, 10]}), an_entry({"forks": [11, 12]})
    assert verdicts(base, new, Thresholds({"forks": 1.2})) == {"forks": "same"}
    assert verdicts(base, new, Thresholds({"forks": 1.1})) == {"forks": "worse"}


@pytest.mark.parametrize(
    ("factor", "spread", "verdict"),
    [(1.3, 0.01, "worse"), (1.05, 0.01, "same"), (0.7, 0.01, "better"), (1.3, 1.0, "unclear")],
)
def test_a_time_is_worse_if_its_whole_interval_is_beyond_the_threshold(factor, spread, verdict):
    base, new = (
        an_entry({"wall_s": noisy(middle, spread, seed=seed)})
        for middle, seed in ((1.0, 1), (factor, 2))
    )
    assert verdicts(base, new) == {"wall_s": verdict}


def test_rounds_are_paired_by_their_seed():
    """Seeds that differ tenfold in what they take tell a change of a third all the same."""
    works = np.array([0.1, 1.0, 3.0, 0.3, 10.0])
    base = an_entry({"wall_s": (works * noisy(1, 0.01)).tolist()})
    new = an_entry({"wall_s": (1.3 * works * noisy(1, 0.01, seed=3)).tolist()})
    assert verdicts(base, new) == {"wall_s": "worse"}
    shuffled = new.model_copy(update={"seeds": [4, 3, 2, 1, 0]})
    reversed_ = {"wall_s": new.measures["wall_s"][::-1]}
    assert verdicts(base, shuffled.model_copy(update={"measures": reversed_})) == {
        "wall_s": "worse"
    }
    assert verdicts(base, shuffled) == {"wall_s": "unclear"}


def test_a_table_without_a_change_has_an_alarm_in_two_of_a_hundred():
    """Whatever is allowed: here nothing, with 30 rows that are noise alone, at five rounds each."""
    rng = np.random.default_rng(5)
    names = [f"b{i}" for i in range(30)]
    exact = Thresholds({"wall_s": 1.0})
    alarms = 0
    for _ in range(400):
        base, new = (
            a_sitting(
                **{n: an_entry({"wall_s": np.exp(rng.standard_normal(5)).tolist()}) for n in names}
            )
            for _ in range(2)
        )
        alarms += gate.tripped(gate.compare(base, new, exact))
    assert alarms / 400 <= 0.02
    assert alarms > 0, "a gate that never trips would pass this, too"


def test_seconds_of_unlike_machines_are_not_compared_but_counts_are():
    base = an_entry({"wall_s": noisy(1, 0.01), "forks": [3] * 5})
    new = an_entry({"wall_s": noisy(9, 0.01), "forks": [4] * 5})
    assert verdicts(base, new, machine="other") == {"forks": "worse", "wall_s": "unlike"}
    assert verdicts(base, new) == {"forks": "worse", "wall_s": "worse"}


def test_a_missing_benchmark_trips_and_a_new_one_does_not():
    one = an_entry({"forks": [3]})
    both, alone = a_sitting(one=one, two=one), a_sitting(one=one)
    lost, won = (gate.compare(*pair, Thresholds()) for pair in ((both, alone), (alone, both)))
    assert [r.verdict for r in lost] == ["missing", "same"]
    assert [r.verdict for r in won] == ["new", "same"]
    assert (gate.tripped(lost), gate.tripped(won)) == (True, False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"population": 16}, "population was 8, is 16"),
        ({"digest": "e"}, "the code or options of toy.plain changed"),
    ],
)
def test_another_benchmark_of_that_name_is_not_compared(change, says):
    base, new = an_entry({"forks": [3]}), an_entry({"forks": [3]}, **change)
    (row,) = gate.compare(a_sitting(one=base), a_sitting(one=new), Thresholds())
    assert (row.verdict, row.why) == ("other", says)
    assert gate.tripped([row])


def test_where_a_change_comes_from_is_named():
    base = an_entry({"save_s": [1.0], "train_s": [10.0], "restore_s": [0.5], "forks": [4]})
    new = an_entry({"save_s": [3.0], "train_s": [10.1], "restore_s": [0.6], "forks": [8]})
    assert [(c.name, c.new / c.base) for c in changes(base, new)] == [("save", 3), ("forks", 2)]
    assert changes(base, base) == []


def test_thresholds_are_of_all_and_of_single_benchmarks(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pbtbench.gate]\nwall_s = 1.5\nfalse_alarms = 0.1\n"
        '[tool.pbtbench.gate."t/*::slow*"]\nsave_s = 2\nforks = false\n'
    )
    found = thresholds.beside(tmp_path)
    assert found.false_alarms == 0.1
    assert (found.of("t/a.py::quick")["wall_s"], found.of("t/a.py::quick").get("save_s")) == (
        1.5,
        None,
    )
    assert found.of("t/a.py::slow[1]")["save_s"] == 2
    assert "forks" in found.of("t/a.py::quick")
    assert "forks" not in found.of("t/a.py::slow[1]")
    assert thresholds.beside(tmp_path / "none") == Thresholds()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[gate]\nwal_s = 1.1", "unknown measure in .*gate 'wal_s': did you mean 'wall_s'"),
        ("[gate]\nwall_s = 0.9", "wall_s = 0.9: give how many times as much is allowed"),
        ("[gate]\nwall_s = true", "wall_s = True"),
        ("[gate]\nwall_s = 'a'", "wall_s = 'a'"),
        ("[gate]\nfalse_alarms = 1", "give a share between 0 and 1"),
        ("gate = 3", "give a table of measures"),
        ("[gate.one]\nsav_s = 2", "did you mean 'save_s'"),
        ("[gate", "not valid TOML"),
    ],
)
def test_thresholds_that_are_none_are_refused(text, says, tmp_path):
    (tmp_path / "gate.toml").write_text(text)
    with pytest.raises(BadInput, match=says):
        thresholds.load(tmp_path / "gate.toml")


def test_a_baseline_comes_back_as_it_was_written(tmp_path):
    one = a_sitting(one=an_entry({"forks": [3, 4], "iterations_to_target": [None, 2]}))
    sitting.write(tmp_path / "base.json", one)
    assert sitting.load(tmp_path / "base.json").sitting == one
    lines = (tmp_path / "base.json").read_text().splitlines()
    assert sum('"seeds"' in line for line in lines) == 1, "a line for each method"


def text(change=None):
    stored = json.loads(sitting.text(a_sitting(one=an_entry({"forks": [3]}))))
    stored.update(change or {})
    return json.dumps(stored)


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (text()[:100], "no JSON"),
        ("[]", "no table"),
        ("{}", "format"),
        (text({"format": 2}), "by a newer pbtbench than this one"),
        (text({"format": 0}), "format"),
        (text({"benchmarks": {}}), "benchmarks"),
        (text({"benchmarks": {"one": {"pbt": {}}}}), "benchmarks"),
        (text({"more": 1}), "more"),
        ('{"benchmarks": []}', "uses the fixture pbt_benchmark"),
        ('{"benchmarks": [{"fullname": "a", "extra_info": {}}]}', "uses the fixture pbt_benchmark"),
        ('{"benchmarks": [3]}', "has no name"),
        (None, "no such file"),
    ],
)
def test_what_is_no_baseline_is_refused(stored, says, tmp_path):
    file = tmp_path / "base.json"
    if stored is not None:
        file.write_text(stored)
    with pytest.raises(BadInput, match=says) as error:
        sitting.load(file)
    assert "\n" not in str(error.value)


def test_a_missed_target_of_most_seeds_is_worse_where_it_does_not_repeat():
    base = an_entry({"seconds_to_target": noisy(1, 0.01)}, exact=[])
    new = an_entry({"seconds_to_target": [1.0, 1.0, None, None, None]}, exact=[])
    assert verdicts(base, new) == {"seconds_to_target": "worse"}


def test_a_target_that_is_always_missed_by_both_is_the_same():
    missed = an_entry({"seconds_to_target": [None] * 3}, exact=[])
    assert verdicts(missed, missed) == {"seconds_to_target": "same"}
    twice = an_entry({"seconds_to_target": [None] * 2}, exact=[])
    assert verdicts(twice, twice) == {"seconds_to_target": "unclear"}


def test_one_round_tells_nothing_of_times():
    one = an_entry({"wall_s": [1.0]})
    (row,) = gate.compare(a_sitting(one=one), a_sitting(one=one), Thresholds())
    assert (row.verdict, row.ratio.n, row.ratio.high) == ("unclear", 1, math.inf)
