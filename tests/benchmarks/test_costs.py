"""What pbtbench itself costs: beyond the problem's own arithmetic, and until a command first answers."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from pbtbench import Run, Study, catalogue, engines
from pbtbench.problem import member_seed, method_rng
from pbtbench.space.columns import rows

COLD = ("setup", "compile")


def run_of(**keys) -> Run:
    (run,) = Study.plan({"methods": ["pbt"], "seeds": 1, **keys}).runs
    return run


def arithmetic_s(run: Run) -> float:
    """Seconds of the run's training and evaluation without an engine around them: the median of seven."""
    problem = catalogue.problem(run.problem)
    hyperparameters = rows(problem.space.sample(method_rng(0), run.population))
    seeds = [member_seed(0, member) for member in range(run.population)]

    def once() -> float:
        population = problem.population(hyperparameters, seeds)
        start = time.perf_counter()
        for _ in range(run.iterations):
            population.train(problem.steps_per_iteration)
            population.evaluate()
        return time.perf_counter() - start

    return float(np.median([once() for _ in range(7)]))


@pytest.mark.parametrize("interval", [1, 10])
@pytest.mark.parametrize("problem", ["toy.pbt_quadratic", "toy.noisy_quadratic"])
def test_inprocess_overhead(benchmark, problem, interval):
    run = run_of(problems=[problem], intervals=[interval], population=8, iterations=200)
    outcomes = []
    benchmark.pedantic(
        lambda: outcomes.append(engines.execute(run)), rounds=7, warmup_rounds=1, iterations=1
    )
    own = arithmetic_s(run)
    spent = float(np.median([outcome.wall_s for outcome in outcomes]))
    member_iterations = run.population * run.iterations
    benchmark.extra_info["us_per_member_iteration"] = 1e6 * (spent - own) / member_iterations
    benchmark.extra_info["us_of_arithmetic"] = 1e6 * own / member_iterations


def test_digits(benchmark):
    """Four members, 20 iterations of 20 steps: what is left once set-up and compilation are taken off."""
    run = run_of(problems=["vision.digits_mlp"], intervals=[1], population=4, iterations=20)
    outcomes = []
    benchmark.pedantic(
        lambda: outcomes.append(engines.execute(run)), rounds=7, warmup_rounds=1, iterations=1
    )
    kinds = {
        kind: float(np.median([o.trace.duration_s[o.trace.rows(kind)].sum() for o in outcomes]))
        for kind in ("setup", "compile", "train", "evaluate", "save", "restore", "decide")
    }
    benchmark.extra_info.update({f"{kind}_s": seconds for kind, seconds in kinds.items()})
    warm = [o.wall_s - o.trace.duration_s[np.isin(o.trace.kind, COLD)].sum() for o in outcomes]
    benchmark.extra_info["after_compile_s"] = float(np.median(warm))
    benchmark.extra_info["after_compile_s_most"] = max(warm)


@pytest.mark.parametrize("arguments", [["--help"], ["list"]], ids=" ".join)
def test_startup(benchmark, arguments):
    command = [sys.executable, "-m", "pbtbench", *arguments]
    benchmark.pedantic(
        subprocess.run,
        [command],
        {"check": True, "stdout": subprocess.DEVNULL},
        rounds=5,
        warmup_rounds=1,
    )
