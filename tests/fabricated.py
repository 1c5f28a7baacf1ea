"""Runs and outcomes made by hand, for tests of what reads traces."""

import math

from pbtbench.problem import Card, Objective
from pbtbench.record import Event, Outcome, Recorder
from pbtbench.run import Cluster, Run


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
        "problem_options": {},
        "method": method,
        "kind": method,
        "method_options": {},
        "interval": interval,
        "engine": engine,
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


def score(t, member, iteration, value, worker=0):
    return Event(t, 0.0, worker, member, iteration, "score", value=value)


def timed(kind, t, duration, worker=0, member=-1, iteration=-1, size=0):
    return Event(t, duration, worker, member, iteration, kind, size)


def started(member, **hyperparameters):
    return Event(0.0, 0.0, 0, member, 0, "setup", detail=hyperparameters)


def fork(t, member, donor, iteration, old, new):
    detail = {"donor": donor, "old": {"rate": old}, "new": {"rate": new}}
    return Event(t, 0.0, 0, member, iteration, "fork", detail=detail)


def an_outcome(*events, wall_s=10.0, workers=1, cause="", message=""):
    trace = Recorder(events=list(events)).trace("a run")
    return Outcome(trace, wall_s, workers, "memory", "local-2cpu", cause, message)


NAN = math.nan
