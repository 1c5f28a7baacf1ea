"""What the gate catches, and how often it cries wolf: on the recorded noise of real runs.

    python results/sensitivity.py

Reads `results/noise/`, which `noise.py` makes, and writes `results/sensitivity.csv`. Tables of the three
benchmarks there are laid out of N rounds for the base and N for the new, and compared by pbtbench's own gate.
`default` is what it allows by itself, 1.1 times the wall time and 1.25 times the overhead of checkpoints;
`tight` 1.03 times the wall time, and 1.1 times the stage `save`.

- `paired`: base and new take turns within one sitting, as `compare --paired` has them;
- `apart`: the base is of one sitting, the new of another, as with a stored baseline.

A slowdown is put on the new rounds: of `save`, with the wall time that it takes longer, or of the whole
run. `caught` is the share of tables in which the slower benchmark has a row that is worse; where nothing is
slower, of tables that have any such row: false alarms.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np

from pbtbench.regression import gate
from pbtbench.regression.exchange import Entry
from pbtbench.regression.sitting import Sitting
from pbtbench.regression.thresholds import DEFAULTS, Thresholds

HERE = Path(__file__).parent
ROUNDS = (5, 10, 20)
STRIDE = 4
"""Rounds from the start of one table to that of the next."""
TABLES = 200
"""Of each kind, at most."""
CHANGES = {
    "nothing": {},
    "save +20%": {"save_s": 1.2},
    "save +50%": {"save_s": 1.5},
    "save +100%": {"save_s": 2.0},
    "run +10%": {"wall_s": 1.1},
    "run +20%": {"wall_s": 1.2},
    "run +50%": {"wall_s": 1.5},
}
"""What is made slower -> measure -> how many times as long."""
ALLOWED = {
    "default": Thresholds(),
    "tight": Thresholds({**DEFAULTS, "wall_s": 1.03, "save_s": 1.1}),
}

Stages = dict[str, np.ndarray]
"""Measure -> seconds of each round."""


def sittings() -> list[dict[str, Stages]]:
    """The recorded ones: benchmark -> what its rounds took."""
    found = []
    for file in sorted((HERE / "noise").glob("*.csv")):
        rounds: dict[str, list[dict[str, str]]] = {}
        with file.open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                rounds.setdefault(row["benchmark"], []).append(row)
        found.append(
            {
                name: {
                    key: np.array([float(row[key]) for row in rows])
                    for key in rows[0]
                    if key.endswith("_s")
                }
                for name, rows in rounds.items()
            }
        )
    return found


def entry(seconds: Stages, slower: dict[str, float]) -> Entry:
    """A benchmark's rounds as the gate takes them, slowed down."""
    made = {key: values.copy() for key, values in seconds.items()}
    if "save_s" in slower:
        made["wall_s"] += made["save_s"] * (slower["save_s"] - 1)
        made["save_s"] *= slower["save_s"]
    if "wall_s" in slower:
        made = {key: values * slower["wall_s"] for key, values in made.items()}
    work = made["train_s"] + made["evaluate_s"]
    made["checkpoint_overhead"] = (made["save_s"] + made["restore_s"]) / work
    return Entry(
        problem="noise",
        problem_digest="",
        goal="min",
        settings={},
        exact=[],
        seeds=list(range(len(work))),
        measures={key: values.tolist() for key, values in made.items()},
    )


def of(rounds: dict[str, Stages], pick: slice, slowed: str, slower: dict[str, float]) -> Sitting:
    """The sitting of some of the rounds, in which a benchmark is slowed down."""
    return Sitting(
        version="",
        commit="",
        dirty=False,
        machine="one",
        cpu="",
        benchmarks={
            name: {
                "pbt": entry(
                    {k: v[pick] for k, v in seconds.items()}, slower if name == slowed else {}
                )
            }
            for name, seconds in rounds.items()
        },
    )


def pairs(recorded: list[dict[str, Stages]], rounds: int, how: str) -> Iterator[tuple[Any, ...]]:
    """(rounds of the base, which, rounds of the new, which) of many tables."""
    if how == "paired":
        for one in recorded:
            last = min(len(seconds["wall_s"]) for seconds in one.values())
            for start in range(0, last - 2 * rounds + 1, STRIDE):
                end = start + 2 * rounds
                yield one, slice(start, end, 2), one, slice(start + 1, end, 2)
        return
    for base, new in permutations(recorded, 2):
        last = min(len(seconds["wall_s"]) for one in (base, new) for seconds in one.values())
        for start in range(0, last - rounds + 1, STRIDE):
            pick = slice(start, start + rounds)
            yield base, pick, new, pick


def main() -> None:
    recorded = sittings()
    if not recorded:
        raise SystemExit("results/noise: no sitting in it; python results/noise.py makes one")
    rows = []
    for how, rounds, (name, allowed) in product(("paired", "apart"), ROUNDS, ALLOWED.items()):
        tables = list(pairs(recorded, rounds, how))
        tables = tables[:: max(1, len(tables) // TABLES)]
        for change, slower in CHANGES.items():
            hits = [
                any(
                    row.verdict == "worse" and row.benchmark == (slowed or row.benchmark)
                    for row in found
                )
                for base, one, new, other in tables
                for slowed in (recorded[0] if slower else [""])
                for found in [
                    gate.compare(of(base, one, "", {}), of(new, other, slowed, slower), allowed)
                ]
            ]
            if hits:
                rows.append([how, rounds, name, change, len(hits), f"{np.mean(hits):.3f}"])
                print(*rows[-1], sep="\t", flush=True)
    with (HERE / "sensitivity.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["how", "rounds", "allowed", "slower", "tables", "caught"])
        table.writerows(rows)


if __name__ == "__main__":
    main()
