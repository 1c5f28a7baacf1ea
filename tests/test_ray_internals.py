"""What isn't public of Ray and Ray Tune is used in one module, and is as it was. Where a test here fails after
an upgrade, its message says what moved, and that module is the one to mend. No Ray is started."""

from __future__ import annotations

import ast
import inspect
import json
from collections import defaultdict
from pathlib import Path

import pytest
import ray
from ray import tune
from ray.tune.schedulers import PopulationBasedTraining, PopulationBasedTrainingReplay
from ray.tune.schedulers.pb2 import PB2

import pbtbench
from pbtbench.engines import ray_internals

PACKAGE = Path(pbtbench.__file__).parent
MODULE = "engines/ray_internals.py"
METRIC = {"metric": "score", "mode": "max"}
STEPS = {
    "_checkpoint_or_exploit": ("trial", "tune_controller", "upper_quantile", "lower_quantile"),
    "_exploit": ("tune_controller", "trial", "trial_to_clone"),
    "_get_new_config": ("trial", "trial_to_clone"),
}
"""Private methods of Tune's PBT -> their arguments."""


def moved(name: str) -> str:
    return f"Ray {ray.__version__} has moved or changed {name}: see {MODULE}"


def test_settings_can_be_read_again():
    from ray._raylet import Config

    assert callable(getattr(Config, "initialize", None)), moved("ray._raylet.Config.initialize")
    ray_internals.read_settings()


def test_schedulers_and_searchers_have_names():
    known = ray_internals.schedulers()
    for name in ("fifo", "async_hyperband", "median_stopping_rule", "hyperband", "pbt_replay"):
        assert inspect.isclass(known.get(name)), moved(f"SCHEDULER_IMPORT[{name!r}]")
    assert known["pb2"]() is PB2, moved("SCHEDULER_IMPORT['pb2']")
    for name in ("optuna", "bayesopt", "random"):
        found = ray_internals.searchers().get(name)
        assert callable(found), moved(f"SEARCH_ALG_IMPORT[{name!r}]")
        assert hasattr(found(), "suggest") or name == "random", moved(f"what {name!r} imports")


def test_a_function_trainable_is_called_by_a_method_that_can_be_overridden():
    from ray.tune.trainable.function_trainable import FunctionTrainable, wrap_function

    assert hasattr(FunctionTrainable, "_trainable_func"), moved("FunctionTrainable._trainable_func")
    given = tuple(inspect.signature(FunctionTrainable._trainable_func).parameters)
    assert given == ("self", "config"), moved("what FunctionTrainable._trainable_func takes")
    assert "self._trainable_func(" in inspect.getsource(FunctionTrainable.setup), moved(
        "what FunctionTrainable.setup has called"
    )
    wrapped = wrap_function(print)
    assert "_trainable_func" in vars(wrapped), moved("what wrap_function overrides")


@pytest.mark.parametrize("method", STEPS)
def test_a_step_of_pbt_takes_what_it_took(method):
    for cls in (PopulationBasedTraining, PB2):
        found = getattr(cls, method, None)
        assert found is not None, moved(f"{cls.__name__}.{method}")
        given = tuple(inspect.signature(found).parameters)[1:]
        assert given == STEPS[method], moved(f"the arguments of {cls.__name__}.{method}")


CALLERS = {
    "_checkpoint_or_exploit": "on_trial_result",
    "_exploit": "_checkpoint_or_exploit",
    "_get_new_config": "_exploit",
}
"""Private methods of Tune's PBT -> the method through which it comes to them."""


@pytest.mark.parametrize("method", CALLERS)
def test_pbt_decides_by_its_steps(method):
    """Who overrides a step that is not called changes nothing, and sees nothing."""
    calls = defaultdict(set)
    for function in ast.walk(ast.parse(inspect.getsource(PopulationBasedTraining))):
        if isinstance(function, ast.FunctionDef):
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                    calls[function.name].add(call.func.attr)
    caller = CALLERS[method]
    assert method in calls[caller], moved(
        f"PopulationBasedTraining.{caller}, which called {method}"
    )


def test_pbt_counts_its_exploits():
    class Steps(ray_internals.PBTSteps, PopulationBasedTraining): ...

    count = "PopulationBasedTraining._num_perturbations, its count of exploits"
    scheduler = Steps(hyperparam_mutations={"rate": [1, 2]}, **METRIC)
    assert hasattr(scheduler, "_num_perturbations"), moved(count)
    assert scheduler.exploits == 0
    source = inspect.getsource(PopulationBasedTraining._exploit)
    assert "self._num_perturbations += 1" in source, moved(count)


