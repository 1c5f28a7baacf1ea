"""What a trainable's `step` gives: numbers by flat names, and a score that stands until the next one."""

import math
import re

import numpy as np
import pytest

from pbtbench import BadInput
from pbtbench.adapters.results import Score, nearest
from pbtbench.protocol import AGE


def test_nested_numbers_have_their_path_for_a_name():
    given = {
        "evaluation": {"place": 2, "deep": {"x": np.float32(0.5)}},
        "words": "w",
        "done": False,
    }
    assert Score("evaluation/place").take(given) == {
        "evaluation/place": 2.0,
        "evaluation/deep/x": 0.5,
    }


def test_a_slash_may_be_in_a_name_itself():
    assert Score("val/place").take({"val/place": 3}) == {"val/place": 3.0}


def test_the_last_score_stands_and_its_age_is_told():
    score = Score("place")
    found = [score.take({"place": i} if i % 3 == 2 else {"loss": 1.0}) for i in range(7)]
    assert [f["place"] for f in found] == pytest.approx(
        [math.nan] * 2 + [2] * 3 + [5] * 2, nan_ok=True
    )
    assert [f.get(AGE, 0) for f in found] == [1, 2, 0, 1, 2, 0, 1]


def test_none_is_no_score_and_a_tensor_of_one_is():
    score = Score("place")
    assert math.isnan(score.take({"place": None})["place"])
    assert score.take({"place": np.array(4)})["place"] == 4.0


@pytest.mark.parametrize("value", ["high", 1j, [1, 2], np.zeros(2)])
def test_a_score_that_is_no_number_is_refused(value):
    with pytest.raises(BadInput, match="it must be a real number"):
        Score("place").take({"place": value})


@pytest.mark.parametrize(
    ("metric", "given", "expected"),
    [
        ("acuracy", ["accuracy", "loss"], "accuracy"),
        ("Loss", ["loss"], "loss"),
        ("place", ["evaluation/place"], "evaluation/place"),
        ("mean_reward", ["meanReward"], "meanReward"),
        ("val_loss", ["loss"], None),
        ("accuracy_top5", ["accuracy_top1"], None),
        ("place", ["loss"], None),
    ],
)
def test_a_slip_is_told_from_a_metric_that_comes_later(metric, given, expected):
    assert nearest(metric, dict.fromkeys(given)) == expected
    if expected:
        with pytest.raises(BadInput, match=re.escape(f"did you mean {expected!r}?")):
            Score(metric).take(dict.fromkeys(given, 1.0))
