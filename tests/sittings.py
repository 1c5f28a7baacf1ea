"""Sittings as benchmarks leave them, made by hand."""

from __future__ import annotations

from pbtbench.regression.exchange import Entry
from pbtbench.regression.sitting import Sitting

COUNTS = ["forks", "iterations_to_target", "final_score"]


def an_entry(measures, *, goal="max", exact=COUNTS, digest="d", **settings):
    rounds = max(len(values) for values in measures.values())
    return Entry(
        problem="toy.plain",
        problem_digest=digest,
        goal=goal,
        settings={"population": 8, **settings},
        exact=list(exact),
        seeds=list(range(rounds)),
        measures=measures,
    )


def a_sitting(*, machine="m", **benchmarks):
    found = {name: {"pbt": one} for name, one in benchmarks.items()}
    about = {"version": "1", "commit": "c", "dirty": False, "cpu": "a CPU"}
    return Sitting(**about, machine=machine, benchmarks=found)
