"""A user's own `tune.Trainable` is a problem as it is: on Ray Tune, and on engines that know no Tune."""

import math
import random
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from ray import tune
from records import assert_accounted_for, forks, kinds, made, scores

from pbtbench import BadInput, catalogue, engines
from pbtbench.adapters import param_space
from pbtbench.adapters.trainable import TrainableMember, TrainableStart, trainable_problem
from pbtbench.space import (
    Choice,
    Constant,
    IntUniform,
    LogIntUniform,
    LogUniform,
    Sampler,
    Uniform,
)
from pbtbench.space.columns import rows
from pbtbench.study import Study

EXAMPLE = str(Path(__file__).parents[1] / "examples" / "my_trainable.py") + ":Digits"

METHODS = """
    def setup(self, config):
        self.rate, self.place = config["rate"], 0.0

    def step(self):
        self.place += self.rate
        return {"place": self.place, "started_at": self.training_iteration}
"""

FILES = """
    def save_checkpoint(self, checkpoint_dir):
        folder = Path(checkpoint_dir, "deep")
        folder.mkdir()
        (folder / "place.txt").write_text(repr(self.place))

    def load_checkpoint(self, checkpoint_dir):
        self.place = float(Path(checkpoint_dir, "deep", "place.txt").read_text())
"""

DICTIONARY = """
    def save_checkpoint(self, checkpoint_dir):
        return {"place": self.place}

    def load_checkpoint(self, checkpoint):
        self.place = checkpoint["place"]
"""

RESET = """
    def reset_config(self, new_config):
        self.setup(new_config)
        return True
"""

BESIDE = """
PARAM_SPACE = {"rate": tune.uniform(0.0, 1.0)}
METRIC, MODE = "place", "max"
"""

KINDS = {"files": FILES, "dictionary": DICTIONARY, "reset": FILES + RESET}


pytestmark = pytest.mark.usefixtures("shared_ray")


def written(folder, methods, beside=BESIDE, name="climber.py"):
    """The reference of a trainable with these methods, in a file of its own."""
    text = "from pathlib import Path\nfrom ray import tune\n"
    (folder / name).write_text(f"{text}class Climber(tune.Trainable):\n{methods}\n{beside}")
    return f"{folder / name}:Climber"


def executed(problem, on, /, kind="pbt", **keys):
    base = {"population": 4, "iterations": 6, "intervals": [2], "seeds": 1}
    over = {"problems": [problem], "methods": [kind], "engines": [on]}
    (run,) = Study.plan({**base, **over, **keys}).runs
    return engines.execute(run)


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_the_example_trains_where_it_is_taken(engine):
    outcome = executed(EXAMPLE, engine, iterations=4)
    assert (outcome.cause, outcome.message) == ("", "")
    record = outcome.record
    assert made(record) == dict.fromkeys(range(4), 4)
    assert forks(record)
    assert kinds(record)["restore"] >= len(forks(record))
    assert (record.timeline.bytes[record.timeline.of("save")] > 10 * 64 * 8).all()
    assert_accounted_for(outcome)


def test_random_search_scores_the_same_on_every_engine():
    one, *others = (
        scores(executed(EXAMPLE, on, "random", population=2, iterations=3).record, "accuracy")
        for on in ("inprocess", "ray", "tune")
    )
    assert others == [one, one]


