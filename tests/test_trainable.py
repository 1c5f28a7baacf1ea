"""A user's own `tune.Trainable` is a problem as it is: on Ray Tune, and on engines that know no Tune."""

import math
import re
import tempfile
from pathlib import Path

import pytest
from records import assert_accounted_for, forks, kinds, made, scores

from pbtbench import BadInput, catalogue, engines
from pbtbench.adapters.trainable import TrainableMember, TrainableStart, trainable_problem
from pbtbench.space import (
    Choice,
)
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


HELD_OUT = """
    def test_held_out(self):
        return {"place": self.place / 2, "beside": "it"}
"""


@pytest.mark.parametrize("engine", ["inprocess", "ray", "tune"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_class_may_say_how_its_members_do_on_data_that_no_decision_saw(tmp_path, engine, kind):
    keys = {"engine": {"tune": {"reuse_actors": True}}} if kind == "reset" else {}
    climber = written(tmp_path, METHODS + KINDS[kind] + HELD_OUT)
    outcome = executed(climber, engine, iterations=3, **keys)
    assert (outcome.cause, outcome.message) == ("", "")
    notes = outcome.record.notes
    assert not notes.text[notes.named("untested")].tolist()
    tests = notes.at(notes.named("test"))
    found = dict(zip(tests.member.tolist(), tests.value.tolist(), strict=True))
    last = {m: places[3] for m, places in scores(outcome.record, "place").items()}
    assert found == {m: place / 2 for m, place in last.items()}
    saves = outcome.record.timeline.of("save").sum()
    assert saves == len({(f.donor, f.iteration) for f in forks(outcome.record)}) or engine == "tune"


@pytest.mark.parametrize("engine", ["inprocess", "tune"])
def test_a_class_whose_test_or_last_save_fails_is_only_not_tested(tmp_path, engine):
    wrong = HELD_OUT.replace('{"place"', '{"places"')
    fails = FILES.replace("folder.mkdir()", "folder.mkdir(); assert self.place < 0, 'no room'")
    spoilt = {"wrong": METHODS + FILES + wrong, "fails": METHODS + fails + HELD_OUT}
    for name, methods in spoilt.items():
        climber = written(tmp_path, methods, name=f"{name}.py")
        outcome = executed(climber, engine, "random", iterations=2, population=2)
        assert (outcome.cause, outcome.message) == ("", "")
        notes = outcome.record.notes
        texts = notes.text[notes.named("untested")].tolist()
        if name == "wrong":
            assert texts
            assert all("'places'" in text and "did you mean" in text for text in texts)
        elif engine == "tune":
            assert all("its last state can't be had: AssertionError: no room" in t for t in texts)
            assert len(texts) == 2
