"""A `param_space` of Tune's has its counterpart among our spaces: the same values, drawn as often."""

import random
import re

import numpy as np
import pytest
from ray import tune

from pbtbench import BadInput
from pbtbench.adapters import param_space
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
def test_domains_have_their_counterparts(declared, expected):
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
def test_what_has_none_is_drawn_as_it_draws_the_same_for_the_same_seed(declared, low, high):
    found = param_space.space({"x": declared}, {})["x"]
    assert isinstance(found, Sampler)
    draws = [found.sample(np.random.default_rng(s), 1).tolist()[0] for s in (0, 1, 0)]
    assert draws[0] == draws[2]
    assert all(low <= value <= high and type(value) in (int, float) for value in draws)


def test_a_normal_one_is_perturbed_on_its_step():
    found = param_space.space({"x": tune.qrandn(0, 1, 0.5)}, {})["x"]
    rng = np.random.default_rng(0)
    values = np.array([2.5])
    for factor in (1.2, 0.8, 1.2, 1.2):
        values = found.perturb(values, np.array([factor]), rng)
        assert values[0] / 0.5 == round(values[0] / 0.5)
    assert values[0] == 3.5


def test_tune_draws_from_the_same_values_as_often():
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


def test_drawing_leaves_the_global_generators_alone():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    param_space.space({"x": random.random}, {})["x"].sample(np.random.default_rng(0), 3)
    assert random.random() == expected


def test_members_start_with_what_param_space_has():
    space = param_space.space({"x": 1e-3, "y": 2}, {"x": tune.loguniform(1e-4, 1.0)})
    rng = np.random.default_rng(0)
    assert rows(space.sample(rng, 1)) == [{"y": 2, "x": 1e-3}]
    assert space.dynamic == ("x",)
    assert space["x"].sample(rng, 1)[0] != 1e-3


def test_nested_ones_are_named_by_their_path_and_handed_on_nested():
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
def test_a_function_sees_the_configuration_drawn_so_far(double):
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
def test_what_has_no_place_is_refused_by_name(declared, mutations, says):
    with pytest.raises(BadInput, match=re.escape(says)) as refused:
        param_space.space(declared, mutations).sample(np.random.default_rng(0), 1)
    assert "\n" not in str(refused.value)


def test_a_space_reads_the_same_in_every_process():
    """A card, which is compared from run to run, has no addresses in it."""
    space = param_space.space({"x": lambda: 1, "y": tune.randn(), "z": lambda c: 1}, {})
    assert " at 0x" not in repr(space)


def test_only_what_is_mutated_is_dynamic():
    both = {"a": tune.uniform(0, 1), "b": tune.uniform(0, 1)}
    assert param_space.space(both, {}).dynamic == ("a", "b")
    assert param_space.space(both, {"b": [1, 2]}).dynamic == ("b",)