def test_decisions_are_the_same_in_one_process_and_on_actors():
    one, other = (executed(EXAMPLE, on).record for on in ("inprocess", "ray"))
    assert scores(one, "accuracy") == scores(other, "accuracy")
    assert len(forks(one)) == len(forks(other)) > 0


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fork_takes_the_donors_checkpoint_whatever_it_is_made_of(tmp_path, engine, kind):
    """Climbers add their rate to their place: after a fork, a member's place is its donor's plus the
    new rate, and Tune's count of iterations is the donor's, too."""
    keys = {"iterations": 3 if engine == "tune" else 5}  # where each restore starts a process
    if kind == "reset" and engine == "tune":
        keys = {"iterations": 5, "engine": {"tune": {"reuse_actors": True}}}
    outcome = executed(written(tmp_path, METHODS + KINDS[kind]), engine, **keys)
    assert (outcome.cause, outcome.message) == ("", "")
    found, counted = (scores(outcome.record, name) for name in ("place", "started_at"))
    assert forks(outcome.record)
    for fork in forks(outcome.record):
        after = fork.iteration + 1
        expected = found[fork.donor][fork.copied] + fork.new["rate"]
        assert found[fork.member][after] == pytest.approx(expected)
        assert counted[fork.member][after] == counted[fork.donor][fork.copied] + 1


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_a_member_that_says_it_is_done_trains_no_further(tmp_path, engine):
    done = METHODS.replace('"place": self.place,', '"place": self.place, "done": self.place > 2,')
    outcome = executed(written(tmp_path, done + FILES), engine, "random", iterations=12)
    assert (outcome.cause, outcome.message) == ("", "")
    for found in scores(outcome.record, "place").values():
        rate, places = found[1], list(found.values())
        assert places[-1] <= 2 + rate
        assert len(places) == 12 or (engine == "tune" and places[-1] > 2)
    table = outcome.record.scores
    assert table.done.any() == (engine != "tune")  # which ends a trial that is done
    assert (table.metrics["place"][table.done] > 2).all()
    assert "done" not in table.metrics


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_read_and_adopted_and_read_again_is_equal(tmp_path, kind):
    start = catalogue.problem(written(tmp_path, METHODS + KINDS[kind])).start
    assert isinstance(start, TrainableStart)
    population = start([{"rate": 0.5}, {"rate": 0.25}], [None, None])
    population.train(3)
    population.adopt(1, population.state(0), {"rate": 0.125})
    one, other = population.state(0), population.state(1)
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    population.train(1)
    assert population.evaluate()["place"].tolist() == [2.0, 1.625]
    population.adopt(1, None, {"rate": 1.0})
    population.train(1)
    assert population.evaluate()["place"].tolist() == [2.5, 2.625]


def test_a_members_temporary_folders_go_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    start = catalogue.problem(written(tmp_path, METHODS + FILES)).start
    population = start([{"rate": 0.5}], [None])
    population.train(1)
    population.adopt(0, population.state(0), {"rate": 0.1})
    assert isinstance(population.members.pop(), TrainableMember)
    assert not list((tmp_path / "scratch").iterdir())


def test_the_names_beside_the_class_are_those_of_tune(tmp_path):
    more = '\nHYPERPARAM_MUTATIONS = {"rate": [0.1, 0.2]}\nITERATIONS = 7\n'
    problem = catalogue.problem(written(tmp_path, METHODS + FILES, BESIDE + more))
    assert problem.space["rate"] == Choice([0.1, 0.2])
    assert (problem.iterations, problem.objective.metric) == (7, "place")
    assert problem.name == "climber.Climber"


class Still(tune.Trainable):
    """Neither moves"""

    def step(self):
        return {}

    def save_checkpoint(self, checkpoint_dir): ...
    def load_checkpoint(self, checkpoint): ...