@pytest.mark.parametrize("public", ["exploits", "save_or_exploit", "exploit", "new_configuration"])
def test_our_names_of_the_steps_are_free(public):
    for cls in (PopulationBasedTraining, PB2):
        assert not hasattr(cls, public), f"{moved(cls.__name__)}; it has a {public} of its own now"


def test_pb2_keeps_a_table_of_what_was_tried():
    pytest.importorskip("sklearn")
    found = PB2(hyperparam_bounds={"rate": [0.0, 1.0]}, **METRIC)
    assert hasattr(found, "data"), moved("PB2.data")
    assert len(ray_internals.tried(found)) == 0, moved("PB2.data")


def test_a_replay_says_what_it_starts_with(tmp_path):
    policy = tmp_path / "pbt_policy_x_00000.txt"
    changes = ["0", "1", 2, 2, {"rate": 0.5}, {"rate": 0.6}]
    policy.write_text(json.dumps(changes) + "\n")
    found = PopulationBasedTrainingReplay(str(policy))
    assert ray_internals.replayed_start(found) == {"rate": 0.5}, moved(
        "PopulationBasedTrainingReplay.current_config"
    )
    other = PopulationBasedTraining(hyperparam_mutations={"rate": [1, 2]}, **METRIC)
    assert ray_internals.replayed_start(other) is None


def test_a_searcher_counts_its_trials():
    from ray.tune.search import Searcher, SearchGenerator

    class Quiet(Searcher):
        def suggest(self, trial_id):
            return {}

        def on_trial_complete(self, trial_id, result=None, error=False): ...

    found = SearchGenerator(Quiet())
    assert hasattr(found, "_counter"), moved("SearchGenerator._counter")
    assert ray_internals.trials_made(found) == 0
    source = inspect.getsource(SearchGenerator.create_trial_if_possible)
    assert "self._counter += 1" in source, moved("SearchGenerator._counter")


def test_a_function_s_end_is_marked():
    from ray.tune.trainable import FunctionTrainable, function_trainable

    assert ray_internals.has_returned({"__duplicate__": True}), moved("RESULT_DUPLICATE")
    assert not ray_internals.has_returned({"score": 1.0})
    sources = [function_trainable.wrap_function, FunctionTrainable.step]
    assert all("RESULT_DUPLICATE" in inspect.getsource(f) for f in sources), moved(
        "how a function trainable says that it has returned (RESULT_DUPLICATE)"
    )


def test_what_a_trial_is_restored_from_has_its_result_and_its_folder(tmp_path):
    from ray.train._internal.session import _TrainingResult

    name = "_TrainingResult, which Trainable.restore is given"
    assert "_TrainingResult" in inspect.getsource(tune.Trainable.restore), moved(name)
    checkpoint = tune.Checkpoint.from_directory(str(tmp_path))
    found = _TrainingResult(checkpoint=checkpoint, metrics={"score": 1.0})
    assert ray_internals.saved_result(found) == {"score": 1.0}, moved(name)
    assert ray_internals.saved_folder(found) == str(tmp_path), moved(name)
    assert ray_internals.saved_result("a path") == {}
    assert ray_internals.saved_folder("a path") is None


def test_private_names_stand_in_one_module():
    """Imports of what begins with an underscore, and names that a canary here watches over."""
    watched = {*STEPS, "_num_perturbations", "_counter", "_TrainingResult", "RESULT_DUPLICATE",
               "SCHEDULER_IMPORT", "SEARCH_ALG_IMPORT"}  # fmt: skip
    for file in PACKAGE.rglob("*.py"):
        if file == PACKAGE / MODULE:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ray"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [
                    p for a in node.names if a.name.startswith("ray") for p in a.name.split(".")
                ]
            elif isinstance(node, ast.Attribute):
                used = node.attr
                of_ray = ast.unparse(node).startswith("ray.") or used in watched
                names = [used] if of_ray else []
            elif isinstance(node, ast.FunctionDef):
                names = [node.name] if node.name in watched else []
            private = [n for n in names if n.startswith("_") or n in watched]
            assert not private, f"{file}: {', '.join(private)} belongs in {MODULE}"
