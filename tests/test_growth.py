"""A study that grows in its folder: what is kept stays, what is missing is made, and `study.toml` says all."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import BadInput, Run, Study
from pbtbench.study import to_toml
from pbtbench.study.declaration import resolved
from pbtbench.study.growth import Growth, grown

SMALL = {"problems": ["toy.pbt_quadratic"], "methods": ["random"], "seeds": 2}


@dataclass(frozen=True)
class Kept:
    run: Run
    cause: str = ""


def declared(text):
    return resolved(tomllib.loads(text), "study.toml")


def grow(before, after, *, kept=None, again=False):
    """How a study goes on after another of which all runs are kept, or some."""
    old, new = Study.plan(before), Study.plan(after)
    runs = [Kept(run) for run in old.runs] if kept is None else kept
    return grown(new, declared(old.to_toml()), runs, "out", again=again)


def planned(growth: Growth):
    return Study.plan(tomllib.loads(to_toml(growth.declaration))).runs


def ids(runs):
    return [run.id for run in runs]


def by_id(runs):
    return {run.id: run for run in runs}


def refusal(*args, **keys):
    with pytest.raises(BadInput) as refused:
        grow(*args, **keys)
    return str(refused.value)


lists = st.fixed_dictionaries(
    {
        "problems": st.lists(
            st.sampled_from(["toy.pbt_quadratic", "toy.noisy_quadratic", "toy.branin"]),
            min_size=1,
            unique=True,
        ),
        "methods": st.lists(
            st.sampled_from(["pbt", "random", "grid", "bold"]), min_size=1, unique=True
        ),
        "engines": st.lists(st.sampled_from(["inprocess", "ray"]), min_size=1, unique=True),
        "intervals": st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True),
        "seeds": st.integers(1, 4),
    },
    optional={
        "transports": st.just(["memory", "object-store", "disk"]),
        "targets": st.lists(st.floats(0.6, 1), max_size=2, unique=True),
        "workers": st.just(2),
    },
)
BOLD = {"bold": {"is": "pbt", "quantile_fraction": 0.5}}


@given(lists, lists)
def test_the_union_of_two_studies_plans_the_runs_of_both_and_no_others(one, other):
    one, other = ({**keys, "method": BOLD} for keys in (one, other))
    growth = grow(one, other)
    old, new = Study.plan(one).runs, Study.plan(other).runs
    assert set(ids(planned(growth))) == {*ids(old), *ids(new)}
    assert ids(growth.missing) == [run.id for run in new if run.id not in set(ids(old))]
    assert growth.outdated == ()
    assert growth.others == len({*ids(old)} - {*ids(new)})


@given(lists, lists, lists)
def test_a_union_grows_on_and_again_changes_nothing(one, other, third):
    one, other, third = ({**keys, "method": BOLD} for keys in (one, other, third))
    both = tomllib.loads(to_toml(grow(one, other).declaration))
    assert by_id(planned(grow(both, other))) == by_id(Study.plan(both).runs)
    three = set(ids(planned(grow(both, third))))
    assert three == {run.id for keys in (one, other, third) for run in Study.plan(keys).runs}


@given(lists, lists)
def test_targets_of_both_are_measured_where_runs_are_of_both(one, other):
    one, other = ({**keys, "method": BOLD} for keys in (one, other))
    old, new = (by_id(Study.plan(keys).runs) for keys in (one, other))
    growth = grow(one, other)
    retargeted = {run.id: run.targets for run in growth.retargeted}
    for run in planned(growth):
        if run.id in old and run.id in new:
            assert set(run.targets) == {*old[run.id].targets, *new[run.id].targets}
        if run.id in old:
            assert {*retargeted.get(run.id, old[run.id].targets)} == {*run.targets}


def test_the_union_of_targets_stands_the_easiest_first_and_their_order_is_no_change():
    one, other = {**SMALL, "targets": [1.19, 0.4]}, {**SMALL, "targets": [0.9]}
    assert grow(one, other).declaration.targets == [0.4, 0.9, 1.19]
    loss = {"problems": ["toy.noisy_quadratic"]}
    assert grow({**one, **loss}, {**other, **loss}).declaration.targets == [1.19, 0.9, 0.4]
    assert grow(one, {**SMALL, "targets": [0.4, 1.19]}).retargeted == ()


def test_a_larger_study_stands_in_the_folder_as_it_was_given():
    larger = {**SMALL, "seeds": 5, "methods": ["random", "pbt"], "title": "more"}
    assert grow(SMALL, larger).declaration == Study.plan(larger).declaration


def test_a_study_that_shrank_keeps_what_is_there_as_it_was_declared():
    growth = grow({**SMALL, "seeds": 5}, SMALL)
    assert to_toml(growth.declaration) == Study.plan({**SMALL, "seeds": 5}).to_toml()
    assert (growth.others, growth.missing) == (3, ())


def test_a_union_is_read_by_people():
    """What two commands have in common stands above; each sweep says what is its own."""
    one = {**SMALL, "problems": ["toy.branin"], "population": 4, "method": BOLD}
    other = {**one, "problems": ["toy.plain"], "methods": ["bold"], "intervals": [2, 3]}
    written = grow(one, other).declaration
    assert (written.population, written.seeds, written.problems) == (4, 2, None)
    assert written.sweep == [
        {"problems": ["toy.branin"], "methods": ["random"]},
        {"problems": ["toy.plain"], "methods": ["bold"], "intervals": [2, 3]},
    ]
    assert written.method == BOLD


def test_a_name_or_title_is_no_reason_to_refuse_and_stays_if_no_other_is_given():
    named = {**SMALL, "name": "first", "title": "One line"}
    assert grow(named, {**SMALL, "seeds": 3}).declaration.title == "One line"
    again = grow(named, {**SMALL, "name": "second"})
    assert (again.declaration.name, again.declaration.title) == ("second", "One line")
    assert again.missing == ()


def test_a_limit_is_no_part_of_what_a_run_means():
    growth = grow(SMALL, {**SMALL, "limit_s": 5.0})
    assert (growth.missing, growth.outdated) == ((), ())
    assert growth.declaration.limit_s == 5.0


CHANGED = {
    "population": 4,
    "workers": 3,
    "iterations": 10,
    "cpus_per_worker": 2.0,
    "method": {"random": {"points": [{}]}},
    "engine": {"inprocess": {"members": "stacked"}},
}


@pytest.mark.parametrize("key", CHANGED)
def test_what_changes_the_meaning_of_kept_runs_is_refused_and_made_anew_if_asked(key):
    before = {**SMALL, "seeds": 3}
    line = refusal(before, after := {**SMALL, key: CHANGED[key]})
    for words in ("out: 3 kept runs are", "toy.pbt_quadratic/random/inprocess/s0", "--again"):
        assert words in line
    growth = grow(before, after, again=True)
    assert ids(growth.missing) == ids(Study.plan(before).runs), "of each seed, so that none mix"
    assert by_id(growth.missing) == by_id(planned(growth))
    assert ids(growth.outdated) == ids(growth.missing)


def test_the_options_of_a_problem_are_its_meaning():
    noisy = {**SMALL, "problems": ["toy.noisy_quadratic"]}
    assert "problem_options" in refusal(noisy, {**noisy, "options": {"noise": 1.0}})


def test_code_that_changed_since_is_named():
    (run,) = Study.plan({**SMALL, "seeds": 1}).runs
    file = next(iter(run.sources))
    edited = replace(run, sources={**run.sources, file: "0" * 64})
    assert f"today's ({file})" in refusal(SMALL, SMALL, kept=[Kept(edited)])
    old = replace(run, sources={})
    assert "their files were not noted" in refusal(SMALL, SMALL, kept=[Kept(old)])


def test_runs_that_are_not_kept_are_no_reason_to_refuse():
    """Such as those of a command that was stopped at once and mended."""
    growth = grow({**SMALL, "population": 4}, SMALL, kept=[])
    assert growth.declaration == Study.plan(SMALL).declaration
    assert growth.missing == Study.plan(SMALL).runs


def test_a_failed_run_is_tried_again_also_with_other_settings():
    first, second = (Kept(run, "crash") for run in Study.plan(SMALL).runs)
    assert ids(grow(SMALL, SMALL, kept=[first]).missing) == ids(Study.plan(SMALL).runs)
    growth = grow(SMALL, {**SMALL, "population": 4, "seeds": 1}, kept=[first])
    assert ids(growth.outdated) == [first.run.id]
    assert "1 kept run is" in refusal(SMALL, {**SMALL, "population": 4, "seeds": 1}, kept=[second])


def test_a_table_may_not_change_what_kept_runs_of_other_cells_are():
    before = {**SMALL, "methods": ["pbt"], "intervals": [1, 5]}
    after = {**before, "intervals": [2], "method": {"pbt": {"quantile_fraction": 0.5}}}
    line = refusal(before, after, again=True)
    assert "method 'pbt'" in line
    assert "[method.NAME]" in line
    named = {**after, "method": {"half": {"is": "pbt", "quantile_fraction": 0.5}}}
    assert len(planned(grow(before, {**named, "methods": ["half"]}))) == 6


def test_what_a_folder_declares_is_not_imported(tmp_path):
    """Neither a problem nor a function that only the folder names."""
    mark = tmp_path / "imported"
    (tmp_path / "theirs.py").write_text(f"open({str(mark)!r}, 'w')\n")
    before = declared(
        f'problems = ["{tmp_path}/theirs.py"]\nmethods = ["pbt"]\n'
        f'[method.pbt]\nexplore = "{tmp_path}/theirs.py:explore"\n'
    )
    growth = grown(Study.plan(SMALL), before, [], "out", again=False)
    assert not mark.exists()
    assert str(tmp_path / "theirs.py") in to_toml(growth.declaration)


def test_problems_that_are_not_installed_here_stay_declared(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from dataclasses import replace\nfrom problems.toy import pbt_quadratic as p\n"
        "PROBLEM = replace(p.PROBLEM, requires={'no_such_module': 'pip install it'})\n"
    )
    keys = {**SMALL, "problems": [str(mine), "toy.branin"], "where_installed": True}
    growth = grow(keys, {**keys, "seeds": 1})
    assert to_toml(growth.declaration) == Study.plan(keys).to_toml()


def test_a_folder_that_declares_nothing_is_refused_by_the_name_of_its_file():
    before = declared('name = "mine"\n')
    with pytest.raises(BadInput, match=r"^out/study\.toml: no problems"):
        grown(Study.plan(SMALL), before, [], "out", again=False)
