"""What PBT costs on a Ray cluster of this machine's CPUs: on the ray engine, and on Ray Tune for comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pbtbench import Run, Study, engines, machine
from pbtbench.measures import Measures, measure
from pbtbench.measures.overhead import CHECKPOINT
from pbtbench.record import Outcome

ROOTS = 50_000_000
"""Square roots of a step that computes: about as long as one that sleeps 0.1 s."""


@pytest.fixture(autouse=True)
def _ray_ends() -> Iterator[None]:
    yield
    engines.engine("ray").close()


def run_of(engine: str, method: str = "pbt", *, synchronous: bool = True, **keys) -> Run:
    base = {"engines": [engine], "methods": [method], "intervals": [1], "seeds": 1}
    options = {"method": {"pbt": {"synchronous": synchronous}}} if method == "pbt" else {}
    (run,) = Study.plan({**base, **options, **keys}).runs
    return run


def executed(run: Run) -> Outcome:
    outcome = engines.execute(run)
    assert not outcome.cause, outcome.message
    return outcome


def beyond_own_time_s(m: Measures) -> float:
    """Wall seconds, once training has begun, beyond what a worker trains and evaluates."""
    return m.checkpoints.after_setup_s - m.overhead.work_s / m.workers


@pytest.mark.parametrize(
    ("engine", "population", "rounds"), [("ray", 8, 7), ("ray", 200, 7), ("tune", 8, 3)]
)
@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "asynchronous"])
def test_cost_of_a_member_iteration(benchmark, engine, population, rounds, synchronous):
    """Of a trivial problem, 100 iterations, interval 1, two workers: beyond the problem's own time."""
    keys = {"problems": ["toy.pbt_quadratic"], "population": population, "iterations": 100}
    run = run_of(engine, synchronous=synchronous, **keys)
    found: list[Measures] = []

    def once() -> None:
        found.append(measure(run, executed(run)))

    benchmark.pedantic(once, rounds=rounds, warmup_rounds=1)
    made = population * run.iterations
    beyond = [1e3 * beyond_own_time_s(m) / made for m in found[1:]]
    benchmark.extra_info["ms_beyond_own_time"] = float(np.median(beyond))
    benchmark.extra_info["ms_least_most"] = [min(beyond), max(beyond)]


@pytest.mark.parametrize("steps", ["sleep", "compute"])
@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "asynchronous"])
@pytest.mark.parametrize(("engine", "pairs"), [("ray", 5), ("tune", 3)])
def test_pbt_tax(benchmark, engine, pairs, synchronous, steps):
    """64 MB of weights, four members, ten iterations of about a second, interval 1, two workers, in turn with
    random search."""
    pace = {"step_s": 0.1} if steps == "sleep" else {"step_s": 0.0, "roots": ROOTS}
    keys = {"problems": ["synthetic.state_size"], "population": 4, "iterations": 10}
    keys |= {"options": {"state_bytes": 64_000_000, **pace}}
    pbt = run_of(engine, synchronous=synchronous, **keys)
    random = run_of(engine, "random", **keys)
    taxes: list[float] = []

    def pair() -> None:
        first, second = (pbt, random) if len(taxes) % 2 else (random, pbt)
        wall = {run.method: executed(run).wall_s for run in (first, second)}
        taxes.append(wall["pbt"] / wall["random"] - 1)

    benchmark.pedantic(pair, rounds=pairs)
    benchmark.extra_info["pbt_tax"] = float(np.median(taxes))
    benchmark.extra_info["pbt_tax_least_most"] = [min(taxes), max(taxes)]


def test_fork_against_memcpy(benchmark):
    """64 MB: all that a fork between two actors takes, and one within an actor, over copying as much."""
    keys = {"problems": ["synthetic.state_size"], "population": 4, "iterations": 60}
    run = run_of("ray", **keys, options={"state_bytes": 64_000_000, "step_s": 0.002})
    outcomes: list[Outcome] = []
    benchmark.pedantic(lambda: outcomes.append(executed(run)), rounds=3)
    copy_s = machine.describe()["memcpy_s_per_gb"] * 64e6 / 1e9
    across, within = [], []
    for outcome in outcomes:
        timeline = outcome.record.timeline
        costs = timeline.at(timeline.of(*CHECKPOINT))
        made = outcome.record.forks.at(~outcome.record.forks.starts)
        columns = made.member.tolist(), made.donor.tolist(), made.iteration.tolist()
        for member, donor, iteration in zip(*columns, strict=True):
            mine = (costs.iteration == iteration) & np.isin(costs.member, (member, donor))
            taken = float(costs.duration_s[mine].sum()) / copy_s
            (within if (member < 2) == (donor < 2) else across).append(taken)
    warm = across[len(across) // 2 :]
    benchmark.extra_info["memcpy_ms"] = 1e3 * copy_s
    for name, ratios in (("across", across), ("across_later_half", warm), ("within", within)):
        benchmark.extra_info[name] = [float(np.quantile(ratios, q)) for q in (0.5, 0.1, 0.9)]