class TestSpaces:
    @pytest.mark.parametrize(
        ("declared", "expected"),
        [
            (tune.uniform(1, 2), Uniform(1, 2)),
            (tune.loguniform(1e-3, 1), LogUniform(1e-3, 1)),
            (tune.randint(1, 5), IntUniform(1, 4)),
            (tune.randint(3, 4), Constant(3)),
            (tune.uniform(1, 1), Constant(1.0)),
            (tune.quniform(0, 1, 0.25), Uniform(0, 1, step=0.25)),
            (tune.qloguniform(1e-3, 1, 1e-3), LogUniform(1e-3, 1, step=1e-3)),
            (tune.qrandint(16, 128, 16), IntUniform(16, 128, step=16)),
            (tune.qrandint(3, 21, 4), IntUniform(4, 20, step=4)),
            (tune.qrandint(1, 5), IntUniform(1, 4)),
            (tune.lograndint(1, 100), LogIntUniform(1, 99)),
            (tune.qlograndint(10, 100, 10), LogIntUniform(10, 100, step=10)),
            (tune.randint(np.int64(1), np.int32(5)), IntUniform(1, 4)),
            (tune.choice([[1], None, {"a": 1}]), Choice([[1], None, {"a": 1}])),
            (None, Constant(None)),
            ([64, 32], Constant([64, 32])),
            ({"data": "/data"}, Constant({"data": "/data"})),
            (np.arange(2), Constant([0, 1])),
            (tune.choice(["a", "b"]), Choice(["a", "b"])),
            (tune.grid_search([1, 2]), Choice([1, 2])),
            (64, Constant(64)),
            ("relu", Constant("relu")),
        ],
    )
    def test_domains_have_their_counterparts(self, declared, expected):
        assert param_space.space({"x": declared}, {})["x"] == expected

    @pytest.mark.parametrize(
        ("declared", "low", "high"),
        [
            (tune.randn(0, 1e-3), -1, 1),
            (tune.qrandn(0, 1, 0.5), -9, 9),
            (tune.sample_from(lambda: np.random.uniform(2, 3)), 2, 3),  # noqa: NPY002
            (lambda: np.random.randint(1, 3), 1, 2),  # noqa: NPY002
            (lambda: random.uniform(4, 5), 4, 5),
        ],
    )
    def test_what_has_none_is_drawn_as_it_draws_the_same_for_the_same_seed(
        self, declared, low, high
    ):
        found = param_space.space({"x": declared}, {})["x"]
        assert isinstance(found, Sampler)
        draws = [found.sample(np.random.default_rng(s), 1).tolist()[0] for s in (0, 1, 0)]
        assert draws[0] == draws[2]
        assert all(low <= value <= high and type(value) in (int, float) for value in draws)

    def test_a_normal_one_is_perturbed_on_its_step(self):
        found = param_space.space({"x": tune.qrandn(0, 1, 0.5)}, {})["x"]
        rng = np.random.default_rng(0)
        values = np.array([2.5])
        for factor in (1.2, 0.8, 1.2, 1.2):
            values = found.perturb(values, np.array([factor]), rng)
            assert values[0] / 0.5 == round(values[0] / 0.5)
        assert values[0] == 3.5

    def test_tune_draws_from_the_same_values_as_often(self):
        """A law over domains: ours and Tune's own have the same distribution."""
        rng = np.random.default_rng(0)
        for domain in (
            tune.quniform(0, 1, 0.25),
            tune.qloguniform(1, 8, 1),
            tune.qrandint(16, 64, 16),
            tune.lograndint(1, 8),
            tune.qlograndint(2, 10, 2),
        ):
            ours = param_space.space({"x": domain}, {})["x"]
            theirs = [float(v) for v in domain.sample(size=4000, random_state=rng)]
            mine = ours.sample(rng, 4000).tolist()
            assert set(mine) == set(theirs)
            for value in set(mine):
                assert mine.count(value) == pytest.approx(theirs.count(value), abs=180)

    def test_drawing_leaves_the_global_generators_alone(self):
        random.seed(3)
        expected = random.random()
        random.seed(3)
        param_space.space({"x": random.random}, {})["x"].sample(np.random.default_rng(0), 3)
        assert random.random() == expected

    def test_members_start_with_what_param_space_has(self):
        space = param_space.space({"x": 1e-3, "y": 2}, {"x": tune.loguniform(1e-4, 1.0)})
        rng = np.random.default_rng(0)
        assert rows(space.sample(rng, 1)) == [{"y": 2, "x": 1e-3}]
        assert space.dynamic == ("x",)
        assert space["x"].sample(rng, 1)[0] != 1e-3

    def test_nested_ones_are_named_by_their_path_and_handed_on_nested(self):
        declared = {
            "optimizer": {"name": "sgd", "rate": tune.uniform(0, 1)},
            "layers": [tune.choice([16]), 64, {"units": tune.choice([8])}],
            "paths": {"data": "/data"},
        }
        mutations = {"optimizer": {"rate": tune.uniform(0, 1)}}
        space, nesting = (f(declared, mutations) for f in (param_space.space, param_space.nesting))
        (drawn,) = rows(space.sample(np.random.default_rng(0), 1))
        assert set(drawn) == {
            "optimizer/name", "optimizer/rate", "layers/0", "layers/1", "layers/2/units", "paths"
        }  # fmt: skip
        nested = nesting.nested(drawn)
        assert nested == {
            "optimizer": {"name": "sgd", "rate": drawn["optimizer/rate"]},
            "layers": [16, 64, {"units": 8}],
            "paths": {"data": "/data"},
        }
        assert nesting.flat(nested, list(space)) == drawn
        assert space.dynamic == ("optimizer/rate",)
        nested["paths"]["data"] = "elsewhere"
        assert drawn["paths"] == {"data": "/data"}

    @pytest.mark.parametrize(
        "double",
        [
            lambda spec: 2 * spec.config.a.b,
            lambda config: 2 * config["a"]["b"],
            lambda spec: 2 * spec["config"]["a"]["b"],
            lambda config: config["again"],
        ],
    )
    def test_a_function_sees_the_configuration_drawn_so_far(self, double):
        declared = {
            "x": tune.sample_from(double),
            "again": tune.sample_from(lambda config: 2 * config["a"]["b"]),
            "a": {"b": tune.randint(1, 9)},
        }
        (drawn,) = rows(param_space.space(declared, {}).sample(np.random.default_rng(0), 1))
        assert drawn["x"] == 2 * drawn["a/b"]

    @pytest.mark.parametrize(
        ("declared", "mutations", "says"),
        [
            (
                {"x": tune.sample_from(lambda c: c["y"])},
                {},
                "'x': its function raised KeyError: 'y'",
            ),
            ({"x": tune.sample_from(lambda c: c["x"])}, {}, "x are drawn from each other"),
            ({"x": object()}, {}, "'x': <object object"),
            ({"x": tune.Trainable}, {}, "'x': <class 'ray.tune"),
            ({"x": {"eval": "2"}}, {}, "give tune.sample_from"),
            ({"x": (tune.uniform(0, 1),)}, {}, "'x': a tuple with a domain in it; give a list"),
            ({"x": {1: tune.uniform(0, 1)}}, {}, "'x/1': names must be text, not 1"),
            ({"x": {"y": tune.uniform(0, 1)}, "x/y": 1}, {}, "two hyperparameters are named 'x/y'"),
            ({"x": tune.uniform(2, 1)}, {}, "'x': Uniform(2, 1): the lower bound comes first"),
            ({"x": 1}, {"x": {"y": [1]}}, "'x': hyperparam_mutations has a dictionary"),
            ({"x": 1}, {"x": 2}, "'x': hyperparam_mutations has 2; give a domain"),
            ({}, {"x": tune.sample_from(lambda: 1)}, "'x': Ray's PBT takes no sample_from"),
            ({}, {"x": lambda config: 1}, "'x': Ray's PBT calls a function to mutate without"),
        ],
    )
    def test_what_has_no_place_is_refused_by_name(self, declared, mutations, says):
        with pytest.raises(BadInput, match=re.escape(says)) as refused:
            param_space.space(declared, mutations).sample(np.random.default_rng(0), 1)
        assert "\n" not in str(refused.value)

    def test_a_space_reads_the_same_in_every_process(self):
        """A card, which is compared from run to run, has no addresses in it."""
        space = param_space.space({"x": lambda: 1, "y": tune.randn(), "z": lambda c: 1}, {})
        assert " at 0x" not in repr(space)

    def test_only_what_is_mutated_is_dynamic(self):
        both = {"a": tune.uniform(0, 1), "b": tune.uniform(0, 1)}
        assert param_space.space(both, {}).dynamic == ("a", "b")
        assert param_space.space(both, {"b": [1, 2]}).dynamic == ("b",)


