"""Studies: the runs that a declaration comes to, and bad input refused with its key, value and remedy."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import BadInput, Run, Study, catalogue, studies
from pbtbench.problem import BestConstant

SMALL = {"problems": ["toy.pbt_quadratic"], "seeds": 1}


@pytest.fixture
def file_with(tmp_path):
    """The path of a study file with the given text."""

    def write(text: str, name: str = "mine.toml") -> str:
        file = tmp_path / name
        file.write_text(text)
        return str(file)

    return write


def ids(study: Study) -> list[str]:
    return [run.id for run in study.runs]


def refusal(plan) -> str:
    """The one line with which `plan` is refused."""
    with pytest.raises(BadInput) as refused:
        plan()
    assert "\n" not in str(refused.value)
    return str(refused.value)


# What a declaration comes to.


def test_runs_have_readable_ids_and_only_pbt_has_intervals():
    study = Study.plan({**SMALL, "intervals": [4, 20]})
    assert ids(study) == [
        "toy.pbt_quadratic/pbt/inprocess/k4/s0",
        "toy.pbt_quadratic/pbt/inprocess/k20/s0",
        "toy.pbt_quadratic/random/inprocess/s0",
        "toy.pbt_quadratic/grid/inprocess/s0",
    ]
    assert [run.label for run in study.runs][:3] == ["pbt k=4", "pbt k=20", "random"]


def test_seeds_are_outermost_so_that_what_is_compared_runs_close_together():
    study = Study.plan({**SMALL, "seeds": 3, "methods": ["pbt", "random"]})
    assert [run.seed for run in study.runs] == [0, 0, 1, 1, 2, 2]


def test_what_is_not_given_is_the_problems_own():
    (run,) = Study.plan({**SMALL, "methods": ["random"]}).runs
    assert run.iterations == 200
    assert run.targets == (0.4, 1.19)
    assert run.card.objective.optimum == 1.2
    assert run.card.dynamic == ("h0", "h1")


def test_a_variant_is_another_name_for_a_method_with_options():
    study = Study.plan(
        {
            **SMALL,
            "methods": ["pbt", "bold"],
            "method": {"bold": {"is": "pbt", "perturbation_factors": [0.5, 2.0]}},
        }
    )
    plain, bold = study.runs
    assert (bold.method, bold.kind) == ("bold", "pbt")
    assert bold.method_options == {"perturbation_factors": [0.5, 2.0]}
    assert bold.id == "toy.pbt_quadratic/bold/inprocess/k1/s0"
    assert plain.method_options == {}


def test_a_sweep_overrides_the_keys_above_it():
    study = Study.plan(
        {
            "methods": ["random"],
            "seeds": 1,
            "sweep": [
                {"problems": ["toy.pbt_quadratic"]},
                {"problems": ["toy.noisy_quadratic"], "seeds": 2, "population": 16},
            ],
        }
    )
    assert [(r.problem, r.seed, r.population) for r in study.runs] == [
        ("toy.pbt_quadratic", 0, 8),
        ("toy.noisy_quadratic", 0, 16),
        ("toy.noisy_quadratic", 1, 16),
    ]


def test_the_same_run_in_two_sweeps_is_planned_once():
    sweep = {**SMALL, "methods": ["random"]}
    assert len(Study.plan({"sweep": [sweep, {**sweep, "seeds": 2}]}).runs) == 2


def test_what_many_runs_have_in_common_is_looked_up_once(monkeypatch):
    asked = []
    digest = catalogue.sources
    monkeypatch.setattr(
        "pbtbench.catalogue.sources", lambda *of: asked.append(of[0]) or digest(*of)
    )
    keys = {"methods": ["pbt", "random"], "intervals": list(range(1, 21)), "seeds": 2_000}
    assert len(Study.plan({**SMALL, **keys}).runs) == 21 * 2_000
    assert asked == ["toy.pbt_quadratic"]


def test_a_study_with_problems_and_sweeps_plans_both():
    study = Study.plan(
        {**SMALL, "methods": ["random"], "sweep": [{"problems": ["toy.noisy_quadratic"]}]}
    )
    assert {run.problem for run in study.runs} == {"toy.pbt_quadratic", "toy.noisy_quadratic"}


def test_flags_override_the_file_and_its_sweeps(file_with):
    file = file_with(
        """
        methods = ["random"]
        population = 4
        [[sweep]]
        problems = ["toy.pbt_quadratic"]
        seeds = 7
        [[sweep]]
        problems = ["toy.noisy_quadratic"]
        population = 16
        """
    )
    runs = Study.load(file, {"seeds": 2, "population": 3, "targets": None}).runs
    assert {(run.population, run.seed) for run in runs} == {(3, 0), (3, 1)}


def test_a_study_may_be_renamed_by_a_flag_also_when_it_has_sweeps(file_with):
    file = file_with('[[sweep]]\nproblems = ["toy.pbt_quadratic"]\nseeds = 1')
    study = Study.load(file, {"name": "renamed"})
    assert study.name == "renamed"
    assert Study.plan(tomllib.loads(study.to_toml())) == study


def test_a_file_names_its_study_unless_it_says_otherwise(file_with):
    assert Study.load(file_with('problems = ["toy.pbt_quadratic"]')).name == "mine"
    named = 'name = "other"\nproblems = ["toy.pbt_quadratic"]'
    assert Study.load(file_with(named)).name == "other"


counts = st.integers(1, 9)
sweeps = st.fixed_dictionaries(
    {},
    optional={
        "problems": st.lists(
            st.sampled_from(["toy.pbt_quadratic", "toy.noisy_quadratic"]), min_size=1, unique=True
        ),
        "methods": st.lists(
            st.sampled_from(["pbt", "random", "grid", "bold"]), min_size=1, unique=True
        ),
        "intervals": st.lists(counts, min_size=1, max_size=2, unique=True),
        "iterations": st.integers(10, 99),
        "population": st.integers(2, 9),
        "workers": counts,
        "limit_s": st.floats(0.1, 1e4),
        "targets": st.lists(st.floats(0.1, 1), max_size=2, unique=True),
    },
)
bold = {"is": "pbt", "quantile_fraction": 0.5, "points": [{}]}


@given(sweeps, st.lists(st.sampled_from(["random", "grid"]), unique=True))
def test_a_resolved_study_plans_the_same_runs_again(keys, methods_of_sweeps):
    study = Study.plan(
        {
            **SMALL,
            **keys,
            "method": {"bold": bold},
            "sweep": [
                {"problems": ["toy.noisy_quadratic"], "methods": [m], "seeds": 3, "targets": []}
                for m in methods_of_sweeps
                if "problems" not in keys
            ],
        }
    )
    again = Study.plan(tomllib.loads(study.to_toml()))
    assert again.runs == study.runs
    assert again.to_toml() == study.to_toml()


@given(sweeps)
def test_a_run_survives_its_way_through_json(keys):
    for run in Study.plan({**SMALL, **keys, "method": {"bold": bold}}).runs:
        assert Run.from_dict(json.loads(json.dumps(run.to_dict()))) == run


def test_a_problem_given_by_path_means_the_same_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("from problems.toy.pbt_quadratic import PROBLEM\n")
    monkeypatch.chdir(tmp_path)
    study = Study.plan({**SMALL, "problems": ["./mine.py"]})
    monkeypatch.chdir("/")
    assert Study.plan(tomllib.loads(study.to_toml())).runs == study.runs
    assert study.runs[0].id.startswith("mine/")


def test_the_quick_version_overrides_all_sweeps_and_flags_override_it(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(
        'methods = ["random"]\nseeds = 5\n'
        "[quick]\nbudget = 0.1\nseeds = 1\n"
        '[[sweep]]\nproblems = ["toy.pbt_quadratic"]\nseeds = 4\n'
        '[[sweep]]\nproblems = ["toy.noisy_quadratic"]\n'
    )
    whole, quick = Study.load(str(file)), Study.load(str(file), quick=True)
    assert len(whole.runs) == 4 + 5
    assert [r.iterations for r in quick.runs] == [
        round(0.1 * catalogue.problem(r.problem).iterations) for r in quick.runs
    ]
    assert len(quick.runs) == 2
    assert len(Study.load(str(file), {"seeds": 2}, quick=True).runs) == 4
    assert Study.plan(tomllib.loads(quick.to_toml())).runs == quick.runs


def test_a_study_without_a_quick_version_says_so():
    with pytest.raises(BadInput, match=r"figure2.toml: has no quick version; give it a table"):
        Study.load("figure2", quick=True)


def test_a_problem_whose_package_is_missing_is_refused_or_left_out_as_asked(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from dataclasses import replace\nfrom problems.toy import pbt_quadratic as p\n"
        "PROBLEM = replace(p.PROBLEM, requires={'no_such_module': 'pip install it'})\n"
    )
    keys = {"problems": [str(mine), "toy.pbt_quadratic"], "methods": ["random"]}
    says = "problem 'mine' needs no_such_module, which is not installed: pip install it"
    with pytest.raises(BadInput, match=says):
        Study.plan(keys)
    study = Study.plan({**keys, "where_installed": True})
    assert study.left_out == (says,)
    assert {run.problem for run in study.runs} == {"toy.pbt_quadratic"}
    with pytest.raises(BadInput, match=f"nothing to run: {says}"):
        Study.plan({**keys, "problems": [str(mine)], "where_installed": True})


def test_the_best_constants_score_is_told_only_of_a_problem_as_it_is(monkeypatch):
    known = BestConstant({"learning_rate": 0.63}, 0.198)
    found = replace(catalogue.problem("toy.noisy_quadratic"), best_constant=known)
    monkeypatch.setattr("pbtbench.study.planning._problem", lambda reference: found)

    def scores(**keys):
        plan = Study.plan({"problems": ["toy.noisy_quadratic"], "methods": ["random"], **keys})
        return {run.card.best_constant for run in plan.runs}

    assert scores() == {0.198}
    assert scores(iterations=999) == scores(options={"noise": 1.0}) == {None}


@pytest.mark.parametrize("name", studies.shipped())
def test_every_shipped_study_can_be_planned_and_says_what_it_shows(name):
    study = Study.load(name)
    assert study.runs
    assert study.name == name
    assert studies.shipped()[name] == study.declaration.title != ""


# What is refused.


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("problems", ["toy.pbt_quadratc"], "did you mean 'toy.pbt_quadratic'?"),
        ("problems", [], "problems = []"),
        ("problems", [3], "problems.0 = 3: it should be a valid string"),
        ("problems", "toy.pbt_quadratic", 'problems = "toy.pbt_quadratic": it should be a'),
        ("methods", ["pbtt"], "unknown method 'pbtt': did you mean 'pbt'?"),
        ("engines", ["inproces"], "unknown engine 'inproces': did you mean 'inprocess'?"),
        ("populaton", 3, "unknown key 'populaton': did you mean 'population'?"),
        ("population", 0, "population = 0: it should be greater than or equal to 1"),
        ("population", -3, "population = -3: it should be greater"),
        ("population", 2.5, "population = 2.5: it should be a valid integer"),
        ("population", True, "population = true: it should be a valid integer"),
        ("intervals", [0], "intervals.0 = 0: it should be greater"),
        ("intervals", [5, -1], "intervals.1 = -1: it should be greater"),
        ("intervals", [], "intervals = []"),
        ("intervals", [200], "method 'pbt' on toy.pbt_quadratic: interval 200 in a budget of 200"),
        (
            "intervals",
            [201],
            "nothing would ever be perturbed, as members decide between iterations",
        ),
        ("population", 1, "a population of 1: nobody is there to copy from"),
        ("iterations", 1, "a budget of 1 iteration: nothing would ever be perturbed"),
        (
            "method",
            {"pbt": {"burn_in_period": 200}},
            "the last decision of 200 iterations is after it",
        ),
        ("iterations", 0, "iterations = 0: it should be greater"),
        ("seeds", 0, "seeds = 0: it should be greater"),
        ("seeds", -1, "seeds = -1: it should be greater"),
        ("workers", 0, "workers = 0: it should be greater"),
        ("limit_s", 0, "limit_s = 0: it should be greater than 0"),
        ("limit_s", -1.0, "limit_s = -1.0: it should be greater than 0"),
        ("limit_s", float("nan"), "limit_s = NaN: it should be"),
        ("targets", [1.3], "target 1.3: no Q can reach it; it must be at most 1.2"),
        ("targets", [float("nan")], "target nan: give a finite number"),
        ("targets", ["high"], 'targets.0 = "high": it should be a valid number'),
        ("name", "../elsewhere", 'name = "../elsewhere": '),
        (
            "options",
            {"batch": 3},
            "problem 'toy.pbt_quadratic' has no options, so 'batch' can't be set",
        ),
        ("method", {"pbt": {"quantil": 1}}, "unknown option of method 'pbt' 'quantil': did you"),
        ("method", {"pbt": {"quantile_fraction": 2}}, "quantile_fraction 2.0: give a share"),
        ("method", {"pbt": {"points": [{"h2": 1.0}]}}, "unknown hyperparameter 'h2': did you"),
        ("method", {"pbt": {"points": [{"h0": 9.0}]}}, "'h0': 9.0"),
        ("method", {"pbt": {"points": [{}] * 9}}, "9 points for a population of 8: raise the"),
        ("method", {"grid": {"values": {"h0": [0.5] * 9}}}, "9 points, more than the population"),
        ("method", {"pbtt": {"burn_in_period": 1}}, "unknown method 'pbtt': did you mean 'pbt'?"),
        (
            "engine",
            {"inprocess": {"speed": 1}},
            "unknown option of engine 'inprocess' 'speed': known: members",
        ),
        ("engine", {"inproces": {"speed": 1}}, "unknown engine 'inproces': did you mean"),
        ("sweep", [{"seeds": 0}], "sweep: seeds = 0: it should be greater"),
        ("sweep", [{"seed": 3}], "sweep: unknown key 'seed': did you mean 'seeds'?"),
        ("sweep", [{"name": "x"}], "sweep: unknown key 'name'"),
    ],
)
def test_a_bad_value_is_refused_with_where_it_stands_and_what_would_be_right(key, value, says):
    assert says in (line := refusal(lambda: Study.plan({**SMALL, key: value}, "mine.toml")))
    assert line.startswith("mine.toml: ")


def test_a_variant_of_an_unknown_method_is_refused_with_the_nearest_name():
    keys = {**SMALL, "methods": ["bold"], "method": {"bold": {"is": "ptb"}}}
    assert "unknown method 'ptb': did you mean 'pbt'?" in refusal(lambda: Study.plan(keys))


def test_a_variants_name_is_suggested_too():
    keys = {**SMALL, "methods": ["bald"], "method": {"bold": {"is": "pbt"}}}
    assert "unknown method 'bald': did you mean 'bold'?" in refusal(lambda: Study.plan(keys))


def test_a_target_must_be_on_the_side_that_can_be_reached():
    keys = {"problems": ["toy.noisy_quadratic"], "targets": [-0.5]}
    assert "target -0.5: no loss can reach it; it must be at least 0" in refusal(
        lambda: Study.plan(keys)
    )


def test_sweeps_that_plan_a_run_differently_are_refused():
    keys = {"sweep": [SMALL, {**SMALL, "population": 4}]}
    line = refusal(lambda: Study.plan(keys, "mine.toml"))
    assert line.startswith("mine.toml: two sweeps plan toy.pbt_quadratic/pbt/inprocess/k1/s0 with")
    assert "give the sweeps a label each" in line
    labelled = [{**SMALL, "label": "a"}, {**SMALL, "population": 4, "label": "b"}]
    ids = [run.id for run in Study.plan({"sweep": labelled}).runs]
    assert {i.partition("/")[0] for i in ids} == {"toy.pbt_quadratic@a", "toy.pbt_quadratic@b"}


def test_two_problems_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        text = "from problems.toy.pbt_quadratic import PROBLEM\n"
        (tmp_path / folder / "mine.py").write_text(text)
    paths = [str(tmp_path / folder / "mine.py") for folder in ("a", "b")]
    assert "mine/pbt/inprocess/k1/s0" in refusal(lambda: Study.plan({"problems": paths}))


def test_a_study_without_problems_says_how_to_name_some():
    line = refusal(lambda: Study.load(None))
    assert line.startswith("command line: no problems; name some")


def test_broken_toml_is_refused_with_its_place(file_with):
    file = file_with('problems = ["toy.pbt_quadratic"\nseeds = 1\n')
    line = refusal(lambda: Study.load(file))
    assert line.startswith(f"{file}: not valid TOML: ")
    assert "line 2" in line


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    line = refusal(lambda: Study.load(str(tmp_path / "no.toml")))
    assert "no.toml': No such file" in line
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in refusal(lambda: Study.load(str(tmp_path / "bytes.toml")))


def test_an_unknown_shipped_study_is_refused_with_the_nearest_name():
    assert "did you mean 'quickstart'?" in refusal(lambda: Study.load("quikstart"))
