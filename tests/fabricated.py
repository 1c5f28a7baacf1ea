"""Runs and outcomes made by hand, for tests of what reads records: each helper gives a function that writes
its rows onto a recorder."""

import json
import math

import numpy as np

from pbtbench.measures import measure
from pbtbench.problem import Card, Objective
from pbtbench.record import NOBODY, Outcome
from pbtbench.recorder import Recorder
from pbtbench.runs import Cluster, Provenance, Run
from pbtbench.space.columns import columns
from pbtbench.store import Store


def a_run(
    problem="toy.hand", method="random", interval=None, engine="inprocess", seed=0, *,
    goal="max", targets=(), optimum=None, bound=None, **fields,
):  # fmt: skip
    about = Card(
        title="made by hand",
        source="a test",
        finding="nothing is known",
        objective=Objective("accuracy", goal, optimum=optimum, bound=bound),
        hyperparameters={"rate": "LogUniform(low=0.001, high=1.0, dynamic=True)"},
        dynamic=("rate",),
    )
    parts = [problem, method, engine, *([f"k{interval}"] if interval else []), f"s{seed}"]
    defaults = {
        "id": "/".join(parts),
        "problem": problem,
        "problem_name": problem,
        "problem_options": {},
        "method": method,
        "kind": method,
        "method_options": {},
        "interval": interval,
        "synchronous": True,
        "engine": engine,
        "engine_label": engine,
        "engine_options": {},
        "transport": "memory",
        "cluster": Cluster(),
        "seed": seed,
        "population": 2,
        "workers": 1,
        "iterations": 2,
        "targets": tuple(targets),
        "limit_s": 60.0,
        "card": about,
    }
    return Run(**{**defaults, **fields})


def score(t, member, iteration, value, *, metric="accuracy", age=0, done=False, **others):
    """`others`: the member's other metrics."""
    metrics = columns([{metric: value, **others}])

    def write(recorder):
        more = {"age": np.array([age]), "done": np.array([done])}
        recorder.scored(np.array([member]), iteration, metrics, t_s=t, **more)

    return write


def timed(kind, t, duration=0.0, worker=0, member=-1, iteration=-1, size=0, value=math.nan):
    row = {"worker": worker, "member": member, "iteration": iteration, "bytes": size}
    return lambda recorder: recorder.add(kind, t, duration, value=value, **row)


def started(member, **hyperparameters):
    values = columns([hyperparameters])

    def write(recorder):
        recorder.forked(np.array([member]), NOBODY, 0, old=values, new=values, t_s=0.0)

    return write


def fork(t, member, donor, iteration, old, new, *, copied_iteration=-1, out_of_bounds=False):
    """`old` and `new`: values of `rate`, or of all hyperparameters by name."""
    old, new = (v if isinstance(v, dict) else {"rate": v} for v in (old, new))
    more = {"copied_iteration": copied_iteration, "out_of_bounds": out_of_bounds}

    def write(recorder):
        of_member = {"old": columns([old]), "new": columns([new])}
        recorder.forked(np.array([member]), donor, iteration, t_s=t, **of_member, **more)

    return write


def note(name, text="", value=math.nan, **at):
    return lambda recorder: recorder.note(name, text, value, **at)


def lost(cause, message, **at):
    return lambda recorder: recorder.lost(cause, message, **at)


def an_outcome(*written, wall_s=10.0, workers=1, cause="", message=""):
    recorder = Recorder()
    for write in written:
        write(recorder)
    return Outcome(recorder.record(), wall_s, workers, "memory", "local-2cpu", cause, message)


def a_folder(path, *pairs, title="a study"):
    """A study's folder that keeps runs with their outcomes."""
    store = Store(path)
    store.folder.make()
    store.declare(f"name = 'fabricated'\ntitle = {json.dumps(title)}\n")
    for run, outcome in pairs:
        store.write(run, outcome, measure(run, outcome), CAME_FROM)
    return store


CAME_FROM = Provenance("1.0", "abc", True, "here", "digest", "2026-01-02T03:04:05.678+00:00")
NAN = math.nan
