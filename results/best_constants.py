"""The best hyperparameters that never change, for every problem that needs no download.

    python results/best_constants.py [PROBLEM …] [--members N] [--reruns N]

Writes `problems/best_constants.toml`, which reports take regrets from; what stands there takes part in the
choice, so that another search can only find something better. A search in rounds: hyperparameters
from the prior, then some around the best eight, all trained for the default budget with three seeds and
judged by the median, as one lucky seed says little. The best eight are trained again with other seeds,
the best median wins, and is scored with seeds that had no part in choosing it.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

import numpy as np
import tomli_w

from pbtbench import catalogue
from pbtbench.problem import Problem, member_seed
from pbtbench.space import Hyperparameter, IntUniform, LogUniform, Uniform, Value
from pbtbench.space.columns import columns, placed, rows

FILE = Path(__file__).parents[1] / "problems" / "best_constants.toml"
ROUNDS = 6
KEPT = 8
SEEDS = 3
CHUNK = 250
"""Members that are in memory at once."""


def best_constant(
    problem: Problem, members: int, reruns: int, known: dict[str, Value] | None
) -> tuple[dict[str, Value], float]:
    """Hyperparameters, and their median final score over `reruns` seeds; `known`: found before."""
    rng = np.random.default_rng(0)
    tried = rows(problem.space.sample(rng, members))
    found: list[tuple[float, dict[str, Value]]] = []
    for round_ in range(ROUNDS):
        each = [
            final_scores(problem, tried, [(SEEDS * round_ + s, m) for m in range(len(tried))])
            for s in range(SEEDS)
        ]
        scores = np.median(each, axis=0).tolist()
        found += zip(scores, tried, strict=True)
        found = sorted(found, key=lambda pair: -pair[0])[:KEPT]
        width = 0.3 * 0.4**round_
        tried = nearby(problem, [found[i % len(found)][1] for i in range(members)], width, rng)
    found += [(0.0, known)] if known and problem.space.contains(known) else []
    medians = {}
    for place, (_, hyperparameters) in enumerate(found):
        again = final_scores(problem, [hyperparameters] * reruns, [(100, m) for m in range(reruns)])
        medians[place] = float(np.median(again))
    best = found[max(medians, key=lambda place: medians[place])][1]
    fresh = final_scores(problem, [best] * reruns, [(200, m) for m in range(reruns)])
    return best, problem.objective.sign * float(np.median(fresh))


def nearby(
    problem: Problem, members: list[dict[str, Value]], width: float, rng: np.random.Generator
) -> list[dict[str, Value]]:
    """Each number moved by a normal draw of `width` times its range, on the prior's scale, and kept within
    bounds; others are drawn again, now and then."""
    near = columns(members)
    return rows({name: _moved(h, near[name], width, rng) for name, h in problem.space.items()})


def _moved(
    h: Hyperparameter, values: np.ndarray, width: float, rng: np.random.Generator
) -> np.ndarray:
    steps = width * rng.standard_normal(len(values))
    if isinstance(h, LogUniform):
        return h.nearest(values * (h.high / h.low) ** steps)
    if isinstance(h, Uniform | IntUniform):
        return h.nearest(values + (h.high - h.low) * steps)
    anew = rng.random(len(values)) < width
    return placed(values, anew, h.sample(rng, int(anew.sum())))


def final_scores(
    problem: Problem, tried: list[dict[str, Value]], seeds: list[tuple[int, int]]
) -> list[float]:
    """The last scores of members, one by one, turned such that higher is better; NaN is worst."""
    scores: list[float] = []
    for start in range(0, len(tried), CHUNK):
        chunk = slice(start, start + CHUNK)
        population = problem.population(tried[chunk], [member_seed(*s) for s in seeds[chunk]])
        for _ in range(problem.iterations):
            population.train(problem.steps_per_iteration)
        last = problem.objective.sign * population.evaluate()[problem.objective.metric]
        scores += np.nan_to_num(last, nan=-np.inf).tolist()
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*")
    parser.add_argument("--members", type=int, help="of each round  [500 in NumPy, else 24]")
    parser.add_argument("--reruns", type=int, default=20, help="seeds of the best eight")
    given = parser.parse_args()
    known = tomllib.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    for name in given.problems or catalogue.names():
        problem = catalogue.problem(name)
        if problem.download or problem.missing():
            print(f"{name}: left out, {problem.download or problem.missing()}")
            continue
        members = given.members or (500 if problem.framework == "numpy" else 24)
        before = known.get(name, {}).get("hyperparameters")
        hyperparameters, score = best_constant(problem, members, given.reruns, before)
        known[name] = {"score": score, "hyperparameters": hyperparameters}
        print(f"{name}: {score:.6g} with {hyperparameters}", flush=True)
        FILE.write_text(
            "# Made by `python results/best_constants.py`.\n\n"
            + tomli_w.dumps(dict(sorted(known.items()))),
            "utf-8",
        )


if __name__ == "__main__":
    main()
