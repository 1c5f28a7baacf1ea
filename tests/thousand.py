"""A study of a thousand runs with a million scores, for measuring what its report takes:

python tests/thousand.py OUT [PROBLEMS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from fabricated import a_folder, a_run

from pbtbench.record import NOBODY, Outcome
from pbtbench.recorder import Recorder

RUNS, MEMBERS, ITERATIONS, ITERATION_S = 1000, 10, 100, 0.1
METHODS = (("random", None), ("grid", None), ("pbt", 1), ("pbt", 5), ("pbt", 20))


def an_outcome_of(interval, speed, rng):
    """Members that improve; with an interval the two worst fork from the two best."""
    recorder, members = Recorder(), np.arange(MEMBERS)
    rates, levels = 10 ** rng.uniform(-3, 0, MEMBERS), np.zeros(MEMBERS)
    recorder.forked(members, NOBODY, 0, old={"rate": rates}, new={"rate": rates}, t_s=0.0)
    for i in range(1, ITERATIONS + 1):
        t, turn = i * ITERATION_S, 0.8 * ITERATION_S / MEMBERS
        for m in range(MEMBERS):
            about = {"worker": 0, "member": m, "iteration": i}
            recorder.add("train", t - ITERATION_S + m * turn, turn, **about)
        levels += rng.random(MEMBERS) * 0.01 * speed
        recorder.scored(members, i, {"accuracy": 1 - np.exp(-levels)}, t_s=t - 0.01)
        if interval and i % interval == 0 and i < ITERATIONS:
            order = np.argsort(levels)
            bad, good = order[:2], order[-2:]
            for m in good.tolist():
                recorder.add("save", t - 0.015, 0.001, worker=0, member=m, iteration=i, bytes=1000)
            old = {"rate": rates[bad]}
            rates[bad], levels[bad] = 1.2 * rates[good], levels[good]
            new = {"rate": rates[bad]}
            recorder.forked(bad, good, i, old=old, new=new, t_s=t - 0.005, copied_iteration=i)
    return Outcome(recorder.record(), ITERATIONS * ITERATION_S, 1, "memory", "local-2cpu")


def runs(problems):
    """The runs with their outcomes, on so many problems."""
    for problem in range(problems):
        for place, (method, interval) in enumerate(METHODS):
            for seed in range(RUNS // (problems * len(METHODS))):
                rng = np.random.default_rng([problem, place, seed])
                about = {"targets": (0.3, 0.4), "population": MEMBERS, "iterations": ITERATIONS}
                run = a_run(f"toy.p{problem:02}", method, interval, seed=seed, **about)
                yield run, an_outcome_of(interval, 1 + 0.1 * place, rng)


if __name__ == "__main__":
    a_folder(Path(sys.argv[1]), *runs(int(sys.argv[2]) if len(sys.argv) > 2 else 10))
