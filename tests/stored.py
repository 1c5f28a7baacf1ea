"""Runs written into a study's folder without being made."""

from __future__ import annotations

from fabricated import an_outcome, score, timed

from pbtbench.measures import measure
from pbtbench.runs import Provenance
from pbtbench.store import Store

CAME_FROM = Provenance(
    "1.0", "abc", True, "a machine", "a problem", "2026-01-02T03:04:05.678+00:00"
)


def new_store(path):
    store = Store.claim(path)
    store.declare('name = "mine"\n')
    return store


def outcome_of(value=0.5, cause=""):
    events = [timed("train", 0.0, 1.0, iteration=1), score(1.0, 0, 1, value)]
    return an_outcome(*events, cause=cause, message="it broke" if cause else "")


def write(store, run, outcome=None, came_from=CAME_FROM):
    outcome = outcome or outcome_of()
    store.write(run, outcome, measure(run, outcome), came_from)
