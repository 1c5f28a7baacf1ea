"""How much timings of the same work scatter on a machine: the noise that regressions have to be told from.

    python results/noise.py [--rounds N]

Adds a sitting to `results/noise/`, a file named by when it was: a row for each round, with the seconds of
the whole run and of some of its stages. The benchmarks take turns, round by round; each is one run with one
seed, so that what scatters is time alone. Quiet or not, a machine is taken as it is: the load average stands
beside.
"""

from __future__ import annotations

import argparse
import csv
import os
from datetime import UTC, datetime
from pathlib import Path

from pbtbench import Run, Study, engines, machine
from pbtbench.measures import measure

FOLDER = Path(__file__).parent / "noise"
STAGES = ("wall_s", "train_s", "evaluate_s", "save_s", "restore_s", "decide_s")

BENCHMARKS = {
    "quadratic": {"problems": ["toy.pbt_quadratic"], "intervals": [2], "iterations": 100},
    "noisy": {"problems": ["toy.noisy_quadratic"], "intervals": [10], "iterations": 200},
    "digits": {
        "problems": ["vision.digits_mlp"],
        "intervals": [2],
        "population": 4,
        "iterations": 10,
    },
}
"""Name -> a study of one run."""


def seconds(run: Run) -> list[float]:
    """`STAGES` of one execution."""
    outcome = engines.execute(run)
    if outcome.cause:
        raise SystemExit(f"{run.id}: {outcome.message}")
    found = measure(run, outcome)
    return [
        found.wall_s,
        *(found.overhead.seconds[stage.removesuffix("_s")] for stage in STAGES[1:]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    runs = {
        name: Study.plan({"methods": ["pbt"], "seeds": 1, **keys}).runs[0]
        for name, keys in BENCHMARKS.items()
    }
    for run in runs.values():
        seconds(run)  # what a process pays once
    now = datetime.now(UTC)
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{now:%Y-%m-%dT%H%M}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["machine", "load", "benchmark", "round", *STAGES])
        where = machine.fingerprint(machine.facts())
        for number in range(rounds):
            for name, run in runs.items():
                took = [f"{value:.6g}" for value in seconds(run)]
                table.writerow([where, f"{os.getloadavg()[0]:.2f}", name, number, *took])


if __name__ == "__main__":
    main()