@pytest.mark.parametrize(
    ("methods", "beside", "says"),
    [
        (METHODS + FILES, "", "no PARAM_SPACE, METRIC, MODE"),
        (METHODS + FILES, BESIDE.replace('"max"', '"maximum"'), "MODE = 'maximum'"),
        (METHODS, BESIDE, "Climber has no save_checkpoint"),
        (
            METHODS + FILES,
            BESIDE.replace("tune.uniform(0.0, 1.0)", '{"eval": 1}'),
            "hyperparameter 'rate': {'eval': 1}: give tune.sample_from",
        ),
        (METHODS + FILES, BESIDE.replace("{", "{}; IGNORED = {"), "at least one hyperparameter"),
    ],
)
def test_what_is_missing_is_bad_input_in_one_line(tmp_path, methods, beside, says):
    with pytest.raises(BadInput, match=re.escape(says)) as error:
        catalogue.problem(written(tmp_path, methods, beside))
    assert "\n" not in str(error.value)


def test_a_module_that_cannot_be_pickled_fails_on_tune_in_one_line_and_runs_elsewhere(tmp_path):
    """Our engines name the file to their workers; Tune sends the class itself."""
    locked = METHODS.replace("        return {", "        assert LOCK\n        return {", 1)
    assert locked != METHODS
    beside = f"{BESIDE}\nimport threading\nLOCK = threading.Lock()\n"
    reference = written(tmp_path, locked + FILES, beside)
    assert executed(reference, "ray").cause == ""
    outcome = executed(reference, "tune")
    assert outcome.cause == "crash"
    assert "can't be pickled (TypeError: cannot pickle '_thread.lock' object)" in outcome.message
    assert "\n" not in outcome.message


