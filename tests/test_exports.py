"""Benchmarks as services read them: what their published formats ask for."""

from __future__ import annotations

import json

import jsonschema
import pytest
from sittings import a_sitting, an_entry

from pbtbench import BadInput
from pbtbench.regression.exports import exported

SITTING = a_sitting(
    up=an_entry(
        {"wall_s": [1.0, 2.0, 9.0], "final_score": [0.1, 0.2, 0.3], "forks": [4, 4, 4]}, goal="max"
    ),
    down=an_entry(
        {"final_score": [3.0, 1.0, 2.0], "iterations_to_target": [None, None, 5]}, goal="min"
    ),
)


BENCHER = {
    "type": "object",
    "patternProperties": {
        ".+": {
            "type": "object",
            "patternProperties": {
                ".+": {
                    "type": "object",
                    "properties": {
                        key: {"type": "number"} for key in ("value", "lower_value", "upper_value")
                    },
                    "required": ["value"],
                }
            },
        }
    },
}
"""What bencher.dev/bmf.json asks for."""


def test_github_action_benchmark_gets_what_is_better_when_less():
    found = json.loads(exported(SITTING, "github"))
    assert {one["name"]: (one["value"], one["unit"]) for one in found} == {
        "up pbt: wall_s": (2.0, "s"),
        "up pbt: forks": (4.0, "count"),
        "down pbt: final_score": (2.0, "score"),
    }
    kinds = {"name": str, "unit": str, "value": float, "range": str, "extra": str}
    assert all({key: type(value) for key, value in one.items()} == kinds for one in found)


def test_bencher_gets_the_median_within_its_rounds():
    found = json.loads(exported(SITTING, "bencher"))
    jsonschema.validate(found, BENCHER)
    assert found["up pbt"]["wall_s"] == {"value": 2.0, "lower_value": 1.0, "upper_value": 9.0}
    assert set(found["down pbt"]) == {"final_score"}, "a target missed in most rounds has no value"
    for measures in found.values():
        for name, metric in measures.items():
            assert len(name) <= 64
            assert metric["lower_value"] <= metric["value"] <= metric["upper_value"]


@pytest.mark.parametrize("to", ["github", "bencher"])
def test_every_number_is_one_of_json(to):
    """Which knows neither NaN nor infinity."""
    json.loads(exported(SITTING, to), parse_constant=pytest.fail)


def test_what_a_service_would_refuse_is_refused_before():
    missed = a_sitting(one=an_entry({"iterations_to_target": [None] * 3}))
    for to in ("github", "bencher"):
        with pytest.raises(BadInput, match="has a value that"):
            exported(missed, to)
    long = a_sitting(**{"x" * 1024: an_entry({"wall_s": [1.0]})})
    with pytest.raises(BadInput, match="Bencher takes 1,024 at most"):
        exported(long, "bencher")
    assert len(json.loads(exported(long, "github"))) == 1
