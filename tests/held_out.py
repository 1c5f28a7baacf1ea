"""A problem of climbers that are tested once on data of their own, which may go wrong."""

PROBLEM = """
import os, threading
import numpy as np
from pbtbench import LogUniform, LoopedPopulation, Objective, Problem, Space
from pbtbench.adapters.streams import generator

class Climber:
    size, traces = 1, 0

    def __init__(self, rate, seed, how):
        self.rate, self.seed, self.how = rate, seed, how
        self.at, self.step, self.tests = 0.0, 0, 0

    def train(self, steps):
        for _ in range(steps):
            self.at += self.rate * (1 - self.at) + 0.01 * generator(self.seed, self.step).normal()
            self.step += 1

    def evaluate(self):
        assert not self.tests, "evaluated after it was tested"
        return {{"score": np.array([self.at])}}

    def state(self, member):
        return {{"at": np.array(self.at), "step": np.array(self.step)}}

    def adopt(self, member, state, hyperparameters):
        if state is not None:
            self.at, self.step = float(state["at"]), int(state["step"])
        self.rate = hyperparameters["rate"]
{test}

def start(hyperparameters, seeds, how):
    members = [Climber(h["rate"], seed, how) for h, seed in zip(hyperparameters, seeds)]
    return LoopedPopulation(members)

PROBLEM = Problem(
    title="climbers", source="a test, 2026", finding="none", space=Space({{"rate": LogUniform(1e-3, 0.3)}}),
    objective=Objective("score", "max", targets=(0.5,)), iterations=8, steps_per_iteration=1,
    start=start, options={{"how": "well"}},
)
"""

TEST = """
    def test(self):
        self.tests += 1
        assert self.tests == 1, "tested twice"
        if self.how == "raises": raise ArithmeticError("test data are\\nspoilt")
        if self.how == "leaves": raise SystemExit(3)
        if self.how == "dies": os._exit(3)
        if self.how == "hangs": threading.Event().wait()
        if self.how == "slow": threading.Event().wait(0.3)
        name = "scores" if self.how == "misnamed" else "score"
        shape = np.array([np.nan if self.how == "nan" else self.at / 2 + 0.1])
        return {name: shape if self.how != "lopsided" else np.zeros(3)}
"""


def problem_file(folder, *, tested=True):
    """The path of the problem, with a test or without."""
    path = folder / f"climbers{'' if tested else '_untested'}.py"
    path.write_text(PROBLEM.format(test=TEST if tested else ""))
    return str(path)