@pytest.mark.parametrize("trainable", [print, lambda one, two: 1, int, 3])
def test_what_is_no_trainable_is_refused(trainable):
    with pytest.raises(BadInput, match="nor a function trainable"):
        trainable_problem(trainable, {"x": 1}, "loss", "min")


def test_the_names_of_old_are_hinted_at(tmp_path):
    old = """
    def _train(self):
        return {}
"""
    with pytest.raises(
        BadInput, match=re.escape("has no step: PBT needs it; Ray before 1.0 called it _train")
    ):
        catalogue.problem(written(tmp_path, old))


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_a_metric_that_step_does_not_give_fails_the_run_in_one_line(tmp_path, engine):
    reference = written(tmp_path, METHODS + FILES, BESIDE.replace('"place"', '"height"'))
    outcome = executed(reference, engine, population=2, iterations=3)
    assert outcome.cause == "crash"
    assert "no member ever had a finite 'height'" in outcome.message
    assert "measured: place, started_at" in outcome.message
    assert "\n" not in outcome.message
    assert math.isfinite(outcome.wall_s)


@pytest.mark.parametrize("slip", ["plaice", "Place", "evaluation/place"])
def test_a_slip_in_the_metrics_name_fails_at_once(tmp_path, slip):
    reference = written(tmp_path, METHODS + FILES, BESIDE.replace('"place"', f'"{slip}"'))
    population = catalogue.problem(reference).start([{"rate": 0.5}], [None])
    said = f"step() gives place, started_at, but not the metric {slip!r}: did you mean 'place'?"
    with pytest.raises(BadInput, match=re.escape(said)):
        population.train(1)
