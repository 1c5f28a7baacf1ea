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


def a_pytest_benchmark_file(
    *, commit="c" * 40, dirty=False, machine="m", own_commit="", **benchmarks
):
    """What pytest-benchmark stores, as plain data: benchmarks by name, each an `Entry`."""
    info = {"format": 1, "version": "1", "commit": own_commit, "dirty": False}
    info |= {"machine": machine, "cpu": "a CPU"}
    return {
        "datetime": "2026-11-02T10:00:00.123456+00:00",
        "commit_info": {"id": commit, "time": "2026-11-01T23:30:00-05:00", "dirty": dirty},
        "benchmarks": [
            {
                "fullname": name,
                "extra_info": {"pbtbench": {**info, "entries": {"pbt": entry.model_dump()}}},
            }
            for name, entry in benchmarks.items()
        ],
    }
