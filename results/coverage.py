"""How often intervals hold what they should, at few runs: those that pbtbench prints, and others.

    python results/coverage.py

Writes `results/coverage.csv`. Samples are drawn of distributions whose true value is known; `coverage` is the
share of them whose interval holds it, which should be 0.95. `width` is the median, and `infinite` the share
with an infinite end. An end that is no number holds nothing.

Printed is the interval whose coverage is nearest to 0.95, on average over a statistic's distributions and
numbers of runs, of those that end somewhere in most samples, whatever the distribution. What is nearer by less
than `CHANCE` is not told apart from it.
"""

from __future__ import annotations

import csv
import math
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from coverage_case import NOMINAL, Case
from coverage_of_power import power_cases
from coverage_of_profiles import profile_cases
from coverage_of_scores import improvement_cases, score_cases
from coverage_of_times import ratio_cases, time_cases

TABLE = Path(__file__).with_suffix(".csv")
CHANCE = 0.005
"""Twice what a mean distance of some twenty cells scatters by."""
Row = dict[str, str]


def cases() -> Iterator[Case]:
    """All of them."""
    for some in (
        score_cases,
        improvement_cases,
        time_cases,
        ratio_cases,
        profile_cases,
        power_cases,
    ):
        yield from some()


def cell(case: Case, n: int) -> list[Row]:
    """The rows of samples of n runs, one for each interval."""
    rng = np.random.default_rng(zlib.crc32(f"{case.statistic} {case.distribution} {n}".encode()))
    if case.listed:
        samples, weights = zip(*case.sample(rng, n), strict=True)
    else:
        samples = (case.sample(rng, n) for _ in range(case.samples))
        weights = [1 / case.samples] * case.samples
    found = defaultdict(list)
    for sample in samples:
        for name, interval in case.intervals(sample, rng).items():
            found[name].append(interval)
    rows = []
    for name, intervals in found.items():
        low, high = np.array(intervals, float).T
        held = (low <= case.truth + 1e-9) & (case.truth - 1e-9 <= high)
        with np.errstate(invalid="ignore"):  # both ends infinite
            widths = high - low
        widths[np.isnan(widths)] = math.inf
        rows.append(
            {
                "statistic": case.statistic,
                "distribution": case.distribution,
                "n": str(n),
                "interval": name,
                "samples": str(len(weights)),
                "coverage": f"{np.dot(held, weights):.4f}",
                "width": f"{np.median(widths):.4g}",
                "infinite": f"{np.dot(np.isinf(widths), weights):.3f}",
            }
        )
    return rows


def distances(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Statistic -> interval -> how far its coverage is from nominal, on average; infinite for one that is
    infinite in most samples of a distribution."""
    apart = defaultdict(lambda: defaultdict(list))
    for row in rows:
        distance = abs(float(row["coverage"]) - NOMINAL)
        endless = float(row["infinite"]) > 0.5
        apart[row["statistic"]][row["interval"]].append(math.inf if endless else distance)
    return {
        statistic: {name: float(np.mean(far)) for name, far in intervals.items()}
        for statistic, intervals in apart.items()
    }


def markdown(rows: list[Row]) -> str:
    """The table of `docs/statistics.md`: of each statistic the mean coverage at so many runs, printed and by
    the bootstrap's percentiles, and the least of any distribution."""
    found = defaultdict(list)
    for row in rows:
        found[row["statistic"], row["interval"], int(row["n"])].append(float(row["coverage"]))
    sizes = (3, 5, 10, 20)
    header = ["statistic", *(f"n = {n}" for n in sizes), "least", "percentiles, n = 3", "n = 10"]
    lines = [header, ["---", *["--:"] * (len(header) - 1)]]
    for statistic in dict.fromkeys(row["statistic"] for row in rows):

        def mean(interval: str, n: int, of: str = statistic) -> str:
            some = found.get((of, interval, n))
            return f"{np.mean(some):.0%}" if some else "–"

        least = min(min(of) for (s, i, _), of in found.items() if (s, i) == (statistic, "printed"))
        lines.append(
            [
                *(statistic, *(mean("printed", n) for n in sizes), f"{least:.0%}"),
                *(mean("percentile", n) for n in (3, 10)),
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    rows = [row for case in cases() for n in case.sizes for row in cell(case, n)]
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*rows[0]], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(markdown(rows))
    for statistic, intervals in distances(rows).items():
        print(statistic)
        for name, distance in sorted(intervals.items(), key=lambda pair: pair[1]):
            print(f"    {name:40}{distance:.4f}")


if __name__ == "__main__":
    main()
