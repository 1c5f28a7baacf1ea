"""What pbtbench itself costs: beyond the problem's own arithmetic, and until a command first answers."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from commands import pbtbench

from pbtbench import Run, Study, catalogue, engines
from pbtbench.problem import member_seed, method_rng
from pbtbench.record import Outcome
from pbtbench.running.observer import Observer
from pbtbench.running.runner import run_study
from pbtbench.space.columns import rows
from pbtbench.store import Store

COLD = ("setup", "compile")

MANY = {"problems": ["toy.pbt_quadratic"], "intervals": [10], "iterations": 100}

FEW = {"problems": ["toy.pbt_quadratic"], "methods": ["random"], "population": 4, "iterations": 10}


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


def spent_s(outcome: Outcome, *kinds: str) -> float:
    """Seconds of a run's rows of these kinds."""
    timeline = outcome.record.timeline
    return float(timeline.duration_s[timeline.of(*kinds)].sum())


def beyond_arithmetic(benchmark, run: Run, rounds: int) -> None:
    """Time a run, with its record, beyond the arithmetic of its members."""
    walls: list[float] = []

    def once() -> None:
        start = time.perf_counter()
        outcome = engines.execute(run)
        walls.append(time.perf_counter() - start)
        assert not outcome.cause, outcome.message

    benchmark.pedantic(once, rounds=rounds, warmup_rounds=1)
    own, spent = arithmetic_s(run), float(np.median(walls[1:]))
    made = run.population * run.iterations
    benchmark.extra_info["us_per_member_iteration"] = 1e6 * (spent - own) / made
    benchmark.extra_info["us_of_arithmetic"] = 1e6 * own / made


@pytest.mark.parametrize("interval", [1, 10])
@pytest.mark.parametrize("problem", ["toy.pbt_quadratic", "toy.noisy_quadratic"])
def test_inprocess_overhead(benchmark, problem, interval):
    run = run_of(problems=[problem], intervals=[interval], population=8, iterations=200)
    beyond_arithmetic(benchmark, run, rounds=7)


@pytest.mark.parametrize("population", [100, 10_000, 100_000])
def test_many_members(benchmark, population):
    """Synchronous PBT, 100 iterations, interval 10."""
    run = run_of(population=population, **MANY)
    beyond_arithmetic(benchmark, run, rounds=3)


@pytest.mark.parametrize("population", [100, 10_000, 100_000])
def test_many_decisions_one_after_another(benchmark, population):
    """Asynchronous PBT, 100 iterations, interval 10: deciding and copying, for each decision."""
    run = run_of(population=population, **MANY, method={"pbt": {"synchronous": False}})
    outcomes = []
    benchmark.pedantic(lambda: outcomes.append(engines.execute(run)), rounds=3, warmup_rounds=1)
    decisions = population * (run.iterations // 10 - 1)
    spent = [1e6 * spent_s(o, "decide", "save", "restore") / decisions for o in outcomes[1:]]
    benchmark.extra_info["us_per_decision"] = float(np.median(spent))


def test_a_whole_command_of_many_members(benchmark, tmp_path):
    """100,000 members, 100 iterations, interval 10: seconds of `pbtbench run`, and the most that a process of
    it held."""
    command = ["run", "--problems", "toy.pbt_quadratic", "--methods", "pbt", "--seeds", "1"]
    command += ["--population", "100000", "--iterations", "100", "--intervals", "10", "--out"]
    made, taken = iter(range(2)), []

    def once() -> None:
        taken.append(pbtbench(*command, str(tmp_path / str(next(made)))))

    benchmark.pedantic(once, rounds=2)
    benchmark.extra_info["most_gb"] = max(one.megabytes for one in taken) / 1000


def test_the_fixed_cost_of_a_run(benchmark, tmp_path):
    """Toy runs in a row, of next to no work: milliseconds from the start of one to the start of the next."""
    study = Study.plan({**FEW, "seeds": 50})
    store, clock = Store.claim(tmp_path / "out"), Clock()

    def once() -> None:
        run_study(study, store, clock, again=False)

    benchmark.pedantic(once, rounds=1)
    gaps = 1e3 * np.diff(clock.starts)
    benchmark.extra_info["ms_from_start_to_start"] = float(np.median(gaps))
    benchmark.extra_info["ms_least_most"] = [float(gaps.min()), float(gaps.max())]


class Clock(Observer):
    """Notes when runs start."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def started(self, run: Run) -> None:
        self.starts.append(time.perf_counter())


def test_digits(benchmark):
    """Four members, 20 iterations of 20 steps: what is left once set-up and compilation are taken off."""
    run = run_of(problems=["vision.digits_mlp"], intervals=[1], population=4, iterations=20)
    outcomes = []
    benchmark.pedantic(
        lambda: outcomes.append(engines.execute(run)), rounds=7, warmup_rounds=1, iterations=1
    )
    kinds = {
        kind: float(np.median([spent_s(outcome, kind) for outcome in outcomes]))
        for kind in ("setup", "compile", "train", "evaluate", "save", "restore", "decide")
    }
    benchmark.extra_info.update({f"{kind}_s": seconds for kind, seconds in kinds.items()})
    warm = [outcome.wall_s - spent_s(outcome, *COLD) for outcome in outcomes]
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
