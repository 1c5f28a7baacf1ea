"""How far a run is: what is said of it while it goes on."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from pbtbench.problem import Objective
from pbtbench.recorder import Recorder
from pbtbench.running.progress import SHOWN, Progress


def scored(recorder, iteration, values, first=0):
    members = np.arange(first, first + len(values))
    recorder.scored(members, iteration, {"loss": np.array(values)}, t_s=float(iteration))


def forked(recorder, member, donor):
    columns = {"rate": np.array([0.5])}
    recorder.forked(np.array([member]), donor, 1, old=columns, new=columns)


def test_each_member_is_shown_with_its_latest_score_and_forks():
    recorder = Recorder()
    progress = Progress(recorder, Objective("loss", "min"))
    recorder.started({"rate": np.array([0.1, 0.2])})
    scored(recorder, 1, [0.5, 0.7])
    assert progress.to_dict()["best"] == [[0, 1, 0.5, 1.0, 0, None], [1, 1, 0.7, 1.0, 0, None]]
    recorder.add("save", 1.0, member=0)
    recorder.add("restore", 1.0, member=1)
    forked(recorder, member=1, donor=0)
    scored(recorder, 2, [0.3, 0.2])
    said = progress.to_dict()
    assert said["best"] == [[1, 2, 0.2, 2.0, 1, 0], [0, 2, 0.3, 2.0, 0, None]]
    assert (said["saves"], said["restores"], said["forks"], said["members"]) == (1, 1, 1, 2)
    assert progress.to_dict()["forks"] == 1


@pytest.mark.parametrize(
    ("goal", "best"), [("min", range(SHOWN)), ("max", range(29, 29 - SHOWN, -1))]
)
def test_of_many_members_the_best_are_shown_in_order_and_how_many_there_are(goal, best):
    recorder = Recorder()
    order = np.random.default_rng(0).permutation(30)
    scored(recorder, 1, order.astype(float).tolist())
    said = Progress(recorder, Objective("loss", goal)).to_dict()
    assert [score for _, _, score, *_ in said["best"]] == list(best)
    assert [order[member] for member, *_ in said["best"]] == list(best)
    assert said["members"] == 30


@pytest.mark.parametrize("goal", ["min", "max"])
def test_members_without_a_sound_score_come_last_and_pass_through_json(goal):
    recorder = Recorder()
    scored(recorder, 1, [math.nan, 0.5, 0.4])
    said = Progress(recorder, Objective("loss", goal)).to_dict()
    again = json.loads(json.dumps(said))
    assert [member for member, *_ in again["best"]][-1] == 0
    assert math.isnan(again["best"][-1][2])


def test_a_run_that_measures_something_else_has_no_score_to_show():
    recorder = Recorder()
    scored(recorder, 1, [0.5])
    ((_, iteration, score, *_),) = Progress(recorder, Objective("accuracy", "max")).to_dict()[
        "best"
    ]
    assert iteration == 1
    assert math.isnan(score)


def test_what_is_said_does_not_grow_with_the_members():
    lengths = []
    for size in (100, 100_000):
        recorder = Recorder()
        scored(recorder, 1, np.zeros(size).tolist())
        lengths.append(len(json.dumps(Progress(recorder, Objective("loss", "min")).to_dict())))
    assert lengths[1] < lengths[0] + 100
