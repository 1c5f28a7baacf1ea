"""What a problem declares is checked where it is declared: kinds, bounds, and what contradicts itself."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import BadInput, Objective, Space, filename
from pbtbench.catalogue import problem

ANY = problem("toy.pbt_quadratic")

FIELDS = [
    ("title", 3, "a problem's title = 3: it should be a valid string"),
    ("title", "two\nlines", "it holds the character '\\n'"),
    ("source", None, "source = null: it should be a valid string"),
    ("iterations", 2.0, "iterations = 2.0: it should be a valid integer"),
    ("iterations", True, "iterations = true: it should be a valid integer"),
    ("iterations", 0, "iterations = 0: it should be greater than or equal to 1"),
    ("iterations", 10**12, "iterations = 1000000000000: it should be less than"),
    ("iterations", 10**5000, "iterations = …: it should be less than"),
    ("steps_per_iteration", "3", 'steps_per_iteration = "3": it should be a valid integer'),
    ("steps_per_iteration", -1, "steps_per_iteration = -1: it should be greater"),
    ("space", {"h0": 0.5}, "space is a dict; give a pbtbench.Space"),
    ("objective", "Q", "objective is a str; give a pbtbench.Objective"),
    ("start", 3, "start is a int; give a function"),
    ("options", ["noise"], 'options = ["noise"]: it should be a valid dictionary'),
    ("options", {3: 0.5}, "it should be a valid string"),
    ("plane", ("theta0",), 'plane = ["theta0"]: it should have at least 2 items'),
    ("plane", "ab", 'plane = "ab": it should be a valid tuple'),
    ("requires", ["torch"], 'requires = ["torch"]: it should be a valid dictionary'),
    ("framework", None, "framework = null: it should be a valid string"),
    ("space", Space({"rate\0": 0.5}), "a hyperparameter's name = "),
    ("space", Space({"": 0.5}), "a hyperparameter's name = "),
    ("space", Space({"r" * 201: 0.5}), "it should have at most 200 characters"),
]


@pytest.mark.parametrize(
    ("field", "value", "says"), FIELDS, ids=[f"{f[0]}-{i}" for i, f in enumerate(FIELDS)]
)
def test_a_field_of_a_problem_that_does_not_fit_is_refused_in_one_line(field, value, says):
    with pytest.raises(BadInput) as refused:
        replace(ANY, **{field: value})
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


OBJECTIVES = [
    (("", "max"), "metric = "),
    ((3, "max"), "metric = 3: it should be a valid string"),
    (("a\0", "max"), "it holds the character '\\x00'"),
    (("a", None), "goal None: give 'max' or 'min'"),
    (("a", ["max"]), "goal ['max']: give 'max' or 'min'"),
    (("a", "max", 0.5), "targets = 0.5: it should be a valid tuple"),
    (("a", "max", "0.5"), "targets = "),
    (("a", "max", (True,)), "targets: 0 = true: it should be a valid number"),
    (("a", "max", (math.nan,)), "target nan: give a finite number"),
    (("a", "min", (-math.inf,)), "target -inf: give a finite number"),
    (("a", "max", (), math.inf), "optimum = Infinity: it should be a finite number"),
    (("a", "max", (), "high"), "optimum = "),
    (("a", "max", (), 2.0, 1.0), "optimum 2: no a can reach it; it must be at most 1"),
    (("a", "min", (), 0.0, 0.5), "optimum 0: no a can reach it; it must be at least 0.5"),
]


@pytest.mark.parametrize(("arguments", "says"), OBJECTIVES)
def test_an_objective_that_makes_no_sense_is_refused_in_one_line(arguments, says):
    with pytest.raises(BadInput) as refused:
        Objective(*arguments)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_targets_become_plain_numbers():
    (target,) = Objective("a", "max", [np.float64(0.5)]).targets
    assert (type(target), target) == (float, 0.5)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_texts_that_differ_have_folders_that_differ_and_that_any_system_can_make(texts):
    one, other = map(filename.folder, texts)
    assert one != other
    assert len(one.encode()) < 120
    assert not set(one) & set('/\\\0:*?"<>|\n')
    assert one[0] not in " ."


@pytest.mark.parametrize("text", ["toy.pbt_quadratic", "my problem", "größe", "実験", "a.B-c_1"])
def test_ordinary_text_is_a_folders_name_as_it_is(text):
    assert filename.folder(text) == text


@pytest.mark.parametrize("text", [".", "..", "../x", ".hidden", "a/b", " ", "a.", "x" * 300])
def test_what_means_something_to_a_file_system_is_no_folders_name(text):
    assert filename.folder(text) != text
    assert "/" not in filename.folder(text)
