"""A user's own `tune.Trainable` is a problem as it is: on Ray Tune, and on engines that know no Tune."""

import math
import random
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from ray import tune

from pbtbench import BadInput, catalogue, engines
from pbtbench.adapters import param_space
from pbtbench.adapters.trainable import TrainableMember, TrainableStart, trainable_problem
from pbtbench.space import Choice, Constant, IntUniform, LogUniform, Sampler, Uniform
from pbtbench.study import Study
from pbtbench.trace import MARKS

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


@pytest.fixture(scope="module", autouse=True)
def _ray_once():
    yield
    for name in ("ray", "tune"):
        engines.engine(name).close()


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


def scores(trace):
    """member -> iteration -> score"""
    found = {}
    for i in trace.rows("score"):
        found.setdefault(int(trace.member[i]), {})[int(trace.iteration[i])] = float(trace.value[i])
    return found


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_the_example_trains_where_it_is_taken(engine):
    outcome = executed(EXAMPLE, engine, iterations=4)
    assert (outcome.cause, outcome.message) == ("", "")
    trace = outcome.trace
    assert {m: len(own) for m, own in scores(trace).items()} == dict.fromkeys(range(4), 4)
    assert len(trace.rows("fork"))
    assert len(trace.rows("restore")) >= len(trace.rows("fork"))
    assert (trace.bytes[trace.rows("save")] > 10 * 64 * 8).all()
    assert trace.worker.max() < outcome.workers
    for worker in range(outcome.workers):
        mine = (trace.worker == worker) & ~np.isin(trace.kind, MARKS)
        assert trace.duration_s[mine].sum() == pytest.approx(outcome.wall_s, rel=0.02)


def test_random_search_scores_the_same_on_every_engine():
    found = [scores(executed(EXAMPLE, on, "random").trace) for on in ("inprocess", "ray", "tune")]
    assert found[0] == found[1] == found[2]


def test_decisions_are_the_same_in_one_process_and_on_actors():
    found = [executed(EXAMPLE, on).trace for on in ("inprocess", "ray")]
    assert scores(found[0]) == scores(found[1])
    assert len(found[0].rows("fork")) == len(found[1].rows("fork")) > 0


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fork_takes_the_donors_checkpoint_whatever_it_is_made_of(tmp_path, engine, kind):
    """Climbers add their rate to their place: after a fork, a member's place is its donor's plus the
    new rate, and Tune's count of iterations is the donor's, too."""
    outcome = executed(written(tmp_path, METHODS + KINDS[kind]), engine, iterations=5)
    assert (outcome.cause, outcome.message) == ("", "")
    trace, found = outcome.trace, scores(outcome.trace)
    forks = trace.rows("fork")
    assert len(forks)
    for i in forks.tolist():
        member, made, told = int(trace.member[i]), int(trace.iteration[i]), trace.detail[i]
        copied = told.get("copied", made)
        expected = found[told["donor"]][copied] + told["new"]["rate"]
        assert found[member][made + 1] == pytest.approx(expected)


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_a_member_that_says_it_is_done_trains_no_further(tmp_path, engine):
    done = METHODS.replace('"place": self.place,', '"place": self.place, "done": self.place > 2,')
    outcome = executed(written(tmp_path, done + FILES), engine, "random", iterations=12)
    assert (outcome.cause, outcome.message) == ("", "")
    for found in scores(outcome.trace).values():
        rate, places = found[1], [found[i] for i in sorted(found)]
        assert places[-1] <= 2 + rate
        assert len(places) == 12 or (engine == "tune" and places[-1] > 2)


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
            (tune.quniform(0, 1, 0.25), 0, 1),
            (tune.lograndint(1, 100), 1, 99),
            (tune.sample_from(lambda spec: np.random.uniform(2, 3)), 2, 3),  # noqa: NPY002
            (lambda: random.uniform(4, 5), 4, 5),
        ],
    )
    def test_what_has_none_is_drawn_as_it_draws_the_same_for_the_same_seed(
        self, declared, low, high
    ):
        found = param_space.space({"x": declared}, {})["x"]
        assert isinstance(found, Sampler)
        draws = [found.sample(np.random.default_rng(s)) for s in (0, 1, 0)]
        assert draws[0] == draws[2]
        assert all(low <= value <= high and type(value) in (int, float) for value in draws)

    def test_drawing_leaves_the_global_generators_alone(self):
        random.seed(3)
        expected = random.random()
        random.seed(3)
        param_space.space({"x": random.random}, {})["x"].sample(np.random.default_rng(0))
        assert random.random() == expected

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
            BESIDE.replace("tune.uniform(0.0, 1.0)", '{"deep": 1}'),
            "hyperparameter 'rate': {'deep': 1}: give a domain",
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
    assert re.search(r"can't be pickled \(cannot pickle '_thread.lock' object\)", outcome.message)
    assert "\n" not in outcome.message


def test_a_function_is_no_class():
    with pytest.raises(BadInput, match="pbtbench runs class trainables"):
        trainable_problem(print, {"x": 1}, "loss", "min")


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
def test_a_metric_that_step_does_not_give_fails_the_run_in_one_line(tmp_path, engine):
    reference = written(tmp_path, METHODS + FILES, BESIDE.replace('"place"', '"height"'))
    outcome = executed(reference, engine)
    assert outcome.cause == "crash"
    assert "but not the metric 'height'" in outcome.message
    assert "\n" not in outcome.message
    assert math.isfinite(outcome.wall_s)
